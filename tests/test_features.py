"""features.py: what it may do, and each way in which it looks at other rows."""

import sys
from pathlib import Path
from textwrap import dedent, indent

import numpy as np
import pandas as pd
import pytest

from pipeline.competition import Columns
from pipeline.errors import DeclarationError
from pipeline.features import (
    Features,
    apply_features,
    import_file,
    load_features,
    spread_dates,
)
from pipeline.rowwise import check_rowwise

rng = np.random.default_rng(0)
FRAME = pd.DataFrame(
    {
        "x": rng.normal(size=40).round(3),
        "gap": np.where(np.arange(40) % 7 == 3, np.nan, rng.integers(0, 3, 40)),
        "kind": pd.Series(rng.choice(["a", "b"], 40), dtype="str"),
    }
)


def features(folder: Path, body: str) -> Features:
    """Load a features.py whose add_features has this body."""
    head = "import numpy as np\nimport pandas as pd\n\n\ndef add_features(frame):\n"
    return load(folder, head + indent(dedent(body).strip("\n"), "    ") + "\n")


def load(folder: Path, source: str | bytes) -> Features:
    content = source.encode() if isinstance(source, str) else source
    (folder / "features.py").write_bytes(content)
    return load_features(folder)


def refused(folder: Path, source: str | bytes) -> str:
    with pytest.raises(DeclarationError) as caught:
        load(folder, source)
    found = str(caught.value)
    assert found.startswith(str(folder / "features.py"))
    assert len(found.splitlines()) == 1
    return found.removeprefix(str(folder / "features.py"))


# Loading


def test_without_a_file_there_are_no_features(tmp_path: Path) -> None:
    assert load_features(tmp_path) == Features()
    assert apply_features(Features(), FRAME) is FRAME
    check_rowwise(Features(), FRAME)


def test_both_functions_are_found_and_either_may_be_absent(tmp_path: Path) -> None:
    both = load(tmp_path, "def add_features(f): return f\ndef make_transformer(): return 3\n")
    assert both.path == tmp_path / "features.py"
    assert both.make_transformer is not None
    assert both.make_transformer() == 3
    assert load(tmp_path, "def make_transformer(): return 3\n").add_features is None


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("def add_features(f)\n", ", line 1: SyntaxError: expected ':'"),
        ("\n\nimport nowhere_at_all\n", ", line 3: ModuleNotFoundError: No module named"),
        ("def f():\n    return 1 / 0\n\nf()\n", ", line 2: ZeroDivisionError: division by zero"),
        ("raise ValueError('two\\nlines')\n", ", line 1: ValueError: two lines"),
        ("import sys\nsys.exit('bye')\n", ", line 2: SystemExit: bye"),
        (b"\xb5\xfb = 1\n", ": SyntaxError: "),
        (b"x = 1\0\n", ": SyntaxError: "),
        (
            "from pathlib import Path\n\ndef add_feature(frame):\n    return frame\n",
            ": expected add_features or make_transformer, found 'add_feature'; "
            "did you mean 'add_features'?",
        ),
        ("", ": expected add_features or make_transformer, found no function"),
        (
            "from pathlib import Path\n",
            ": expected add_features or make_transformer, found no function",
        ),
        ("add_features = 3\n", ": add_features: expected a function, found 3"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_with_its_line(
    tmp_path: Path, source: str | bytes, message: str
) -> None:
    found = refused(tmp_path, source)
    line, _, rest = message.partition(": ")
    assert line in found
    assert rest in found
    if not isinstance(source, bytes):
        assert found.startswith(message)


def test_a_file_that_failed_is_read_again_once_it_is_mended(tmp_path: Path) -> None:
    refused(tmp_path, "1 / 0\n")
    assert load(tmp_path, "def add_features(f): return f\n").add_features is not None


def test_a_changed_file_is_new_code_even_within_a_second(tmp_path: Path) -> None:
    path = tmp_path / "features.py"
    found = []
    for number in (1, 2):
        path.write_text(f"VALUE = {number}\n")
        found.append(import_file(path).VALUE)
    assert found == [1, 2]
    assert not (tmp_path / "__pycache__").exists()


def test_the_same_bytes_are_the_same_module_wherever_they_are(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "features.py").write_text("class Step: pass\n")
    one, two = (import_file(tmp_path / name / "features.py") for name in ("one", "two"))
    assert one is two
    assert sys.modules[one.__name__] is one


# What add_features may return


def test_added_columns_are_returned_and_the_frame_is_untouched(tmp_path: Path) -> None:
    made = features(tmp_path, "frame['double'] = 2 * frame['x']\nreturn frame")
    before = FRAME.copy(deep=True)
    assert apply_features(made, FRAME)["double"].equals(2 * FRAME["x"])
    pd.testing.assert_frame_equal(FRAME, before)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("y = 1\nreturn frame['no']", ", line 7: add_features raised KeyError: 'no'"),
        ("return None", ": add_features: expected a DataFrame, found NoneType"),
        ("return frame['x']", ": add_features: expected a DataFrame, found Series"),
        ("return frame.dropna()", ": add_features: expected the 40 rows it was given in their"),
        (
            "return frame.sort_values('x')",
            ": add_features: expected the 40 rows it was given in their order, found 40; rows are "
            "dropped by [cleaning], never by features",
        ),
        (
            "return pd.concat([frame, frame[['x']]], axis=1)",
            ": add_features: column 'x' is made twice",
        ),
        (
            "return frame.assign(**{'n': 1}).rename(columns={'n': 5})",
            ": add_features: expected columns named by text, found 5",
        ),
        (
            "return frame.assign(o=pd.Series([True, None] * 20, dtype=object))",
            ": add_features: column 'o': expected numbers, text or dates, found boolean (object); "
            "convert it with astype",
        ),
        (
            "return frame.assign(o=pd.to_timedelta(frame['x'], unit='D'))",
            ": add_features: column 'o': expected numbers, text or dates, found timedelta",
        ),
        (
            "return frame.assign(o=pd.Series([1, 'a'] * 20, dtype=object))",
            ": add_features: column 'o': expected numbers, text or dates, found mixed-integer",
        ),
    ],
)
def test_what_no_model_could_use_is_refused(tmp_path: Path, body: str, message: str) -> None:
    made = features(tmp_path, body)
    with pytest.raises(DeclarationError) as caught:
        apply_features(made, FRAME)
    assert str(caught.value).startswith(f"{tmp_path / 'features.py'}{message}")
    assert len(str(caught.value).splitlines()) == 1


