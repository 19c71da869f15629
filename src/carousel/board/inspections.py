"""Pictures that `carousel inspect` wrote into a run: gates and states of one example over time."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from carousel.errors import RunError, command
from carousel.run import layout

_LARGEST = 32 << 20  # bytes
_MOST_STEPS, _MOST_ROWS = 200, 256  # of a map in the browser


@dataclass(frozen=True)
class Map:
    """Values of units (rows) over steps, from `low` to `high`.

    cells: (column, row, value); each column is the mean of `each` steps, each row of `units` units.
    """

    name: str
    low: float
    high: float
    columns: int
    rows: int
    each: int
    cells: list[tuple[int, int, float]]


def read(run: Path, name: str) -> dict[str, Any]:
    """One of those looks. Raises `RunError` if there is none of that name, or it is damaged."""
    if name not in layout.looks(run):
        raise RunError(f"nobody has looked at '{name[:100]}' in this run")
    path = layout.look_of(run, name) / layout.LOOK
    try:
        if path.stat().st_size > _LARGEST:
            raise RunError(f"{path.name} has more than {_LARGEST >> 20} MiB, and is not read")
        content = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(content["layers"], list) or not isinstance(content["steps"], list):
            raise TypeError
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        raise RunError(
            f"{path} cannot be read: look once more with {command('inspect', run)}"
        ) from None
    found: dict[str, Any] = content
    return found


def unpack(name: str, packed: dict[str, Any]) -> Map:
    """A map as it was packed, made coarser until a browser draws it at once.

    Raises `RunError` if it is damaged.
    """
    try:
        values = base64.b64decode(packed["data"], validate=True)
        rows, low, high = int(packed["rows"]), float(packed["low"]), float(packed["high"])
        steps = len(values) // rows
        if rows * steps != len(values) or not math.isfinite(low) or not math.isfinite(high):
            raise ValueError
    except (ValueError, KeyError, TypeError, ZeroDivisionError, OverflowError):
        raise RunError(f"the map '{name}' cannot be read") from None
    each, units = -(-steps // _MOST_STEPS) or 1, -(-rows // _MOST_ROWS)
    scale = (high - low) / 255
    cells = []
    for row in range(0, rows, units):
        for step in range(0, steps, each):
            some = [
                value
                for r in range(row, min(row + units, rows))
                for value in values[r * steps + step : r * steps + min(step + each, steps)]
            ]
            mean = low + scale * sum(some) / len(some)
            cells.append((step // each, row // units, float(f"{mean:.3g}")))
    return Map(name, low, high, -(-steps // each), -(-rows // units), each, cells)


def labels(steps: Sequence[Any], columns: int, each: int) -> list[str]:
    """The names of the columns: of their first step, with its token where it has one.

    >>> labels(["a", "b"], 2, 1), labels([], 2, 5)
    (['0 a', '1 b'], ['0', '5'])
    """
    firsts = [column * each for column in range(columns)]
    return [f"{i} {steps[i]}" if i < len(steps) else f"{i}" for i in firsts]
