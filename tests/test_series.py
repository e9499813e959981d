"""A file of a time series as a competition: what is read, what is held back, and who grades it."""

import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import Done, only_run, write

from pipeline.competition import (
    Columns,
    Competition,
    Files,
    Source,
    Windows,
    load_competition,
)
from pipeline.csvtext import read_text
from pipeline.errors import DataError, DeclarationError
from pipeline.sources.practice.series import ASKED, HIDDEN, SHOWN, TRAIN, _parts, read_series
from pipeline.workspace import BUILT_IN

Kc = Callable[..., Done]
REAL = Path(__file__).parents[2] / "shared" / "data" / "samsung"
EXPORT = """\
일자,시가,고가,저가,종가,전일비,,등락률,거래량
2018/05/08,"52,600","53,200","51,900","52,600",▲,"700","+1.35","23,104,720"
2018/05/04,"53,000","53,900","51,800","51,900",▼,"-1,100","-2.08","39,565,391"
2018/05/03,"2,650,000","2,650,000","2,650,000","2,650,000", ,"0","0",""
2018/04/30,"2,650,000","2,650,000","2,650,000","2,650,000", ,"0","0",""
2018/04/27,"2,669,000","2,682,000","2,622,000","2,650,000",▲,"43,000","+1.65","606,216"
"""


def declared(dataset: str = "prices", **windows: object) -> Competition:
    return Competition(
        name="shares",
        title="Shares",
        task="regression",
        metric="mae",
        source=Source(kind="practice", dataset=dataset),
        files=Files(train="train.csv", test="test.csv", sample_submission="sample.csv"),
        columns=Columns(id="일자", time="일자", datetime=("일자",), target=("종가",)),
        windows=Windows(**{"timesteps": 2, **windows}),
    )


def read(path: Path, text: str, competition: Competition, encoding: str = "cp949") -> pd.DataFrame:
    path.write_bytes(text.encode(encoding))
    return read_series(path, competition)[1]


# --- what is read ---


def test_a_broker_s_export_becomes_plain_numbers_oldest_first(tmp_path: Path) -> None:
    cells = read(tmp_path / "a.csv", EXPORT, declared("series"))
    assert cells["일자"].tolist()[0] == "2018/04/27"
    assert cells["종가"].tolist() == ["2650000", "2650000", "2650000", "51900", "52600"]
    assert cells["전일비"].tolist() == ["43000", "0", "0", "-1100", "700"]
    assert cells["등락률"].tolist() == ["1.65", "0", "0", "-2.08", "1.35"]
    assert cells["거래량"].tolist() == ["606216", "", "", "39565391", "23104720"]
    assert not [name for name in cells if name.startswith("Unnamed")]


def test_prices_before_a_split_are_told_as_they_are_worth_now(tmp_path: Path) -> None:
    cells = read(tmp_path / "a.csv", EXPORT, declared())
    assert cells["종가"].tolist() == ["53000", "53000", "53000", "51900", "52600"]
    assert cells["시가"].tolist() == ["53380", "53000", "53000", "53000", "52600"]
    assert cells["전일비"].tolist() == ["860", "0", "0", "-1100", "700"]
    assert cells["거래량"].tolist() == ["30310800", "", "", "39565391", "23104720"]
    close, change = cells["종가"].astype(float), cells["전일비"].astype(float)
    np.testing.assert_array_equal(close.diff()[1:], change[1:])


@pytest.mark.parametrize(
    ("cell", "number"),
    [
        ("▲1,000", "1000"),
        ("▼ 500", "-500"),
        ("▼-500", "-500"),
        ("△+1.5", "1.5"),
        ("▽12", "-12"),
        ("↓ 9,000", "-9000"),
        ("-4,467,156", "-4467156"),
        ("1,23", "1,23"),
        ("▲", "▲"),
    ],
)
def test_marks_are_signs(tmp_path: Path, cell: str, number: str) -> None:
    text = f'일자,종가,말\n2022/07/18,"{cell}",a\n'
    assert read(tmp_path / "a.csv", text, declared("series"))["종가"].tolist() == [number]


