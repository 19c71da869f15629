"""Reads the event store of a run, while it goes on or afterwards: everything that is asked of it.

Whoever needs several answers of one state asks a `Reading`; the functions open the store for one.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from carousel.errors import RunError
from carousel.run.events import Answers, Event, Resumed, kind_of

Kind = type[Event] | str
Point = tuple[int, float | None]

# One pass over the points of the bucket, along the primary key.
_BUCKET = (
    "SELECT min(step), max(step), min(value), max(value), avg(value), count(value), count(*) "
    "FROM points WHERE signal = ? AND step >= ? AND step < ?"
)
_LIMITLESS = -1


class Recorded(NamedTuple):
    """An event as it stands in the store. body: JSON."""

    time: float
    step: int
    kind: str
    body: str

    def content(self) -> dict[str, Any]:
        """Body and all in one. Raises `ValueError` or `TypeError` where the body is no object."""
        return {"time": self.time, "step": self.step, "kind": self.kind, **json.loads(self.body)}


class Stretch(NamedTuple):
    """The points of neighbouring steps. low, high, mean: of those that are numbers, of which there
    are `numbers` among `rows`; None if there are none."""

    first: int
    last: int
    low: float | None
    high: float | None
    mean: float | None
    numbers: int
    rows: int


class Reading:
    """Answers about a store that is open; values of points are None where NaN was recorded."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def hold(self) -> None:
        """Read everything from here on of one state of the run."""
        self._db.execute("BEGIN")

    def layout_version(self) -> int:
        """The version of the file's layout; see `layout.EVENTS_FORMAT`."""
        (version,) = self._db.execute("SELECT value FROM meta WHERE key = 'format'").fetchone()
        return int(version)

    # ---- series

    def signals(self) -> dict[str, int]:
        """The series by name, with their numbers."""
        return {str(name): int(id) for id, name in self._db.execute("SELECT id, name FROM signals")}

    def extent(self, signal: int) -> tuple[int, int] | None:
        """First and last step of a series; None if it is empty. Takes microseconds."""
        # Two queries: each is a look at one end of the index, both in one are a pass over it.
        one = "SELECT {}(step) FROM points WHERE signal = ?"
        (first,) = self._db.execute(one.format("min"), (signal,)).fetchone()
        (last,) = self._db.execute(one.format("max"), (signal,)).fetchone()
        return None if first is None else (int(first), int(last))

    def stretch(self, signal: int, start: int, end: int) -> Stretch | None:
        """The points of a series with start <= step < end in numbers; None if there are none."""
        found = Stretch(*self._db.execute(_BUCKET, (signal, start, end)).fetchone())
        return found if found.rows else None

    def points(
        self, signal: int, after: int | None = None, most: int = _LIMITLESS
    ) -> Iterator[Point]:
        """(step, value) of a series in order of steps: of steps after that one, at most so many."""
        first = -1 if after is None else after
        yield from self._db.execute(
            "SELECT step, value FROM points WHERE signal = ? AND step > ? ORDER BY step LIMIT ?",
            (signal, first, most),
        )

    def last_step(self) -> int:
        """The newest step with a point; 0 if there is none."""
        (step,) = self._db.execute(
            "SELECT max((SELECT max(step) FROM points WHERE signal = id)) FROM signals"
        ).fetchone()
        return int(step or 0)

    # ---- events

    def kinds(self) -> list[str]:
        """The kinds of events that there are in it."""
        return [kind for (kind,) in self._db.execute("SELECT DISTINCT kind FROM events")]

    def events(self, *kinds: Kind) -> list[Recorded]:
        """The events in the order they were recorded, all or of some kinds."""
        query = "SELECT time, step, kind, body FROM events {} ORDER BY id"
        if not kinds:
            return [Recorded(*row) for row in self._db.execute(query.format(""))]
        where = f"WHERE kind IN ({', '.join('?' * len(kinds))})"
        rows = self._db.execute(query.format(where), [kind_of(kind) for kind in kinds])
        return [Recorded(*row) for row in rows]

    def steps(self, kind: Kind) -> list[int]:
        """The steps at which events of a kind were recorded."""
        rows = self._db.execute(
            "SELECT DISTINCT step FROM events WHERE kind = ? ORDER BY step", (kind_of(kind),)
        )
        return [int(step) for (step,) in rows]

    def bodies(self, kind: Kind, step: int) -> list[dict[str, Any]]:
        """Contents of the events of a kind at a step; what is no object is left out."""
        rows = self._db.execute(
            "SELECT body FROM events WHERE kind = ? AND step = ?", (kind_of(kind), step)
        )
        return [body for (text,) in rows if isinstance(body := json.loads(text), dict)]

    def first(self, kind: Kind) -> str | None:
        """The body of the first event of a kind, as it stands there."""
        return self._body("kind = ?1 ORDER BY id", kind_of(kind))

    def newest(self, kind: Kind) -> str | None:
        """The body of the last event of a kind, as it stands there."""
        return self._body("kind = ?1 ORDER BY id DESC", kind_of(kind))

    def answers(self, epoch: int) -> str | None:
        """The body of the last `Answers` after an epoch, as it stands there."""
        where = "kind = ?1 AND json_extract(body, '$.epoch') = ?2 ORDER BY id DESC"
        return self._body(where, Answers.kind, epoch)

    def epochs_with_answers(self) -> list[int]:
        """The epochs after which `Answers` were recorded."""
        rows = self._db.execute(
            "SELECT DISTINCT json_extract(body, '$.epoch') FROM events WHERE kind = ?",
            (Answers.kind,),
        )
        return sorted(int(epoch) for (epoch,) in rows if isinstance(epoch, int))

    def resumptions(self) -> tuple[int, float]:
        """Count of resumptions of the run, and time of the last; what was read before is void where
        that changes, for steps were forgotten and done again."""
        count, newest = self._db.execute(
            "SELECT count(*), max(time) FROM events WHERE kind = ?", (Resumed.kind,)
        ).fetchone()
        return int(count), float(newest or 0)

    def _body(self, where: str, *values: str | int) -> str | None:
        row = self._db.execute(f"SELECT body FROM events WHERE {where} LIMIT 1", values).fetchone()
        return None if row is None else str(row[0])


