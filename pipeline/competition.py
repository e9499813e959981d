"""What a competition is: facts from competition.toml as frozen dataclasses."""

import dataclasses
import hashlib
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from pipeline.declaration import parse_table, parse_value, read_toml
from pipeline.errors import DeclarationError, UsageError
from pipeline.slugs import read_slug

Task = Literal["regression", "binary", "multiclass"]
MetricName = Literal[
    "rmse", "rmsle", "mae", "mape", "r2", "accuracy", "f1_macro", "log_loss", "roc_auc"
]
Response = Literal["value", "label", "probability"]
Scheme = Literal["auto", "kfold", "stratified", "group", "time", "like_test"]
Rule = Literal["open", "strict"]
Transform = Literal["none", "log1p", "sqrt"]
Answer = Literal["label", "probability"]
Dataset = Literal[
    "diabetes", "breast_cancer", "iris", "wine", "digits", "california",
    "mnist", "fashion_mnist", "cifar10", "cifar100", "series", "prices",
]  # fmt: skip
Imputer = Literal["median", "mean", "most_frequent", "zero"]
Encoder = Literal["onehot", "ordinal"]
Scaler = Literal["standard", "minmax", "robust", "maxabs", "none"]
Family = Literal["target_encoding", "counts", "groups", "crosses", "dates", "pairs"]
Forecast = Literal["level", "change", "ratio"]
Gaps = Literal["refuse", "split", "ignore"]
ColumnCleaning = Literal["median", "mean", "most_frequent", "zero", "missing", "drop"]

# The keys of a model's table that are not parameters of it.
RESERVED = ("kind", "transform", "by_parts", "features")
SERIES: tuple[Dataset, ...] = ("series", "prices")  # practice on the last rows of a file
METRICS_OF_TASK: dict[Task, tuple[MetricName, ...]] = {
    "regression": ("rmse", "rmsle", "mae", "mape", "r2"),
    "binary": ("accuracy", "f1_macro", "log_loss", "roc_auc"),
    "multiclass": ("accuracy", "f1_macro", "log_loss", "roc_auc"),
}
AUTO = "auto"  # no model, but as many as a time budget bears
SHOWN = "dnn"  # the model whose preparation of rows is shown where none is named
# The spellings that are read as "missing" unless [levels] says that they are a level.
MISSING_SPELLINGS = (
    "", "NA", "N/A", "n/a", "#N/A", "<NA>", "NaN", "nan", "-nan", "NULL", "null", "None", "NaT",
)  # fmt: skip


def is_parquet(name: str) -> bool:
    """Tell whether a declared file is Parquet: train.parquet, or train/, a folder of such files."""
    return name.endswith((".parquet", "/"))


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where the files come from, and where a submission goes."""

    kind: Literal["kaggle", "dacon", "practice", "files"] = "files"  # who has them
    slug: str | None = None  # Kaggle: the last part of the competition's address, or all of it
    number: int | None = None  # Dacon: the number in the competition's address
    url: str | None = None  # the competition's address where it is not the usual one
    team: str | None = None  # Dacon: the team's name, else DACON_TEAM
    dataset: Dataset | None = None  # practice: a set of scikit-learn or Keras, or a kind of file
    daily_limit: int | None = None  # submissions a day; Kaggle is asked, Dacon's usual is 3

    @property
    def submissions_a_day(self) -> int | None:
        """How many submissions a day the service takes, or None where that is not declared."""
        return 3 if self.kind == "dacon" and self.daily_limit is None else self.daily_limit

    def __post_init__(self) -> None:
        """Reduce a pasted address to its slug."""
        if self.slug is not None:
            object.__setattr__(self, "slug", read_slug(self.slug) or self.slug)

    @property
    def page(self) -> str | None:
        """The competition's address, or None if its files are at home here."""
        if self.url is not None:
            return self.url
        if self.kind == "kaggle":
            return f"https://www.kaggle.com/competitions/{self.slug}"
        if self.kind == "dacon":
            return f"https://dacon.io/competitions/official/{self.number}"
        return None


