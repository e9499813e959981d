"""The sections of a script, from a competition's files to its submission, in the order of reading.

Names of the script's own are written with a $ before them, as $main; each is put in its place once
it is known what features.py and the package's code are called.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from textwrap import dedent
from typing import Any

import numpy as np
import pandas as pd

from pipeline.competition import MISSING_SPELLINGS, Competition, OwnMetric
from pipeline.csvtext import CsvStyle
from pipeline.data import TestData, TrainData
from pipeline.decisions import Decision
from pipeline.errors import UsageError
from pipeline.execution import ONE_PRODUCT, ONE_THREAD
from pipeline.exporting.bundle import Bundle
from pipeline.exporting.expressions import Writer, in_lines, quoted
from pipeline.exporting.models import Models, Trained
from pipeline.exporting.pieces import HOMES
from pipeline.features import Features
from pipeline.labels import classes_of_columns
from pipeline.metrics import METRICS
from pipeline.splits import N_RUNS, resolve_scheme
from pipeline.submission import answer_columns, positive_label, wants_label
from pipeline.targets import SQUARED

EMIT = {("pipeline.progress", "emit"): (HOMES["emit"], "emit")}
WITHOUT = {
    ("pipeline.models.estimators", "Networks"): ("__getstate__", "__setstate__", "untrained"),
    ("pipeline.generating.together", "GeneratedFeatures"): ("changes", "line"),
    ("pipeline.generating.text", "TextFeatures"): ("changes", "line"),
}
OWN_MARK = "own__"  # for $, where text has to be Python
WIDTH = 90  # of a line of constants
PIECES = "pipeline.exporting.pieces."
TOLD = "Cells are read as text, and typed as the training file's columns are."
CUT = "Rows of a series as samples: those that are known, and those that follow them."
FITTED = "Fold by fold, each on its own training rows."
MACHINERY = (
    "What the sections above need of the package kc, which trained the models, as it stands there. "
    "Licence: Apache 2.0."
)


@dataclass(frozen=True, eq=False)
class Mixed:
    """A blend: of what, and what each weighs in each column."""

    label: str
    members: Sequence["Trained | Mixed"]
    weights: Sequence[Sequence[float]]
    as_logarithms: bool
    lower: float | None
    upper: float | None


@dataclass(frozen=True, eq=False)
class Solution:
    """All that a script is written from.

    tree: what predicts. code: the competition's files by name; own: of those that models or the
    metric come from, their modules' names.
    written: how train and test are written. record: what run.json says.
    """

    competition: Competition
    features: Features
    code: Mapping[str, str]
    own: Mapping[str, str]
    tree: Trained | Mixed
    decision: Decision
    train: TrainData
    test: TestData
    sample: pd.DataFrame
    labels: np.ndarray | None
    kinds: Mapping[str, str]
    style: CsvStyle
    written: Sequence[CsvStyle]
    record: Mapping[str, Any]
    one_thread: bool


@dataclass(frozen=True)
class Section:
    """A part of the script: what it is called, what is said of it, and its code."""

    title: str
    text: str
    code: str
    is_machinery: bool = False


def write_sections(given: Solution) -> list[Section]:
    """Return the sections of a run's script.

    Raises UsageError for a model that no script can make.
    """
    return _Story(given).sections()


class _Story:
    """The sections as they are written, and the names that are in use."""

    def __init__(self, given: Solution) -> None:
        self.given, self.competition = given, given.competition
        files = {module: given.code[file] for file, module in given.own.items()}
        self.bundle = Bundle(files=files, replaced=EMIT, without=WITHOUT)
        self.writer = Writer(self.bundle)
        text = given.code.get("features.py", "")
        self.features = self.bundle.keep("features", text) if text else ""
        self.models = Models(self.writer, self.competition, given.features, given.one_thread)
        self.own: dict[str, str] = {}
        self.weights = ""  # constants of the blends
        self.names = list(map(str, given.train.X))  # of features, of windows their channels
        windows = self.competition.windows
        if windows is not None:
            width = len(self.names) // windows.timesteps
            self.names = [name.removesuffix(windows.past("", 0)) for name in self.names[-width:]]
        for module in ("numpy", "pandas"):
            self.bundle.add(module, "")
        self.bundle.add("pathlib", "Path")

    def sections(self) -> list[Section]:
        """Return the sections in the order of reading."""
        last, blends = self._walk(self.given.tree)
        files, features, folds = self._files(), self.features, self._folds()
        models, solve, main = self._models(), self._solve(last, blends), self._main()
        sections = [
            ("The files", TOLD, self._named(files), ("files",)),
            ("Windows", CUT, self._named(self._windows()), ()),
            ("Features", "What each row can tell by itself.", features, ()),
            ("Folds", self._told_folds(), self._named(folds), ()),
            ("How a model is fitted", FITTED, "", ("columns", "boosting", "fitting")),
            ("Models", "What they are, and what they weigh.", self._named(models), ()),
            ("The submission", "", self._named(solve), ("answers",)),
        ]
        main = self._named(main)
        written = [Section("", self._header(), self._imports())]
        for title, text, code, pieces in sections:
            whole = "\n\n\n".join(filter(None, [code, *map(self._pieces, pieces)]))
            if whole:
                written.append(Section(title, text, whole))
        machinery = [
            f"# {module}\n\n\n{self.bundle.text(module)}"
            for module in self.bundle.modules()
            if module == HOMES["emit"] or not module.startswith(PIECES)
        ]
        if machinery:
            code = "\n\n\n".join(machinery)
            written.append(Section("Machinery", MACHINERY, code, is_machinery=True))
        return [*written, Section("Run", "", main)]

    def _pieces(self, module: str) -> str:
        """Return what is taken of a module of pieces."""
        name = f"{PIECES}{module}"
        return self.bundle.text(name) if name in self.bundle.needed else ""

    def _named(self, text: str) -> str:
        """Return text with names of the script's own, and of the bundle, in their places."""

        def own(found: re.Match[str]) -> str:
            if found[1] not in self.own:
                self.own[found[1]] = self.bundle.free(found[1])
            return self.own[found[1]]

        return re.sub(r"\$(\w+)", own, text).strip("\n")

    def _walk(self, node: Trained | Mixed) -> tuple[str, str]:
        """Return what a model or blend is called, and the lines that make its predictions."""
        if isinstance(node, Trained):
            return self.models.add(node), ""
        found = [self._walk(one) for one in node.members]
        label = self.bundle.free(re.sub(r"\W", "_", node.label))
        weights = {
            name: [float(one) for one in own]
            for (name, _), own in zip(found, node.weights, strict=True)
        }
        options = ", as_logarithms=True" if node.as_logarithms else ""
        if node.lower is not None or node.upper is not None:
            options += ", lower=$LOWER, upper=$UPPER"
        mix = self._piece("mix")
        lines = "".join(line for _, line in found)
        shown = "".join(f"    {quoted(name)}: {own},\n" for name, own in weights.items())
        constant = f"{label.upper()}_WEIGHTS"
        self.weights += f"\n${constant} = {{\n{shown}}}\n"
        for rows in ("known", "asked"):
            lines += f"    {rows}[{quoted(label)}] = {mix}({rows}, ${constant}{options})\n"
        lines += f"    $tell({quoted(label)}, train.y, known)\n"
        return label, lines

    def _add(self, module: str, name: str) -> str:
        return self.bundle.add(module, name)

    def _piece(self, name: str) -> str:
        return self.writer.piece(name)

    def _header(self) -> str:
        record, files = self.given.record, self.competition.files
        spread = record["standard_error"]
        error = "" if spread is None else f" +- {spread:.5f}"
        versions = ", ".join(
            f"{name} {number}" for name, number in record["versions"].items() if name != "kc"
        )
        return dedent(f"""\
            # {record["title"]}

            {record["metric"]} {record["score"]:.5f}{error} out of fold (run {record["id"]}).
            The submission is the run's, to within 1e-6, with the same versions on the same kind of
            processor: {versions}.

            `python solution.py FOLDER`, where FOLDER has {files.train}, {files.test} and
            {files.sample_submission}, writes submission.csv.
            """)

    def _imports(self) -> str:
        lines = ["from __future__ import annotations\n"]
        variables = ONE_THREAD if self.given.one_thread else ONE_PRODUCT
        lines += [
            "import os\n",
            "# As the models were fitted: more threads would add numbers in another order.",
            f"os.environ.update({dict(sorted(variables.items()))!r})\n",
        ]
        return "\n".join([*lines, *self.bundle.imports()])

    # The files

    def _files(self) -> str:
        c, given = self.competition, self.given
        kinds = {name: kind for name, kind in given.kinds.items() if kind != "pixel"}
        known = set(kinds)
        spellings = (*MISSING_SPELLINGS, *c.files.na_values)
        levels = {one: list(names) for one, names in c.levels.items() if set(names) & known}
        constants: dict[str, Any] = {
            "TRAIN": c.files.train,
            "TEST": c.files.test,
            "SAMPLE": c.files.sample_submission,
            "KINDS": kinds,
            "MISSING": list(spellings),
            "LEVELS": levels,
            "TARGET": list(c.columns.target),
        }
        if c.windows is None:
            constants["FEATURES"] = self.names
        if c.images is not None:
            constants["OTHERS"] = sorted(c.not_features)
        if c.columns.categorical:
            constants["CATEGORICAL"] = list(c.columns.categorical)
        if c.target.lower is not None or c.target.upper is not None:
            constants |= {"LOWER": c.target.lower, "UPPER": c.target.upper}
        if given.labels is not None:
            constants["LABELS"] = given.labels.tolist()
        written = {name: self._wrapped(value) for name, value in constants.items()}
        if c.images is not None:
            written["FEATURES"] = _counted(self.names) or written["FEATURES"]
        text = "".join(f"${name} = {value}\n" for name, value in written.items())
        if c.windows is not None:
            return f"{text}\n\n{self._load_windows()}"
        return f"{text}\n\n{self._load()}\n\n\n{self._features_of()}"

    def _load(self) -> str:
        c, given = self.competition, self.given
        cells, typed, rows = map(self._piece, ("read_cells", "typed", "Rows"))
        train_style, test_style = (_style(one) for one in given.written)
        decimal = ', ","' if c.files.decimal == "," else ""
        lines = [f"how = $KINDS, $MISSING, $LEVELS{decimal}"]
        if c.images is None:
            read_train = f"{typed}({cells}(folder / $TRAIN{train_style}), *how)"
            read_test, read = f"{cells}(folder / $TEST{test_style})", f"{typed}(cells, *how)"
        else:
            images = self._piece("read_images")
            lines.append(f"cells, pixels = {images}(folder / $TRAIN, $OTHERS{train_style})")
            read_train = read = f"pixels.join({typed}(cells, *how))"
            read_test = "cells"
        lines.append(f"train = {read_train}")
        if c.images is not None:
            lines.append(f"cells, pixels = {images}(folder / $TEST, $OTHERS{test_style})")
        lines += [
            f'cells = {read_test}.drop(columns=$TARGET, errors="ignore")',
            f"sample = {cells}(folder / $SAMPLE{_style(given.style)})",
            f"ids = {self._ids()}",
            f"test = {read}",
        ]
        outlying = parts = groups = order = "None"
        if c.cleaning.outliers:
            lines.append(f'outlying = train.eval({quoted(c.cleaning.outliers)}, engine="python")')
            outlying = "outlying"
        if given.features.add_features is not None:
            made = self._piece("with_features")
            add = self.bundle.names.get(("features", "add_features"), "add_features")
            lines += [
                "hidden = [name for name in train if name not in test]",
                f"train = {made}(train.drop(columns=hidden), {add}).join(train[hidden])",
                f"test = {made}(test, {add})",
            ]
        if self._has_dates():
            spread = self._add("pipeline.features", "spread")
            but = sorted(c.columns.not_features)
            told = f"{self.writer.value(but)}, {quoted(c.columns.time)}"
            lines.append(f"train, test = ({spread}(one, {told}) for one in (train, test))")
        y = "train[$TARGET[0]]" if len(c.columns.target) == 1 else "train[$TARGET]"
        if c.task != "regression" and pd.api.types.is_integer_dtype(given.train.y):
            y += '.astype("int64")'
        if c.columns.group is not None:
            groups = f"train[{quoted(c.columns.group)}]"
        if c.columns.time is not None:
            order = f"train[{quoted(c.columns.time)}]"
        if resolve_scheme(c.validation, c.task) == "like_test":
            direction = self._add("pipeline.drift", "direction_of_test")
            lines += [
                "way = " + direction + "($features_of(train), $features_of(test))",
            ]
            order = "pd.Series(way, index=train.index)"
        if c.target.parts:
            parts = f"train[{self.writer.value(list(c.target.parts))}]"
        asked = "None"
        if c.validation.rule == "strict":
            asked = f"test[{quoted(c.columns.time)}]"
        lines += [
            f"known = {rows}($features_of(train), {y}, {groups}, {order}, {parts}, {outlying})",
            f"return known, {rows}($features_of(test), None, None, {asked}), ids, sample",
        ]
        said = '"""Return the training rows, the test rows, their ids, and the sample."""'
        return "\n".join(["def $load(folder):", f"    {said}", *(f"    {one}" for one in lines)])

    def _load_windows(self) -> str:
        c, given = self.competition, self.given
        assert c.windows is not None
        cells, typed, told = map(self._piece, ("read_cells", "typed", "told_rows"))
        train_style, test_style = (_style(one) for one in given.written)
        decimal = ', ","' if c.files.decimal == "," else ""
        places = [name for name in (c.columns.time, c.windows.by) if name is not None]
        lines = [
            f"how = $KINDS, $MISSING, $LEVELS{decimal}",
            f"train = {typed}({cells}(folder / $TRAIN{train_style}), *how)",
            f"cells = {cells}(folder / $TEST{test_style})",
            f"sample = {cells}(folder / $SAMPLE{_style(given.style)})",
            f"ids = {self._ids()}",
        ]
        add = ""
        if given.features.add_features is not None:
            name = self.bundle.names.get(("features", "add_features"), "add_features")
            lines.append(f"train = {self._piece('with_features')}(train, {name})")
            add = f", {name}"
        told_by = f"{typed}(cells, *how), $TARGET, {self.writer.value(places)}{add}"
        lines += [
            f"test, is_known = {told}({told_by})",
            "test = test.reindex(columns=list(train))",
            "frame = pd.concat([train, test], ignore_index=True)",
        ]
        if self._has_dates():
            hidden = f"frame.drop(columns={self.writer.value(sorted(c.not_features))}"
            spread = self._add("pipeline.features", "spread")
            lines += [
                f'numbers = {spread}({hidden}, errors="ignore"), [])',
                f"frame = numbers.assign(**frame[{self.writer.value(places)}])",
            ]
        lines += [
            f"is_asked = ids.isin({self._ids_of('sample')}).to_numpy()",
            "n = len(train)",
            "before = np.concatenate([np.ones(n, dtype=bool), is_known])",
            "wanted = np.concatenate([np.zeros(n, dtype=bool), is_asked])",
            "X, rows, ahead = $WINDOWS.asked(frame, before, wanted)",
            f"asked = {self._piece('Rows')}(X, None)",
            "return $WINDOWS.known(frame[:n]), asked, ids.iloc[rows - n], sample, ahead",
        ]
        said = (
            '"""Return training windows, those before the rows that are asked for, the ids of '
            "these,\n    the sample, and of each its window and how many rows ahead of it it lies."
            '\n    """'
        )
        return "\n".join(["def $load(folder):", f"    {said}", *(f"    {one}" for one in lines)])

    def _windows(self) -> str:
        """Return what cuts windows, as it is declared; its classes first."""
        c, windows = self.competition, self.competition.windows
        if windows is None:
            return ""
        facts = {
            "timesteps": windows.timesteps,
            "horizon": windows.horizon,
            "channels": self.names,
            "targets": list(c.columns.target),
            "time": c.columns.time,
            "by": windows.by,
            "stride": windows.stride if windows.stride > 1 else None,
            "split": True if windows.gaps == "split" else None,
        }
        told = {name: self.writer.value(v) for name, v in facts.items() if v is not None}
        arguments = ", ".join(f"{name}={value}" for name, value in told.items())
        made = f"{self._piece('Windows')}({arguments})"
        text = f"$WINDOWS = {in_lines(made)}"
        if windows.target != "level":
            ratio = ", as_ratio=True" if windows.target == "ratio" else ""
            text += f"\n$LAST_VALUE = {self._piece('LastValue')}($WINDOWS{ratio})"
        return f"{self._pieces('windows')}\n\n\n{text}"

    def _ids(self) -> str:
        return self._ids_of("sample" if self.competition.columns.by_position else "cells")

    def _ids_of(self, of: str) -> str:
        columns = self.competition.columns
        if columns.id is None:
            return f'pd.Series(np.arange(1, len({of}) + 1)).astype("str")'
        return f"{self._add('pipeline.data', 'normalise_ids')}({of}[{quoted(columns.id)}])"

    def _features_of(self) -> str:
        text = '    """Return the columns that models see."""\n    X = frame[$FEATURES]\n'
        if self.competition.columns.categorical:
            categories = self._add("pipeline.data", "_categories")
            text += (
                "    names = [name for name in $CATEGORICAL if name in X]\n"
                f"    return X.assign(**{{name: {categories}(X[name]) for name in names}})"
            )
        else:
            text += "    return X"
        return f"def $features_of(frame):\n{text}"

    def _has_dates(self) -> bool:
        columns, names = self.competition.columns, set(self.names)
        ends = [name.removesuffix("_weekday") for name in names if name.endswith("_weekday")]
        return columns.time in names or any(f"{name}_year" in names for name in ends)

    def _wrapped(self, value: Any) -> str:
        """Return a constant, its parts in lines where they are many."""
        text = self.writer.value(value)
        if len(text) < WIDTH or not isinstance(value, list | dict):
            return text
        write = self.writer.value
        if isinstance(value, dict):
            parts = [f"{write(name)}: {write(one)}," for name, one in value.items()]
        else:
            parts = [f"{write(one)}," for one in value]
        lines = [""]
        for part in parts:
            if lines[-1] and len(lines[-1]) + len(part) > WIDTH:
                lines.append("")
            lines[-1] += f" {part}" if lines[-1] else part
        inner = "".join(f"    {line}\n" for line in lines)
        return f"{text[0]}\n{inner}{text[-1]}"

    # Folds

    def _told_folds(self) -> str:
        validation = self.competition.validation
        scheme = resolve_scheme(validation, self.competition.task)
        told = {
            "kfold": "Rows by chance.",
            "stratified": "Rows by chance, the same share of each class in every fold.",
            "group": "Whole groups, dealt out so that folds are equally large.",
            "time": "The later half in runs, each from the rows before it; all predict the test.",
            "like_test": "Runs of rows in the order in which they lie on the way to the test rows.",
        }
        if validation.rule == "strict":
            return "Each fit knows the rows before a cut in time, and predicts those behind it."
        return told[scheme]

    def _folds(self) -> str:
        c, fold = self.competition, self._add("pipeline.splits", "Fold")
        scheme, n = resolve_scheme(c.validation, c.task), c.validation.n_splits
        if c.validation.rule == "strict":
            body = self._strict_folds()
        elif scheme in ("kfold", "stratified"):
            cls = "KFold" if scheme == "kfold" else "StratifiedKFold"
            splitter = self._add("sklearn.model_selection", cls)
            body = f"""
                splitter = {splitter}({n}, shuffle=True, random_state=seed)
                parts = splitter.split(train.X, train.y)
                return [{fold}(number, *rows) for number, rows in enumerate(parts)]
                """
        elif scheme == "group":
            body = f"""
                codes = pd.factorize(train.groups, sort=True)[0]
                dealt = {self._add("pipeline.splits", "deal_groups")}(codes, {n}, seed)
                rows = np.arange(len(codes))
                return [{fold}(i, rows[dealt != i], rows[dealt == i]) for i in range({n})]
                """
        elif scheme == "like_test":
            body = f"""
                ranks = train.order.rank(method="min").to_numpy() - 1
                run = (ranks * {n} / len(ranks)).astype(int)
                rows = np.arange(len(ranks))
                return [{fold}(i, rows[run != i], rows[run == i]) for i in range({n})]
                """
        else:
            every = self._add("pipeline.splits", "all_rows")
            valid, line = "rows[following & ~past]", ""
            if self.competition.windows is not None:  # no answer may tell one of the fold's
                line = f"valid = {valid}\n" + " " * 20
                line += "past &= (train.until <= train.order.iloc[valid].min()).to_numpy()\n"
                valid, line = "valid", line + " " * 20
            body = f"""
                ranks = train.order.rank(method="min").to_numpy()
                edges = np.linspace(len(ranks) / 2, len(ranks), {n} + 1)
                rows, folds = np.arange(len(ranks)), []
                for i in range({n}):
                    past, following = ranks <= edges[i], ranks <= edges[i + 1]
                    {line}nothing = rows[:0]  # of the test rows
                    folds.append({fold}(i, rows[past], {valid}, nothing))
                return [*folds, {every}({n}, len(ranks))]
                """
        said = '"""Return the folds, as rows to fit on and rows to predict."""'
        text = f"def $make_folds(train, test, seed):\n    {said}\n{_indented(body)}"
        return f"{text}\n\n\n{self._hold_out(scheme)}"

    def _strict_folds(self) -> str:
        strict = self._add("pipeline.splits", "make_strict_folds")
        validation = self._add("pipeline.competition", "Validation")
        n = self.competition.validation.n_splits
        return f"return {strict}(train.order, test.order, {validation}(n_splits={n}, seed=seed))"

    def _hold_out(self, scheme: str) -> str:
        n = "len(rows.X)"
        bodies = {
            "time": ("_tail", "return {}(rows.order, share)"),
            "group": ("_some_groups", "return {}(rows.groups, share, seed)"),
            "stratified": ("_even_share", "return {}(np.asarray(rows.y), share, seed)"),
        }
        usual = ("_even_share", f"return {{}}(np.zeros({n}), share, seed)")
        name, body = bodies.get(scheme, usual)
        body = body.format(self._add("pipeline.splits", name))
        said = '"""Return which of a fold\'s training rows stop a fit early."""'
        return f"def $hold_out(rows, share, seed):\n    {said}\n    {body}"

    def _related(self) -> str:
        """Return the function that says which rows must not tell each other their targets."""
        validation = self.competition.validation
        scheme = resolve_scheme(validation, self.competition.task)
        body = "return None"
        if scheme == "group":
            body = "return np.asarray(pd.factorize(rows.groups, sort=True)[0])"
        elif scheme in ("time", "like_test") or validation.rule == "strict":
            body = f"""
                ranks = rows.order.rank(method="min").to_numpy()
                return np.asarray((ranks - 1) * {N_RUNS} // len(ranks), dtype=int)
                """
        said = '"""Return groups of rows that are told nothing of each other\'s targets."""'
        return f"def $related(rows):\n    {said}\n{_indented(body)}"

    # Models, blend, submission

    def _models(self) -> str:
        entries = "".join(
            f"    {quoted(name)}: {call},\n" for name, call in self.models.names.items()
        )
        functions = "\n\n".join(self.models.functions)
        if self._generates():
            functions = f"{self._related()}\n\n\n{functions}"
        return f"{functions}\n\n$MODELS = {{\n{entries}}}\n{self.weights}"

    def _solve(self, last: str, blends: str) -> str:
        c, given = self.competition, self.given
        metric = METRICS[c.metric]
        function = self._score()
        of = {
            "value": "np.asarray(y)[rows], prediction[rows]" + self._as_the_truth(),
            "label": "np.asarray(y)[rows], np.array($LABELS)[prediction[rows].argmax(axis=1)]",
            "probability": "np.asarray(y)[rows], prediction[rows], np.array($LABELS)",
        }[metric.response]
        score = (
            f'def $tell(name, y, known):\n    """Print the {c.metric} of rows predicted out of '
            f'fold."""\n    prediction = known[name]\n    rows = ~np.isnan(prediction[:, 0])\n'
            f'    print(f"{{name:<24}} {{{function}({of}):.5f}}")'
        )
        facts = {"folds": f"{self._partial()}($make_folds, train, test)", "hold_out": "$hold_out"}
        if given.labels is not None:
            facts["labels"] = "np.array($LABELS)"
        if c.target.lower is not None or c.target.upper is not None:
            facts |= {"lower": "$LOWER", "upper": "$UPPER"}
        if c.metric in SQUARED:
            facts["is_mean"] = "True"
        if self._cleans():
            facts["clean"] = self._cleaning()
        if self._generates():
            facts["related"] = "$related"
        if c.windows is not None:
            facts["apart"] = self._piece("apart")
            if c.windows.target != "level":
                facts |= {
                    "to_scale": "$LAST_VALUE.forward",
                    "from_scale": "$LAST_VALUE.backward",
                }
        told = ", ".join(f"{name}={value}" for name, value in facts.items())
        problem = f"{self._piece('Problem')}({told})".replace("$", OWN_MARK)
        body = f"""
            known, asked = {{}}, {{}}  # predictions of training rows, out of fold, and of test rows
            for name, model in $MODELS.items():
                known[name], asked[name] = {self._piece("cross_fit")}(model, problem, train, test.X)
                $tell(name, train.y, known)
            """
        ahead = "" if c.windows is None else ", (window, step)"
        lines = f"    train, test, ids, sample{ahead} = $load(folder)\n"
        lines += f"    problem = {in_lines(problem, 4)}\n".replace(OWN_MARK, "$")
        lines += _indented(body) + ("\n" + blends.rstrip("\n") if blends else "")
        lines += f"\n    answers = asked[{quoted(last)}]\n"
        if c.windows is not None:
            shape = f"len(answers), {c.windows.horizon}, -1"
            lines += f"    answers = answers.reshape({shape})[window, step - 1]\n"
        if given.decision.is_rounded:
            lines += "    answers = np.rint(answers)\n"
        if given.decision.factors is not None:
            lines += f"    answers = answers * np.array({list(given.decision.factors)})\n"
            lines += "    answers /= answers.sum(axis=1, keepdims=True)\n"
        lines += "    return $submission_of(answers, ids, sample)"
        said = '"""Return the submission for a folder of the competition\'s files."""'
        return f"{score}\n\n\n{self._submission()}\n\n\ndef $solve(folder):\n    {said}\n{lines}"

    def _score(self) -> str:
        """Return what the metric's function is called."""
        metric = self.competition.metric
        if not isinstance(metric, OwnMetric):
            return self.writer.value(METRICS[metric].function)
        try:
            return self._add(self.given.own[metric.path.name], metric.function)
        except KeyError:
            raise UsageError(
                f"{metric.path.name}: {metric.function} is not defined by a statement of its own; "
                "a script can be written of a metric that the file defines by def"
            ) from None

    def _as_the_truth(self) -> str:
        """Return what gives the answers of one target the shape that a metric of one's own sees."""
        is_own = isinstance(self.competition.metric, OwnMetric)
        return "[:, 0]" if is_own and self.given.train.y.ndim == 1 else ""

    def _generates(self) -> bool:
        """Tell whether a model generates features, which may learn from the target."""
        return any("generates=True" in call for call in self.models.names.values())

    def _partial(self) -> str:
        return self._add("functools", "partial")

    def _cleans(self) -> bool:
        cleaning = self.competition.cleaning
        ways = set(cleaning.columns.values())
        is_usual = cleaning.missing == "impute" and cleaning.duplicates == "keep"
        return not is_usual or cleaning.outliers is not None or "drop" in ways

    def _cleaning(self) -> str:
        cleaning = self.competition.cleaning
        names = [name for name, way in cleaning.columns.items() if way == "drop"]
        if cleaning.missing == "drop":
            own = cleaning.columns
            names = [n for n in map(str, self.given.train.X) if own.get(n, "drop") == "drop"]
        unique = ", unique=True" if cleaning.duplicates == "drop" else ""
        told = f"{self._piece('clean')}, complete={self.writer.value(names)}{unique}"
        return f"{self._partial()}({told})"

    def _submission(self) -> str:
        given, columns = self.given, self.competition.columns
        asked = answer_columns(self.competition, given.sample)
        ids = f"sample[{quoted(columns.id)}]"
        if columns.id is None:
            ids = 'pd.Series(np.arange(1, len(sample) + 1)).astype("str")'
        else:
            ids = f"{self._add('pipeline.data', 'normalise_ids')}({ids})"
        lines = [
            f"wanted = {ids}",
            "rows = pd.DataFrame(answers, index=pd.Index(ids)).loc[wanted].to_numpy()",
            "filled = sample.copy()",
        ]
        lines += [f"filled[{quoted(name)}] = {self._answer(name, asked)}" for name in asked]
        said = '"""Return the sample with its answers, joined by id."""'
        body = "\n".join(f"    {line}" for line in [*lines, "return filled"])
        return f"def $submission_of(answers, ids, sample):\n    {said}\n{body}"

    def _answer(self, name: str, asked: list[str]) -> str:
        labels, competition = self.given.labels, self.competition
        if labels is None:
            targets = competition.columns.target
            return f"rows[:, {targets.index(name) if len(targets) > 1 else 0}]"
        if len(asked) > 1:
            numbers = classes_of_columns(asked, [str(label) for label in labels])
            return f"rows[:, {numbers[asked.index(name)]}]"
        if wants_label(competition, labels):
            return "np.array($LABELS)[rows.argmax(axis=1)]"
        positive = positive_label(competition, labels)
        return f"rows[:, {list(labels).index(positive)}]"

    def _main(self) -> str:
        """Return what runs it all."""
        given, c = self.given, self.competition
        source, usual = c.source, [f"data/{c.name}/raw"]
        if source.kind == "kaggle":
            usual += [f"/kaggle/input/{source.slug}", f"/kaggle/input/competitions/{source.slug}"]
        style, header = given.style, given.style.header
        if header is None:
            header = style.separator.join(map(str, given.sample))
        facts = {
            "header": header,
            "encoding": style.encoding,
            "mark": style.mark,
            "separator": style.separator,
            "newline": style.newline,
        }
        common = {"encoding": "utf-8", "mark": b"", "separator": ",", "newline": "\n"}
        told = ", ".join(f"{k}={quoted(v)}" for k, v in facts.items() if common.get(k) != v)
        find, save = self._piece("find_folder"), self._piece("save")
        return f"""
if __name__ == "__main__":
    submission = $solve({find}($TRAIN, {", ".join(map(quoted, usual))}))
    {save}(submission, Path("submission.csv"), {told})
    print(f"submission.csv, {{len(submission):,}} rows")
"""


def _counted(names: Sequence[str]) -> str | None:
    """Return names that differ by a number that counts them, as people write them; else None."""
    start = names[0].rstrip("0123456789")
    first = names[0].removeprefix(start)
    if not first or names != [f"{start}{int(first) + i}" for i in range(len(names))]:
        return None
    shown = start.replace("{", "{{").replace("}", "}}")
    counted = quoted(f"{shown}{{n}}")
    return f"[f{counted} for n in range({int(first)}, {int(first) + len(names)})]"


def _style(style: CsvStyle) -> str:
    """Return how a file is written, as arguments; with a mark, as a codec that drops it."""
    encoding = style.encoding
    if style.mark:
        encoding = "utf-8-sig" if encoding == "utf-8" else "utf-16"
    told = "" if encoding == "utf-8" else f", encoding={quoted(encoding)}"
    return told if style.separator == "," else f"{told}, separator={quoted(style.separator)}"


def _indented(body: str) -> str:
    lines = dedent(body).strip("\n").splitlines()
    return "\n".join(f"    {line}" if line else "" for line in lines)
