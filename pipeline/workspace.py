"""Where a working folder keeps its competitions, data and runs."""

import re
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import DeclarationError, did_you_mean
from pipeline.slugs import is_address

NAME = re.compile(r"[\w-]+")
BUILT_IN = Path(__file__).resolve().parents[1] / "competitions"


@dataclass(frozen=True)
class Workspace:
    """One folder with competitions/, data/, runs/ and boards/; nothing is created by looking."""

    root: Path

    def names(self) -> list[str]:
        """Return the names of all declared competitions, own and built-in, sorted."""
        folders = (self.root / "competitions", BUILT_IN)
        found = {path.parent.name for f in folders for path in f.glob("*/competition.toml")}
        return sorted(name for name in found if NAME.fullmatch(name))

    def competition(self, name: str) -> Path:
        """Return the folder that declares a competition; the workspace's own wins.

        Raises DeclarationError if there is none of that name.
        """
        if is_address(name):
            raise DeclarationError(
                f"{name}: expected a competition's name, found an address; kc list shows the names"
            )
        if not NAME.fullmatch(name):
            raise DeclarationError(
                f"competition {name!r}: a name has only letters, digits, - and _; rename its folder"
            )
        for folder in (self.own(name), BUILT_IN / name):
            if (folder / "competition.toml").is_file():
                return folder
        hint = did_you_mean(name, self.names())
        raise DeclarationError(
            f"no competition {name!r}: expected {self.root / 'competitions'}/NAME/competition.toml "
            f"or a built-in one; {hint}"
        )

    def own(self, name: str) -> Path:
        """Return the folder in which the workspace declares a competition of its own."""
        return self.root / "competitions" / name

    def declaration(self, name: str) -> Path:
        """Return the path of a competition's competition.toml."""
        return self.competition(name) / "competition.toml"

    def data(self, name: str) -> Path:
        """Return the folder of everything that was fetched or made from it."""
        return self.root / "data" / name

    def raw(self, name: str) -> Path:
        """Return the folder of the files as they were fetched."""
        return self.data(name) / "raw"

    def downloads(self, name: str) -> Path:
        """Return the folder of what a download has brought so far; it is always safe to delete."""
        return self.data(name) / "download"

    def exports(self, run: str) -> Path:
        """Return the folder of a run's script and notebook."""
        return self.root / "exports" / run

    def cache(self, name: str) -> Path:
        """Return the folder of finished work; it is always safe to delete."""
        return self.data(name) / "cache"

    def tuning(self, name: str) -> Path:
        """Return the folder of what searches for parameters have tried."""
        return self.data(name) / "tuning"

    def stages(self, name: str) -> Path:
        """Return the folder of the cleaned, encoded and scaled frames, written for looking."""
        return self.data(name) / "stages"

    def ledger(self, name: str) -> Path:
        """Return the file that notes what was handed in."""
        return self.runs / f"{name}.submissions.jsonl"

    def ranking(self, name: str) -> Path:
        """Return the file that keeps the leaderboard as it was seen last."""
        return self.data(name) / "leaderboard.json"

    def board(self, name: str) -> Path:
        """Return the folder of a practice set's board, which has the answers held back."""
        return self.root / "boards" / name

    @property
    def reports(self) -> Path:
        """The folder of pages that were made after their runs; it is always safe to delete."""
        return self.root / "reports"

    @property
    def runs(self) -> Path:
        """The folder of all finished runs."""
        return self.root / "runs"