@contextmanager
def reading(path: str | Path) -> Iterator[Reading]:
    """A store that is open for reading until the end of the block. Raises `RunError`."""
    path = Path(path)
    with named_errors(path), closing(_connect(path)) as db:
        yield Reading(db)


def series(path: str | Path, name: str) -> list[Point]:
    """(step, value) of one series in order of steps; empty if there is none."""
    with reading(path) as store:
        signal = store.signals().get(name)
        return [] if signal is None else list(store.points(signal))


def all_series(path: str | Path) -> dict[str, list[Point]]:
    """Every series that has points by name, (step, value) in order of steps."""
    with reading(path) as store:
        found = {name: list(store.points(signal)) for name, signal in store.signals().items()}
    return {name: points for name, points in found.items() if points}


def names(path: str | Path) -> list[str]:
    """The series that were recorded, in order of their names."""
    with reading(path) as store:
        return sorted(store.signals())


def events(path: str | Path, kind: Kind | None = None) -> Iterator[dict[str, Any]]:
    """The events in the order they were recorded, all or of one kind: time, step, kind, and what
    their body says."""
    with reading(path) as store:
        found = store.events(*([] if kind is None else [kind]))
    for event in found:
        yield event.content()


def _connect(path: Path) -> sqlite3.Connection:
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
def named_errors(path: Path, then: str = "") -> Iterator[None]:
    """Turn what SQLite raises into a `RunError` that names the store. then: the command that goes
    on once the cause is mended."""
    try:
        yield
    except sqlite3.Error as error:
        mend = f": mend that, then: {then}" if then else ""
        raise RunError(f"the event store {path} cannot be used ({error}){mend}") from None