@dataclass(frozen=True, kw_only=True)
class Files:
    """The names of the competition's files, and how they are written if that cannot be seen."""

    train: str  # the rows with answers; CSV, train.parquet, or train/ for a folder of Parquet
    test: str  # the rows that are to be predicted
    sample_submission: str = ""  # what is handed in; of Parquet, if left out, id and target
    encoding: str | None = None  # as "cp949"; detected if left out
    separator: str | None = None  # as ";"; detected if left out
    decimal: Literal[".", ","] = "."  # what stands before the decimals
    dayfirst: bool | None = None  # 01/02/2011 is the 1st of February; None: where all rows show it
    na_values: tuple[str, ...] = ()  # spellings of "missing" beyond the common ones
    pieces: bool | None = None  # Parquet is learned a piece at a time; if left out, a folder is

    @property
    def are_pieces(self) -> bool:
        """Whether the training rows are read a piece at a time, and never held together."""
        return self.train.endswith("/") if self.pieces is None else self.pieces


@dataclass(frozen=True, kw_only=True)
class Columns:
    """What the columns are; those that are not named are features of the type they are read as."""

    target: tuple[str, ...]  # what is predicted, one column or several
    id: str | None = None  # None only with by_position, where the sample has no ids either
    by_position: bool = False  # the test file has no ids: its rows are the sample's, in its order
    categorical: tuple[str, ...] = ()  # levels, also where they are written as numbers
    numeric: tuple[str, ...] = ()  # numbers, where a cell that is none is an error
    datetime: tuple[str, ...] = ()  # dates, which become year, month, day, weekday and hour
    text: tuple[str, ...] = ()  # prose, of which every model sees what is made of it
    group: str | None = None  # whose rows stay together in folds; no feature
    time: str | None = None  # which orders the rows
    drop: tuple[str, ...] = ()  # that no model shall see

    @property
    def id_name(self) -> str:
        """What the rows' ids are called, also where no file has a column of them."""
        return self.id or "row"

    @property
    def not_features(self) -> frozenset[str]:
        """The columns that no model sees."""
        named = {self.id, self.group} - {None}
        return frozenset({*map(str, named), *self.target, *self.drop})


@dataclass(frozen=True, kw_only=True)
class Images:
    """That all features are pixels of one image a row, from 0 to 255.

    They stand row by row, the channels of a pixel side by side.
    """

    height: int  # of each image, in pixels
    width: int  # of each image, in pixels
    channels: int = 1  # numbers a pixel: 1 is grey, 3 red, green and blue

    @property
    def n_pixels(self) -> int:
        """How many columns an image takes."""
        return self.height * self.width * self.channels

    def __str__(self) -> str:
        """Return the size as a person writes it."""
        sizes = (self.height, self.width, self.channels)
        return " x ".join(map(str, sizes[: 2 if self.channels == 1 else 3]))


@dataclass(frozen=True, kw_only=True)
class Target:
    """How the target is transformed for fitting, which values it can take, and what is answered.

    transform: if left out it follows the metric: log1p for rmsle, else none.
    positive: of two classes, the one whose probability is handed in; the last in sorted order if
        left out. answer: what the sample's one column takes; it follows the metric if left out.
    parts: columns of the training file whose sum is the target; models may learn each by itself.
    """

    transform: Transform | None = None
    lower: float | None = None  # the least it can be; predictions are cut there
    upper: float | None = None  # the most it can be
    positive: str | None = None
    answer: Answer | None = None
    parts: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Cleaning:
    """What happens to missing values and repeated rows; only training rows are ever dropped.

    outliers: a condition on the training file's columns as read, in the words of pandas' query, of
        the rows that no model shall be fitted on. They are validated on like all others.
    """

    missing: Literal["impute", "drop"] = "impute"  # drop: training rows that lack a value
    duplicates: Literal["keep", "drop"] = "keep"  # drop: training rows that stand twice
    outliers: str | None = None
    columns: dict[str, ColumnCleaning] = field(default_factory=dict)  # a fill for one column


