"""What a model said of a few examples, epoch by epoch, as the training recorded it."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from carousel import events
from carousel.board.insides import kept_epochs
from carousel.errors import RunError

_LARGEST = 4 << 20  # bytes of an evaluation, as a task writes it
_MOST_CLASSES = 100
_PICTURE = "data:image/png;base64,"


@dataclass(frozen=True)
class Samples:
    """samples: name, and given, picture, wanted, words, stripe, curve where it has them.

    epochs: the numbers of those that have answers; answers of one: `answers`.
    """

    samples: list[dict[str, Any]]
    epochs: list[int]


def samples(path: Path) -> Samples:
    """Those of an event store; the last ones recorded. Raises `RunError` if it is damaged."""
    with events.reading(path) as db:
        row = _newest(db, "samples")
        found = _list(row, "samples")
        epochs = db.execute(
            "SELECT DISTINCT json_extract(body, '$.epoch') FROM events WHERE kind = 'answers'"
        ).fetchall()
    return Samples(found, sorted(int(e) for (e,) in epochs if isinstance(e, int)))


def answers(path: Path, epoch: int) -> list[dict[str, Any]]:
    """What was said after that epoch: wrong, and found, stripe, low, middle, high."""
    with events.reading(path) as db:
        return _list(_newest(db, "answers", epoch), "answers")


def picture(sample: dict[str, Any]) -> str:
    """Its picture as a data URL, or nothing: an address of anywhere else is none."""
    source = sample.get("picture", "")
    return source if isinstance(source, str) and source.startswith(_PICTURE) else ""


@dataclass(frozen=True)
class Confusion:
    """How often each class was taken for each, on a part of the data, by the weights of an epoch.

    epoch: None of the weights that the run ended with. counts: by true class.
    """

    epoch: int | None
    part: str
    classes: list[str]
    counts: list[list[int]]


def confusions(run: Path) -> list[Confusion]:
    """Those of a run's evaluations: of its final weights first, then of the epochs it kept."""
    folders: list[tuple[int | None, Path]] = [(None, run)]
    folders += [(epoch, run / "epochs" / str(epoch)) for epoch in kept_epochs(run)]
    found = [
        _confusion(folder / f"evaluation{suffix}.json", epoch)
        for epoch, folder in folders
        for suffix in ("", "-validation")
    ]
    return [one for one in found if one is not None]


def _confusion(path: Path, epoch: int | None) -> Confusion | None:
    try:
        if path.is_symlink() or not path.is_file() or path.stat().st_size > _LARGEST:
            return None
        said = json.loads(path.read_text(encoding="utf-8"))
        counts = [[int(n) for n in row] for row in said["confusion"]]
        classes = list(map(str, said["per_class"]))
        part = str(said.get("part", "test"))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    square = all(len(row) == len(counts) for row in counts) and len(counts) == len(classes)
    if not square or not 0 < len(counts) <= _MOST_CLASSES:
        return None
    return Confusion(epoch, part, classes, counts)


def _newest(db: sqlite3.Connection, kind: str, epoch: int | None = None) -> Any:
    return db.execute(
        "SELECT body FROM events WHERE kind = ?1 AND (?2 IS NULL OR "
        "json_extract(body, '$.epoch') = ?2) ORDER BY id DESC LIMIT 1",
        (kind, epoch),
    ).fetchone()


def _list(row: Any, name: str) -> list[dict[str, Any]]:
    if row is None:
        return []
    try:
        found = json.loads(row[0])[name]
        if isinstance(found, list) and all(isinstance(each, dict) for each in found):
            return found
    except (ValueError, KeyError, TypeError):
        pass
    raise RunError(f"the recorded {name} cannot be read")