def test_marks_sign_the_numbers_in_the_column_without_a_name(tmp_path: Path) -> None:
    text = '일자,전일비,,종가\n2022/07/18,▲,"1,000",3\n2022/07/17,▼,200,2\n2022/07/16,-,0,2\n'
    cells = read(tmp_path / "a.csv", text, declared("series"))
    assert cells["전일비"].tolist() == ["0", "-200", "1000"]


def test_rows_without_ids_are_counted_and_series_kept_apart(tmp_path: Path) -> None:
    text = "day,shop,sales\n2022-01-02,b,4\n2022-01-01,b,3\n2022-01-01,a,1\n2022-01-02,a,2\n"
    columns = Columns(id="id", time="day", target=("sales",))
    competition = declared("series", by="shop")
    object.__setattr__(competition, "columns", columns)
    file, cells = read_series(*_written(tmp_path / "a.csv", text, competition))
    assert cells["sales"].tolist() == ["1", "2", "3", "4"]
    assert cells["id"].tolist() == ["1", "2", "3", "4"]
    assert [file.line(row) for row in range(4)] == [4, 5, 3, 2]


def _written(path: Path, text: str, competition: Competition) -> tuple[Path, Competition]:
    write(path, text)
    return path, competition


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("일자,시가\n2022/07/18,1\n", "a.csv: there is no column '종가'; found 일자, 시가"),
        (
            "일자,종가\n2022/07/18,1\n2022/13/18,1\n",
            "a.csv, row 2, column '일자': expected a date such as 2011-01-31, found '2022/13/18'",
        ),
        (
            "일자,종가\n2022/07/18,1\n",
            "a.csv: there is no column '전일비', which source.dataset = \"prices\" needs; declare "
            '"series"',
        ),
    ],
)
def test_a_file_of_something_else_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(DataError) as caught:
        read(tmp_path / "a.csv", text, declared())
    assert str(caught.value) == f"{tmp_path}/{message}"


def test_prices_are_of_one_share() -> None:
    with pytest.raises(DeclarationError, match=r'dataset = "prices" is of one share; with windows'):
        declared("prices", by="name")


def test_a_series_needs_windows() -> None:
    with pytest.raises(DeclarationError, match=r'dataset = "series" is cut into windows; declare'):
        Competition(
            name="s",
            title="S",
            task="regression",
            metric="mae",
            source=Source(kind="practice", dataset="series"),
            files=Files(train="a", test="b", sample_submission="c"),
            columns=Columns(id="id", target=("y",)),
        )


# --- what is held back ---


def test_the_last_fifth_is_a_chain_of_rows_told_rows_asked_and_one_that_is_not_told() -> None:
    cells = pd.DataFrame({"일자": range(300), "종가": range(300)})
    part = _parts(cells, declared(timesteps=10, horizon=3))
    told = [*[SHOWN] * 20, *[ASKED] * 3]
    assert part.tolist() == [*[TRAIN] * 253, *told, HIDDEN, *told]
    longer = _parts(cells, declared(timesteps=30, horizon=3))
    assert longer.tolist() == [*[TRAIN] * 267, *[SHOWN] * 30, *[ASKED] * 3]


def test_too_few_rows_are_refused() -> None:
    cells = pd.DataFrame({"일자": range(50), "종가": range(50)})
    with pytest.raises(DataError) as caught:
        _parts(cells, declared())
    assert str(caught.value) == (
        "50 rows are too few to hold 20% of a series back, which are to hold 20 rows that are told "
        "and 1 that are asked for"
    )


