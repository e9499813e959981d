"""What is trained where nobody names a model: every entry can be made, and fits the size."""

import dataclasses

import pandas as pd
import pytest

from pipeline.competition import (
    Columns,
    Competition,
    Files,
    Images,
    ModelChoice,
    Preprocessing,
    Target,
    Windows,
)
from pipeline.models import MODELS, make_model
from pipeline.portfolio import (
    CLASSES,
    COSTS,
    IMAGES,
    NUMBERS,
    Size,
    has_many_levels,
    is_skewed,
    make_portfolio,
)

FILES = Files(train="train.csv", test="test.csv", sample_submission="sample.csv")
PRICES = Competition(
    name="prices", title="Prices", task="regression", metric="rmse", files=FILES,
    columns=Columns(id="id", target=("price",)), target=Target(),
)  # fmt: skip
KINDS = dataclasses.replace(PRICES, task="multiclass", metric="log_loss")
SMALL = Size(rows=1000, columns=10, outputs=1, folds=5)


def labels(competition: Competition, size: Size = SMALL) -> list[str]:
    return [entry.choice.label for entry in make_portfolio(competition, size)]


@pytest.mark.parametrize("choice", NUMBERS, ids=lambda choice: choice.label)
def test_every_configuration_for_numbers_can_be_made(choice: ModelChoice) -> None:
    assert hasattr(make_model(choice, "regression", seed=1), "fit")


@pytest.mark.parametrize("choice", CLASSES, ids=lambda choice: choice.label)
@pytest.mark.parametrize("task", ["binary", "multiclass"])
def test_every_configuration_for_classes_can_be_made(choice: ModelChoice, task: str) -> None:
    assert hasattr(make_model(choice, task, seed=1), "predict_proba")  # type: ignore[arg-type]


@pytest.mark.parametrize("choices", [NUMBERS, CLASSES, IMAGES])
def test_labels_are_distinct_and_costs_are_known(choices: tuple[ModelChoice, ...]) -> None:
    names = [choice.label for choice in choices]
    assert len(set(names)) == len(names)
    assert {choice.kind for choice in choices} <= COSTS.keys()


def test_what_every_model_costs_is_known() -> None:
    assert MODELS.keys() <= COSTS.keys()


def test_a_recurrent_network_costs_what_its_steps_do() -> None:
    size = Size(rows=2000, columns=784, outputs=10, folds=3)

    def seconds(competition: Competition, kind: str, **parameters: object) -> float:
        choice = ModelChoice(label=kind, kind=kind, parameters=parameters)
        return next(iter(make_portfolio(competition, size, [choice]))).seconds

    series = Windows(timesteps=20)
    price = dataclasses.replace(PRICES.columns, time="day")
    windows = dataclasses.replace(PRICES, columns=price, windows=series)
    images = dataclasses.replace(KINDS, images=Images(height=28, width=28))
    for kind in ("simple_rnn", "lstm", "gru"):
        long, short = seconds(KINDS, kind), seconds(KINDS, kind, shape=[28, -1])
        assert seconds(windows, kind) < short < long
        assert seconds(images, kind) == short
    assert seconds(images, "simple_rnn") < seconds(images, "lstm") < seconds(images, "gru")


def test_a_network_that_is_trained_by_itself_is_planned_for_few_rows_too() -> None:
    few = Size(rows=96, columns=4, outputs=3, folds=5)
    chosen = [ModelChoice(label=kind, kind=kind) for kind in ("lstm", "gru", "conv1d")]
    entries = make_portfolio(KINDS, few, chosen)
    assert [entry.choice.label for entry in entries] == ["lstm", "gru", "conv1d"]
    assert all(15 < entry.seconds < 40 for entry in entries), "seconds of five folds on iris"


def test_images_are_for_a_convolution_first() -> None:
    digits = dataclasses.replace(KINDS, images=Images(height=28, width=28))
    size = Size(rows=4800, columns=784, outputs=10, folds=3)
    assert labels(digits, size) == ["conv2d", "svm", "extra_trees", "knn", "lightgbm"]
    own = ModelChoice(label="conv2d", kind="conv2d", parameters={"filters": [8]})
    other = ModelChoice(label="lstm", kind="lstm")
    declared = dataclasses.replace(digits, models={"lstm": other, "conv2d": own})
    entries = make_portfolio(declared, size)
    assert entries[0].choice == own
    assert entries[0].can_stop
    assert entries[-1].choice == other
    large = labels(digits, dataclasses.replace(size, rows=60_000))
    assert large == ["conv2d", "lightgbm"], "what grows with the rows' square is left out"