@dataclass(frozen=True, kw_only=True)
class Preprocessing:
    """Choices that otherwise follow what the model can bear.

    features: the families of features generated for each model that does not name its own.
    """

    features: tuple[Family, ...] = ()
    imputer: Imputer | None = None  # what stands for a number that is missing
    indicator: bool | None = None  # a column that says where one was
    encoder: Encoder | None = None  # how text becomes numbers
    scaler: Scaler | None = None  # how numbers are scaled


@dataclass(frozen=True, kw_only=True)
class Validation:
    """How the training rows are divided into folds.

    rule: what may inform a prediction: all training rows, or strictly those before it in time.
    """

    scheme: Scheme = "auto"  # stratified for classes, else kfold
    rule: Rule = "open"
    n_splits: int = 5  # folds
    seed: int = 42  # that rows are dealt out by
    repeats: int = 1  # how often folds are made, with seed, seed + 1, ...


@dataclass(frozen=True, kw_only=True)
class MetricFile:
    """The table [metric]: a score of the competitor's own, in a file beside the declaration.

    function: "metrics.py:kappa"; it takes the truth and the predictions, (n_samples,), or of
        several targets (n_samples, n_targets), and returns one number.
    scores: what the predictions are: "value" for numbers, "label" for the classes' labels,
        "probability" for those of all classes (n_samples, n_classes), with the sorted labels as a
        third argument.
    """

    function: str
    greater_is_better: bool  # whether a higher score is the better one
    scores: Response


class OwnMetric(str):
    """The name of a competitor's own metric, as "kappa@3f9a1b2c", and where it comes from.

    The digits are those of its file's bytes and its facts, so that scores by another version are
    scores by another metric.
    """

    path: Path
    facts: MetricFile

    @property
    def function(self) -> str:
        """The function's name in its file."""
        return self.partition("@")[0]


def own_metric(folder: Path, facts: MetricFile) -> OwnMetric:
    """Return the name of the metric that a folder's file defines; the file is not run yet.

    Raises DeclarationError if the function is not written as "metrics.py:kappa", or there is no
    such file.
    """
    file, _, function = facts.function.partition(":")
    if not file.endswith(".py") or Path(file).name != file or not function.isidentifier():
        raise DeclarationError(
            f'metric.function: expected "metrics.py:kappa", a file beside the declaration and a '
            f"function in it; found {facts.function!r}"
        )
    path = folder / file
    try:
        source = path.read_bytes()
    except OSError as error:
        raise DeclarationError(
            f"metric.function: {path} cannot be read: {error.strerror}"
        ) from None
    said = json.dumps(dataclasses.asdict(facts), sort_keys=True).encode()
    metric = OwnMetric(f"{function}@{hashlib.sha256(said + source).hexdigest()[:8]}")
    metric.path, metric.facts = path, facts
    return metric


@dataclass(frozen=True, kw_only=True)
class Windows:
    """How the rows of time series become samples: what is looked back on, and what is forecast.

    timesteps: the rows that a forecast knows, the last of them the last that is known. horizon: how
        many of the following rows are forecast, all at once. stride: every how many rows a window
        for training ends. by: the column that names a row's series, where there are several.
    target: what is learned: the level itself, its change from the last known value, or its ratio to
        it. The target's own past is told on the same scale.
    gaps: rows that are missing in a series. refuse: an error. split: no window reaches across.
        ignore: rows follow each other whatever the time between them, as days of trade do.
    """

    timesteps: int
    horizon: int = 1
    stride: int = 1
    by: str | None = None
    target: Forecast = "change"
    gaps: Gaps = "refuse"

    def past(self, column: str, back: int) -> str:
        """Return the name of a column's value so many rows before a window's last one."""
        return f"{column} t-{back}" if back else f"{column} t"


