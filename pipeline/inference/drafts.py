"""All that a declaration will say of a competition, with the evidence."""

import dataclasses
from dataclasses import dataclass

from pipeline.competition import Files, Images
from pipeline.inference.answers import Question, find_question
from pipeline.inference.columns import Finding, Use, find_columns
from pipeline.inference.evidence import Said, Tables, cells_of, read_tables
from pipeline.inference.folds import Division, find_division
from pipeline.inference.images import find_images
from pipeline.inference.roles import Roles
from pipeline.inference.series import SeriesGuess, channels, find_series
from pipeline.inference.spelling import dayfirst, levels, maybe_levels, spelled
from pipeline.inference.sums import find_parts
from pipeline.inference.tasks import Aim, find_aim


@dataclass(frozen=True)
class Draft:
    """What was inferred of one competition.

    n_rows: of train and test. guessed_days: nothing shows whether dates begin with the day.
    maybe_levels: columns in which a word for "missing" is so frequent that it may be a level.
    images: the size of what all features are the pixels of, if they are.
    series: the windows that rows are cut into, if they are steps of series. series_hint: what
    speaks for windows, where it is not enough.
    """

    name: str
    said: Said
    files: Files
    guessed_days: bool
    levels: dict[str, tuple[str, ...]]
    maybe_levels: dict[str, tuple[str, ...]]
    question: Question
    aim: Aim
    columns: tuple[Finding, ...]
    division: Division
    n_rows: tuple[int, int]
    images: Images | None = None
    series: SeriesGuess | None = None
    series_hint: str = ""

    def of(self, use: Use) -> list[Finding]:
        """Return the columns of one use, in the order of the file."""
        return [one for one in self.columns if one.use == use and one.name not in self._roles]

    @property
    def _roles(self) -> set[str | None]:
        """The columns whose role says what they are: not again in drop or categorical."""
        return {self.division.group} if self.division.group else set()


def infer(name: str, roles: Roles, said: Said) -> Draft:
    """Return what the files of a competition say of it, beside what is said already.

    Raises DataError if they do not tell, UsageError if they contradict what is said.
    """
    return infer_from(name, read_tables(roles, said), said)


def infer_from(name: str, tables: Tables, said: Said) -> Draft:
    """Return what three tables say of a competition; see infer."""
    question = find_question(tables, said)
    files = spelled(tables)
    train = cells_of(tables.train, tables.train_file, files)
    declared = levels(tables, train, files, question.target)
    train = cells_of(tables.train, tables.train_file, files, declared)
    test = cells_of(tables.test, tables.test_file, files, declared)
    day, guessed = dayfirst(train, test)
    aim = find_aim(dataclasses.replace(tables, files=files), train, question, said)
    if aim.task == "regression":
        parts = find_parts(train, test, question, aim.target.transform or "none")
        aim = dataclasses.replace(aim, target=dataclasses.replace(aim.target, parts=parts))
    images = find_images(train, test, question)
    found = [] if images is not None else find_columns(train, test, question)
    division = find_division(train, test, question, found, aim.classes, day)
    series, hint = None, ""
    if aim.task == "regression" and images is None:
        series, hint = find_series(tables, (train, test), question, division, aim.target, day, said)
    if series is not None:
        found = list(channels(train, test, question, series))
        aim = dataclasses.replace(aim, target=dataclasses.replace(aim.target, parts=()))
    return Draft(
        name=name,
        said=said,
        files=dataclasses.replace(files, dayfirst=day),
        guessed_days=guessed,
        levels=declared,
        maybe_levels=maybe_levels(tables, train, declared),
        question=question,
        aim=aim,
        columns=tuple(found),
        division=division,
        n_rows=(len(tables.train), len(tables.test)),
        images=images,
        series=series,
        series_hint=hint,
    )
