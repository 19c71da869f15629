"""Looks inside a network that were recorded as events: histograms, and profiles along an axis."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from carousel.run.events import Event, Histogram, Model, Profiles
from carousel.run.reading import reading


@dataclass(frozen=True)
class Bins:
    """Counts of equal bins between the least and the greatest value."""

    low: float
    high: float
    counts: tuple[float, ...]


@dataclass(frozen=True)
class Profile:
    """Values along an axis ("time": steps from the first, "lag": steps from the last back)."""

    name: str
    axis: str
    points: tuple[tuple[float, float], ...]


def modules(path: Path) -> list[dict[str, Any]]:
    """The network's modules in order, as the training told of them: name, kind, about, parameters.

    Empty for a run of an older version. Raises `RunError` or `ValueError` if it is damaged.
    """
    with reading(path) as store:
        body = store.first(Model)
    found = json.loads(body)["modules"] if body else []
    return [module for module in found if isinstance(module, dict)]


def looks(path: Path, kind: type[Event]) -> list[int]:
    """The steps at which something of that kind was recorded. Raises `RunError`."""
    with reading(path) as store:
        return store.steps(kind)


def histograms(path: Path, step: int) -> dict[str, dict[str, Bins]]:
    """{block: {"weights" and "updates": histogram}} of the look at that step."""
    found: dict[str, dict[str, Bins]] = {}
    for body in _bodies(path, Histogram, step):
        pair = {what: _bins(body.get(what)) for what in ("weights", "updates")}
        found[str(body.get("block", ""))] = {k: v for k, v in pair.items() if v is not None}
    return found


def profiles(path: Path, step: int) -> list[Profile]:
    """The profiles of the look at that step."""
    found = []
    for body in _bodies(path, Profiles, step):
        for entry in body.get("profiles", ()):
            each = entry.get("each", 1)
            points = tuple((i * each, y) for i, y in enumerate(entry.get("values", ())))
            found.append(Profile(str(entry.get("name")), str(entry.get("axis")), points))
    return found


def _bodies(path: Path, kind: type[Event], step: int) -> list[dict[str, Any]]:
    with reading(path) as store:
        return store.bodies(kind, step)


def _bins(entry: Any) -> Bins | None:
    try:
        counts = tuple(float(count) for count in entry["counts"])
        return Bins(float(entry["low"]), float(entry["high"]), counts) if counts else None
    except (KeyError, TypeError, ValueError):
        return None