@dataclass(frozen=True, kw_only=True)
class ModelChoice:
    """A model by its label, its kind in the table of models, and its keyword arguments.

    transform: that of the target for this model alone, where it is not the declared one.
    by_parts: whether each of the target's parts is learned by itself.
    features: the families of features that are generated for it; see pipeline.generating.
    """

    label: str
    kind: str  # a model of the table, or "models.py:make_mine"; the label if left out
    parameters: dict[str, Any] = field(default_factory=dict)
    transform: Transform | None = None
    by_parts: bool = False
    features: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Competition:
    """Everything that competition.toml says."""

    name: str
    title: str  # as people read it
    task: Task  # binary and multiclass predict classes
    metric: MetricName | OwnMetric  # the competition's score
    files: Files
    columns: Columns
    default_model: str = AUTO  # the model where none is named; auto: all that time bears
    source: Source = Source()
    images: Images | None = None
    levels: dict[str, tuple[str, ...]] = field(default_factory=dict)
    target: Target = Target()
    cleaning: Cleaning = Cleaning()
    preprocessing: Preprocessing = Preprocessing()
    validation: Validation = Validation()
    windows: Windows | None = None
    models: dict[str, ModelChoice] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Settle what follows from other keys, and check what no single key can show.

        Raises DeclarationError.
        """
        if self.windows is not None:
            self._settle_windows()
        if self.target.transform is None:
            is_level = self.windows is None or self.windows.target == "level"
            usual: Transform = "log1p" if self.metric == "rmsle" and is_level else "none"
            target = dataclasses.replace(self.target, transform=usual)
            object.__setattr__(self, "target", target)
        fault = next(_faults(self), None)
        if fault:
            raise DeclarationError(f"competition {self.name!r}: {fault}")

    def _settle_windows(self) -> None:
        """Let folds go forward in time, and no column stand beside a window's own."""
        if self.validation.scheme == "auto":
            forward = dataclasses.replace(self.validation, scheme="time")
            object.__setattr__(self, "validation", forward)
        if self.preprocessing.indicator is None:
            plain = dataclasses.replace(self.preprocessing, indicator=False)
            object.__setattr__(self, "preprocessing", plain)

    @property
    def not_features(self) -> frozenset[str]:
        """The columns that no model sees; of a series, models see the targets' past."""
        if self.windows is None:
            return self.columns.not_features
        named = {self.windows.by, self.columns.time} - {None}
        return frozenset({*(self.columns.not_features - {*self.columns.target}), *map(str, named)})

    @property
    def outputs(self) -> tuple[str, ...]:
        """What a model of numbers answers with: the targets, or those of each following row."""
        if self.windows is None:
            return self.columns.target
        steps = range(1, self.windows.horizon + 1)
        return tuple(f"{name} t+{step}" for step in steps for name in self.columns.target)

    def model(self, label: str | None = None) -> ModelChoice:
        """Return the declared model of that label, or the model of that kind with its defaults."""
        label = label or (SHOWN if self.default_model == AUTO else self.default_model)
        plain = ModelChoice(label=label, kind=label, features=self.preprocessing.features)
        return self.models.get(label, plain)

    def with_model(self, choice: ModelChoice) -> "Competition":
        """Return this competition with another parameter set for one label."""
        return dataclasses.replace(self, models={**self.models, choice.label: choice})

    def seen_by(self, choice: ModelChoice) -> "Competition":
        """Return this competition with the target on the scale that the model is fitted on."""
        if choice.transform is None:
            return self
        target = dataclasses.replace(self.target, transform=choice.transform)
        return dataclasses.replace(self, target=target)

    def with_validation(self, **changes: Any) -> "Competition":
        """Return this competition with other folds; None leaves a choice as it is.

        Raises UsageError if the folds cannot be made.
        """
        given = {key: value for key, value in changes.items() if value is not None}
        try:
            validation = dataclasses.replace(self.validation, **given)
            return dataclasses.replace(self, validation=validation)
        except DeclarationError as error:
            raise UsageError(str(error)) from None

    def fingerprint(self, label: str) -> str:
        """Return a digest of all that can change what the model of that label learns."""
        facts = dataclasses.asdict(self)
        for name in ("title", "source", "models", "default_model"):
            del facts[name]
        del facts["validation"]["repeats"]  # the first folds are the same, however many follow
        facts["model"] = dataclasses.asdict(self.model(label))
        return hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode()).hexdigest()


