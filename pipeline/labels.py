"""Which class a column of probabilities stands for, by its name."""

import re
from collections.abc import Sequence


def classes_of_columns(columns: Sequence[str], labels: Sequence[str]) -> list[int | None]:
    """Return which class each probability column stands for, or None where its name tells none.

    A name is the label, or begins or ends with it beside a sign (Status_C, "0 prob", class-2); of
    several labels the longest is meant. Case counts, unless nothing is found with it.
    """
    return [_class_of(column, labels) for column in columns]


def _class_of(column: str, labels: Sequence[str]) -> int | None:
    for column_, labels_ in (
        (column, list(labels)),
        (column.casefold(), [label.casefold() for label in labels]),
    ):
        found = [one for one in labels_ if _names(column_, one)]
        if found:
            return labels_.index(max(found, key=lambda one: (one == column_, len(one))))
    return None


def _names(column: str, label: str) -> bool:
    escaped = re.escape(label)
    return re.fullmatch(rf"{escaped}|.*[\W_]{escaped}|{escaped}[\W_].*", column, re.S) is not None
