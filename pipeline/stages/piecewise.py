"""train, of Parquet that memory does not hold: pass by pass over pieces, here or on a cluster."""

import contextlib
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from pipeline.cache import Cache, digest
from pipeline.checks import check_any_feature, check_files_agree, check_part, check_test
from pipeline.cleaning import check_condition, fulfil
from pipeline.competition import ModelChoice, OwnMetric
from pipeline.data import TEST_WITHOUT_IDS, Table, parquet_ids, require, split_train, with_unread
from pipeline.decisions import standard_error
from pipeline.errors import DataError, DeclarationError, ModelError
from pipeline.features import apply_features, blaming, spread_dates
from pipeline.kinds import Kind, kinds_by_type
from pipeline.parquet import ParquetFiles, open_parquet, typed
from pipeline.partitions import asked as handing
from pipeline.partitions.crew import Alone, Crew
from pipeline.partitions.dealing import Dealing
from pipeline.partitions.learning import Lessons
from pipeline.partitions.passes import Survey, survey
from pipeline.partitions.predicting import Validated, answer, validate
from pipeline.partitions.remote import Cluster
from pipeline.partitions.rows import Reader
from pipeline.partitions.scores import Tally
from pipeline.partitions.statistics import Known, Statistics, merge
from pipeline.progress import FoldEnded, FoldStarted, Note, Warned, counted, emit, file_size
from pipeline.raw import Manifest, verify
from pipeline.runs import Run, UnfinishedRun, load_run, start_run
from pipeline.stages.estimating import sampled_record
from pipeline.stages.folding import code_of
from pipeline.stages.opening import Opened, check_cleaning, tell_labels, with_features
from pipeline.stages.placing import Where
from pipeline.stages.recording import (
    Log,
    column_names,
    hand_to_notebook,
    run_record,
)
from pipeline.stages.reporting import save_report
from pipeline.stages.studying import attempt
from pipeline.storage import check_writable
from pipeline.submission import positive_label
from pipeline.training import final_model
from pipeline.trust import Seal

MOST_HELD, MOST_BINNED, MOST_KEPT = 100_000, 200_000, 100_000  # rows; see Dealing
MOST_SHOWN = 10_000  # test rows whose predictions are kept beside the submission
BY_HASH = "hash"


@dataclass(frozen=True, eq=False)
class Pieces:
    """The files, opened and found to fit together: what reads them, and which columns models see.

    manifest: as they were brought.
    """

    train: ParquetFiles
    test: ParquetFiles
    reader: Reader
    test_reader: Reader
    features: tuple[str, ...]
    manifest: Manifest


@dataclass(frozen=True, eq=False)
class Learned:
    """One fold: its estimator, and what that said of the fold's validation rows."""

    number: int
    estimator: Any
    validated: Validated
    seconds: float
    train_rows: int
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def score(self) -> float:
        """The fold's score."""
        return self.validated.tally.score()


@contextlib.contextmanager
def begin_crew(opened: Opened, where: Where) -> Iterator[Crew]:
    """Yield this process, or the workers of a cluster, which see the files where they are here.

    Raises PipelineError if there is no cluster, or its workers see another disk.
    """
    if where.is_here:
        yield Alone()
        return
    from pipeline.cluster.client import check_installed, connect

    scheduler = where.named_scheduler()
    check_installed()
    client = connect(scheduler)
    try:
        cluster = Cluster(client)
        for folder in (opened.folder, opened.workspace.raw(opened.name)):
            cluster.check_sees(folder)
        yield cluster
    finally:
        client.close()


def train_pieces(
    opened: Opened,
    choice: ModelChoice,
    crew: Crew,
    seed: int,
    log: Log,
    *,
    seconds: float | None = None,
    fresh: bool = False,
    command: str = "",
) -> Run:
    """Cross-validate a model on rows in pieces, and leave a complete run behind.

    seconds: for all folds together. fresh: finished folds are not looked for.
    Raises DataError for files that cannot be learned from, DeclarationError for a choice that needs
    all rows at once, ModelError for a model that does.
    """
    check_choices(opened, choice)
    pieces = open_pieces(opened, choice)
    for folder in (opened.workspace.runs, opened.workspace.cache(opened.name)):
        check_writable(folder)
    lessons = _survey(opened, choice, pieces, crew, seed)
    folds = _learn(opened, lessons, pieces, seconds, fresh=fresh)
    _tell(opened, choice, folds)
    return _save(opened, lessons, pieces, folds, log, command)


