"""Answers of a model to a few examples, epoch by epoch, as the training recorded them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from carousel.errors import RunError
from carousel.run import events as kinds
from carousel.run import layout
from carousel.run.reading import reading

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
    """Last recorded samples of an event store. Raises `RunError` if it is damaged."""
    with reading(path) as store:
        found = _list(store.newest(kinds.Samples), "samples")
        return Samples(found, store.epochs_with_answers())


def answers(path: Path, epoch: int) -> list[dict[str, Any]]:
    """Answers recorded after an epoch: wrong, and found, stripe, low, middle, high."""
    with reading(path) as store:
        return _list(store.answers(epoch), "answers")


def picture(sample: dict[str, Any]) -> str:
    """Its picture as a data URL, or nothing: an address of anywhere else is none."""
    source = sample.get("picture", "")
    return source if isinstance(source, str) and source.startswith(_PICTURE) else ""


@dataclass(frozen=True)
class Confusion:
    """Confusion counts on a part of the data, by the weights of an epoch.

    epoch: None of the weights that the run ended with. counts: by true class.
    """

    epoch: int | None
    part: str
    classes: list[str]
    counts: list[list[int]]


def confusions(run: Path) -> list[Confusion]:
    """Confusions of a run's evaluations: final weights first, then the epochs it kept."""
    folders: list[tuple[int | None, Path]] = [(None, run)]
    folders += [(epoch, layout.epoch_of(run, epoch)) for epoch in layout.kept_epochs(run)]
    found = [
        _confusion(layout.evaluation_of(folder, part), epoch)
        for epoch, folder in folders
        for part in ("test", "validation")
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


def _list(body: str | None, name: str) -> list[dict[str, Any]]:
    if body is None:
        return []
    try:
        found = json.loads(body)[name]
        if isinstance(found, list) and all(isinstance(each, dict) for each in found):
            return found
    except (ValueError, KeyError, TypeError):
        pass
    raise RunError(f"the recorded {name} cannot be read")