def test_the_first_is_quick_whatever_the_size() -> None:
    for rows in (100, 10_000, 1_000_000):
        entry = make_portfolio(PRICES, dataclasses.replace(SMALL, rows=rows))[0]
        assert entry.can_stop
        assert entry.choice.label == "lightgbm"


def test_what_grows_with_the_square_of_the_rows_is_left_out_of_large_data() -> None:
    large = labels(PRICES, dataclasses.replace(SMALL, rows=200_000))
    assert {"svm", "kernel_ridge", "gaussian_process", "knn"}.isdisjoint(large)
    assert {"lightgbm", "catboost", "ridge"} <= set(large)


def test_more_rows_are_expected_to_take_longer() -> None:
    few, many = (
        {
            e.choice.label: e.seconds
            for e in make_portfolio(PRICES, dataclasses.replace(SMALL, rows=n))
        }
        for n in (1000, 9000)
    )
    assert all(few[label] < many[label] for label in many)


def test_what_is_declared_replaces_its_label_and_new_labels_come_second() -> None:
    ours = ModelChoice(label="ridge", kind="ridge", parameters={"alpha": 3.0})
    mine = ModelChoice(label="mine", kind="lightgbm", parameters={"num_leaves": 9})
    declared = PRICES.with_model(ours).with_model(mine)
    entries = make_portfolio(declared, SMALL)
    assert [entry.choice.label for entry in entries[:2]] == ["lightgbm", "mine"]
    assert ours in [entry.choice for entry in entries]
    assert len(entries) == len(make_portfolio(PRICES, SMALL)) + 1


def test_levels_that_are_many_and_repeat_are_encoded() -> None:
    towns = pd.DataFrame({"town": [f"town {i % 30}" for i in range(120)], "size": range(120)})
    assert has_many_levels(towns)
    assert not has_many_levels(towns, prose=["town"])
    assert not has_many_levels(towns.assign(town=[f"id {i}" for i in range(120)]))  # none repeats
    assert not has_many_levels(towns.assign(town="a"))
    many = dataclasses.replace(SMALL, has_many_levels=True)
    entries = {entry.choice.label: entry for entry in make_portfolio(PRICES, many)}
    assert entries["lightgbm_encoded"].choice.features == ("target_encoding", "crosses", "pairs")
    assert entries["lightgbm_encoded"].seconds > entries["lightgbm"].seconds
    assert "lightgbm_encoded" not in labels(PRICES)


def test_a_target_with_a_long_tail_is_tried_on_another_scale() -> None:
    assert is_skewed([1.0, 2, 2, 3, 3, 3, 4, 50])
    assert not is_skewed([1.0, 2, 3, 4, 5])
    assert not is_skewed([-1.0, 2, 2, 3, 3, 3, 4, 50])
    assert not is_skewed([3.0, 3, 3])
    tailed = dataclasses.replace(SMALL, is_skewed=True)
    counts = dataclasses.replace(PRICES, target=Target(lower=0))
    entries = {entry.choice.label: entry.choice for entry in make_portfolio(counts, tailed)}
    assert entries["lightgbm_sqrt"].transform == entries["catboost_sqrt"].transform == "sqrt"
    ratios = dataclasses.replace(counts, metric="mape")
    assert "lightgbm_log1p" in labels(ratios, tailed)
    assert "lightgbm_sqrt" not in labels(counts)
    assert "lightgbm_sqrt" not in labels(PRICES, tailed)  # nothing says that it is never below 0
    logs = dataclasses.replace(PRICES, target=Target(lower=0, transform="log1p"))
    assert "lightgbm_sqrt" not in labels(logs, tailed)


def test_models_that_are_named_are_all_there_is() -> None:
    named = [ModelChoice(label="knn", kind="knn"), ModelChoice(label="dnn", kind="dnn")]
    entries = make_portfolio(PRICES, SMALL, named)
    assert [(e.choice.label, e.together) for e in entries] == [("knn", False), ("dnn", True)]


def test_a_model_that_cannot_do_the_task_is_not_there() -> None:
    assert "logistic" in labels(KINDS)
    declared = KINDS.with_model(ModelChoice(label="lines", kind="ridge"))
    assert "lines" not in labels(declared)


def test_features_of_all_models_are_those_of_the_portfolio_too() -> None:
    preprocessing = Preprocessing(features=("target_encoding",))
    declared = dataclasses.replace(PRICES, preprocessing=preprocessing)
    assert {entry.choice.features for entry in make_portfolio(declared, SMALL)} == {
        ("target_encoding",)
    }
