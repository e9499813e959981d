"""kc new: when rows are taken for steps of time series, and when that is only mentioned."""

import json
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from conftest import Done

from pipeline import Workspace
from pipeline.errors import DataError
from pipeline.stages.declaring import NewOptions, declare
from pipeline.stages.opening import open_competition, read_data

Kc = Callable[..., Done]
REAL = Path(__file__).parents[2] / "shared" / "data"
DAYS = pd.date_range("2024-01-01", periods=150)
PLACES = ["id", "date", "shop"]


def sales(days: pd.DatetimeIndex = DAYS, shops: int = 2) -> pd.DataFrame:
    """Return a row a day and shop: id, date, shop, visitors, a weather in words, sales."""
    rng = np.random.default_rng(1)
    frame = pd.DataFrame(
        [(day, f"s{shop}") for day in days.strftime("%Y-%m-%d") for shop in range(shops)],
        columns=["date", "shop"],
    )
    frame.insert(0, "id", np.arange(len(frame)))
    frame["visitors"] = rng.integers(50, 90, len(frame))
    frame["weather"] = rng.choice(["sun", "rain"], len(frame))
    return frame.assign(sales=(100 + 0.3 * frame.index + rng.normal(0, 3, len(frame))).round(2))


def new(folder: Path, frame: pd.DataFrame, known: list[str], days: int = 6) -> dict[str, Any]:
    """Declare the last days as the test, of which so much is known, and return what is said."""
    asked = frame["date"] >= sorted(set(frame["date"]))[-days]
    test = frame.loc[asked, known]
    (folder / "files").mkdir()
    frame[~asked].sample(frac=1, random_state=1).to_csv(folder / "files/train.csv", index=False)
    test.to_csv(folder / "files/test.csv", index=False)
    sample = test[known[:1]].assign(sales=0.0)
    sample.to_csv(folder / "files/sample_submission.csv", index=False)
    declare(Workspace(folder / "work"), "toy", NewOptions(path=folder / "files"))
    data = read_data(open_competition(Workspace(folder / "work"), "toy"))
    assert len(data.train)
    return tomllib.loads(text_of(folder))


def text_of(folder: Path, name: str = "toy") -> str:
    return (folder / "work/competitions" / name / "competition.toml").read_text(encoding="utf-8")


# --- three files ---


def test_rows_that_follow_each_series_and_of_which_only_the_day_is_told_are_windows(
    tmp_path: Path,
) -> None:
    declared = new(tmp_path, sales(), PLACES)
    assert declared["windows"] == {"timesteps": 14, "horizon": 6, "by": "shop"}
    assert declared["validation"]["scheme"] == "time"
    assert declared["columns"] == {
        "id": "id", "target": "sales", "datetime": ["date"], "time": "date", "drop": ["weather"],
    }  # fmt: skip
    text = text_of(tmp_path)
    assert "# test's rows follow each series, and only their time is told" in text
    assert "# a guess: two weeks" in text
    assert "# as many rows are asked for behind the last known one" in text


def test_one_series_needs_no_name_and_its_day_may_be_the_id(tmp_path: Path) -> None:
    frame = sales(shops=1).drop(columns=["id", "shop"])
    declared = new(tmp_path, frame, ["date"], days=3)
    assert declared["windows"] == {"timesteps": 14, "horizon": 3}
    assert (declared["columns"]["id"], declared["columns"]["time"]) == ("date", "date")


def test_weekends_without_rows_are_no_gaps_and_other_gaps_part_windows(tmp_path: Path) -> None:
    trade = sales(pd.bdate_range("2023-01-02", periods=150))
    assert new(tmp_path, trade, PLACES)["windows"]["gaps"] == "ignore"
    assert "# no row is of a Saturday or a Sunday" in text_of(tmp_path)
    (tmp_path / "holes").mkdir()
    holes = sales(DAYS.delete([40, 41, 90]))
    assert new(tmp_path / "holes", holes, PLACES)["windows"]["gaps"] == "split"


@pytest.mark.parametrize(
    ("frame", "known", "hint"),
    [
        (sales(), [*PLACES, "visitors"], "what test tells of 'visitors' would be lost"),
        (
            pd.concat([sales().assign(item=i, id=lambda f: f.index + 999 * i) for i in range(2)]),  # noqa: B023
            [*PLACES, "item"],
            "series that 'item' and 'shop' tell apart only together",
        ),
        (sales(DAYS.delete(range(130, 144))), PLACES, "no [windows]: row "),
    ],
    ids=["known ahead", "two keys", "behind a gap"],
)
def test_weaker_evidence_is_a_comment(
    tmp_path: Path, frame: pd.DataFrame, known: list[str], hint: str
) -> None:
    declared = new(tmp_path, frame, known)
    assert "windows" not in declared
    comments = [line[2:] for line in text_of(tmp_path).splitlines() if line.startswith("# ")]
    assert hint in " ".join(comments)


