"""Looks inside a network that were recorded as events: histograms, and profiles along an axis.

histogram   {block, weights: {low, high, counts}, updates: {low, high, counts}}
profiles    {profiles: [{name, axis, each, values}]}: the value at place i * each of the axis
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from carousel import events

KINDS = ("histogram", "profiles")


@dataclass(frozen=True)
class Histogram:
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
    with events.reading(path) as db:
        row = db.execute(
            "SELECT body FROM events WHERE kind = 'model' ORDER BY id LIMIT 1"
        ).fetchone()
    found = json.loads(row[0])["modules"] if row else []
    return [module for module in found if isinstance(module, dict)]


def looks(path: Path, kind: str) -> list[int]:
    """The steps at which something of that kind was recorded. Raises `RunError`."""
    with events.reading(path) as db:
        rows = db.execute("SELECT DISTINCT step FROM events WHERE kind = ? ORDER BY step", (kind,))
        return [int(step) for (step,) in rows]


def histograms(path: Path, step: int) -> dict[str, dict[str, Histogram]]:
    """{block: {"weights" and "updates": histogram}} of the look at that step."""
    found: dict[str, dict[str, Histogram]] = {}
    for body in _bodies(path, "histogram", step):
        pair = {what: _histogram(body.get(what)) for what in ("weights", "updates")}
        found[str(body.get("block", ""))] = {k: v for k, v in pair.items() if v is not None}
    return found


def profiles(path: Path, step: int) -> list[Profile]:
    """The profiles of the look at that step."""
    found = []
    for body in _bodies(path, "profiles", step):
        for entry in body.get("profiles", ()):
            each = entry.get("each", 1)
            points = tuple((i * each, y) for i, y in enumerate(entry.get("values", ())))
            found.append(Profile(str(entry.get("name")), str(entry.get("axis")), points))
    return found


def _bodies(path: Path, kind: str, step: int) -> list[dict[str, Any]]:
    with events.reading(path) as db:
        rows = db.execute("SELECT body FROM events WHERE kind = ? AND step = ?", (kind, step))
        bodies = [json.loads(body) for (body,) in rows]
    return [body for body in bodies if isinstance(body, dict)]


def _histogram(entry: Any) -> Histogram | None:
    try:
        counts = tuple(float(count) for count in entry["counts"])
        return Histogram(float(entry["low"]), float(entry["high"]), counts) if counts else None
    except (KeyError, TypeError, ValueError):
        return None
