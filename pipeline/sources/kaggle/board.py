"""Submissions to Kaggle: hand in once, see what became of it, read the leaderboard."""

import functools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import requests

from pipeline.errors import SourceError, UnconfirmedError
from pipeline.progress import Note, emit
from pipeline.sources import Allowance, Receipt, Submission, Team
from pipeline.sources.delivery import one_line, reason_of, was_never_sent
from pipeline.sources.kaggle import refusals
from pipeline.sources.kaggle.connection import Connection

PAGE = 100  # rows that one request asks for
_PREFIX = "submission_status_"  # the long form of an enum's words
MOST_PAGES = 1000  # a board of more is taken for one that never ends


@dataclass(frozen=True)
class KaggleBoard:
    """Where one competition is submitted to, by a connection."""

    kaggle: Connection
    slug: str
    page: str
    name: str = "Kaggle"

    def allowance(self) -> Allowance:
        """Return what is left today; Kaggle counts days in UTC."""
        answer = self.kaggle.answer("get_submission_limits", competition_name=self.slug)
        return Allowance(
            left=_whole(answer.get("numAllowedNow")),
            today=_whole(answer.get("numToday")),
            by_total=bool(answer.get("limitedByTotal")),
        )

    def submit(self, file: Path, message: str) -> Receipt:
        """Hand in a file, once; only a reference counts as a success.

        Raises SourceError if it was refused or never sent, UnconfirmedError if it may have arrived.
        """
        stat = file.stat()
        place = self.kaggle.call(
            "start_submission_upload",
            competition_name=self.slug,
            file_name=file.name,
            content_length=stat.st_size,
            last_modified_epoch_seconds=int(stat.st_mtime),
        )
        self.kaggle.upload(place.create_url, file)
        emit(Note("submit", f"uploaded {stat.st_size:,} bytes to {self.name}"))
        try:
            answer = self.kaggle.call_once(
                "create_submission",
                competition_name=self.slug,
                blob_file_tokens=place.token,
                submission_description=message,
            )
        except Exception as error:
            raise self._failure(error) from None
        if not answer.ref:
            raise self._unconfirmed(f"it gave no reference ({one_line(answer.message)!r})")
        return Receipt(str(answer.ref), one_line(answer.message))

    def submissions(self) -> Iterator[Submission]:
        """Yield the team's submissions, newest first."""
        for row in self._rows("list_submissions"):
            yield _submission(row)

    def submission(self, reference: str) -> Submission | None:
        """Return one submission, or None while Kaggle does not know it yet."""
        ask = functools.partial(self.kaggle.answer_once, "get_submission", ref=int(reference))
        try:
            return _submission(self.kaggle.retried(ask))
        except Exception as error:
            if refusals.status_of(error) == requests.codes.not_found:
                return None
            raise self.kaggle.explain(error, None) from None

    def teams(self) -> Iterator[Team]:
        """Yield the public leaderboard, best first."""
        for row in self._rows("get_leaderboard"):
            text = str(row.get("score") or "")
            yield Team(
                str(row.get("teamName") or ""),
                _number(text),
                text,
                _time(row.get("submissionDate")),
            )

    def _rows(self, method: str) -> Iterator[dict[str, Any]]:
        """Yield the rows of all pages."""
        token: str | None = None
        for _ in range(MOST_PAGES):
            page = self.kaggle.answer(
                method, competition_name=self.slug, page_size=PAGE, page_token=token
            )
            yield from page.get("submissions") or []
            if not page.get("nextPageToken") or page["nextPageToken"] == token:
                return
            token = page["nextPageToken"]

    def _failure(self, error: Exception) -> SourceError:
        """Return the error for a request that began a submission, and brought no reference."""
        status = refusals.status_of(error)
        if status is not None and 400 <= status < 500 and status != requests.codes.request_timeout:
            return self.kaggle.explain(error, self.slug)
        if isinstance(error, requests.RequestException) and was_never_sent(error):
            return self.kaggle.explain(error, self.slug)
        if isinstance(error, requests.Timeout):
            return self._unconfirmed("it did not answer in time")
        if status is not None:
            reason = self.kaggle.without_secret(refusals.reason_of(error))
            return self._unconfirmed(f"it answered {status} {one_line(reason)}".rstrip())
        reason = self.kaggle.without_secret(reason_of(error))
        return self._unconfirmed(f"the connection or the answer broke off ({reason})")

    def _unconfirmed(self, what: str) -> UnconfirmedError:
        return UnconfirmedError(
            f"{self.name} did not confirm the submission: {what}; run kc submit again, which looks "
            f"whether it arrived, or look at {self.page}/submissions"
        )


def _submission(row: dict[str, Any]) -> Submission:
    return Submission(
        reference=str(row.get("ref") or ""),
        time=_time(row.get("date")),
        description=str(row.get("description") or ""),
        file_name=str(row.get("fileName") or ""),
        status=one_line(str(row.get("status") or "pending")).lower().removeprefix(_PREFIX),
        public=_number(row.get("publicScore")),
        private=_number(row.get("privateScore")),
        error=one_line(str(row.get("errorDescription") or "")),
        bytes=_whole(row.get("totalBytes")) or None,
    )


def _number(text: Any) -> float | None:
    """Return a score, which is text and empty where there is none."""
    try:
        number = float(text)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None


def _whole(value: Any) -> int:
    return value if isinstance(value, int) else 0


def _time(text: Any) -> datetime:
    """Return a time in UTC; one that cannot be read is long ago."""
    try:
        time = datetime.fromisoformat(str(text))
        return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)
    except (ValueError, OverflowError):  # the second for a zone on the first or last day of all
        return datetime(1970, 1, 1, tzinfo=UTC)