def test_test_rows_among_training_rows_are_no_series(tmp_path: Path) -> None:
    frame = sales(shops=1).drop(columns=["id", "shop"])
    asked = frame.index % 10 == 9
    (tmp_path / "files").mkdir()
    frame[~asked].to_csv(tmp_path / "files/train.csv", index=False)
    frame.loc[asked, ["date", "visitors"]].to_csv(tmp_path / "files/test.csv", index=False)
    frame.loc[asked, ["date", "sales"]].to_csv(tmp_path / "files/sample.csv", index=False)
    declare(Workspace(tmp_path / "work"), "toy", NewOptions(path=tmp_path / "files"))
    assert "windows" not in text_of(tmp_path)


# --- one file ---


def test_one_file_of_a_series_has_its_last_fifth_held_back(kc_here: Kc, tmp_path: Path) -> None:
    frame = sales(pd.date_range("2023-01-01", periods=300), shops=1)[["date", "visitors", "sales"]]
    path = tmp_path / "visits.csv"
    frame[::-1].to_csv(path, index=False)  # newest first
    work = tmp_path / "work"
    done = kc_here(work, "new", "toy", "--from", path, "--target", "sales", expect=0)
    assert "windows.timesteps = 14 and horizon = 7 are guesses" in done.err
    declared = tomllib.loads(text_of(tmp_path))
    assert declared["source"] == {"kind": "practice", "dataset": "series"}
    assert declared["windows"] == {"timesteps": 14, "horizon": 7}
    test = pd.read_csv(work / "data/toy/raw/test.csv")
    assert test["sales"].isna().sum() == 15  # 7 asked, 1 not told, 7 asked
    kc_here(work, "train", "toy", "-m", "ridge", "-q", expect=0)
    kc_here(work, "submit", "toy", "--yes", expect=0)
    board = json.loads(kc_here(work, "leaderboard", "toy", "--json", expect=0).out)
    assert float(board["teams"][0]["score"]) < 20
    again = kc_here(work, "fetch", "toy", "--from", path, expect=0)
    assert "unchanged" in again.err


def test_several_series_in_one_file_are_told_apart(tmp_path: Path) -> None:
    frame = sales(pd.date_range("2023-01-01", periods=200))[["date", "shop", "sales"]]
    frame.to_csv(tmp_path / "sales.csv", index=False)
    declare(Workspace(tmp_path / "work"), "toy", NewOptions(path=tmp_path / "sales.csv"))
    assert tomllib.loads(text_of(tmp_path))["windows"]["by"] == "shop"


def test_what_is_to_be_forecast_has_to_be_known(tmp_path: Path) -> None:
    frame = sales(shops=1)[["date", "visitors", "sales"]]
    frame.to_csv(tmp_path / "sales.csv", index=False)

    def refused(**options: Any) -> str:
        asked = NewOptions(path=tmp_path / "sales.csv", **options)
        with pytest.raises(DataError) as caught:
            declare(Workspace(tmp_path / "work"), "toy", asked)
        assert not (tmp_path / "work").exists()
        return str(caught.value)

    assert refused() == (
        "sales.csv: rows in the order of 'date', and no test file, so a time series; name what is "
        "to be forecast by --target; found 'visitors', 'sales'"
    )
    assert refused(target=("sale",)) == (
        "sales.csv: --target 'sale' is no column of numbers; did you mean 'sales'?"
    )
    frame.drop(columns="date").to_csv(tmp_path / "sales.csv", index=False)
    assert refused().startswith("cannot tell which files are train, test and sample submission")


# --- the real files ---


@pytest.mark.parametrize("name", ["samsung", "bike", "ddarung", "house"])
def test_only_real_series_become_windows(tmp_path: Path, name: str) -> None:
    if not (REAL / name).is_dir():
        pytest.skip(f"{name} is not here")
    declare(Workspace(tmp_path / "work"), "toy", NewOptions(path=REAL / name))
    declared = tomllib.loads(text_of(tmp_path))
    if name != "samsung":
        assert "windows" not in text_of(tmp_path)
        return
    assert declared["source"]["dataset"] == "prices"
    assert declared["windows"] == {"timesteps": 10, "horizon": 5, "gaps": "ignore"}
    assert declared["columns"]["target"] == "종가"
