"""Images moved, turned, scaled and mirrored by chance, while a network learns from them."""

import math
from typing import Any

from pipeline.errors import ModelError, did_you_mean
from pipeline.models.backend import load_keras
from pipeline.models.layers import PACKAGE

keras: Any = load_keras()
# What each may be at most: a share of the size, degrees, a share of the size.
LIMITS = {"shift": 1.0, "rotate": 180.0, "zoom": 0.9}


@keras.saving.register_keras_serializable(PACKAGE)
class Augmentation(keras.layers.Layer):
    """Change each image (batch, height, width, channels) by chance in training, and never else.

    flip: whether half of them are mirrored, left to right. shift: the most they are moved, as a
    share of height and width. rotate: the most they are turned, in degrees. zoom: the most they
    grow or shrink, as a share of their size. It is all one bilinear transform; what comes in from
    beyond the edge is the image, reflected.
    """

    def __init__(
        self,
        *,
        flip: bool = False,
        shift: float = 0.0,
        rotate: float = 0.0,
        zoom: float = 0.0,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.flip, self.shift, self.rotate, self.zoom = flip, shift, rotate, zoom
        self.seed_generator = keras.random.SeedGenerator()

    def call(self, images: Any, training: bool = False) -> Any:
        """Return images of the same shape."""
        if not training:
            return images
        return keras.ops.image.affine_transform(
            images, self._transforms(images), interpolation="bilinear", fill_mode="reflect"
        )

    def _transforms(self, images: Any) -> Any:
        """Return for each image the numbers (batch, 8) that say where its pixels come from."""
        ops = keras.ops
        n = ops.shape(images)[0]
        height, width = images.shape[1:3]
        turn = self._drawn(n, self.rotate * math.pi / 180)
        scale = 1 + self._drawn(n, self.zoom)
        side = ops.where(self._drawn(n, 1.0) < 0, -1.0, 1.0) if self.flip else 1.0
        cos, sin = scale * ops.cos(turn), scale * ops.sin(turn)
        y, x = (height - 1) / 2, (width - 1) / 2
        down, across = self._drawn(n, self.shift * height), self._drawn(n, self.shift * width)
        first, second = side * cos, side * sin
        nothing = ops.zeros(n)
        columns = (
            first, -sin, x - first * x + sin * y + across,
            second, cos, y - second * x - cos * y + down,
            nothing, nothing,
        )  # fmt: skip
        return ops.stack(columns, axis=1)

    def _drawn(self, n: Any, most: float) -> Any:
        """Return so many numbers between -most and most."""
        return keras.random.uniform((n,), -most, most, seed=self.seed_generator)

    def get_config(self) -> dict[str, Any]:
        """Return what makes the layer anew."""
        own = {"flip": self.flip, "shift": self.shift, "rotate": self.rotate, "zoom": self.zoom}
        return {**super().get_config(), **own}


def augmented(images: Any, augment: Any) -> Any:
    """Return images (batch, height, width, channels), augmented as a declaration says.

    Raises ModelError for what is not known or out of range.
    """
    if not isinstance(augment, dict):
        example = "{ flip = true, shift = 0.1 }"
        raise ModelError(f"augment: expected a table like {example}, found {augment!r}")
    for name, value in augment.items():
        if name == "flip":
            if not isinstance(value, bool):
                raise ModelError(f"augment.flip: expected true or false, found {value!r}")
            continue
        if name not in LIMITS:
            raise ModelError(f"augment.{name}: unknown; {did_you_mean(name, ('flip', *LIMITS))}")
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not is_number or not 0 <= value <= LIMITS[name]:
            raise ModelError(
                f"augment.{name}: expected a number from 0 to {LIMITS[name]:g}, found {value!r}"
            )
    return Augmentation(**augment)(images) if any(augment.values()) else images
