"""What each command prints with --json, as JSON Schema (2020-12)."""

from collections.abc import Mapping
from typing import Any

from pipeline.errors import UsageError, did_you_mean

Schema = dict[str, Any]
DIALECT = "https://json-schema.org/draft/2020-12/schema"
TYPES = {
    "text": "string",
    "number": "number",
    "whole": "integer",
    "yes or no": "boolean",
    "object": "object",
    "list": "array",
}


def _field(kind: str | Schema, said: str) -> Schema:
    """Return the schema of a value: "text", "number or null", and so on, or another schema."""
    if isinstance(kind, dict):
        return {**kind, "description": said}
    name = kind.removesuffix(" or null")
    found: Any = TYPES[name] if name == kind else [TYPES[name], "null"]
    return {"type": found, "description": said}


def _object(**fields: tuple[str | Schema, str]) -> Schema:
    """Return the schema of an object that has all these fields, and perhaps more in future."""
    properties = {name: _field(*field) for name, field in fields.items()}
    return {"type": "object", "properties": properties, "required": list(properties)}


def _list(of: Schema) -> Schema:
    return {"type": "array", "items": of}


def _maybe(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


_TEXTS = _list({"type": "string"})
_ESTIMATE: dict[str, tuple[str | Schema, str]] = {
    "score": ("number", "out of fold"),
    "lower": ("number", "where an interval begins that holds the score of the test rows"),
    "upper": ("number", "where it ends"),
    "level": ("number", "the share of such intervals that do, 0.9"),
    "how": ("text", "by what it was found"),
}
_LEADERBOARD = _object(
    **_ESTIMATE,
    adversarial_auc=("number or null", "0.5 if test rows look like training rows"),
    test_differs=("yes or no", "whether worse is to be expected"),
    weighted=(_maybe(_object(**_ESTIMATE)), "the same by training rows that look like test rows"),
)
_RUN = _object(
    competition=("text", "its name"),
    run=("text", "the run's id"),
    path=("text", "its folder"),
    submission=("text", "the file that can be handed in"),
    model=("text", "the model's label, or auto or ensemble"),
    metric=("text", "rmse, accuracy, ..."),
    score=("number", "out of fold; of a blend nested"),
    standard_error=("number or null", "of the folds' mean score"),
    leaderboard=(_maybe(_LEADERBOARD), "what to expect of the test rows"),
    seconds=("number", "that it took"),
)
_FILE = _object(
    name=("text", "in data/NAME/raw"), bytes=("whole", "its size"), sha256=("text", "its digest")
)
_PREPARED = _object(
    competition=("text", "its name"),
    stage=("text", "clean, scale or encode"),
    changes=(_list({"type": "object"}), "what was done to each column"),
    train=("text", "the Parquet file of training rows"),
    test=("text", "that of test rows"),
)
_TRIAL = _object(
    number=("whole", "from 1; 0 is the default"),
    parameters=("object", "that were tried"),
    folds=(_list({"type": ["number", "null"]}), "scores of the folds that were fitted"),
    score=("number or null", "over all rows; null if it was given up"),
    seconds=("number", "of its fits"),
)
_GAIN = _object(
    better=("number", "one score"),
    than=("number", "the other"),
    gain=("number", "their difference, more than 0 if the first is better"),
    error=("number or null", "its standard error"),
)
_SUBMISSION = _object(
    reference=("text or null", "the service's number"),
    time=("text", "UTC, as 2026-11-23T09:30:48+00:00"),
    run=("text or null", "of this workspace"),
    message=("text or null", "the note that went with it"),
    status=("text", "submitted, pending, complete, error, refused, unconfirmed"),
    public=("number or null", "score on the public leaderboard"),
    private=("number or null", "score on the private one"),
    error=("text or null", "what the service could not do"),
)

SCHEMAS: Mapping[str, Schema] = {
    "list": _list(
        _object(
            competition=("text", "its name"),
            task=("text", "regression, binary or multiclass"),
            metric=("text", "rmse, accuracy, ..."),
            source=("text", "kaggle, dacon, practice or files"),
            files=("text or null", "where its files came from; null if none are here"),
            best=("number or null", "the best score of comparable runs"),
            model=("text or null", "that run's model"),
            run=("text or null", "its id"),
        )
    ),
    "new": _object(
        competition=("text", "what it is called here"),
        declaration=("text", "the competition.toml that was written"),
    ),
    "fetch": _object(
        competition=("text", "its name"),
        origin=("text", "where the files came from"),
        time=("text", "when, UTC"),
        folder=("text", "where they are"),
        files=(_list(_FILE), "as they were brought"),
    ),
    "files": _list(
        _object(
            name=("text", "at Kaggle"),
            size=("whole", "bytes"),
            created=("text or null", "when it was put there, UTC"),
        )
    ),
    "inspect": _object(
        competition=("text", "its name"),
        declaration=("object", "competition.toml, with defaults"),
        rows=(_object(train=("whole", "rows"), test=("whole", "rows")), "of the two files"),
        columns=(_list({"type": "object"}), "one object a feature"),
        target=("object", "what is known of each target, or the share of each class"),
        adversarial_auc=("number", "0.5 if test rows look like training rows"),
        drift_by_column=("object", "the same by each column alone, the largest first"),
        warnings=(_TEXTS, "what looks wrong"),
        hint=("text or null", "what the training file alone has"),
        proposals=(_TEXTS, "what to do about it"),
        plots=(_TEXTS, "the pictures that --plots has drawn"),
    ),
    "plot": _object(
        competition=("text", "its name"),
        picture=("text", "the .png or .svg that was drawn"),
    ),
    "clean": _PREPARED,
    "scale": _PREPARED,
    "encode": _PREPARED,
    "train": _RUN,
    "run": _RUN,
    "ensemble": _RUN,
    "summary": _list(
        _object(
            layer=("text", "its kind"),
            settings=("text", "its hyperparameters"),
            output=("text", "the shape of what it hands on"),
            parameters=("whole", "its weights"),
        )
    ),
    "tune": _object(
        label=("text", "the model"),
        metric=("text", "rmse, accuracy, ..."),
        default=(_TRIAL, "the parameters as declared"),
        trials=(_list(_TRIAL), "whole ones, the best first"),
        n_given_up=("whole", "trials that were worse than the median"),
        gain=(_maybe(_GAIN), "of the best over the default"),
        fresh=(_maybe(_GAIN), "the same on folds that chose nothing"),
        n_fresh=("whole", "how many of these"),
        run=("text or null", "the id of the run of the best"),
        toml=("text or null", "what to declare"),
    ),
    "predict": _object(
        competition=("text", "its name"),
        run=("text", "the run that predicts"),
        rows=("whole", "how many were predicted"),
        output=("text or null", "the CSV file that was written by --output"),
        predictions=(_maybe(_list({"type": "object"})), "one object a row, without --output"),
    ),
    "export": _object(
        competition=("text", "its name"),
        run=("text", "the run that was written"),
        script=("text", "solution.py"),
        notebook=("text", "solution.ipynb"),
    ),
    "runs": _list(
        _object(
            run=("text", "its id"),
            model=("text", "the model's label, or auto or ensemble"),
            data=("text", "real or sample"),
            folds=("text", "how many, and how made"),
            metric=("text", "rmse, accuracy, ..."),
            score=("number", "out of fold"),
            standard_error=("number or null", "of the folds' mean score"),
            leaderboard=(_maybe(_LEADERBOARD), "what to expect of the test rows"),
            submitted=("text or null", "how its last submission stands"),
            public=("number or null", "its score on the public leaderboard"),
            seconds=("number", "that it took"),
        )
    ),
    "report": _object(
        competition=("text", "its name"),
        run=("text or null", "the run whose page it is; null of the page that compares all"),
        path=("text", "the page"),
    ),
    "submit": _object(
        competition=("text", "its name"),
        run=("text", "whose submission it is"),
        sha256=("text", "of the bytes that were handed in"),
        time=("text", "UTC"),
        how=("text", "kaggle, dacon, practice or by hand"),
        message=("text", "the note that went with it"),
        status=("text", "submitted, pending, complete, error"),
        reference=("text or null", "the service's number"),
        public=("number or null", "score on the public leaderboard"),
        private=("number or null", "score on the private one"),
        adopted=("yes or no", "whether an earlier attempt had arrived already"),
    ),
    "submissions": _list(_SUBMISSION),
    "leaderboard": _object(
        place=(
            _maybe(
                _object(
                    score=("number", "that was asked for"),
                    place=("whole", "from 1"),
                    level=("whole", "teams with the same score"),
                    teams=("whole", "that have one"),
                    percentile=("number", "the share of teams that are worse, in percent"),
                )
            ),
            "of a score; null without one",
        ),
        teams=(
            _list(
                _object(
                    place=("whole", "from 1"),
                    team=("text", "its name"),
                    score=("text or null", "its best, as the service writes it"),
                    time=("text or null", "of that, UTC"),
                )
            ),
            "the best ones",
        ),
    ),
    "doctor": _object(
        can_work=("yes or no", "whether nothing essential is broken"),
        checks=(
            _list(
                _object(
                    name=("text", "what was looked at"),
                    found=("text", "what is there"),
                    status=("text", "fine, warning or broken"),
                    advice=("text or null", "what mends it"),
                )
            ),
            "one after the other",
        ),
    ),
    "cache clear": _object(
        competition=("text", "its name"),
        files=("whole", "finished folds that were deleted"),
        bytes=("whole", "their size"),
    ),
    "error": _object(
        error=(
            _object(
                kind=("text", "UsageError, DataError, ..., see pipeline/errors.py"),
                message=("text", "the line that stands on stderr as well"),
            ),
            "why there is no answer",
        )
    ),
}


def schema_of(command: str) -> Schema:
    """Return the JSON Schema of what a command prints with --json; "error" of what went wrong.

    Raises UsageError for a command that prints none.
    """
    if command not in SCHEMAS:
        raise UsageError(f"no schema of {command!r}; {did_you_mean(command, SCHEMAS)}")
    title = "kc: an error" if command == "error" else f"kc {command} --json"
    return {"$schema": DIALECT, "title": title, **SCHEMAS[command]}


def schema_lines(command: str) -> list[str]:
    """Return the table of a command's fields, as docs/json.md has it."""
    schema = SCHEMAS[command]
    head = "A list of objects." if schema["type"] == "array" else "An object."
    rows = [f"| `{name}` | {kind} | {said} |" for name, kind, said in _rows(schema)]
    return [head, "", "| field | type | |", "| --- | --- | --- |", *rows]


def _rows(schema: Schema, above: str = "") -> list[tuple[str, str, str]]:
    """Return name, type and description of all fields, those of objects inside behind them."""
    schema = schema.get("items", schema)
    rows = []
    for name, field in schema.get("properties", {}).items():
        rows.append((above + name, _kind(field), field.get("description", "")))
        inner = next(iter(field.get("anyOf", [field])))
        mark = "[]." if inner.get("type") == "array" else "."
        rows += _rows(inner, f"{above}{name}{mark}")
    return rows


def _kind(field: Schema) -> str:
    if "anyOf" in field:
        return f"{_kind(field['anyOf'][0])} or null"
    found = field["type"]
    return " or ".join(found) if isinstance(found, list) else str(found)
