"""How a viewer was started: what the command line hands to the Streamlit script."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Self


@dataclass(frozen=True, slots=True)
class Settings:
    """One viewer.

    ``reader`` is the code of who reviews where nobody logs in. ``database`` is the URL of PostgreSQL, without a
    password, or None for SQLite in the audit folder; ``roles`` the file of who may do what, or None for one reader.
    ``compare`` is a second audit of the same pictures, whose maps are shown beside, or None.
    """

    folder: Path
    reader: str = "reader"
    database: str | None = None
    roles: Path | None = None
    compare: Path | None = None

    def argument(self) -> str:
        """The one argument of the script."""
        return json.dumps(
            {
                "folder": str(self.folder.resolve()),
                "reader": self.reader,
                "database": self.database,
                "roles": str(self.roles.resolve()) if self.roles else None,
                "compare": str(self.compare.resolve()) if self.compare else None,
            }
        )

    @classmethod
    def from_argument(cls, argument: str) -> Self:
        """Back from :meth:`argument`."""
        told = json.loads(argument)
        roles, compare = (Path(told[name]) if told[name] else None for name in ("roles", "compare"))
        return cls(Path(told["folder"]), told["reader"], told["database"], roles, compare)