def load_competition(path: Path, name: str | None = None) -> Competition:
    """Return the competition that a competition.toml declares.

    name: the competition's name; that of the file's folder if left out.
    Raises DeclarationError naming file, key, expected and found.
    """
    name = name or path.parent.name
    table = read_toml(path)
    models = table.pop("models", {})
    where = str(path)
    given = {"metric": _own_metric(table, path)} if isinstance(table.get("metric"), dict) else {}
    if not isinstance(models, dict):
        raise DeclarationError(f"{where}: models: expected tables like [models.dnn]")
    choices = {label: _model_choice(label, model, where) for label, model in models.items()}
    try:
        competition = parse_table(Competition, table, where, name=name, models=choices, **given)
    except DeclarationError as error:
        message = str(error).replace(f"competition {name!r}:", f"{where}:")
        raise DeclarationError(message) from None
    return _with_common_features(competition, models)


def _own_metric(table: dict[str, Any], path: Path) -> OwnMetric:
    facts = parse_table(MetricFile, table.pop("metric"), f"{path}: metric")
    try:
        return own_metric(path.parent, facts)
    except DeclarationError as error:
        raise DeclarationError(f"{path}: {error}") from None


def _with_common_features(competition: Competition, tables: dict[str, Any]) -> Competition:
    """Return the competition, its models with the common features where they name none."""
    common = competition.preprocessing.features
    for label, choice in competition.models.items():
        if "features" not in tables[label]:
            competition = competition.with_model(dataclasses.replace(choice, features=common))
    return competition


def _model_choice(label: str, table: Any, where: str) -> ModelChoice:
    if not isinstance(table, dict):
        raise DeclarationError(f"{where}: models.{label!r}: expected a table, found {table!r}")
    kind = table.get("kind", label)
    if not isinstance(kind, str):
        raise DeclarationError(f"{where}: models.{label!r}.kind: expected text, found {kind!r}")
    transform = table.get("transform")
    if transform is not None:
        transform = parse_value(Transform, transform, f"{where}: models.{label}.transform")
    by_parts = table.get("by_parts", False)
    if not isinstance(by_parts, bool):
        raise DeclarationError(
            f"{where}: models.{label!r}.by_parts: expected true or false, found {by_parts!r}"
        )
    at = f"{where}: models.{label!r}.features"
    return ModelChoice(
        label=label,
        kind=kind,
        parameters={name: value for name, value in table.items() if name not in RESERVED},
        transform=transform,
        by_parts=by_parts,
        features=parse_value(tuple[Family, ...], table.get("features", []), at),
    )


def _faults(c: Competition) -> Iterator[str]:
    """Yield what is wrong between the keys, one sentence each."""
    yield from _metric_faults(c)
    yield from _source_faults(c.source, c.windows is not None)
    yield from _file_faults(c.files)
    yield from _column_faults(c.columns)
    yield from _image_faults(c)
    if c.windows is not None:
        yield from _windows_faults(c, c.windows)
    yield from _validation_faults(c.validation, c.columns, c.task)
    yield from _target_faults(c.target, c.task, c.metric)
    yield from _model_faults(c.models.values(), c.target, c.task)
    if AUTO in c.models:
        yield f"models.{AUTO}: the name is taken; it stands for all models; choose another label"
    yield from _parts_faults(c)
    for name in c.columns.text:
        if c.cleaning.columns.get(name, "drop") != "drop":
            yield f"cleaning.columns.{name}: is in columns.text, where nothing is filled; remove it"
    for spelling in c.levels:
        if spelling not in (*MISSING_SPELLINGS, *c.files.na_values):
            yield f"levels.{spelling!r}: is not read as missing anyway; remove it"