def check_choices(opened: Opened, choice: ModelChoice) -> None:
    """Check that nothing is declared that has to see all rows at once. Raises DeclarationError."""
    c = opened.competition
    own = opened.features.make_transformer is not None
    faults = {
        f'validation.scheme = "{c.validation.scheme}"': c.validation.scheme
        in ("time", "like_test"),
        'validation.rule = "strict"': c.validation.rule == "strict",
        "validation.repeats": c.validation.repeats > 1,
        "[windows]": c.windows is not None,
        "[images]": c.images is not None,
        "columns.text": bool(c.columns.text),
        "columns.by_position": c.columns.by_position,
        "several columns.target": len(c.columns.target) > 1,
        'cleaning.duplicates = "drop"': c.cleaning.duplicates == "drop",
        "features of models": bool(choice.features),
        f"models.{choice.label}.by_parts": choice.by_parts,
        "[metric] function": isinstance(c.metric, OwnMetric),
        "make_transformer in features.py": own,
    }
    for what, is_declared in faults.items():
        if is_declared:
            raise DeclarationError(
                f"{opened.folder / 'competition.toml'}: {what} needs all rows at once, and they "
                "are read a piece at a time; remove it, or declare [files] pieces = false if "
                "memory holds them"
            )


def open_pieces(opened: Opened, choice: ModelChoice) -> Pieces:
    """Open both files, and check that they fit together and can be learned from.

    Only footers and a block of each are read. Raises DataError, DeclarationError if features.py is
    not row-wise.
    """
    workspace, competition = opened.workspace, opened.competition
    manifest = verify(workspace.data(opened.name))
    raw, files, columns = workspace.raw(opened.name), competition.files, competition.columns
    uses_dropped = opened.features.add_features is not None or competition.cleaning.outliers
    train, test = (
        open_parquet(raw / name, columns.drop, needs_dropped=bool(uses_dropped))
        for name in (files.train, files.test)
    )
    require(columns.target[0], "target", train.families, train.file)
    require(columns.id_name, "id", test.families, test.file, TEST_WITHOUT_IDS)
    kinds = kinds_by_type(train, competition)
    test_kinds = {
        name: kind
        for name, kind in kinds_by_type(test, competition, kinds).items()
        if name not in columns.target
    }
    hidden = tuple(name for name in kinds if name not in test_kinds)
    key = columns.group if competition.validation.scheme == "group" else columns.id
    dealing = _dealing(opened, choice, train.rows)
    reader = Reader(
        competition, opened.folder, kinds, hidden, key if key in kinds else None, dealing
    )
    test_reader = Reader(competition, opened.folder, test_kinds, (), None)
    features = _check_first_rows(opened, train, test, reader, test_reader)
    _tell_reading(train, test)
    return Pieces(train, test, reader, test_reader, features, manifest)


def _dealing(opened: Opened, choice: ModelChoice, n_rows: int) -> Dealing:
    """Return how rows are dealt out, so many for each use as one machine's memory bears."""
    validation = opened.competition.validation
    n_fit = n_rows * (validation.n_splits - 1) / validation.n_splits
    share = choice.parameters.get("validation_fraction", 0.1)
    share = share if isinstance(share, int | float) else 0.1  # the model says what is wrong
    return Dealing(
        validation.n_splits,
        validation.seed,
        held=min(share, MOST_HELD / n_fit),
        binned=min(1.0, MOST_BINNED / n_fit),
        kept=min(1.0, MOST_KEPT / n_rows),
    )


