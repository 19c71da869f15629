"""Forecasts and their errors as rows, for tables, pictures and JSON alike."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from carousel.data.regular import Series
from carousel.data.series import Windows
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


def examples_of(
    series: Series, column: int, windows: Windows, found: NDArray[np.float64]
) -> list[dict[str, Any]]:
    """Three windows of one column, early, middle and late, for the picture.

    found: (low, forecast, high) of the first target in every window, (3, N, K, C).
    """
    measured = series.truth[:, column]
    examples = []
    for number in np.linspace(0, len(windows) - 1, 3).astype(int).tolist():
        first = int(windows.starts[number])
        rows = measured[first - windows.context : first + windows.horizon]
        low, guess, high = found[:, number, :, 0].tolist()
        examples.append(
            {
                "start": str(series.stamps[first]),
                "truth": [None if math.isnan(value) else value for value in rows.tolist()],
                "low": low,
                "forecast": guess,
                "high": high,
            }
        )
    return examples
