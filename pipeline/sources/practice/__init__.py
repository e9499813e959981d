"""Practice data sets as competitions: their rows, a part that is held back, and a board for it.

The labels of the held-back part never come near the files that are trained on: they are kept on the
board's side, in boards/NAME/, which only the grader of kc submit reads.
"""

from pipeline.sources.practice.board import PracticeBoard, answers_for
from pipeline.sources.practice.series import SeriesSource, read_series
from pipeline.sources.practice.source import PracticeSource

__all__ = ["PracticeBoard", "PracticeSource", "SeriesSource", "answers_for", "read_series"]
