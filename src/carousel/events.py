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
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

from carousel.errors import RunError

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
    """Writes a run's numbers and events. One writer at a time; close it, or use `with`.

    Every method raises `RunError` where the file cannot be read or written, as on a full disk:
    what was flushed before is kept.
    """

    def __init__(self, path: str | Path, then: str = "") -> None:
        """then: the command that goes on once the cause of an error is mended, for its message."""
        self.path, self._then = Path(path), then
        with _named_errors(self.path, then):
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

    def event(self, step: int, kind: str, **body: Any) -> None:
        """Anything that is not a number: an epoch's end, a stop, a use of the test set."""
        self._events.append((time.time(), step, kind, json.dumps(body, ensure_ascii=False)))
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

        A use of the test part was one, whatever becomes of the run: it stays.
        """
        self.flush()
        with self._transaction() as db:
            db.execute("DELETE FROM points WHERE step > ?", (step,))
            db.execute("DELETE FROM events WHERE step > ? AND kind != 'test_used'", (step,))

    def last_step(self) -> int:
        """The newest step with a point; 0 if there is none."""
        self.flush()
        with self._transaction() as db:
            (step,) = db.execute("SELECT max(step) FROM points").fetchone()
        return int(step or 0)

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
            db.execute("INSERT OR IGNORE INTO meta VALUES ('format', ?)", (str(FORMAT),))
            (version,) = db.execute("SELECT value FROM meta WHERE key = 'format'").fetchone()
            if int(version) > FORMAT:
                raise RunError(
                    f"{self.path} was written by a newer Carousel (event format {version}, this "
                    f"version reads up to {FORMAT}): upgrade with pip install -U carousel-rnn"
                )
            return {name: id for id, name in db.execute("SELECT id, name FROM signals")}

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with _named_errors(self.path, self._then), self._db:
            yield self._db

    def _add_signal(self, name: str) -> int:
        with self._transaction() as db:
            cursor = db.execute("INSERT INTO signals (name) VALUES (?)", (name,))
        assert cursor.lastrowid is not None
        return cursor.lastrowid

    def _flush_if_due(self) -> None:
        if time.monotonic() - self._flushed >= _FLUSH_SECONDS:
            self.flush()


def series(path: str | Path, name: str) -> list[tuple[int, float]]:
    """(step, value) of one series in order of steps; empty if there is none."""
    with reading(path) as db:
        return list(
            db.execute(
                "SELECT step, value FROM points JOIN signals ON signals.id = points.signal "
                "WHERE name = ? ORDER BY step",
                (name,),
            )
        )


def all_series(path: str | Path) -> dict[str, list[tuple[int, float]]]:
    """Every series by name, (step, value) in order of steps."""
    found: dict[str, list[tuple[int, float]]] = {}
    with reading(path) as db:
        for name, step, value in db.execute(
            "SELECT name, step, value FROM points JOIN signals ON signals.id = points.signal "
            "ORDER BY signal, step"
        ):
            found.setdefault(name, []).append((step, value))
    return found


def layout_version(path: str | Path) -> int:
    """The version of the file's layout; see `FORMAT`."""
    with reading(path) as db:
        (version,) = db.execute("SELECT value FROM meta WHERE key = 'format'").fetchone()
    return int(version)


def events(path: str | Path, kind: str | None = None) -> Iterator[dict[str, Any]]:
    """The events in the order they were recorded, all or of one kind."""
    with reading(path) as db:
        rows = list(
            db.execute(
                "SELECT time, step, kind, body FROM events WHERE ?1 IS NULL OR kind = ?1 "
                "ORDER BY id",
                (kind,),
            )
        )
    for when, step, what, body in rows:
        yield {"time": when, "step": step, "kind": what, **json.loads(body)}


@contextmanager
def reading(path: str | Path) -> Iterator[sqlite3.Connection]:
    """A read-only connection that is closed at the end of the block. Raises `RunError`."""
    path = Path(path)
    with _named_errors(path), closing(_connect_to_read(path)) as db:
        yield db


def _connect_to_read(path: Path) -> sqlite3.Connection:
    address = path.absolute().as_uri()
    db = sqlite3.connect(f"{address}?mode=ro", uri=True)
    try:
        db.execute("SELECT 1 FROM sqlite_master").fetchone()
        return db
    except sqlite3.OperationalError:
        db.close()
        log = path.with_name(f"{path.name}-wal")
        if not path.is_file() or (log.exists() and log.stat().st_size):
            raise
    # A copy on a medium that cannot be written to: the log's index has nowhere to go, and there is
    # no log.
    return sqlite3.connect(f"{address}?immutable=1", uri=True)


@contextmanager
def _named_errors(path: Path, then: str = "") -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        mend = f": mend that, then: {then}" if then else ""
        raise RunError(f"the event store {path} cannot be used ({error}){mend}") from None
