"""Which service takes a competition's submissions."""

from pipeline.competition import Source
from pipeline.sources import Board


def open_board(source: Source) -> Board | None:
    """Return the service of a declared competition, or None if submissions are handed in by hand.

    Raises SourceError if what it needs to know of the person is missing.
    """
    if source.kind == "kaggle":
        from pipeline.sources.kaggle.board import KaggleBoard

        return KaggleBoard(str(source.slug), str(source.page))
    if source.kind == "dacon":
        from pipeline.sources.dacon import open_dacon

        return open_dacon(source)
    return None
