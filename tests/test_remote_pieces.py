"""Pieces on the workers of a Dask cluster: real processes here, and one that is killed."""

import json
import os
import signal
import threading
import time
import warnings

import pytest
from conftest import only_run
from test_piecewise import large  # noqa: F401  # the fixture

from pipeline.parquet import Piece
from pipeline.partitions.remote import Cluster, deal
from pipeline.partitions.rows import FoldRows

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore"),  # of Dask, as processes of it end
]
XGBOOST = "[models.xgboost]\nn_estimators = 60\nlearning_rate = 0.1\npatience = 10\n"


@pytest.fixture(scope="module")
def cluster():
    distributed = pytest.importorskip("distributed")
    options = {"n_workers": 2, "threads_per_worker": 1, "host": "127.0.0.1"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with distributed.LocalCluster(**options, dashboard_address=None) as local:
            yield local


def train(kc_here, workspace, cluster, *options):
    where = ("--executor", "dask", "--scheduler", cluster.scheduler_address)
    done = kc_here(workspace, "train", "large", *where, *options, expect=0)
    (run,) = [run for run in (workspace / "runs").glob("large-*") if str(run) in done.out]
    return done, json.loads((run / "run.json").read_text())


def test_pieces_are_dealt_by_their_rows():
    pieces = tuple(Piece(n, None, (0,), 0, 0, 9) for n in range(5))
    shares = deal(FoldRows(None, None, pieces, (5, 0, 9, 4, 1), 0), 3)
    assert [[piece.number for piece in share.pieces] for share in shares] == [[2], [0], [3, 4]]
    assert [share.counts for share in shares] == [(9,), (5,), (4, 1)]


@pytest.mark.parametrize("label", ["lightgbm", "xgboost"])
def test_two_workers_grow_the_model_that_one_process_grows(large, kc_here, cluster, label):  # noqa: F811
    more = "subsample = 1.0\ncolsample_bytree = 1.0\n"
    workspace = large("binary", more=more, toml=XGBOOST + more)
    kc_here(workspace, "train", "large", "--model", label, expect=0)
    alone = json.loads((only_run(workspace, "large") / "run.json").read_text())
    done, record = train(kc_here, workspace, cluster, "--model", label, "--fresh")
    assert "on 2 workers of tcp://127.0.0.1:" in done.err
    assert record["score"] == pytest.approx(alone["score"], abs=1e-3)
    if label == "lightgbm":
        rounds = [[fold["best_epoch"] for fold in one["folds"]] for one in (alone, record)]
        assert rounds[0] == rounds[1]


def test_a_fold_goes_on_when_a_worker_is_killed(large, kc_here, cluster):  # noqa: F811
    workspace = large(more="num_leaves = 63")
    path = workspace / "competitions" / "large" / "competition.toml"
    text = path.read_text().replace("n_estimators = 60", "n_estimators = 20000")
    path.write_text(text.replace("patience = 10", "patience = 20000"))
    killed = threading.Event()

    def kill() -> None:
        pid = next(iter(cluster.workers.values())).pid
        time.sleep(4)
        os.kill(pid, signal.SIGKILL)
        killed.set()

    thread = threading.Thread(target=kill)
    thread.start()
    done, record = train(kc_here, workspace, cluster, "--time", "20s")
    thread.join()
    assert killed.is_set()
    assert "begins anew" in done.err
    assert record["score"] < 1.5


def test_workers_that_see_another_disk_are_told_of(cluster, tmp_path):
    from distributed import Client

    with (
        Client(cluster) as client,
        pytest.raises(Exception, match=r"does not see .*all machines share"),
    ):
        Cluster(client).check_sees(tmp_path / "nowhere")
