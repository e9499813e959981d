"""What happens to models, and to what blends them, where the test is warmer than the training rows.

The training rows of ddarung stand for both files: the cooler 70 % are trained on, the warmer 30 %
predicted. Each model is fitted once on the target as it is, on its root and on its logarithm. Then
weights of a blend are chosen on the cooler rows alone, by several kinds of out-of-fold predictions,
and judged on the warmer ones. The files are read as `kc` reads them, from ../shared/data/ddarung.
"""

import argparse
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

REAL = Path(__file__).resolve().parents[2] / "shared" / "data" / "ddarung"
TEMPERATURE = "hour_bef_temperature"
COOLER = 0.7
TRANSFORMS = ("none", "sqrt", "log1p")
POLYNOMIAL = {"kernel": "polynomial", "degree": 2, "coef0": 1.0, "alpha": 3.0}
MODELS = {
    "ridge": ("ridge", {}),
    "lasso": ("lasso", {}),
    "quadratic": ("kernel_ridge", POLYNOMIAL),
    "kernel_ridge": ("kernel_ridge", {}),
    "svm": ("svm", {}),
    "gaussian_process": ("gaussian_process", {}),
    "extra_trees": ("extra_trees", {"max_features": 0.5, "min_samples_leaf": 2, "n_jobs": 1}),
    "trend_forest": ("trend_forest", {"n_jobs": 1}),
    "lightgbm": ("lightgbm", {}),
    "catboost": ("catboost", {}),
    "dnn": ("dnn", {"units": [128, 64, 32], "n_seeds": 4, "epochs": 300, "patience": 20}),
}
BLENDED = (
    "ridge",
    "lasso",
    "quadratic",
    "kernel_ridge",
    "svm",
    "extra_trees",
    "trend_forest",
    "lightgbm",
)
SMALLEST_WEIGHT, LARGEST_WEIGHT = 0.2, 5.0  # of a row by its likeness to the test


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS))
    parser.add_argument("--no-blends", action="store_true")
    args = parser.parse_args()
    opened, train = read()
    cool, warm = divide(train.X[TEMPERATURE])
    print(f"{len(cool):,} cooler rows to train on, {len(warm):,} warmer ones to predict")
    show_models(opened, train, cool, warm, args.models)
    if not args.no_blends:
        show_blends(opened, train, cool, warm)


def read():
    """Return the opened competition and its training rows."""
    from pipeline import Workspace, fetch
    from pipeline.stages.opening import open_competition, read_data

    with tempfile.TemporaryDirectory() as folder:
        workspace = Workspace(Path(folder))
        fetch(workspace, "ddarung", REAL)
        opened = open_competition(workspace, "ddarung")
        return opened, read_data(opened).train


def divide(temperature: pd.Series) -> tuple[np.ndarray, np.ndarray]:
    """Return the positions of the cooler and of the warmer rows; unknown ones are in the middle."""
    order = np.argsort(temperature.fillna(temperature.median()).to_numpy(), kind="stable")
    edge = int(COOLER * len(order))
    return np.sort(order[:edge]), np.sort(order[edge:])


def predicted(opened, train, label: str, transform: str, folds) -> np.ndarray:
    """Return a model's predictions of the folds' validation rows (n_samples,), else NaN."""
    from pipeline.competition import ModelChoice
    from pipeline.training import fit_folds, make_estimator

    kind, parameters = MODELS[label]
    choice = ModelChoice(label=label, kind=kind, parameters=parameters, transform=transform)
    estimator = make_estimator(opened.competition, choice, opened.features, seed=42)
    found = np.full(len(train), np.nan)
    for result in fit_folds(estimator, train, folds, opened.competition):
        found[result.fold.valid] = result.prediction[:, 0]
    return found


def rmse(y: np.ndarray, prediction: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(y - prediction))))


def show_models(opened, train, cool: np.ndarray, warm: np.ndarray, labels: list[str]) -> None:
    from pipeline.splits import Fold

    print("\n| model | " + " | ".join(f"{t} (bias)" for t in TRANSFORMS) + " |")
    print("| --- |" + " ---: |" * len(TRANSFORMS))
    y = train.y.to_numpy(float)[warm]
    for label in labels:
        cells = []
        for transform in TRANSFORMS:
            found = predicted(opened, train, label, transform, [Fold(0, cool, warm)])[warm]
            cells.append(f"{rmse(y, found):.2f} ({np.mean(found - y):+.1f})")
        print(f"| {label} | {' | '.join(cells)} |", flush=True)


def show_blends(opened, train, cool: np.ndarray, warm: np.ndarray) -> None:
    """Print what blends of the raw and the root fits score on the warmer rows."""
    from pipeline.competition import Validation
    from pipeline.drift import measure_drift
    from pipeline.ensemble import Question, greedy, non_negative
    from pipeline.splits import Fold, make_folds

    competition, seen, y = opened.competition, train.subset(cool), train.y.to_numpy(float)
    drift = measure_drift(seen.X, train.X.iloc[warm])
    likeness = pd.Series(drift.likeness)
    kfold = make_folds(seen.y, None, None, Validation(scheme="kfold"), competition.task)
    forward = make_folds(seen.y, None, likeness, Validation(scheme="like_test"), competition.task)
    names = [(label, transform) for label in BLENDED for transform in ("none", "sqrt")]
    on_warm = np.array([predicted(opened, train, *n, [Fold(0, cool, warm)])[warm] for n in names])
    by_chance = np.array([predicted(opened, seen, *n, kfold) for n in names])
    ordered = replace(seen, order=likeness)
    like_test = np.array([predicted(opened, ordered, *n, forward) for n in names])
    odds = drift.likeness / (1 - drift.likeness)
    weight = np.clip(odds / odds.mean(), SMALLEST_WEIGHT, LARGEST_WEIGHT)
    everyone = np.ones(len(seen))
    print(f"\nadversarial AUC of the cooler and the warmer rows {drift.auc:.3f}\n")
    print("| chosen on | way | on its own rows | on the warmer rows | weights above 5 % |")
    print("| --- | --- | ---: | ---: | --- |")
    known = ~np.isnan(like_test).any(axis=0)
    for what, oof, rows, w in (
        ("kfold", by_chance, everyone > 0, everyone),
        ("kfold, weighted by likeness", by_chance, everyone > 0, weight),
        ("like_test", like_test, known, everyone),
    ):
        root = np.sqrt(w[rows] / w[rows].mean())
        asked = Question(oof[:, rows] * root, y[cool][rows] * root, np.zeros(rows.sum()), "rmse")
        for way in (greedy, non_negative):
            weights = way(asked)
            own = rmse(asked.y, weights @ asked.predictions)
            scored = rmse(y[warm], weights @ on_warm)
            parts = sorted(zip(weights, names, strict=True), reverse=True)
            shown = ", ".join(f"{w:.2f} {n[0]} {n[1]}" for w, n in parts if w > 0.05)
            print(f"| {what} | {way.__name__} | {own:.2f} | {scored:.2f} | {shown} |", flush=True)
    print(f"| nothing | mean | | {rmse(y[warm], on_warm.mean(axis=0)):.2f} | |")


if __name__ == "__main__":
    main()