def _source_faults(source: Source, has_windows: bool) -> Iterator[str]:
    if source.kind == "kaggle" and source.slug is None:
        yield 'source.slug: missing; with kind = "kaggle" expected the last part of its address'
    if source.slug is not None and read_slug(source.slug) is None:
        yield (
            "source.slug: expected a competition's address or its last part, like 'titanic'; "
            f"found {source.slug!r}"
        )
    if source.kind == "dacon" and source.number is None:
        yield 'source.number: missing; with kind = "dacon" expected the number in its address'
    if source.kind == "practice" and source.dataset is None:
        yield 'source.dataset: missing; with kind = "practice" expected a set\'s name, like "iris"'
    if source.dataset in SERIES and not has_windows:
        yield f'source.dataset = "{source.dataset}" is cut into windows; declare [windows]'
    if source.dataset is not None and source.kind != "practice":
        yield f'source.dataset: only kind = "practice" has one; found "{source.kind}"'
    if source.team is not None and source.kind != "dacon":
        yield f'source.team: only kind = "dacon" submits by a team name; found "{source.kind}"'
    if source.team is not None and not source.team.strip():
        yield "source.team: expected the team's name, found an empty one"
    if source.daily_limit is not None and source.daily_limit < 1:
        yield f"source.daily_limit: expected 1 or more, found {source.daily_limit}"
    if source.url is not None and not re.fullmatch(r"https?://\S+[^\s/]", source.url):
        yield (
            "source.url: expected the competition's address, like 'https://dacon.io/competitions/"
            f"open/235576', found {source.url!r}"
        )


def _windows_faults(c: Competition, windows: Windows) -> Iterator[str]:
    """Yield what a declaration of windows contradicts."""
    for name in ("timesteps", "horizon", "stride"):
        value = getattr(windows, name)
        if value < 1:
            yield f"windows.{name}: expected 1 or more, found {value}"
    if c.columns.time is None:
        yield "windows: needs columns.time, by which the rows are in order, and there is none"
    if windows.by in c.columns.target:
        yield f"windows.by: {windows.by!r} is the target"
    if windows.by is not None and c.source.dataset == "prices":
        yield 'source.dataset = "prices" is of one share; with windows.by use "series"'
    if c.task != "regression":
        yield f'windows: forecasts are numbers, task = "regression"; found "{c.task}"'
    if c.validation.scheme != "time":
        yield (
            f'validation.scheme: windows overlap, so only "time" keeps what is predicted out of '
            f'what is learned; found "{c.validation.scheme}"'
        )
    if c.validation.rule == "strict":
        yield 'validation.rule = "strict": folds of windows go forward in time anyway; remove it'
    yield from _level_faults(c, windows)
    if c.columns.by_position:
        yield "columns.by_position: the rows of a series are joined by id; declare columns.id"
    for key, found in (
        ("columns.text", c.columns.text),
        ("columns.categorical", c.columns.categorical),
        ("cleaning.outliers", c.cleaning.outliers),
        ("cleaning.columns", c.cleaning.columns),
        ("target.parts", c.target.parts),
    ):
        if found:
            yield f"{key}: is of single rows, and windows hold the numbers of many; remove it"


def _level_faults(c: Competition, windows: Windows) -> Iterator[str]:
    """Yield transforms of the level where it is not the level that is learned."""
    transforms = {"target": c.target.transform}
    transforms |= {f"models.{label}": choice.transform for label, choice in c.models.items()}
    for where, transform in transforms.items():
        if windows.target != "level" and transform not in (None, "none"):
            yield (
                f'{where}.transform = "{transform}" is of levels, and windows.target = '
                f'"{windows.target}"; remove one of them'
            )


