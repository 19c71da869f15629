"""Series over regular time stamps: the step found, what is missing put in and marked."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from carousel.data.stamps import Stamps, unit_of
from carousel.data.steps import as_months, step_name, step_of
from carousel.errors import DataError


@dataclass(frozen=True)
class Series:
    """Columns over regular time stamps. values (T, F), float64; stamps (T,).

    missing (T, F): where a value was not measured but taken from the row before it (whole rows
    included); None: nowhere. notes: what was recognised while reading, in words. future (K, F): of
    the steps after the last, what is known beforehand in some of the columns; None: nothing.
    """

    columns: tuple[str, ...]
    stamps: Stamps
    values: NDArray[np.float64]
    missing: NDArray[np.bool_] | None = None
    notes: tuple[str, ...] = ()
    future: NDArray[np.float64] | None = None

    def __len__(self) -> int:
        return len(self.stamps)

    @property
    def filled(self) -> int:
        """Number of missing values that were filled."""
        return 0 if self.missing is None else int(self.missing.sum())

    @property
    def truth(self) -> NDArray[np.float64]:
        """The values (T, F) that were measured, NaN where there was none."""
        return self.values if self.missing is None else np.where(self.missing, np.nan, self.values)


def regular(
    columns: tuple[str, ...], stamps: Stamps, values: NDArray[np.float64], source: str
) -> Series:
    """The series of rows that may have gaps: values NaN where missing, stamps that rise by whole
    steps, of which the smallest difference is one. Raises `DataError`."""
    notes: tuple[str, ...] = ()
    differences = np.diff(stamps)
    wrong = (differences <= np.timedelta64(0)).nonzero()[0]
    if len(wrong):
        before, after = stamps[wrong[0]], stamps[wrong[0] + 1]
        what = "twice" if before == after else "before an earlier one"
        raise DataError(f"{source} must be in order of time: {after} stands {what}")
    if unit_of(stamps) not in ("Y", "M") and (differences != differences[0]).any():
        months = as_months(stamps)
        if months is not None:
            notes = (f"time stamps like {stamps[0]} come by the month: read as months",)
            stamps, differences = months, np.diff(months)
    step = differences.min()
    places = (stamps - stamps[0]) // step
    off = ((stamps - stamps[0]) % step != np.timedelta64(0)).nonzero()[0]
    if len(off):
        name = step_name(step_of(stamps[0] + np.arange(2) * step))
        raise DataError(
            f"{source} must have one step: {stamps[off[0]]} is not a whole one of {name} (the "
            f"smallest there is) after {stamps[0]}"
        )
    count = int(places[-1]) + 1
    if count > 20 * len(stamps):
        raise DataError(f"{source} has {len(stamps)} rows of {count} steps: nearly all is missing")
    full = np.full((count, values.shape[1]), np.nan)
    full[places] = values
    missing = np.isnan(full)
    empty = missing.all(0).nonzero()[0]
    if len(empty):
        raise DataError(f"{source} has no number in the column '{columns[empty[0]]}'")
    for column in full.T:
        known = (~np.isnan(column)).nonzero()[0]
        nearest = np.maximum(np.searchsorted(known, np.arange(count), side="right") - 1, 0)
        column[:] = column[known[nearest]]
    all_stamps = stamps[0] + np.arange(count) * step
    return Series(columns, all_stamps, full, missing if missing.any() else None, notes)


def filled_in_words(count: int, step: str = "step") -> str:
    """Sentence on values that were missing and were filled.

    >>> filled_in_words(1)
    '1 missing value, taken from the step before, at the start 0 or the first value there is'
    """
    what = "1 missing value, taken" if count == 1 else f"{count:,} missing values, each taken"
    return f"{what} from the {step} before, at the start 0 or the first value there is"


def filled_in_series(count: int) -> str:
    """Sentence on values of series that were missing and were filled.

    >>> filled_in_series(1)
    '1 missing value: read as the row before, at the start as the first value there is'
    """
    what = "1 missing value: read" if count == 1 else f"{count:,} missing values: each read"
    return f"{what} as the row before, at the start as the first value there is"
