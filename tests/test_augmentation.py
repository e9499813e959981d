"""Images changed by chance: how, how far, in training alone, and by the seed alone."""

from typing import Any

import numpy as np
import pytest

from pipeline.errors import ModelError
from pipeline.models.augmentation import Augmentation
from pipeline.models.backend import load_keras, model_from_bytes, model_to_bytes, seeded
from pipeline.models.neural import KerasClassifier, make_network

pytestmark = pytest.mark.slow


def spot(n: int = 200, size: int = 21) -> np.ndarray:
    """Return images (n, size, size, 1) with a bright spot above and left of the middle."""
    images = np.zeros((n, size, size, 1), "float32")
    images[:, 4:7, 6:9] = 1
    return images


def changed(images: np.ndarray, seed: int = 5, **parameters: Any) -> np.ndarray:
    with seeded(seed):
        layer = Augmentation(**parameters)
    return np.asarray(layer(images, training=True))


def centres(images: np.ndarray) -> np.ndarray:
    """Return where the light is (n, 2): down and across."""
    at = np.arange(images.shape[1])
    light = images[..., 0].sum(axis=(1, 2))
    down = (images[..., 0].sum(axis=2) * at).sum(axis=1) / light
    across = (images[..., 0].sum(axis=1) * at).sum(axis=1) / light
    return np.stack([down, across], axis=1)


def test_half_of_the_images_are_mirrored_left_to_right() -> None:
    images = spot()
    mirrored = changed(images, flip=True)
    is_mirrored = np.isclose(mirrored, images[:, :, ::-1]).all(axis=(1, 2, 3))
    is_same = np.isclose(mirrored, images).all(axis=(1, 2, 3))
    assert (is_mirrored != is_same).all()
    assert 70 < is_mirrored.sum() < 130


def test_images_are_moved_by_at_most_the_share_that_is_asked_for() -> None:
    moved = centres(changed(spot(), shift=0.1)) - [5, 7]
    assert np.abs(moved).max() <= 2.1 + 0.01
    assert (np.abs(moved).max(axis=0) > 1.8).all()
    assert np.abs(moved.mean(axis=0)).max() < 0.3


def test_images_are_turned_about_their_middle() -> None:
    arms = centres(changed(spot(), rotate=30)) - 10
    assert np.allclose(np.hypot(*arms.T), np.hypot(5, 3), atol=0.2)
    turned = np.degrees(np.arctan2(*arms.T) - np.arctan2(-5, -3))
    assert 27 < np.abs(turned).max() < 31
    assert (turned > 5).any()
    assert (turned < -5).any()


def test_images_grow_and_shrink_about_their_middle() -> None:
    far = np.hypot(*(centres(changed(spot(), zoom=0.25)) - 10).T) / np.hypot(5, 3)
    assert 0.78 < far.min() < 0.85  # 1 / 1.25
    assert 1.25 < far.max() < 1.36  # 1 / 0.75


def test_what_comes_in_from_beyond_the_edge_is_reflected() -> None:
    bright = np.ones((20, 8, 8, 3), "float32")
    everything = changed(bright, flip=True, shift=0.5, rotate=90, zoom=0.5)
    assert np.allclose(everything, 1, atol=1e-5)
    assert everything.shape == bright.shape


def test_chance_follows_from_the_seed_and_differs_from_call_to_call() -> None:
    images = spot(20)
    with seeded(1):
        first = Augmentation(shift=0.2)
    with seeded(1):
        second = Augmentation(shift=0.2)
    calls = [np.asarray(layer(images, training=True)) for layer in (first, first, second)]
    assert np.array_equal(calls[0], calls[2])
    assert not np.array_equal(calls[0], calls[1])
    assert not np.array_equal(calls[0], changed(images, seed=2, shift=0.2))


def test_nothing_is_changed_but_in_training() -> None:
    images = spot(3)
    layer = Augmentation(flip=True, shift=0.3, rotate=90, zoom=0.5)
    assert np.array_equal(np.asarray(layer(images)), images)
    assert np.array_equal(np.asarray(layer(images, training=False)), images)


