"""Input of a trained forecaster, and whether it is of the kind that it was trained on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from carousel.data.coded import codes_in, recoded
from carousel.data.files.series import read_series
from carousel.data.files.text import read_text
from carousel.data.regular import Series
from carousel.data.steps import as_months, step_name, step_of
from carousel.errors import DataError


def series_of(given: Any) -> Series:
    """A series from what one has in Python: a `Series`, the path of a .csv file, or a data frame of
    pandas or polars whose index or first column holds the time stamps. Raises `DataError`."""
    if isinstance(given, Series):
        return given
    if isinstance(given, str | Path):
        return read_series(read_text(given), str(given))
    if hasattr(given, "write_csv"):  # polars
        return read_series(given.write_csv(), "the data frame")
    if hasattr(given, "to_csv") and hasattr(given, "columns"):  # pandas
        # An index of numbers only counts the rows.
        counted = getattr(given.index.dtype, "kind", "O") in "iuf"
        return read_series(given.to_csv(index=not counted), "the data frame")
    raise DataError(
        f"a forecast goes on from a Series (carousel.data.series.read_series), the path of a .csv "
        f"file or a data frame with time stamps; got {type(given).__name__}"
    )


@dataclass(frozen=True)
class Kind:
    """Kind of series a network was trained on: the columns, and the step of its time stamps
    (`step_of`; None for models from before it was kept)."""

    columns: tuple[str, ...]
    step: tuple[int, str] | None = None

    def fit(self, series: Series) -> Series:
        """The series with its columns in the order of training. Raises `DataError` for others, or
        another step of time."""
        return self._fit_step(self._fit_columns(series))

    def _fit_columns(self, series: Series) -> Series:
        if series.columns == self.columns:
            return self._recoded(series)
        missing = [name for name in self.columns if name not in series.columns]
        new = [name for name in series.columns if name not in self.columns]
        if missing or new:
            found = [f"{', '.join(missing)} missing"] * bool(missing)
            found += [f"{', '.join(new)} not known"] * bool(new)
            raise DataError(
                f"the series must have the columns {', '.join(self.columns)}, as in training; "
                f"{'; '.join(found)}"
            )
        order = [series.columns.index(name) for name in self.columns]
        ordered = replace(
            series,
            columns=tuple(series.columns[i] for i in order),
            values=np.ascontiguousarray(series.values[:, order]),
            missing=None if series.missing is None else series.missing[:, order],
            future=None if series.future is None else series.future[:, order],
            notes=(*series.notes, "columns stand in another order than in training: taken by name"),
        )
        return self._recoded(ordered)

    def _recoded(self, series: Series) -> Series:
        """The series with the codes that levels have in the model."""
        if not codes_in(self.columns):
            return series
        future = series.future
        return replace(
            series,
            columns=self.columns,
            values=recoded(series.values, series.columns, self.columns),
            future=None if future is None else recoded(future, series.columns, self.columns),
        )

    def _fit_step(self, series: Series) -> Series:
        if self.step is None or len(series) < 2 or step_of(series.stamps) == self.step:
            return series
        if self.step[1] == "M" and (months := as_months(series.stamps)) is not None:
            series = replace(series, stamps=months)
        if step_of(series.stamps) != self.step:
            raise DataError(
                f"the network was trained on steps of {step_name(self.step)}, this series has "
                f"steps of {step_name(step_of(series.stamps))}: bring it to the step of training"
            )
        return series