def test_no_cell_of_the_test_file_gives_an_answer_away(tmp_path: Path, kc_here: Kc) -> None:
    kc_here(tmp_path, "fetch", "samsung", "--sample", expect=0)
    raw = tmp_path / "data" / "samsung" / "raw"
    train, test, sample = (
        read_text(raw / f"{file}.csv") for file in ("train", "test", "sample_submission")
    )
    answers = read_text(next((tmp_path / "boards").rglob("answers.csv"))).set_index("일자")["종가"]
    assert sample["일자"].tolist() == answers.index.tolist()
    hidden = test[test["종가"] == ""].set_index("일자")
    assert (hidden == "").all(axis=None)
    assert set(answers.index) < set(hidden.index)
    told = test[test["종가"] != ""]
    before = told["종가"].astype(float) - told["전일비"].astype(float)  # of the day before
    first = told.index.isin(test.index[test["종가"] == ""] + 1)  # behind rows that are not told
    asked_last = answers.groupby(np.arange(len(answers)) // 5).last().astype(float)
    assert first.sum() == len(asked_last) - 1
    assert not set(before[first]) & set(asked_last)
    assert not set(train["일자"]) & set(test["일자"])
    assert train["일자"].is_monotonic_increasing


# --- the whole loop ---


def test_fetch_train_submit_and_leaderboard_work_on_a_sample(tmp_path: Path, kc_here: Kc) -> None:
    kc_here(tmp_path, "fetch", "samsung", "--sample", expect=0)
    assert "unchanged" in kc_here(tmp_path, "fetch", "samsung", "--sample", expect=0).err
    kc_here(tmp_path, "train", "samsung", "-q", expect=0)
    done = kc_here(tmp_path, "submit", "samsung", "--yes", expect=0)
    assert " on 30 held-back rows" in done.out
    (team,) = json.loads(kc_here(tmp_path, "leaderboard", "samsung", "--json", expect=0).out)[
        "teams"
    ]
    said = pd.read_csv(only_run(tmp_path, "samsung") / "submission.csv").set_index("일자")["종가"]
    truth = pd.read_csv(next((tmp_path / "boards").rglob("answers.csv"))).set_index("일자")["종가"]
    assert float(team["score"]) == pytest.approx((said - truth).abs().mean(), abs=1e-4)


@pytest.mark.slow
def test_a_network_of_sequences_trains_on_the_sample(tmp_path: Path, kc_here: Kc) -> None:
    kc_here(tmp_path, "fetch", "samsung", "--sample", expect=0)
    arguments = ("-m", "lstm", "--epochs", 1, "--folds", 2, "-q")
    out = kc_here(tmp_path, "train", "samsung", *arguments, expect=0).out
    assert "(the last value again); the model " in out


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (None, "found nothing there; check the path"),
        ([], "expected one CSV file, found 0; give the file itself"),
        (["a.csv", "b.csv"], "expected one CSV file, found 2; give the file itself"),
    ],
)
def test_a_place_without_one_file_is_refused_and_nothing_is_lost(
    tmp_path: Path, kc_here: Kc, made: list[str] | None, message: str
) -> None:
    kc_here(tmp_path, "fetch", "samsung", "--sample", expect=0)
    before = (tmp_path / "data" / "samsung" / "manifest.json").read_bytes()
    place = tmp_path / "given"
    if made is not None:
        place.mkdir()
        for name in made:
            write(place / name, EXPORT)
    assert kc_here(tmp_path, "fetch", "samsung", "--from", place).error().endswith(message)
    assert (tmp_path / "data" / "samsung" / "manifest.json").read_bytes() == before


def test_a_zip_with_the_file_is_as_good(tmp_path: Path, kc_here: Kc) -> None:
    days = pd.date_range("2020-01-01", periods=120).strftime("%Y-%m-%d")
    frame = pd.DataFrame({"day": days, "x": np.arange(120)})
    with zipfile.ZipFile(tmp_path / "mine.zip", "w") as archive:
        archive.writestr("mine.csv", frame.to_csv(index=False))
    toml = (
        'title = "Mine"\ntask = "regression"\nmetric = "rmse"\ndefault_model = "ridge"\n'
        '[source]\nkind = "practice"\ndataset = "series"\n[files]\ntrain = "train.csv"\n'
        'test = "test.csv"\nsample_submission = "sample.csv"\n[columns]\nid = "day"\n'
        'time = "day"\ndatetime = ["day"]\ntarget = "x"\n[windows]\ntimesteps = 4\n'
    )
    write(tmp_path / "competitions" / "mine" / "competition.toml", toml)
    kc_here(tmp_path, "fetch", "mine", "--from", tmp_path / "mine.zip", expect=0)
    out = kc_here(tmp_path, "train", "mine", "-q", expect=0).out
    assert out.startswith("rmse 0.00000")
    assert "naive      rmse 1.00000 (the last value again); the model gains 1" in out
    assert " on 1 held-back rows" in kc_here(tmp_path, "submit", "mine", "--yes", expect=0).out