def _first_table(files: ParquetFiles, kinds: dict[str, Kind], opened: Opened) -> Table:
    piece = files.pieces[0]
    first, table = next(piece.tables(kinds))
    file = piece.rows_from(first)
    frame = with_unread(typed(table, kinds, file), files)
    return Table(file, frame, parquet_ids(table, opened.competition), kinds)


def _check_first_rows(
    opened: Opened, train: ParquetFiles, test: ParquetFiles, reader: Reader, other: Reader
) -> tuple[str, ...]:
    """Check what a block of each file shows, and return the names of the features."""
    competition, columns = opened.competition, opened.competition.columns
    train_table = _first_table(train, dict(reader.kinds), opened)
    test_table = _first_table(test, dict(other.kinds), opened)
    needs_id = opened.features.add_features is not None
    check_files_agree(train_table, test_table, competition, needs_id=needs_id)
    made = with_features(opened.features, train_table.frame, test_table.frame)
    made_test = apply_features(opened.features, test_table.frame)
    check_part(made, train_table.file, competition)
    check_test(made_test, test_table.ids, test_table.file, made, competition)
    rows = split_train(spread_dates(made, columns), train_table.ids, columns)
    check_any_feature(rows.X.columns, train.path)
    check_cleaning(opened, rows)
    condition = competition.cleaning.outliers
    if condition is not None:
        check_condition(train_table.frame, condition, fulfil(train_table.frame, condition))
    return tuple(map(str, rows.X))


def _tell_reading(train: ParquetFiles, test: ParquetFiles) -> None:
    parts = [
        f"{files.path.name} {files.rows:,} x {len(files.families)} in "
        f"{counted(len(files.parts), 'file')}, {counted(len(files.pieces), 'piece')}"
        for files in (train, test)
    ]
    emit(Note("read", f"{', '.join(parts)} (Parquet)", {"train": train.rows, "test": test.rows}))


def _survey(opened: Opened, choice: ModelChoice, pieces: Pieces, crew: Crew, seed: int) -> Lessons:
    """Return what one pass over the training rows finds, checked, and all that folds need."""
    competition, began = opened.competition, time.monotonic()
    ways = competition.cleaning.columns
    is_mode = competition.preprocessing.imputer == "most_frequent"
    columns = tuple(
        name
        for name in pieces.features
        if ways.get(name, "most_frequent" if is_mode else "") == "most_frequent"
    )
    with blaming(opened.features):
        found: Survey = merge(crew.each(survey, pieces.train.pieces, pieces.reader, columns))
    whole: Statistics = merge(found.statistics)
    labels = _labels(found)
    _check_whole(opened, found, whole, labels)
    if labels is not None and found.labels is not None:
        tell_labels(competition, labels, found.labels.counts.to_numpy())
    _tell_rows(opened, found, whole, time.monotonic() - began, str(crew))
    return Lessons(
        competition, choice, seed, pieces.reader, pieces.train.pieces, found, labels, crew
    )


def _labels(found: Survey) -> np.ndarray | None:
    """Return the sorted classes, those written 1.0 and 2.0 as the whole numbers they are."""
    if found.labels is None:
        return None
    labels = found.labels.counts.index.to_numpy()
    if labels.dtype.kind == "f" and (labels == labels.round()).all():
        return labels.astype(np.int64)
    return labels if labels.dtype.kind in "if" else labels.astype(object)


def _check_whole(
    opened: Opened, found: Survey, whole: Statistics, labels: np.ndarray | None
) -> None:
    """Check what only all rows together show. Raises DataError."""
    competition, known = opened.competition, whole.finish()
    where = opened.workspace.raw(opened.name) / competition.files.train
    total = int(found.rows.sum())
    if not known.rows:
        raise DataError(f"[cleaning] drops all {total:,} training rows; impute them instead")
    empty = [name for name in known.columns if not _n_values(known, name)]
    if empty:
        raise DataError(
            f"{where}: columns are empty in all {known.rows:,} rows: "
            f"{', '.join(map(repr, empty))}; add them to [columns] drop"
        )
    if all(_n_values(known, name) == 1 for name in known.columns):
        raise DataError(
            f"{where}: every feature column has one value in all {known.rows:,} rows; there is "
            "nothing to learn from"
        )
    if not found.rows.all():
        raise DataError(
            f"{total:,} training rows cannot make {len(found.rows)} folds by chance; bring more, "
            "or make fewer folds"
        )
    _check_answers(opened, found, labels)


