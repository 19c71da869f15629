"""Forecasts of a backtest as a table, a row for each step of each series in each window."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import polars
from numpy.typing import NDArray

from carousel.backtest.windows import NETWORK, Forecast
from carousel.errors import ConfigError, DataError
from carousel.run.durable import replace_durably

_SUFFIXES = (".csv", ".parquet")


def frame(windows: Forecast, result: dict[str, Any]) -> polars.DataFrame:
    """Columns window, series, step (counted from 1), time, truth (null where nothing was measured),
    forecast, low and high where there are intervals, and a column for each baseline."""
    shape = windows.truth.values.shape
    count, steps, _ = shape

    def spread(values: NDArray[Any], axis: int) -> NDArray[Any]:
        places: list[Any] = [None] * 3
        places[axis] = slice(None)
        return np.broadcast_to(values[tuple(places)], shape).ravel()

    times = windows.truth.times.reshape(count, steps, -1)
    columns: dict[str, NDArray[Any]] = {
        "window": spread(np.arange(1, count + 1), 0),
        "series": spread(np.array(result["series"]), 2),
        "step": spread(np.arange(1, steps + 1), 1),
        "time": np.broadcast_to(times, shape).astype(str).ravel(),
        "truth": windows.truth.values.ravel(),
    }
    for name, found in windows.found.items():
        columns["forecast" if name == NETWORK else name] = found.forecast.ravel()
        if name == NETWORK and found.low is not None and found.high is not None:
            columns |= {"low": found.low.ravel(), "high": found.high.ravel()}
    made = polars.DataFrame(columns).with_columns(polars.col("truth").fill_nan(None))
    # Of many series some are too short for a window, and have no forecast there.
    return made.filter(polars.col("forecast").is_not_nan())


def check(path: Path) -> None:
    """Raise `ConfigError` or `DataError` unless a table can be written to `path`."""
    if path.suffix.lower() not in _SUFFIXES:
        raise ConfigError(f"out must end with {' or '.join(_SUFFIXES)}; got {path}", "out")
    if path.is_dir():
        raise DataError(f"{path} is a folder: name a file for the forecasts")
    if not path.parent.is_dir():
        raise DataError(f"there is no folder {path.parent} to write {path.name} into: make it")


def write(table: polars.DataFrame, path: Path) -> None:
    """Put a table in place, whole or not at all."""
    file = io.BytesIO()
    if path.suffix.lower() == ".csv":
        table.write_csv(file)
    else:
        table.write_parquet(file)
    replace_durably(path, file.getvalue())