def test_columns_of_every_usual_type_are_fine(tmp_path: Path) -> None:
    body = """
        return frame.assign(
            whole=1, small=np.float32(1), flag=frame["x"] > 0, text="a",
            objects=np.array(["a", None] * (len(frame) // 2), dtype=object),
            level=frame["kind"].astype("category"),
            when=pd.Timestamp("2024-01-01"), zone=pd.Timestamp("2024-01-01", tz="Asia/Seoul"),
            nullable=frame["gap"].astype("Int64"), empty=np.nan,
        )
    """
    assert apply_features(features(tmp_path, body), FRAME).shape == (40, 13)


# The row-wise check

ROWWISE = [
    "return frame",
    "return frame.assign(a=frame['x'] ** 2, b=frame['kind'] + '!', c=frame['gap'].fillna(0))",
    "return frame.assign(t=frame[['x', 'gap']].sum(axis='columns'))",
    "return frame.assign(m=frame['kind'].map({'a': 1, 'b': 2}))",
    "return frame.assign(m=frame['gap'].map({0: 'zero', 1: 'one'}))",
    "return frame.assign(b=pd.cut(frame['x'], [-9, 0, 9], labels=['low', 'high']).astype('str'))",
    "return frame.assign(d=pd.to_datetime('2024-01-01') + pd.to_timedelta(frame['x'], unit='D'))",
    "return frame.assign(a=frame['x'].astype('float32').round(1), n=frame['gap'].isna())",
    "return frame.drop(columns='gap')",
    "return frame.merge(pd.DataFrame({'kind': ['a'], 'price': [3]}), on='kind', how='left')",
]


@pytest.mark.parametrize("body", ROWWISE)
def test_what_is_row_wise_passes(tmp_path: Path, body: str) -> None:
    check_rowwise(features(tmp_path, body), FRAME)


NOT_ROWWISE = [
    "frame['x'] - frame['x'].mean()",
    "frame['x'].rank()",
    "frame['x'].shift(1)",
    "frame['x'].shift(-1)",
    "frame['x'].diff()",
    "frame['x'].cumsum()",
    "frame['x'].rolling(3, min_periods=1).mean()",
    "(frame['x'] - frame['x'].min()) / (frame['x'].max() - frame['x'].min())",
    "frame['x'].eq(frame['x'].max())",
    "frame.groupby('kind')['x'].transform('mean')",
    "frame['kind'].map(frame['kind'].value_counts())",
    "frame['gap'].fillna(frame['gap'].mean())",
    "frame['gap'].fillna(frame['gap'].median())",
    "frame['gap'].ffill()",
    "pd.qcut(frame['x'], 4, labels=False)",
    "frame['x'].sort_values().to_numpy()",
    "np.arange(len(frame))",
    "len(frame)",
    "np.random.default_rng().normal(size=len(frame))",
]