def test_a_saved_network_remembers_how_images_were_changed() -> None:
    keras = load_keras()
    inputs = keras.Input((8, 8, 1))
    model = keras.Model(inputs, Augmentation(flip=True, rotate=10)(inputs))
    model.compile("adam", "mse")
    again = model_from_bytes(model_to_bytes(model)).layers[-1]
    assert (again.flip, again.shift, again.rotate, again.zoom) == (True, 0.0, 10, 0.0)


IMAGES = np.random.default_rng(0).integers(0, 256, (60, 48)).astype("uint8")
LABELS = np.where(IMAGES[:, :24].mean(axis=1) > 127, "light", "dark")


def network(**parameters: Any) -> KerasClassifier:
    own = {"filters": [4], "dense": [], "epochs": 2, "images": (4, 4, 3)} | parameters
    made = make_network("pipeline.models.networks:conv2d", "binary", 3, **own)
    assert isinstance(made, KerasClassifier)
    return made


def test_validated_and_new_images_are_predicted_as_they_are() -> None:
    model = network(augment={"flip": True, "rotate": 90, "shift": 0.5}).fit(IMAGES, LABELS)
    said = [model.predict_proba(IMAGES) for _ in range(2)]
    assert np.array_equal(*said)
    assert (
        model.history_["val_loss"]
        == network(augment={"flip": True, "rotate": 90, "shift": 0.5})
        .fit(IMAGES, LABELS)
        .history_["val_loss"]
    )


def test_images_are_standardised_by_what_the_training_rows_are() -> None:
    held_out = np.arange(40, 60)
    wild = IMAGES.copy()
    wild[held_out] = 255
    models = [network().fit(X, LABELS, holdout=held_out) for X in (IMAGES, wild)]
    seen = IMAGES[:40].reshape(-1, 3)
    for model in models:
        assert np.allclose(model.pixel_mean_, seen.mean(axis=0))
        assert np.allclose(model.pixel_std_, seen.std(axis=0))
    scaled = models[0].model_.layers[2](IMAGES[:40].reshape(40, 16, 3).astype("float32"))
    assert np.allclose(np.mean(scaled, axis=(0, 1)), 0, atol=1e-5)
    assert np.allclose(np.std(scaled, axis=(0, 1)), 1, atol=1e-5)


def test_an_image_s_size_is_a_network_s_shape_unless_another_is_declared() -> None:
    made = [
        make_network(f"pipeline.models.networks:{kind}", "binary", 3, images=(4, 4, 3))
        for kind in ("conv2d", "lstm", "dnn")
    ]
    shapes = [(one.network_parameters or {}).get("shape") for one in made]
    assert shapes == [[4, 4, 3], [4, 12], None]
    assert network().network_parameters["augment"] == {"shift": 0.1, "rotate": 10, "zoom": 0.1}
    assert network(augment={}).network_parameters["augment"] == {}
    assert network(shape=[2, 8, 3]).network_parameters["shape"] == [2, 8, 3]


@pytest.mark.parametrize(
    ("augment", "message"),
    [
        ({"flipp": True}, "augment.flipp: unknown; did you mean 'flip'?"),
        ({"flip": 1}, "augment.flip: expected true or false, found 1"),
        ({"rotate": "10"}, "augment.rotate: expected a number from 0 to 180, found '10'"),
        ({"zoom": 1}, "augment.zoom: expected a number from 0 to 0.9, found 1"),
        ({"shift": -0.1}, "augment.shift: expected a number from 0 to 1, found -0.1"),
        ({"shift": True}, "augment.shift: expected a number from 0 to 1, found True"),
        ("flip", "augment: expected a table like { flip = true, shift = 0.1 }, found 'flip'"),
    ],
)
def test_what_cannot_be_done_to_images_is_one_line(augment: Any, message: str) -> None:
    with pytest.raises(ModelError) as caught:
        network(augment=augment).fit(IMAGES, LABELS)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (
            IMAGES.astype(float),
            "expected pixels as bytes (n_samples, n_pixels), found float64 of 60 x 48",
        ),
        (IMAGES[:, :47], "expected images of 48 pixels, found 47"),
    ],
)
def test_what_is_no_image_is_one_line(X: np.ndarray, message: str) -> None:
    model = network().fit(IMAGES, LABELS)
    with pytest.raises(ModelError) as caught:
        model.predict(X)
    assert str(caught.value) == message