def _n_values(known: Known, name: str) -> int:
    """Return whether a column has no value (0), one (1) or several (2)."""
    if name in known.numbers:
        number = known.numbers[name]
        varies = number.missing > 0 or number.least < number.most
        return 0 if not number.n else 1 + varies
    levels = known.levels[name]
    n_levels = len(levels.counts)
    return 0 if not n_levels else 1 + (n_levels > 1 or levels.missing > 0)


def _check_answers(opened: Opened, found: Survey, labels: np.ndarray | None) -> None:
    competition = opened.competition
    where = opened.workspace.raw(opened.name) / competition.files.train
    name = competition.columns.target[0]
    if found.answers is not None and found.answers.least[0] == found.answers.most[0]:
        raise DataError(
            f"{where}: every training row has {name} = {found.answers.least[0]}; there is nothing "
            "to learn"
        )
    if labels is None:
        return
    if len(labels) < 2:
        raise DataError(
            f"{where}: every training row has {name} = {labels[0]}; there is nothing to learn"
        )
    if competition.task == "binary":
        if len(labels) > 2:
            raise DataError(
                f'{where}, column {name!r}: expected 2 classes for task = "binary", found '
                f'{len(labels)}; correct the file, or declare task = "multiclass"'
            )
        positive_label(competition, labels)


def _tell_rows(
    opened: Opened, found: Survey, whole: Statistics, seconds: float, where: str
) -> None:
    kept, total = whole.rows, int(found.rows.sum())
    missing, outlying = int(found.incomplete.sum()), int(found.outlying.sum())
    text = f"{kept:,} of {total:,} rows may be trained on; one pass took {seconds:.1f} s on {where}"
    emit(Note("clean", text, {"rows": kept, "missing": missing, "outliers": outlying}))
    sizes = found.rows.tolist()
    by = "groups" if opened.competition.validation.scheme == "group" else "ids"
    each = f"{min(sizes):,}-{max(sizes):,}"
    text = f"{len(sizes)} folds by a hash of {by}, {each} validation rows each"
    emit(Note("folds", text, {"scheme": BY_HASH, "sizes": sizes}))


def _learn(
    opened: Opened, lessons: Lessons, pieces: Pieces, seconds: float | None, *, fresh: bool
) -> list[Learned]:
    """Return the folds for which there is time, found again or learned; the first one always."""
    competition, workspace = opened.competition, opened.workspace
    cache = Cache(workspace.cache(opened.name), Seal.of(workspace.root))
    n = competition.validation.n_splits
    deadline = None if seconds is None else time.monotonic() + seconds
    done: list[Learned] = []
    for fold in range(n):
        left = None if deadline is None else deadline - time.monotonic()
        if left is not None and left <= 0 and done:
            break
        emit(FoldStarted(lessons.choice.label, fold + 1, n, metric=str(competition.metric)))
        key = _key(opened, lessons, pieces, fold)
        found: Learned | None = None if fresh else cache.load(key)
        is_new = found is None
        if found is None:
            share = None if left is None else max(left, 0.0) / (n - fold)
            found = _learn_fold(opened, lessons, fold, share)
            if not getattr(final_model(found.estimator), "stopped_by_time_", False):
                cache.save(key, found)
        done.append(found)
        emit(FoldEnded(fold + 1, n, found.score, found.seconds, not is_new))
    if len(done) < n:
        emit(Warned(f"time ran out: {n - len(done)} of {n} folds are not fitted"))
    return done


def _key(opened: Opened, lessons: Lessons, pieces: Pieces, fold: int) -> str:
    """Return the name of a finished fold in the cache: all that it depends on but who works."""
    data = [file.sha256 for file in pieces.manifest.files]
    return digest(
        opened.competition.fingerprint(lessons.choice.label),
        str(lessons.seed),
        repr(lessons.reader.dealing),
        code_of(opened),
        str(fold),
        *data,
    )


