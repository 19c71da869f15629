"""A column of a table that says how much each of many series counts."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from carousel.data.sequences import Sequences
from carousel.data.table import Table
from carousel.errors import DataError

if TYPE_CHECKING:
    from carousel.data.many_series import ManySeries


def weighed(
    series: ManySeries, table: Table, column: str, found: Sequences, kept: NDArray[np.bool_]
) -> ManySeries:
    """The series with what a column says of each, over the mean; kept: which of those that were
    found are among them. Raises `DataError` unless it has one number from 0 on for each of them,
    and one above."""
    values = table[column].numbers()
    sequences = [one for one, keep in zip(found.found, kept, strict=True) if keep]
    rows = np.concatenate([one.rows for one in sequences])
    first = np.concatenate(([0], np.cumsum([len(one.rows) for one in sequences[:-1]])))
    cells = np.where(rows >= 0, values[np.maximum(rows, 0)], np.nan)
    weights, most = np.fmin.reduceat(cells, first), np.fmax.reduceat(cells, first)
    wrong = ~((weights >= 0) & (weights == most) & np.isfinite(most))
    if wrong.any():
        place = int(np.flatnonzero(wrong)[0])
        told = np.unique(values[sequences[place].rows[sequences[place].rows >= 0]])
        have = ", ".join(f"{value:g}" for value in told[~np.isnan(told)][:4]) or "none"
        raise DataError(
            f"{table.source}: columns.weight = '{column}' must have one number from 0 on for each "
            f"series, the same in all its rows; '{sequences[place].name}' has {have}"
        )
    if not weights.any():
        raise DataError(
            f"{table.source}: columns.weight = '{column}' is 0 for every series: one must count"
        )
    weights = weights / weights.mean()
    return replace(series, weights=weights, notes=(*series.notes, _note(column, weights, series)))


def _note(column: str, weights: NDArray[np.float64], series: ManySeries) -> str:
    """Range of the weights in words, and who has how much of all."""
    largest = int(weights.argmax())
    share = weights[largest] / weights.sum()
    nothing = int((weights == 0).sum())
    return (
        f"series count as '{column}' says, over its mean: {weights.min():.3g} to "
        f"{weights.max():.3g}; '{series.names[largest]}' has {share:.2g} of all weight"
        + (f"; {nothing:,} count nothing: they are not learnt from" if nothing else "")
    )
