"""Pieces on the workers of a Dask cluster: real processes on loopback."""

import json
import subprocess

import pytest
from conftest import KC, environment, only_run
from test_cluster import ENOUGH, Dask, until
from test_piecewise import large  # noqa: F401  # the fixture

from pipeline.errors import WorkerError
from pipeline.parquet import Piece
from pipeline.partitions.remote import Cluster, deal
from pipeline.partitions.rows import FoldRows

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore"),  # of Dask, as processes of it end
]
XGBOOST = "[models.xgboost]\nn_estimators = 60\nlearning_rate = 0.1\npatience = 10\n"


@pytest.fixture
def dask(tmp_path):
    """Begin a scheduler and two workers, which nothing begins anew."""
    pytest.importorskip("distributed")
    (tmp_path / "dask").mkdir()
    found = Dask(tmp_path / "dask")
    try:
        found.begin()
        for name in ("one", "two"):
            found.add(name)
            log = found.folder / f"{name}.log"
            until(lambda log=log: "Registered to:" in log.read_text(), "a worker")
        yield found
    finally:
        found.end()


def begin(workspace, dask, log, *options):
    """Begin to train on the workers, telling the log."""
    where = ("--executor", "dask", "--scheduler", dask.file)
    arguments = map(str, ("train", "large", *where, *options))
    with log.open("wb") as told:
        return subprocess.Popen(
            [KC, "--workspace", str(workspace), *arguments],
            stdin=subprocess.DEVNULL, stdout=told, stderr=told, env=environment(),
        )  # fmt: skip


def record_of(workspace):
    return json.loads((only_run(workspace, "large") / "run.json").read_text())


def test_pieces_are_dealt_by_their_rows():
    pieces = tuple(Piece(n, None, (0,), 0, 0, 9) for n in range(5))
    shares = deal(FoldRows(None, None, pieces, (5, 0, 9, 4, 1), 0), 3)
    assert [[piece.number for piece in share.pieces] for share in shares] == [[2], [0], [3, 4]]
    assert [share.counts for share in shares] == [(9,), (5,), (4, 1)]


def test_workers_that_see_another_disk_are_told_of(dask, tmp_path):
    from distributed import Client

    with (
        Client(scheduler_file=str(dask.file)) as client,
        pytest.raises(WorkerError, match=r"does not see .*all machines share"),
    ):
        Cluster(client).check_sees(tmp_path / "nowhere")


@pytest.mark.parametrize("label", ["lightgbm", "xgboost"])
def test_two_workers_learn_all_rows_and_make_a_whole_run(large, dask, tmp_path, label):  # noqa: F811
    workspace, log = large("regression", toml=XGBOOST), tmp_path / "log"
    command = begin(workspace, dask, log, "--model", label)
    try:
        assert command.wait(ENOUGH) == 0, log.read_text()
    finally:
        command.kill()
    assert "2 workers of tcp://127.0.0.1:" in log.read_text()
    record = record_of(workspace)
    assert sum(fold["valid_rows"] for fold in record["folds"]) == 900
    assert record["score"] < 1.0  # the target's deviation is 2.2
    assert len((only_run(workspace, "large") / "submission.csv").read_text().splitlines()) == 121