@pytest.mark.parametrize("expression", NOT_ROWWISE)
def test_what_looks_at_other_rows_is_caught_by_name(tmp_path: Path, expression: str) -> None:
    made = features(tmp_path, f"return frame.assign(fine=1, wrong={expression})")
    with pytest.raises(DeclarationError) as caught:
        check_rowwise(made, FRAME)
    assert str(caught.value) == (
        f"{tmp_path / 'features.py'}: add_features: column 'wrong' changes when other rows are "
        "left out, so it learns from all rows at once; compute it from its own row, or return a "
        "transformer from make_transformer()"
    )


@pytest.mark.parametrize(("low", "high"), [(0, 2), (1, 3), (0, 1), (0, 39)])
def test_a_scale_between_extremes_is_caught_wherever_they_stand(
    tmp_path: Path, low: int, high: int
) -> None:
    x = FRAME["x"].copy()
    x[low], x[high] = -9.0, 9.0
    span = "return frame.assign(x=frame['x'] / (frame['x'].max() - frame['x'].min()))"
    with pytest.raises(DeclarationError, match=r"column 'x' changes when other rows"):
        check_rowwise(features(tmp_path, span), FRAME[["kind"]].assign(x=x))


def test_a_fill_with_the_commonest_value_is_caught_where_there_is_none(tmp_path: Path) -> None:
    body = "return frame.assign(gap=frame['gap'].fillna(frame['gap'].mode()[0]))"
    mostly_one = FRAME.assign(gap=FRAME["gap"].where(FRAME["gap"].isna(), 1.0))
    with pytest.raises(
        DeclarationError, match=r"raised KeyError: 0; only when other rows are left"
    ):
        check_rowwise(features(tmp_path, body), mostly_one)


def test_columns_that_depend_on_which_levels_are_there_are_caught(tmp_path: Path) -> None:
    rare = FRAME.assign(kind=["rare", *FRAME["kind"].iloc[1:]])
    body = "return pd.concat([frame, pd.get_dummies(frame['kind'], dtype=int)], axis=1)"
    with pytest.raises(DeclarationError, match=r"column 'rare' changes when other rows"):
        check_rowwise(features(tmp_path, body), rare)


def test_a_sorted_frame_with_a_fresh_index_is_caught(tmp_path: Path) -> None:
    made = features(tmp_path, "return frame.sort_values('x').reset_index(drop=True)")
    with pytest.raises(DeclarationError, match=r"column 'x' changes when other rows are left out"):
        check_rowwise(made, FRAME)


def test_a_single_row_has_no_others(tmp_path: Path) -> None:
    check_rowwise(features(tmp_path, "return frame.assign(a=frame['x'].mean())"), FRAME.head(1))


# Dates


def test_a_date_becomes_its_calendar_numbers() -> None:
    frame = pd.DataFrame({"id": [1, 2], "when": pd.to_datetime(["2024-02-29 13:00", None])})
    made = spread_dates(frame, Columns(id="id", target=("y",)))
    assert list(made) == [
        "id", "when_year", "when_month", "when_day", "when_hour", "when_weekday",
    ]  # fmt: skip
    assert made.iloc[0].tolist() == [1, 2024, 2, 29, 13, 3]
    assert made.iloc[1, 1:].isna().all()


def test_a_column_that_is_there_already_is_kept() -> None:
    frame = pd.DataFrame({"when": pd.to_datetime(["2024-02-29"]), "when_year": ["leap"]})
    made = spread_dates(frame, Columns(id="id", target=("y",)))
    assert made["when_year"].tolist() == ["leap"]
    assert made["when_month"].tolist() == [2]


def test_time_stays_as_days_that_order_the_folds() -> None:
    when = pd.to_datetime(["1970-01-02 12:00", "2024-02-29 00:00", None])
    columns = Columns(id="id", target=("y",), time="when")
    made = spread_dates(pd.DataFrame({"when": when}), columns)
    assert made["when"].tolist()[:2] == [1.5, 19782.0]
    assert np.isnan(made["when"].iloc[2])
    assert made["when_year"].tolist()[:2] == [1970, 2024]
    seoul = pd.DataFrame({"when": when.tz_localize("Asia/Seoul")})
    assert spread_dates(seoul, columns)["when"].equals(made["when"])


def test_dates_that_are_no_features_stay_dates() -> None:
    frame = pd.DataFrame({"id": pd.to_datetime(["2024-02-29"]), "x": 1})
    pd.testing.assert_frame_equal(spread_dates(frame, Columns(id="id", target=("y",))), frame)