def _learn_fold(opened: Opened, lessons: Lessons, fold: int, seconds: float | None) -> Learned:
    began, competition = time.monotonic(), opened.competition
    try:
        with blaming(opened.features):
            estimator = lessons.learn(fold, seconds)
    except ModelError as error:
        raise ModelError(f"{opened.folder / 'competition.toml'}: {error}") from error
    if fold == 0:
        _tell_steps(lessons, estimator)
    names = column_names(competition, lessons.labels)
    each = lessons.crew.each(
        validate, lessons.pieces, lessons.reader, estimator, lessons.labels, fold, names
    )
    validated: Validated = merge(one for one in each if one is not None)
    return Learned(
        fold,
        estimator,
        validated,
        time.monotonic() - began,
        sum(lessons.survey.counts(lessons.pieces, fold)),
    )


def _tell_steps(lessons: Lessons, estimator: Any) -> None:
    known = lessons.survey.without(0).finish()
    text = f"{counted(len(known.numbers), 'column')} of numbers, {len(known.levels)} of text"
    rounds = final_model(estimator).rounds_[0]
    emit(Note("prepare", f"{text}; fold 1 has {counted(rounds, 'round')}"))


def _tell(opened: Opened, choice: ModelChoice, folds: list[Learned]) -> None:
    score, spread = _score(folds), standard_error(np.array([one.score for one in folds]))
    error = "" if spread is None else f" +- {spread:.5f}"
    text = f"{choice.label}: {opened.competition.metric} {score:.5f}{error} out of fold"
    bound = _tally(folds).uncertainty()
    if bound > 5e-6:
        text += f" (within {bound:.1e}, as probabilities are in bins)"
    emit(Note("train", text, {"score": score, "standard_error": spread}))


def _tally(folds: list[Learned]) -> Tally:
    found: Tally = merge(one.validated.tally for one in folds)
    return found


def _score(folds: list[Learned]) -> float:
    score = _tally(folds).score()
    if not np.isfinite(score):
        raise DataError(
            "the score of the validated rows is not defined: they hold too few classes or values; "
            "declare another metric"
        )
    return score


def _save(
    opened: Opened,
    lessons: Lessons,
    pieces: Pieces,
    folds: list[Learned],
    log: Log,
    command: str,
) -> Run:
    """Predict the test rows, and write a complete run with a checked submission."""
    workspace, labels = opened.workspace, lessons.labels
    asked = handing.Asked(opened.competition, workspace.raw(opened.name), pieces.test)
    asked.check(labels)
    with start_run(workspace.runs, opened.name, lessons.choice.label) as run:
        for name, content in opened.sources.items():
            if name != "sample.py":
                run.save_bytes(name, content)
        kept = pd.concat([one.validated.kept for one in folds], ignore_index=True)
        run.save_frame("oof.csv", kept)
        for one in folds:
            run.save_estimator(one.number, one.estimator)
        n_asked = _answer(opened, lessons, pieces, folds, asked, run)
        run.save_record(_record(opened, lessons, pieces, folds, log, run.id, command, n_asked))
        run.save_text("train.log", log.text)
        attempt("report.html", lambda: save_report(run, workspace), None)
        run.save_text("train.log", log.text)
    written = workspace.runs / run.id
    hand_to_notebook(written / "submission.csv")
    return load_run(written)


