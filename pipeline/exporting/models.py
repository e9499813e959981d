"""A model of a run as code: what makes it, the steps before it, and how it is fitted."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sklearn.compose import ColumnTransformer

from pipeline.competition import Competition, ModelChoice
from pipeline.errors import UsageError
from pipeline.exporting.expressions import Writer, in_lines, quoted
from pipeline.features import Features
from pipeline.models.boosting import BoostedRegressor
from pipeline.models.libraries import LIBRARIES
from pipeline.models.rounds import (
    CATBOOST_BINARY,
    CATBOOST_NUMBERS,
    HIST_NUMBERS,
    LIGHTGBM_BINARY,
    LIGHTGBM_NUMBERS,
    XGBOOST_BINARY,
    XGBOOST_NUMBERS,
    Metrics,
)
from pipeline.preprocessing import NamedColumn, NumericColumns, TextColumns
from pipeline.training import (
    GENERATE,
    final_model,
    make_estimator,
    preparing_steps,
    trains_together,
    validation_share,
)

AIMS: dict[str, tuple[Metrics, Metrics]] = {
    "lightgbm": (LIGHTGBM_NUMBERS, LIGHTGBM_BINARY),
    "catboost": (CATBOOST_NUMBERS, CATBOOST_BINARY),
    "xgboost": (XGBOOST_NUMBERS, XGBOOST_BINARY),
    "hist_gradient_boosting": ({"mae": {"loss": "absolute_error"}}, {}),
}
CLASSES = {  # of numbers, of labels
    "lightgbm": ("lightgbm", "LGBMRegressor", "LGBMClassifier"),
    "catboost": ("catboost", "CatBoostRegressor", "CatBoostClassifier"),
    "xgboost": ("xgboost", "XGBRegressor", "XGBClassifier"),
    "hist_gradient_boosting": (
        "sklearn.ensemble", "HistGradientBoostingRegressor", "HistGradientBoostingClassifier",
    ),
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Trained:
    """A model as a run has trained it.

    choice: what it is. passes: seeds of folds, of held-out rows and of the model, of each pass.
    together: folds that were fitted at once. ended: by pass, fold and part, where a clock ended a
    fit. only: the folds that were fitted, where there was no time for all. refits: how many fits on
    all rows predict the test, and taught what these were told, where that cannot be learned again.
    rows: of the smallest fit and of the largest. n_columns: before the model's own. n_classes: 0
    for numbers.
    """

    choice: ModelChoice
    passes: Sequence[tuple[int, int, int]]
    rows: tuple[int, int]
    n_columns: int
    n_classes: int
    together: int = 1
    ended: dict[tuple[int, int, int], Any] = field(default_factory=dict)
    only: tuple[int, ...] | None = None
    refits: int = 0
    taught: Sequence[Any] = ()


@dataclass(eq=False)
class Models:
    """The models of one script: their functions, and the steps that some of them share."""

    writer: Writer
    competition: Competition
    features: Features
    one_thread: bool = False  # whether the models were fitted so, whatever their size
    functions: list[str] = field(default_factory=list)
    steps: dict[str, str] = field(default_factory=dict)  # by what they are, what they are called
    names: dict[str, str] = field(default_factory=dict)  # of the entries, their expressions

    def add(self, one: Trained) -> str:
        """Write a model, and return what it is called.

        Raises UsageError for one that cannot be written.
        """
        choice = one.choice
        estimator, other = (
            make_estimator(self.competition.with_model(choice), choice, self.features, seed)
            for seed in (one.passes[0][2], one.passes[0][2] + 1)
        )
        try:
            name = self._free(choice.label)
            steps = self._steps(estimator, other)
            made = self._made(final_model(estimator), final_model(other), one)
        except (UsageError, KeyError, StopIteration) as error:
            why = " ".join(str(error).split())
            raise UsageError(
                f"models.{choice.label}: {why}; a script can be written of models whose parameters "
                "are numbers, text, lists, and classes or functions of public packages or of files "
                "beside the declaration"
            ) from None
        text = f'"""{_said(choice)}."""'
        self.functions.append(f"def {name}(seed):\n    {text}\n    return {in_lines(made, 4)}\n")
        self.names[name] = self._entry(name, steps, estimator, one)
        return name

    def _free(self, label: str) -> str:
        plain = re.sub(r"\W", "_", label)
        return self.writer.bundle.free(plain if plain.isidentifier() else f"model_{plain}")

    def _entry(self, name: str, steps: str, estimator: Any, one: Trained) -> str:
        """Return the call of Model that says how a model is trained."""
        choice, write = one.choice, self.writer.value
        transform = self.competition.seen_by(choice).target.transform
        is_number = self.competition.task == "regression"
        facts = {
            "make": name,
            "steps": steps,
            "passes": self._passes(one),
            "transform": quoted(transform) if is_number and transform != "none" else None,
            "by_parts": "True" if choice.by_parts else None,
            "held_out": write(validation_share(estimator)),
            **(self._at_once(one) if trains_together(estimator) else {}),
            "generates": "True" if GENERATE in dict(preparing_steps(estimator)) else None,
            "ended": repr(one.ended) if one.ended else None,
            "only": repr(one.only) if one.only is not None else None,
            "refits": repr(one.refits) if one.refits else None,
            "taught": repr(one.taught) if one.taught else None,
        }
        told = {k: v for k, v in facts.items() if v not in (None, "None")}
        arguments = "".join(f"        {k}={in_lines(value, 8)},\n" for k, value in told.items())
        return f"{self.writer.piece('Model')}(\n{arguments}    )"

    def _at_once(self, one: Trained) -> dict[str, str]:
        return {"fit": self.writer.piece("fit_networks"), "together": repr(one.together)}

    def _passes(self, one: Trained) -> str:
        seeds = self.writer.piece("Seeds")
        each = [f"{seeds}(folds={a}, held_out={b}, model={c})" for a, b, c in one.passes]
        return f"[{', '.join(each)}]"

    def _made(self, model: Any, other: Any, one: Trained) -> str:
        """Return the expression of an unfitted model."""
        if hasattr(model, "library"):
            return self._boosting(model, other, one)
        if hasattr(model, "max_rows"):  # what a run could bear, its script can
            model, other = (each.set_params(max_rows=None) for each in (model, other))
        return self.writer.made(model, other)

    def _boosting(self, model: Any, other: Any, one: Trained) -> str:
        """Return the library's own model, and what stops it."""
        bundle, library = self.writer.bundle, model.library
        numbers, labels = AIMS[library]
        is_number = isinstance(model, BoostedRegressor)
        aims = {0: numbers, 2: labels}.get(one.n_classes, {}).get(model.metric or "", {})
        module, regressor, classifier = CLASSES[library]
        cls = bundle.add(module, regressor if is_number else classifier)

        def made(n_rows: int) -> str:
            settings, others = (
                aims | each.settings((n_rows, one.n_columns), is_regression=is_number)
                for each in (model, other)
            )
            if library == "hist_gradient_boosting":
                settings, others = (
                    each | {"early_stopping": False, "warm_start": True}
                    for each in (settings, others)
                )
            threads = LIBRARIES[library].threads
            if threads and self.one_thread and threads not in (model.parameters or {}):
                settings[threads] = others[threads] = 1
            told = {name: value for name, value in settings.items() if value is not None}
            arguments = [f"{k}={self.writer.value(v, others[k])}" for k, v in told.items()]
            return f"{cls}({', '.join(arguments)})"

        few, many = map(made, one.rows)
        other_few = "" if few == many else f"few={few}, "
        return (
            f"{self.writer.piece('Boosting')}({many}, {self._stop(library, model, one.n_classes)},"
            f" {other_few}patience={model.patience}, share={model.validation_fraction}, seed=seed)"
        )

    def _stop(self, library: str, model: Any, n_classes: int) -> str:
        if library != "hist_gradient_boosting":
            return self.writer.piece(f"stop_{library}")
        if n_classes:
            is_area = model.metric == "roc_auc" and n_classes == 2
            loss = self.writer.piece("minus_area" if is_area else "log_loss_of_codes")
        else:
            known = HIST_NUMBERS.get(model.metric or "", HIST_NUMBERS["rmse"])
            loss = self.writer.value(known)
        return f"{self.writer.piece('stop_hist')}({loss})"

    def _steps(self, estimator: Any, other: Any) -> str:
        """Return what the function of the steps before a model is called, new or known."""
        pairs = zip(preparing_steps(estimator), preparing_steps(other), strict=True)
        calls = [self._step(name, step, alike) for (name, step), (_, alike) in pairs]
        written = [*self._relative(), *(call for call in calls if call)] or ['"passthrough"']
        body = "".join(f"        {in_lines(call, 8)},\n" for call in written)
        if body not in self.steps:
            name = self._free(_name_of(estimator))
            text = '"""Return the steps before a model, unfitted."""'
            self.functions.append(f"def {name}(seed):\n    {text}\n    return [\n{body}    ]\n")
            self.steps[body] = name
        return self.steps[body]

    def _relative(self) -> list[str]:
        """Return the step that tells windows by their last value, if that is what is learned."""
        windows = self.competition.windows
        if windows is None or windows.target == "level":
            return []
        transformer = self.writer.bundle.add("sklearn.preprocessing", "FunctionTransformer")
        return [f"{transformer}($LAST_VALUE.relative)"]

    def _step(self, name: str, step: Any, other: Any) -> str | None:
        """Return the expression of a step; None for one that changes nothing."""
        if name == "features":
            return "make_transformer()"
        if not isinstance(step, ColumnTransformer):
            return self.writer.made(step, other)
        if not step.transformers:
            return None
        parts = [
            f"({quoted(label)}, {self.writer.made(each)}, {self._selector(chosen)})"
            for label, each, chosen in step.transformers
        ]
        return f"{self.writer.piece('by_column')}({', '.join(parts)})"

    def _selector(self, chosen: Any) -> str:
        if isinstance(chosen, NamedColumn):
            return f"{self.writer.piece('named')}({quoted(chosen.name)})"
        assert isinstance(chosen, NumericColumns)
        which = "text" if isinstance(chosen, TextColumns) else "numeric"
        return f"{self.writer.piece(which)}({', '.join(map(quoted, chosen.but))})"


def _name_of(estimator: Any) -> str:
    """Return what the steps before a model may be called."""
    steps = dict(preparing_steps(estimator))
    parts = [name for name in ("text", GENERATE) if name in steps]
    if "scale" in steps and steps["scale"].transformers:
        parts.append("scaled")
    encoders = {"OrdinalEncoder": "codes", "OneHotEncoder": "one_hot"}
    chosen = steps["encode"].transformers if "encode" in steps else []
    parts.append(encoders[type(chosen[0][1]).__name__] if chosen else "plain")
    return "_".join(["steps", *parts])


def _said(choice: ModelChoice) -> str:
    kind = (
        "" if choice.kind == choice.label else f", a {choice.kind.partition(':')[2] or choice.kind}"
    )
    return f"Return an unfitted {choice.label}{kind}"
