"""Which class a probability column stands for."""

import pytest

from pipeline.labels import classes_of_columns


@pytest.mark.parametrize(
    ("columns", "labels", "classes"),
    [
        (["b", "a"], ["a", "b"], [1, 0]),
        (["Status_C", "Status_CL", "Status_D"], ["C", "CL", "D"], [0, 1, 2]),
        (["x_b_a", "x_a"], ["a", "b_a"], [1, 0]),
        (["Class_1", "Class_2"], ["1", "2"], [0, 1]),
        (["Class_1", "Class_2"], ["Class_1", "Class_2"], [0, 1]),
        (["0 prob", "1 prob"], ["0", "1"], [0, 1]),
        (["p-1", "p--1"], ["-1", "1"], [1, 0]),
        (["SETOSA", "Virginica"], ["setosa", "virginica"], [0, 1]),
        (["A", "a"], ["a", "A"], [1, 0]),
        (["확률_맑음", "확률_흐림"], ["맑음", "흐림"], [0, 1]),
        (["p_a", "p_d"], ["a", "b"], [0, None]),
        (["p10"], ["0", "10"], [None]),
    ],
)
def test_a_name_tells_its_class(
    columns: list[str], labels: list[str], classes: list[int | None]
) -> None:
    assert classes_of_columns(columns, labels) == classes
