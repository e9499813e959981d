"""A run's page: what is on it, that it never costs a run, and that it is the same every time."""

import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import Done, copy_of, files_of, only_run, write

from pipeline import TrainOptions, Workspace, train
from pipeline.ledger import Entry, add_entry
from pipeline.report import Known, Standing, render, run_page
from pipeline.report.answers import _confused
from pipeline.report.layout import number, seconds, with_error
from pipeline.report.learning import over_fit_from
from pipeline.runs import load_run
from pipeline.stages.ranking import load_ranking, rank_of, save_ranking
from pipeline.stages.reporting import report

Kc = Callable[..., Done]
VOID = {"meta", "link", "input", "br"}
EPOCHS = (
    "epoch,loss,val_loss\n1,1.0,0.9\n2,0.6,0.7\n3,0.4,0.6\n4,0.3,0.605\n5,0.2,0.65\n6,0.1,0.7\n"
)


class Page(HTMLParser):
    """The text, links and elements of a page, which closes what it opens."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.stack: list[str] = []
        self.words: list[str] = []
        self.outside: list[str] = []
        self.labels: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))
        assert self.stack == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag not in VOID:
            self.stack.append(tag)
        self.outside += [given[one] or "" for one in ("src", "href") if one in given]
        if "aria-label" in given:
            self.labels.append(given["aria-label"] or "")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        pass  # an element of a chart without anything inside

    def handle_endtag(self, tag: str) -> None:
        assert self.stack.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.stack and self.stack[-1] not in ("script", "style"):
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def without_times(path: Path) -> str:
    """Return a page without what is marked as a time, and without the section of time."""
    text = re.sub(r"<time>.*?</time>", "", path.read_text(encoding="utf-8"))
    return re.sub(r'<section id="time".*?</section>', "", text, flags=re.DOTALL)


def test_a_run_has_a_page_with_everything_that_is_known_of_it(trained):
    run = only_run(trained, "ddarung")
    record = json.loads((run / "run.json").read_text(encoding="utf-8"))
    page = Page(run / "report.html")
    for told in (
        record["title"],
        "RMSE out of fold",
        with_error(record["score"], record["standard_error"]),
        "kc train ddarung --model ridge --seed 42",
        record["data"]["train.csv"],
        record["code"],
        "Feature importance",
        "Predicted against true",
        "Largest errors",
        "Residuals by",
        "Missing values",
        "Drift",
        "submission.csv, 40 rows, checked against the sample",
    ):
        assert told in page.text or told.replace("40", str(record["rows"]["test"])) in page.text, (
            told
        )
    assert all(one.startswith(("#", "data:")) for one in page.outside), "nothing else is needed"
    assert any("Feature" in one or "shuffled" in one for one in page.labels)
    assert (run / "report.html").stat().st_size < 400_000


def test_the_importance_is_kept_beside_the_run_and_finds_what_decides(trained_tiny):
    found = load_run(only_run(trained_tiny, "tiny")).findings()
    worth = {one["column"]: one["importance"] for one in found["importance"]["columns"]}
    assert worth.keys() == {"size", "colour"}
    assert worth["size"] > 100 > worth["colour"]
    assert [one["column"] for one in found["columns"]] == ["size", "colour"]
    assert found["together"] is None


def test_the_same_work_makes_the_same_page_but_for_times(tiny):
    workspace = Workspace(tiny())
    first, second = (train(workspace, "tiny") for _ in range(2))
    assert first.id != second.id
    assert without_times(first.report) == without_times(second.report)
    assert first.id not in without_times(first.report)


def test_a_page_that_cannot_be_made_is_a_warning_and_no_lost_run(tiny, kc_here, monkeypatch):
    def fail(*_: object) -> None:
        raise ZeroDivisionError("a chart\nwent wrong")

    work = tiny()
    monkeypatch.setattr("pipeline.stages.reporting.run_page", fail)
    done = kc_here(work, "train", "tiny", expect=0)
    assert (
        "warning  report.html could not be made, and the run goes without it: "
        "ZeroDivisionError: a chart went wrong" in done.err
    )
    run = only_run(work, "tiny")
    assert not (run / "report.html").exists()
    assert (run / "submission.csv").is_file()
    assert "report" not in done.out
    monkeypatch.undo()
    path = Path(kc_here(work, "report", "tiny", expect=0).out.strip())
    assert path == work / "reports" / f"{run.name}.html"
    assert "Feature importance" in Page(path).text


def test_what_a_page_is_drawn_from_may_fail_and_the_run_stays(tiny, kc_here, monkeypatch):
    def fail(*_: object, **__: object) -> None:
        raise ValueError("no")

    work = tiny()
    monkeypatch.setattr("pipeline.stages.recording.find_importance", fail)
    monkeypatch.setattr("pipeline.stages.studying.errors_in_bins", fail)
    done = kc_here(work, "train", "tiny", expect=0)
    for what in ("the importance of columns", "findings.json"):
        assert f"{what} could not be made, and the run goes without it: ValueError: no" in done.err
    run = only_run(work, "tiny")
    assert not (run / "findings.json").exists()
    assert "was not kept with the run" in Page(run / "report.html").text


def test_report_says_where_a_page_is_and_never_changes_a_finished_run(
    trained_tiny, tmp_path, kc_here
):
    work = copy_of(trained_tiny, tmp_path / "work")
    run, before = only_run(work, "tiny"), files_of(only_run(work, "tiny"))
    assert kc_here(work, "report", "tiny", expect=0).out == f"{run / 'report.html'}\n"
    as_json = json.loads(kc_here(work, "report", "tiny", "--json", expect=0).out)
    assert as_json == {"competition": "tiny", "run": run.name, "path": str(run / "report.html")}
    entry = Entry(sha256="0", run=run.name, time="2026-01-01T00:00:00+00:00", how="kaggle",
                  status="complete", public=1.25)  # fmt: skip
    add_entry(Workspace(work).ledger("tiny"), entry)
    path = Path(kc_here(work, "report", "tiny", expect=0).out.strip())
    assert path == work / "reports" / f"{run.name}.html"
    assert "Public score 1.25" in Page(path).text
    assert files_of(run) == before


def test_an_older_run_gets_a_page_of_what_it_has(trained_tiny, tmp_path):
    work = copy_of(trained_tiny, tmp_path / "work")
    run = only_run(work, "tiny")
    for name in ("report.html", "findings.json", "train.log"):
        (run / name).unlink()
    record = json.loads((run / "run.json").read_text(encoding="utf-8"))
    for key in ("command", "code", "suspects", "leaderboard", "title"):
        record.pop(key)
    write(run / "run.json", json.dumps(record))
    page = Page(report(Workspace(work), "tiny")[1])
    assert "What this is drawn from was not kept with the run." in page.text
    assert "kc train tiny --model ridge --seed 42" in page.text
    assert "Predicted against true" in page.text


def test_all_runs_are_compared_on_one_page_with_links_that_lead_somewhere(tiny, kc_here):
    work = tiny()
    for model in ("ridge", "lasso"):
        kc_here(work, "train", "tiny", "--model", model, expect=0)
    kc_here(work, "ensemble", "tiny", expect=0)
    kc_here(work, "train", "tiny", "--folds", "2", expect=0)
    path = Path(kc_here(work, "report", "tiny", "--all", expect=0).out.strip())
    assert path == work / "reports" / "tiny.html"
    page = Page(path)
    assert "1 run of others cannot be compared with them" in page.text
    links = [one for one in page.outside if one.endswith(".html")]
    assert len(links) == 4
    assert all((path.parent / one).resolve().is_file() for one in links)
    blend = next(one for one in (work / "runs").glob("*-ensemble"))
    told = Page(blend / "report.html").text
    for one in (
        "Feature importance",
        "It is the mean of the members' own",
        "Weights",
        "Out-of-fold correlation",
        "Greedy selection",
        "kc ensemble tiny tiny-",
    ):
        assert one in told
    both = kc_here(work, "report", "tiny", "--all", "--run", "x")
    assert both.error() == "--all: compares all runs; leave out --run"


def test_report_of_nothing_says_what_to_run_first(tiny, kc_here):
    work = tiny()
    assert "no run of 'tiny' yet; run kc train tiny" in kc_here(work, "report", "tiny").error()
    assert "no run of 'tiny' yet" in kc_here(work, "report", "tiny", "--all").error()
    assert "no competition 'tinny'" in kc_here(work, "report", "tinny").error()


def test_open_hands_the_page_to_the_browser(trained_tiny, kc_here, monkeypatch):
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", lambda url: not opened.append(url))
    kc_here(trained_tiny, "report", "tiny", "--open", expect=0)
    assert opened == [(only_run(trained_tiny, "tiny") / "report.html").as_uri()]
    monkeypatch.setattr("webbrowser.open", lambda url: False)
    done = kc_here(trained_tiny, "report", "tiny", "--open", expect=0)
    assert done.err == f"no browser could be started; open {opened[0]} in one\n"


def test_the_place_is_told_where_a_leaderboard_was_seen(trained_tiny, tmp_path):
    work = copy_of(trained_tiny, tmp_path / "work")
    workspace = Workspace(work)
    assert load_ranking(workspace.ranking("tiny")) is None
    save_ranking(workspace.ranking("tiny"), "rmse", [0.001, 0.002, 1e6, 2e6])
    page = Page(report(workspace, "tiny")[1])
    assert re.search(r"Place 3 of 4 teams on \d{4}-\d\d-\d\d", page.text), page.text
    save_ranking(workspace.ranking("tiny"), "mae", [1.0])  # of another metric
    assert report(workspace, "tiny")[1].name == "report.html"
    write(workspace.ranking("tiny"), "{")
    assert load_ranking(workspace.ranking("tiny")) is None
    assert rank_of(2.0, [1.0, 2.0, 3.0], greater=True) == 2
    assert rank_of(2.0, [1.0, 1.5, 2.0, 3.0], greater=False) == 3


def test_a_standing_is_shown_as_the_places_of_the_interval(trained_tiny):
    run = load_run(only_run(trained_tiny, "tiny"))
    known = Known(Standing(50, 12, 120, 3000, "2026-01-01T00:00:00+00:00"))
    assert "12 – 120" in render(run_page(run, known))


def test_learning_curves_mark_the_best_epoch_and_where_overfitting_begins(trained_tiny, tmp_path):
    work = copy_of(trained_tiny, tmp_path / "work")
    run = only_run(work, "tiny")
    for fold in run.glob("fold-*"):
        write(fold / "history.csv", EPOCHS)
    (run / "report.html").unlink()
    path = report(Workspace(work), "tiny")[1]
    page = Page(path)
    assert "Best epochs 3 to 3 of 6 trained. From about epoch 5 on" in page.text
    assert path.read_text(encoding="utf-8").count('class="mark stop"') == 3


@pytest.mark.parametrize(
    ("held_out", "expected"),
    [([3, 2, 1, 1.005, 1.2, 1.3], 5), ([3, 2, 1, 1.2, 1.001, 1.002], None), ([3, 2, 1], None)],
)
def test_overfitting_begins_where_the_held_out_loss_stays_above_its_best(held_out, expected):
    history = pd.DataFrame(
        {"epoch": range(1, len(held_out) + 1), "loss": 1.0, "val_loss": held_out}
    )
    assert over_fit_from(history) == expected
    assert over_fit_from(history.drop(columns="val_loss")) is None


def test_a_member_of_a_budget_shows_how_it_learned_and_what_was_asked_of_the_blend(tiny):
    workspace = Workspace(tiny())
    run = train(workspace, "tiny", TrainOptions(label="ridge,lasso", seconds=120))
    assert {one["standard_error"] is not None for one in run.record["members"]} == {True}
    importance = run.findings()["importance"]
    assert {one["column"] for one in importance["columns"]} == {"size", "colour"}, importance
    assert run.record["command"] == "kc train tiny --model ridge,lasso --seed 42 --time 120s"
    assert run.record["seconds"] < 121
    assert "of 2 min planned" in Page(run.report).text


def test_numbers_are_shown_to_the_digits_that_their_errors_leave():
    assert with_error(39.26669, 0.68353) == "39.27 ± 0.68"
    assert with_error(0.29168, 0.00598) == "0.2917 ± 0.0060"
    assert with_error(1234.5, 250.0) == "1,234 ± 250"
    assert with_error(0.5, None) == with_error(0.5, 0.0) == "0.5"
    assert number(None) == "–"
    assert [str(seconds(one)) for one in (1.26, 75.4, 100, 7322)] == [
        "<time>1.3 s</time>", "<time>75.4 s</time>", "<time>1 min 40 s</time>",
        "<time>2 h 02 min</time>",
    ]  # fmt: skip


def test_headings_are_korean_for_who_reads_korean(trained_tiny, monkeypatch):
    monkeypatch.setenv("KC_LANG", "ko")
    text = render(run_page(load_run(only_run(trained_tiny, "tiny"))))
    assert '<html lang="ko">' in text
    assert ">특성 중요도</h3>" in text


def test_of_many_classes_the_pairs_that_are_confused_most_often_are_told() -> None:
    truth, said = np.array(["가", "가", "나", "다"]), np.array(["나", "나", "나", "가"])
    table = _confused(truth, said)
    assert table.rows == [["가", "나", "2"], ["다", "가", "1"]]
    assert table.caption == "Confused most often, 2 of 2 pairs"
