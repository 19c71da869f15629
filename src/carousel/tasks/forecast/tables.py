"""Forecasts and their errors as rows, for tables and JSON alike."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from carousel.data.stamps import Stamps
from carousel.tasks.shared.digits import digits
from carousel.tasks.shared.task import Table


def mase_note(columns: Sequence[str]) -> str:
    """Why MASE says nothing of some columns."""
    return (
        f"MASE is undefined for {', '.join(columns)}: in the training part the seasonal naive "
        f"forecast has no error to divide by"
    )


def error_table(
    header: tuple[str, str], found: dict[str, float | None], *, together: bool
) -> Table:
    """A table of errors, "-" where nothing was measured; together: they share a unit."""
    known = [error for error in found.values() if error is not None]
    rows = []
    for name, error in found.items():
        pattern = digits(known if together else [error or 0.0])
        rows.append((name, "-" if error is None else format(error, pattern)))
    return Table(header, [*rows])


def forecast_rows(
    stamps: Stamps, found: NDArray[np.float64], names: Sequence[str], interval: bool
) -> list[dict[str, Any]]:
    """A row for each step: "time", the forecast of each target by name, and, where there are
    intervals, "interval": [low, high] of each, or None for steps that have none. found (3, K, C).
    """
    rows = []
    for stamp, low, guess, high in zip(stamps, *found.tolist(), strict=True):
        row = {"time": str(stamp), **dict(zip(names, guess, strict=True))}
        if interval:
            ends = {n: [a, b] for n, a, b in zip(names, low, high, strict=True)}
            row["interval"] = None if math.isnan(low[0]) else ends
        rows.append(row)
    return rows


def forecast_table(rows: Sequence[dict[str, Any]], names: Sequence[str]) -> Table:
    """The same rows as a table, with the digits in which the forecasts differ."""
    intervals = [row.get("interval") for row in rows]
    patterns = {
        n: digits([row[n] for row in rows] + [end for i in intervals if i for end in i[n]])
        for n in names
    }
    table = Table(("time", *names), [])
    for row, ends in zip(rows, intervals, strict=True):
        cells = [format(row[n], patterns[n]) for n in names]
        if ends:
            texts = [[format(end, patterns[n]) for end in ends[n]] for n in names]
            cells = [f"{c} ({a} to {b})" for c, (a, b) in zip(cells, texts, strict=True)]
        table.rows.append((row["time"], *cells))
    return table