def _answer(
    opened: Opened,
    lessons: Lessons,
    pieces: Pieces,
    folds: list[Learned],
    asked: handing.Asked,
    run: UnfinishedRun,
) -> int:
    """Write and check the submission, and the predictions of some test rows; return its rows."""
    estimators = [one.estimator for one in folds]
    path = run.folder / "submission.csv"
    shown: list[pd.DataFrame] = []
    each = max(1, -(-pieces.test.rows // MOST_SHOWN))
    names = [f"{name}_0" for name in column_names(opened.competition, lessons.labels)]

    def told() -> Iterator[tuple[pd.Series, np.ndarray]]:
        told = lessons.crew.each(
            answer,
            pieces.test.pieces,
            pieces.test_reader,
            estimators,
            lessons.labels,
            pieces.features,
        )
        for blocks in told:
            for ids, prediction in blocks:
                some = pd.DataFrame(prediction[::each], columns=names)
                some.insert(0, "id", ids.to_numpy()[::each])
                shown.append(some)
                yield ids, prediction

    with blaming(opened.features):
        n_rows = handing.write(path, asked, told(), lessons.labels)
    handing.check(path, asked, lessons.labels)
    run.save_frame("test.csv", pd.concat(shown, ignore_index=True))
    size = file_size(path.stat().st_size)
    what = "the sample" if asked.sample else "the test's ids"
    text = f"submission.csv, {counted(n_rows, 'row')} ({size}), checked against {what}"
    emit(Note("write", text, {"rows": n_rows}))
    return n_rows


def _record(
    opened: Opened,
    lessons: Lessons,
    pieces: Pieces,
    folds: list[Learned],
    log: Log,
    run_id: str,
    command: str,
    n_asked: int,
) -> dict[str, Any]:
    """Return what run.json says."""
    competition, scores = opened.competition, np.array([one.score for one in folds])
    leaderboard = _leaderboard(opened, lessons, folds, n_asked)
    facts = run_record(
        opened,
        log,
        pieces.manifest,
        labels=lessons.labels,
        kinds=dict(pieces.reader.kinds),
        rows={"train": pieces.train.rows, "test": n_asked},
        features=list(pieces.features),
    )
    numbers = [one.number for one in folds]
    return facts | {
        "id": run_id,
        "command": command,
        "code": code_of(opened),
        "model": asdict(lessons.choice),
        "seed": lessons.seed,
        "validation": {**asdict(competition.validation), "scheme": BY_HASH},
        "score": _score(folds),
        "mean": float(np.nanmean(scores)),
        "standard_error": standard_error(scores),
        "repeats": [],
        "repeat_spread": None,
        "decision": None,
        "naive": None,
        "leaderboard": leaderboard,
        "folds": [_fold_record(one, lessons.survey) for one in folds],
        "refits": [],
        "skipped_folds": competition.validation.n_splits - len(folds),
        "predicting_folds": numbers,
        "pieces": {
            "crew": str(lessons.crew),
            "train": len(pieces.train.pieces),
            "test": len(pieces.test.pieces),
            "kept_rows": sum(len(one.validated.kept) for one in folds),
            "dealing": asdict(lessons.reader.dealing) if lessons.reader.dealing else None,
            "score_within": _tally(folds).uncertainty(),
        },
    }


def _leaderboard(
    opened: Opened, lessons: Lessons, folds: list[Learned], n_asked: int
) -> dict[str, Any]:
    """Return what the leaderboard will say, by the rows whose predictions are kept."""
    competition = opened.competition
    kept = pd.concat([one.validated.kept for one in folds], ignore_index=True)
    keys = np.concatenate([one.validated.keys for one in folds])
    return sampled_record(
        competition,
        _score(folds),
        kept[f"target_{competition.columns.target[0]}"].to_numpy(),
        kept.filter(regex="^prediction_").to_numpy(),
        kept["fold"].to_numpy(),
        keys if competition.validation.scheme == "group" else None,
        lessons.labels,
        n_asked,
    )


def _fold_record(one: Learned, found: Survey) -> dict[str, Any]:
    """Return what run.json says of a fold; what cleaning kept out is of the other folds' rows."""
    model = final_model(one.estimator)
    return {
        "number": one.number,
        "score": one.score,
        "seconds": round(one.seconds, 3),
        "train_rows": one.train_rows,
        "valid_rows": one.validated.tally.rows,
        "dropped_missing": int(found.incomplete.sum() - found.incomplete[one.number]),
        "dropped_duplicates": 0,
        "dropped_outliers": int(found.outlying.sum() - found.outlying[one.number]),
        "best_epoch": model.rounds_[0],
        "stopped_by_time": model.stopped_by_time_,
    }
