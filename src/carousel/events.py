"""The append-only event store of a run: one SQLite file, readable while the run goes on.

Tables:
    signals (id, name)                          names of number series, such as "train/loss"
    points (signal, step, value)                a number of a series at an optimiser step
    events (id, time, step, kind, body)         anything else; body is JSON, time in Unix seconds
    meta (key, value)                           "format": version of this layout

Writes are kept in memory and go to the file in one transaction at least every second, so that a
step costs microseconds. Write-ahead logging lets readers read and survives a killed process.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

FORMAT = 1
_FLUSH_SECONDS = 1.0

_LAYOUT = """
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS signals (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE IF NOT EXISTS points (
    signal INTEGER NOT NULL REFERENCES signals (id),
    step INTEGER NOT NULL,
    value REAL,
    PRIMARY KEY (signal, step)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS events (
    id INTEGER PRIMARY KEY,
    time REAL NOT NULL,
    step INTEGER NOT NULL,
    kind TEXT NOT NULL,
    body TEXT NOT NULL
);
"""


class EventStore:
    """Writes a run's numbers and events. One writer at a time; close it, or use `with`."""

    def __init__(self, path: str | Path) -> None:
        self._db = sqlite3.connect(path)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = NORMAL")
        self._db.executescript(_LAYOUT)
        self._db.execute("INSERT OR IGNORE INTO meta VALUES ('format', ?)", (str(FORMAT),))
        self._db.commit()
        self._signals: dict[str, int] = {
            name: id for id, name in self._db.execute("SELECT id, name FROM signals")
        }
        self._points: list[tuple[int, int, float]] = []
        self._events: list[tuple[float, int, str, str]] = []
        self._flushed = time.monotonic()

    def __enter__(self) -> EventStore:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def record(self, step: int, values: dict[str, float]) -> None:
        """A number for each named series at this step; a second one replaces the first."""
        for name, value in values.items():
            signal = self._signals.get(name)
            if signal is None:
                signal = self._signals[name] = self._add_signal(name)
            self._points.append((signal, step, value))
        self._flush_if_due()

    def event(self, step: int, kind: str, **body: Any) -> None:
        """Anything that is not a number: an epoch's end, a stop, a use of the test set."""
        self._events.append((time.time(), step, kind, json.dumps(body, ensure_ascii=False)))
        self._flush_if_due()

    def flush(self) -> None:
        """Write what is waiting. After this, a killed process loses nothing of it."""
        with self._db:
            self._db.executemany("INSERT OR REPLACE INTO points VALUES (?, ?, ?)", self._points)
            self._db.executemany(
                "INSERT INTO events (time, step, kind, body) VALUES (?, ?, ?, ?)", self._events
            )
        self._points.clear()
        self._events.clear()
        self._flushed = time.monotonic()

    def forget_after(self, step: int) -> None:
        """Drop what was recorded beyond `step`: a resumed run will say it again."""
        self.flush()
        with self._db:
            self._db.execute("DELETE FROM points WHERE step > ?", (step,))
            self._db.execute("DELETE FROM events WHERE step > ?", (step,))

    def last_step(self) -> int:
        """The newest step with a point; 0 if there is none."""
        self.flush()
        (step,) = self._db.execute("SELECT max(step) FROM points").fetchone()
        return int(step or 0)

    def close(self) -> None:
        self.flush()
        self._db.close()

    def _add_signal(self, name: str) -> int:
        with self._db:
            cursor = self._db.execute("INSERT INTO signals (name) VALUES (?)", (name,))
        assert cursor.lastrowid is not None
        return cursor.lastrowid

    def _flush_if_due(self) -> None:
        if time.monotonic() - self._flushed >= _FLUSH_SECONDS:
            self.flush()


def series(path: str | Path, name: str) -> list[tuple[int, float]]:
    """(step, value) of one series in order of steps; empty if there is none."""
    with _reading(path) as db:
        return list(
            db.execute(
                "SELECT step, value FROM points JOIN signals ON signals.id = points.signal "
                "WHERE name = ? ORDER BY step",
                (name,),
            )
        )


def events(path: str | Path, kind: str | None = None) -> Iterator[dict[str, Any]]:
    """The events in the order they were recorded, all or of one kind."""
    with _reading(path) as db:
        rows = list(
            db.execute(
                "SELECT time, step, kind, body FROM events WHERE ?1 IS NULL OR kind = ?1 "
                "ORDER BY id",
                (kind,),
            )
        )
    for when, step, what, body in rows:
        yield {"time": when, "step": step, "kind": what, **json.loads(body)}


class _reading:  # noqa: N801  # used as a function
    """A read-only connection that is closed at the end of the block."""

    def __init__(self, path: str | Path) -> None:
        self._db = sqlite3.connect(f"{Path(path).absolute().as_uri()}?mode=ro", uri=True)

    def __enter__(self) -> sqlite3.Connection:
        return self._db

    def __exit__(self, *_: object) -> None:
        self._db.close()