def _file_faults(files: Files) -> Iterator[str]:
    names = {"train": files.train, "test": files.test, "sample_submission": files.sample_submission}
    if not files.sample_submission:
        del names["sample_submission"]
        if not is_parquet(files.test):
            yield "files.sample_submission: missing; expected text"
    for role, name in names.items():
        if not name.strip():
            yield f"files.{role}: expected the name of a file, found {name!r}"
        path = PurePosixPath(name.replace("\\", "/"))
        if path.is_absolute() or ".." in path.parts or "\0" in name:
            yield f"files.{role}: expected a file among those that are fetched, found {name!r}"
        first = next(other for other, its_name in names.items() if its_name == name)
        if first != role:
            yield f"files.{role}: {name!r} is also files.{first}"
    if is_parquet(files.train) != is_parquet(files.test):
        yield f"files.test: expected Parquet as files.train is, or both CSV; found {files.test!r}"
    if is_parquet(files.sample_submission):
        yield f"files.sample_submission: expected CSV, found {files.sample_submission!r}"
    if files.pieces and not is_parquet(files.train):
        yield f"files.pieces: only Parquet has pieces; files.train is {files.train!r}"


def _metric_faults(c: Competition) -> Iterator[str]:
    allowed = METRICS_OF_TASK[c.task]
    if isinstance(c.metric, OwnMetric):
        wanted = ("value",) if c.task == "regression" else ("label", "probability")
        if c.metric.facts.scores not in wanted:
            yield (
                f'metric.scores: expected {" or ".join(wanted)} for task = "{c.task}"; '
                f"found {c.metric.facts.scores!r}"
            )
    elif c.metric not in allowed:
        yield (
            f'metric: expected one of {", ".join(map(repr, allowed))} for task = "{c.task}"; '
            f"found {c.metric!r}"
        )
    if len(c.columns.target) > 1 and c.task != "regression":
        yield f'columns.target: several targets need task = "regression"; found "{c.task}"'
    if not c.columns.target:
        yield "columns.target: expected at least one column, found an empty list"


def _column_faults(columns: Columns) -> Iterator[str]:
    if columns.id is None and not columns.by_position:
        yield (
            "columns.id: missing; expected text, or by_position = true where neither the test file "
            "nor the sample has ids"
        )
    for name in columns.target:
        if name == columns.id:
            yield f"columns.target: {name!r} is also columns.id"
        for role in ("categorical", "numeric", "datetime", "text", "drop"):
            if name in getattr(columns, role):
                yield f"columns.{role}: {name!r} is the target"
        for role in ("group", "time"):
            if name == getattr(columns, role):
                yield f"columns.{role}: {name!r} is the target"
    for name in columns.categorical:
        for role, names in (("numeric", columns.numeric), ("datetime", columns.datetime)):
            if name in names:
                yield f"columns.{role}: {name!r} is also in columns.categorical"
    for name in columns.numeric:
        if name in columns.datetime:
            yield f"columns.datetime: {name!r} is also in columns.numeric"
    for name in columns.text:
        for role in ("categorical", "numeric", "datetime"):
            if name in getattr(columns, role):
                yield f"columns.text: {name!r} is also in columns.{role}"
    if columns.id is not None and columns.id in columns.drop:
        yield f"columns.drop: {columns.id!r} is columns.id, which is never a feature; remove it"


def _image_faults(c: Competition) -> Iterator[str]:
    if c.images is None:
        return
    if c.windows is not None:
        yield "windows: with [images] a row is one image, and no step of a series; remove it"
    for name in ("height", "width", "channels"):
        if getattr(c.images, name) < 1:
            yield f"images.{name}: expected 1 or more, found {getattr(c.images, name)}"
    for role in ("categorical", "numeric", "datetime", "text"):
        if getattr(c.columns, role):
            yield f"columns.{role}: with [images] all features are pixels; remove it"
    for table, value in (("preprocessing", c.preprocessing), ("cleaning", c.cleaning)):
        if value != type(value)():
            yield f"{table}: with [images] there is nothing to fill, scale or clean; remove it"


