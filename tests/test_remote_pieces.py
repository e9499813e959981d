"""Pieces on the workers of a Dask cluster: real processes here."""

import warnings

import pytest

from pipeline.parquet import Piece
from pipeline.partitions.remote import Cluster, deal
from pipeline.partitions.rows import FoldRows

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore"),  # of Dask, as processes of it end
]


@pytest.fixture(scope="module")
def cluster():
    distributed = pytest.importorskip("distributed")
    options = {"n_workers": 2, "threads_per_worker": 1, "host": "127.0.0.1"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with distributed.LocalCluster(**options, dashboard_address=None) as local:
            yield local


def test_pieces_are_dealt_by_their_rows():
    pieces = tuple(Piece(n, None, (0,), 0, 0, 9) for n in range(5))
    shares = deal(FoldRows(None, None, pieces, (5, 0, 9, 4, 1), 0), 3)
    assert [[piece.number for piece in share.pieces] for share in shares] == [[2], [0], [3, 4]]
    assert [share.counts for share in shares] == [(9,), (5,), (4, 1)]


def test_workers_that_see_another_disk_are_told_of(cluster, tmp_path):
    from distributed import Client

    with (
        Client(cluster) as client,
        pytest.raises(Exception, match=r"does not see .*all machines share"),
    ):
        Cluster(client).check_sees(tmp_path / "nowhere")
