"""Writes the event store of a run: one SQLite file, append-only, readable while the run goes on.

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
from contextlib import contextmanager, suppress
from pathlib import Path

from carousel.errors import RunError
from carousel.run import layout
from carousel.run.events import Event, UseOfTest, kinds
from carousel.run.reading import Reading, named_errors

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
    """Writes a run's numbers and events. One writer at a time; close it, or use `with`.

    Every method raises `RunError` where the file cannot be read or written, as on a full disk:
    what was flushed before is kept.
    """

    def __init__(self, path: str | Path, then: str = "") -> None:
        """then: the command that goes on once the cause of an error is mended, for its message."""
        self.path, self._then = Path(path), then
        with named_errors(self.path, then):
            self._db = sqlite3.connect(path)
        try:
            self._signals = self._open()
        except BaseException:
            self._db.close()
            raise
        self._points: list[tuple[int, int, float]] = []
        self._events: list[tuple[float, int, str, str]] = []
        self._flushed = time.monotonic()

    def __enter__(self) -> EventStore:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self.close()
            return
        with suppress(RunError):  # the error that is under way says more
            self.close()

    def record(self, step: int, values: dict[str, float]) -> None:
        """A number for each named series at this step; a second one replaces the first."""
        for name, value in values.items():
            signal = self._signals.get(name)
            if signal is None:
                signal = self._signals[name] = self._add_signal(name)
            self._points.append((signal, step, value))
        self._flush_if_due()

    def event(self, step: int, event: Event) -> None:
        """Anything that is not a number: an epoch's end, a stop, a use of the test set."""
        body = json.dumps(event.body(), ensure_ascii=False)
        self._events.append((time.time(), step, event.kind, body))
        self._flush_if_due()

    def flush(self) -> None:
        """Write what is waiting. After this, a killed process loses nothing of it."""
        with self._transaction() as db:
            db.executemany("INSERT OR REPLACE INTO points VALUES (?, ?, ?)", self._points)
            db.executemany(
                "INSERT INTO events (time, step, kind, body) VALUES (?, ?, ?, ?)", self._events
            )
        self._points.clear()
        self._events.clear()
        self._flushed = time.monotonic()

    def forget_after(self, step: int) -> None:
        """Drop what was recorded beyond `step`: a resumed run will say it again.

        What `stays` does: a use of the test part was one, whatever becomes of the run.
        """
        self.flush()
        stay = [kind for kind, event in kinds().items() if event.stays]
        marks = ", ".join("?" * len(stay))
        with self._transaction() as db:
            db.execute("DELETE FROM points WHERE step > ?", (step,))
            db.execute(
                f"DELETE FROM events WHERE step > ? AND kind NOT IN ({marks})", (step, *stay)
            )

    def last_step(self) -> int:
        """The newest step with a point; 0 if there is none."""
        self.flush()
        with self._transaction() as db:
            return Reading(db).last_step()

    def close(self) -> None:
        try:
            self.flush()
        finally:
            self._db.close()

    def _open(self) -> dict[str, int]:
        """Lay the file out if it is new, check its version, and read the names of the series."""
        with self._transaction() as db:
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = NORMAL")
            db.executescript(_LAYOUT)
            db.execute(
                "INSERT OR IGNORE INTO meta VALUES ('format', ?)", (str(layout.EVENTS_FORMAT),)
            )
            (version,) = db.execute("SELECT value FROM meta WHERE key = 'format'").fetchone()
            if int(version) > layout.EVENTS_FORMAT:
                raise RunError(
                    f"{self.path} was written by a newer Carousel (event format {version}, this "
                    f"version reads up to {layout.EVENTS_FORMAT}): upgrade with "
                    "pip install -U carousel-rnn"
                )
            return {name: id for id, name in db.execute("SELECT id, name FROM signals")}

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with named_errors(self.path, self._then), self._db:
            yield self._db

    def _add_signal(self, name: str) -> int:
        with self._transaction() as db:
            cursor = db.execute("INSERT INTO signals (name) VALUES (?)", (name,))
        assert cursor.lastrowid is not None
        return cursor.lastrowid

    def _flush_if_due(self) -> None:
        if time.monotonic() - self._flushed >= _FLUSH_SECONDS:
            self.flush()


def note_use_of_test(run_or_bundle: Path, by: str) -> None:
    """Put on record that somebody looked at the test part, where there is a run to hold it."""
    run, _ = layout.home(run_or_bundle)
    if layout.events_of(run).is_file():
        note(run, UseOfTest(by))


def note(run: Path, event: Event) -> None:
    """Add an event at the last step of a run. Raises `RunError`."""
    with EventStore(layout.events_of(run)) as store:
        store.event(store.last_step(), event)