def _validation_faults(validation: Validation, columns: Columns, task: Task) -> Iterator[str]:
    if validation.n_splits < 2:
        yield f"validation.n_splits: expected 2 or more, found {validation.n_splits}"
    if validation.repeats < 1:
        yield f"validation.repeats: expected 1 or more, found {validation.repeats}"
    if validation.repeats > 1 and validation.scheme in ("time", "like_test"):
        yield (
            f'validation.repeats: folds by scheme = "{validation.scheme}" are the same whatever '
            f"the seed; expected 1, found {validation.repeats}"
        )
    if validation.repeats > 1 and validation.rule == "strict":
        yield (
            'validation.repeats: folds by rule = "strict" are the same whatever the seed; '
            f"expected 1, found {validation.repeats}"
        )
    if not 0 <= validation.seed < 2**31:
        yield f"validation.seed: expected 0 to {2**31 - 1}, found {validation.seed}"
    for scheme, role in (("group", columns.group), ("time", columns.time)):
        if validation.scheme == scheme and not role:
            yield f'validation.scheme = "{scheme}" needs columns.{scheme}, and there is none'
    if validation.rule == "strict" and not columns.time:
        yield 'validation.rule = "strict" needs columns.time, and there is none'
    if validation.rule == "strict" and validation.scheme == "like_test":
        yield 'validation.rule = "strict" orders rows by time; scheme = "like_test" does not'
    if validation.scheme == "stratified" and task == "regression":
        yield 'validation.scheme = "stratified" needs classes; with task = "regression" use "kfold"'


def _target_faults(target: Target, task: Task, metric: str) -> Iterator[str]:
    bounds = (target.transform, target.lower, target.upper)
    if task != "regression" and bounds != ("none", None, None):
        yield f'target: only task = "regression" transforms or bounds its target; found "{task}"'
    if task != "binary" and target.positive is not None:
        yield f'target.positive: only task = "binary" has a positive class; found "{task}"'
    if task == "regression" and target.answer is not None:
        yield 'target.answer: with task = "regression" the answer is a number; remove it'
    low, high = target.lower, target.upper
    if low is not None and high is not None and low >= high:
        yield f"target.lower: expected less than target.upper = {high:g}, found {low:g}"
    if metric == "rmsle" and (low is None or low < 0):
        yield 'metric = "rmsle" needs target.lower = 0 or more; it cannot score negative numbers'
    if target.transform != "none" and (low is None or low < 0):
        yield f'target.transform = "{target.transform}" needs target.lower = 0 or more'


def _model_faults(models: Iterable[ModelChoice], target: Target, task: Task) -> Iterator[str]:
    for choice in models:
        if choice.transform is not None and task != "regression":
            yield f'models.{choice.label}.transform: needs task = "regression"; found "{task}"'
        if choice.transform not in (None, "none") and (target.lower is None or target.lower < 0):
            yield (
                f'models.{choice.label}.transform = "{choice.transform}" needs target.lower = 0 or '
                "more"
            )


def _parts_faults(c: Competition) -> Iterator[str]:
    parts, columns = c.target.parts, c.columns
    if parts and (c.task != "regression" or len(columns.target) > 1):
        yield 'target.parts: only task = "regression" with one target is a sum of parts'
    if len(parts) == 1 or len(set(parts)) < len(parts):
        yield f"target.parts: expected two different columns or more, found {list(parts)}"
    for name in parts:
        if name not in columns.drop:
            yield f"target.parts: {name!r} gives the target away; add it to columns.drop"
    for label, choice in c.models.items():
        if choice.by_parts and not parts:
            yield f"models.{label}.by_parts: needs [target] parts, and there are none"
