"""Store of states over restarts: an interface, and SQLite behind it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

from carousel.errors import RunError

_TABLES = """
CREATE TABLE IF NOT EXISTS streams (
    model TEXT NOT NULL, name TEXT NOT NULL, print TEXT NOT NULL, steps INTEGER NOT NULL,
    seen REAL NOT NULL, state BLOB NOT NULL, answers BLOB, shape TEXT,
    PRIMARY KEY (model, print, name)
) WITHOUT ROWID
"""


class NotKept(RunError):  # noqa: N818  # it names what happened
    """States that a store could not write: the disk is full, say. What it had it has."""


class Kept(NamedTuple):
    """A stream as it is kept. steps: that it has taken. seen: when, in seconds since 1970. state:
    the bytes of its arrays; answers, shape: to its last numbered steps, None if there were none."""

    name: str
    steps: int
    seen: float
    state: bytes
    answers: bytes | None = None
    shape: str | None = None


class StateStore(Protocol):
    """Keeps the states of streams; from one thread at a time."""

    def write(self, model: str, print: str, kept: Sequence[Kept], gone: Sequence[str]) -> list[str]:
        """Keep these, and forget those. Returns names that were not written, as another server
        has them now. Raises `NotKept`, where some may be written and others not."""

    def forgot(self) -> bool:
        """Say if the store may have lost what was written before, since this was last asked."""

    def read(self, model: str, print: str) -> Iterator[Kept]:
        """The streams of a model; those of other weights are not among them."""

    def strangers(self, model: str, print: str) -> int:
        """Number of streams of this name that belong to other weights."""

    def close(self) -> None:
        """Let go of it."""


class SQLiteStore:
    """States in a file of SQLite, with a write-ahead log."""

    def __init__(self, path: Path) -> None:
        """Raises `RunError` for a file that cannot be opened or is none of SQLite."""
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._base = sqlite3.connect(path, timeout=5, check_same_thread=False)
            self._base.execute("PRAGMA journal_mode=WAL")
            self._base.execute("PRAGMA synchronous=NORMAL")
            self._base.execute(_TABLES)
            self._base.commit()
        except (sqlite3.Error, OSError) as error:
            raise RunError(f"the states of streams cannot be kept in {path}: {error}") from None

    def write(self, model: str, print: str, kept: Sequence[Kept], gone: Sequence[str]) -> list[str]:
        """Keep these, and forget those, both or neither. Raises `NotKept`."""
        lost = [(model, print, name) for name in gone]
        rows = [(model, one.name, print, *one[1:]) for one in kept]
        try:
            with self._base:
                self._base.executemany(
                    "DELETE FROM streams WHERE model = ? AND print = ? AND name = ?", lost
                )
                self._base.executemany(
                    "INSERT OR REPLACE INTO streams VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows
                )
        except (sqlite3.Error, OSError) as error:
            raise NotKept(f"the states of {model} were not kept: {error}") from None
        return []

    def forgot(self) -> bool:
        """Never, of a file."""
        return False

    def read(self, model: str, print: str) -> Iterator[Kept]:
        """The streams of a model; those of other weights are not among them."""
        rows = self._base.execute(
            "SELECT name, steps, seen, state, answers, shape FROM streams "
            "WHERE model = ? AND print = ?",
            (model, print),
        )
        return (Kept(*row) for row in rows)

    def strangers(self, model: str, print: str) -> int:
        """Number of streams of this name that belong to other weights."""
        (count,) = self._base.execute(
            "SELECT COUNT(*) FROM streams WHERE model = ? AND print != ?", (model, print)
        ).fetchone()
        return int(count)

    def close(self) -> None:
        """Let go of the file."""
        self._base.close()