def test_the_same_seed_makes_the_same_prices_and_another_seed_others() -> None:
    namespace: dict = {}
    exec((BUILT_IN / "samsung" / "sample.py").read_text("utf-8"), namespace)
    first, again, other = (
        namespace["make_sample"](seed)["삼성전자.csv"].to_csv(index=False) for seed in (42, 42, 7)
    )
    assert first == again != other
    lines = first.splitlines()
    assert lines[0].split(",")[5:8] == ["전일비", "", "등락률"]
    assert lines[1].startswith("2018/12/28,")  # the newest day stands first
    assert len(lines) == 781


# --- the real file ---


@pytest.fixture(scope="module")
def real() -> pd.DataFrame:
    if not REAL.is_dir():
        pytest.skip("the file is not here")
    competition = load_competition(BUILT_IN / "samsung" / "competition.toml")
    return read_series(next(REAL.glob("*.csv")), competition)[1]


def test_the_real_file_is_read_whole(real: pd.DataFrame) -> None:
    assert real.shape == (3040, 16)
    assert real["일자"].iloc[[0, -1]].tolist() == ["2010/03/24", "2022/07/18"]
    numbers = real.drop(columns="일자").replace("", np.nan).astype(float)
    assert numbers.isna().sum().sum() == 6  # volume and amount of three days without trade
    close, change = numbers["종가"], numbers["전일비"]
    np.testing.assert_allclose(close.diff()[1:], change[1:], atol=1e-6)
    assert (close / close.shift() - 1).abs().max() < 0.11


def test_the_sample_has_the_real_file_s_shape(real: pd.DataFrame, tmp_path: Path) -> None:
    competition = load_competition(BUILT_IN / "samsung" / "competition.toml")
    namespace: dict = {}
    exec((BUILT_IN / "samsung" / "sample.py").read_text("utf-8"), namespace)
    ((name, frame),) = namespace["make_sample"]().items()
    original = next(REAL.glob("*.csv")).read_bytes().decode("cp949").splitlines()
    written = frame.to_csv(index=False).splitlines()
    assert written[0] == original[0]
    cells = read(tmp_path / name, frame.to_csv(index=False), competition)
    assert list(cells) == list(real)
    made, known = (
        one.drop(columns="일자").replace("", np.nan).astype(float) for one in (cells, real)
    )
    assert made.isna().any().tolist() == known.isna().any().tolist()
    moves = [one["종가"].pct_change().std() for one in (made, known)]
    assert moves[0] == pytest.approx(moves[1], rel=0.3)


def test_the_real_file_is_trained_on_and_graded(
    real: pd.DataFrame, tmp_path: Path, kc_here: Kc
) -> None:
    kc_here(tmp_path, "fetch", "samsung", "--from", REAL, expect=0)
    assert "adjusted" not in kc_here(tmp_path, "train", "samsung", "-q", expect=0).err
    done = kc_here(tmp_path, "submit", "samsung", "--yes", expect=0)
    assert " on 115 held-back rows" in done.out
    record = json.loads((only_run(tmp_path, "samsung") / "run.json").read_text("utf-8"))
    assert record["naive"]["score"] == pytest.approx(848.2, abs=0.1)
    assert record["score"] < 1.05 * record["naive"]["score"]
    tomorrow = kc_here(
        tmp_path, "predict", "samsung", "--input", next(REAL.glob("*.csv")), expect=0
    ).out.splitlines()
    assert [row.split(",")[0] for row in tomorrow[1:]] == [f"2022/07/18 + {n}" for n in range(1, 6)]
    assert all(50_000 < float(row.split(",")[1]) < 70_000 for row in tomorrow[1:])
