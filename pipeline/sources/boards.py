"""Which service takes a competition's submissions."""

import contextlib
from collections.abc import Iterator

from pipeline.competition import Source
from pipeline.sources import Board


@contextlib.contextmanager
def open_board(source: Source) -> Iterator[Board | None]:
    """Yield the service of a declared competition, or None if submissions are handed in by hand.

    Raises SourceError if what it needs to know of the person is missing.
    """
    if source.kind == "kaggle":
        from pipeline.sources.kaggle import connect
        from pipeline.sources.kaggle.board import KaggleBoard

        with connect() as kaggle:
            yield KaggleBoard(kaggle, str(source.slug), str(source.page))
    elif source.kind == "dacon":
        from pipeline.sources.dacon import open_dacon

        yield open_dacon(source)
    else:
        yield None
