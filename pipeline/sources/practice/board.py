"""The board of a practice set: it grades on the held-back answers, and remembers.

boards/iris/3f9a1b2c7d21/answers.csv          of the test file with that digest
boards/iris/3f9a1b2c7d21/submissions.jsonl    what was handed in for it, and how it scored
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from pipeline.errors import SourceError
from pipeline.sources import Allowance, Receipt, Submission, Team
from pipeline.storage import save_text

ANSWERS = "answers.csv"
SUBMISSIONS = "submissions.jsonl"


def answers_for(board: Path, sha256: str) -> Path:
    """Return the folder of what belongs to the test file of that digest."""
    return board / sha256[:12]


@dataclass(frozen=True)
class PracticeBoard:
    """A service on this very disk: it takes any number of submissions, and scores them at once.

    folder: of the test file that is here. grade: from a submission and the answers to its score,
    as a number and in words. greater: whether a greater score is better.
    """

    folder: Path
    grade: Callable[[Path, Path], tuple[float, str]]
    greater: bool
    name: str = "the practice board"

    def allowance(self) -> Allowance:
        """Return that nothing limits practice."""
        today = datetime.now(UTC).date()
        return Allowance(None, sum(one.time.date() == today for one in self.submissions()))

    def submit(self, file: Path, message: str) -> Receipt:
        """Grade a file and note it.

        Raises SourceError if it cannot be graded; then it is not noted.
        """
        if not (self.folder / ANSWERS).is_file():
            raise SourceError(
                f"{self.folder / ANSWERS}: the answers of these rows are not here; run kc fetch "
                f"{self.folder.parent.name}"
            )
        score, words = self.grade(file, self.folder / ANSWERS)
        earlier = list(self.submissions())
        one = Submission(
            reference=str(len(earlier) + 1),
            time=datetime.now(UTC),
            description=message,
            file_name=file.name,
            status="complete",
            public=score,
            private=None,
            error="",
            bytes=file.stat().st_size,
        )
        rows = [json.dumps(asdict(each), default=str) for each in [*reversed(earlier), one]]
        save_text(self.folder / SUBMISSIONS, "".join(f"{row}\n" for row in rows))
        return Receipt(one.reference, words, score)

    def submissions(self) -> Iterator[Submission]:
        """Yield what was handed in, newest first."""
        path = self.folder / SUBMISSIONS
        try:
            lines = path.read_text("utf-8").splitlines() if path.is_file() else []
            rows = [json.loads(line) for line in lines]
            found = [
                Submission(**{**row, "time": datetime.fromisoformat(row["time"])}) for row in rows
            ]
        except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
            raise SourceError(f"{path}: cannot be read: {error}; mend or remove the file") from None
        yield from reversed(found)

    def submission(self, reference: str) -> Submission | None:
        """Return one of them."""
        return next((one for one in self.submissions() if one.reference == reference), None)

    def teams(self) -> Iterator[Team]:
        """Yield one's own submissions as the leaderboard, best first, of equals the earlier."""
        sign = -1 if self.greater else 1
        scored = [(one.public, one) for one in self.submissions() if one.public is not None]
        for score, one in sorted(scored, key=lambda pair: (sign * pair[0], pair[1].time)):
            yield Team(one.description, score, f"{score:.5f}", one.time)
