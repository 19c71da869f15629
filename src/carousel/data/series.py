"""Series in time: reading, regular time stamps, parts in order of time, windows.

The parts follow each other, and the targets of their windows never overlap: what is forecast in a
later part was not a target of an earlier one. A context may reach back into the part before, as it
does when a model is used.
"""

from __future__ import annotations

import copy
import csv
import io
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from carousel.config import DataConfig, ForecastConfig
from carousel.data import sources
from carousel.data.text import decode, read_text
from carousel.errors import ConfigError, DataError

Stamps = NDArray[np.datetime64]
_ETT_MONTH = 30 * 24
_DAY, _WEEK = np.timedelta64(1, "D"), 7


@dataclass(frozen=True)
class Series:
    """Columns over regular time stamps. values (T, F); stamps (T,); filled: missing values, each
    taken from the row before it (whole rows included)."""

    columns: tuple[str, ...]
    stamps: Stamps
    values: NDArray[np.float32]
    filled: int = 0

    def __len__(self) -> int:
        return len(self.stamps)


def load(data: DataConfig) -> Series:
    """The series `data.name`: "etth1", "bike", "sunspots", "air-passengers", or "series", a CSV
    file of your own, data.path (see `read_series`). Raises `ConfigError` or `DataError`."""
    if data.name == "series":
        if not data.path:
            raise ConfigError("data.name = 'series' needs data.path, a .csv file")
        return read_series(read_text(data.path), data.path)
    if data.name == "bike":
        return _bike(_text("bike-sharing", "hour.csv"))
    known = {
        "etth1": ("ett", "ETTh1.csv"),
        "sunspots": ("sunspots", "monthly-sunspots.csv"),
        "air-passengers": ("air-passengers", "airline-passengers.csv"),
    }
    if data.name not in known:
        names = ", ".join(["bike", *known, "series"])
        raise ConfigError(f"data.name must be one of {names}; got '{data.name}'")
    source, file = known[data.name]
    return read_series(_text(source, file), file)


def read_series(text: str, source: str) -> Series:
    """A series in CSV: a header, time stamps (ISO 8601) in the first column, then numbers.

    Stamps must rise by one step, the smallest there is; rows that are missing are put in, and
    missing numbers are taken from the row before (at the start from the first one there is).
    Raises `DataError` for anything else.
    """
    rows = [row for row in csv.reader(io.StringIO(text)) if row]
    header, body = [name.strip() for name in rows[0]], rows[1:]
    if len(header) < 2 or len(body) < 2:
        raise DataError(f"{source} must have time stamps, a column of numbers and at least 2 rows")
    for number, row in enumerate(body, 2):
        if len(row) != len(header):
            raise DataError(f"{source} row {number} has {len(row)} cells, the header {len(header)}")
    try:
        stamps = np.array([row[0].strip() for row in body], dtype="datetime64")
    except ValueError as error:
        raise DataError(f"{source}: the first column must hold time stamps: {error}") from None
    values = np.array([[_number(cell, source) for cell in row[1:]] for row in body])
    return _regular(tuple(header[1:]), stamps, values, source)


def _number(cell: str, source: str) -> float:
    try:
        value = float(cell) if cell.strip() else math.nan
    except ValueError:
        raise DataError(f"{source} must hold numbers, got '{cell}'") from None
    return value if math.isfinite(value) else math.nan


def _regular(
    columns: tuple[str, ...], stamps: Stamps, values: NDArray[np.float64], source: str
) -> Series:
    steps = np.diff(stamps)
    wrong = (steps <= np.timedelta64(0)).nonzero()[0]
    if len(wrong):
        before, after = stamps[wrong[0]], stamps[wrong[0] + 1]
        what = "twice" if before == after else "before an earlier one"
        raise DataError(f"{source} must be in order of time: {after} stands {what}")
    step = steps.min()
    places = (stamps - stamps[0]) // step
    off = ((stamps - stamps[0]) % step != np.timedelta64(0)).nonzero()[0]
    if len(off):
        raise DataError(
            f"{source} must have one step: {stamps[off[0]]} is not a whole one of {step}"
        )
    count = int(places[-1]) + 1
    if count > 20 * len(stamps):
        raise DataError(f"{source} has {len(stamps)} rows of {count} steps: nearly all is missing")
    full = np.full((count, values.shape[1]), np.nan)
    full[places] = values
    empty = np.isnan(full).all(0).nonzero()[0]
    if len(empty):
        raise DataError(f"{source} has no number in the column '{columns[empty[0]]}'")
    missing = np.isnan(full)
    for column in full.T:
        known = (~np.isnan(column)).nonzero()[0]
        nearest = np.maximum(np.searchsorted(known, np.arange(count), side="right") - 1, 0)
        column[:] = column[known[nearest]]
    all_stamps = stamps[0] + np.arange(count) * step
    return Series(columns, all_stamps, full.astype(np.float32), int(missing.sum()))


def _text(source: str, file: str) -> str:
    return decode(sources.read(source, file), file)


def _bike(text: str) -> Series:
    """cnt, and what may be known of the hour; casual and registered add up to cnt: left out."""
    rows = list(csv.DictReader(io.StringIO(text)))
    columns = ("cnt", "holiday", "workingday", "weathersit", "temp", "atemp", "hum", "windspeed")
    stamps = np.array([f"{row['dteday']}T{int(row['hr']):02}" for row in rows], "datetime64[h]")
    values = np.array([[float(row[column]) for column in columns] for row in rows])
    return _regular(columns, stamps, values, "hour.csv")


def calendar(stamps: Stamps, more: int = 0) -> NDArray[np.float32]:
    """sin and cos of the hour, the day of the week and the month, (T + more, 2 K).

    What the stamps do not tell (the hour of daily ones) is left out. more: also for so many steps
    after the last.
    """
    if more:
        step = stamps[-1] - stamps[-2]
        stamps = np.concatenate((stamps, stamps[-1] + np.arange(1, more + 1) * step))
    unit = np.datetime_data(stamps.dtype)[0]
    months = stamps.astype("datetime64[M]").astype(int) % 12
    turns = [months / 12]
    if unit not in ("Y", "M"):
        days = stamps.astype("datetime64[D]")
        turns.append((days.astype(int) % _WEEK) / _WEEK)
        if unit not in ("W", "D"):
            turns.append((stamps - days) / _DAY)
    angles = 2 * np.pi * np.stack(turns, 1)
    return np.concatenate((np.sin(angles), np.cos(angles)), 1).astype(np.float32)


def cut(count: int, name: str, config: ForecastConfig) -> dict[str, range]:
    """Which rows are targets in each part, in order of time.

    ETTh1 has its usual parts of 12, 4 and 4 months. Raises `DataError` if one has no window.
    """
    if name == "etth1":
        ends = [12 * _ETT_MONTH, 16 * _ETT_MONTH, 20 * _ETT_MONTH]
    else:
        test, validation = round(config.test * count), round(config.validation * count)
        ends = [count - test - validation, count - test, count]
    starts = [config.context, ends[0] + config.gap, ends[1] + config.gap]
    parts = {
        part: range(start, end)
        for part, start, end in zip(("train", "validation", "test"), starts, ends, strict=True)
    }
    for part, rows in parts.items():
        if len(rows) < config.horizon:
            raise DataError(
                f"the {part} part has {len(rows)} rows to forecast, fewer than forecast.horizon = "
                f"{config.horizon}: the series of {count} is too short, or forecast.context, "
                f"validation, test or gap is too large"
            )
    return parts


class Windows:
    """Every window of a part: `context` rows, then `horizon` rows, all of them in `targets`.

    inputs (T, F) and future (T + horizon or more, K): for each row, what is read of it, and what
    is known of it beforehand.
    """

    def __init__(self, rows: range, context: int, horizon: int) -> None:
        self.context, self.horizon = context, horizon
        self.starts = torch.arange(rows.start, rows.stop - horizon + 1)

    def __len__(self) -> int:
        return len(self.starts)

    def take(self, index: Tensor) -> Windows:
        """Some of the windows, by their numbers."""
        some = copy.copy(self)
        some.starts = self.starts[index]
        return some

    def gather(self, values: Tensor, index: Tensor) -> tuple[Tensor, Tensor]:
        """(what stands before, what comes): (B, context, F) and (B, horizon, F)."""
        first = self.starts[index].unsqueeze(1)
        before = values[first + torch.arange(-self.context, 0)]
        return before, values[first + torch.arange(self.horizon)]

    def epoch(self, batch_size: int, seed: int, epoch: int, start: int = 0) -> Iterator[Tensor]:
        """Numbers of the windows in each batch of an epoch, from batch `start` on; the order
        depends on (seed, epoch) alone."""
        generator = torch.Generator().manual_seed(seed * 1_000_003 + epoch)
        order = torch.randperm(len(self), generator=generator)
        yield from torch.split(order, batch_size)[start:]


def account(series: Series, parts: dict[str, range]) -> dict[str, Any]:
    """Rows that are targets in each part, from when to when, and what was filled."""
    return {
        "rows": len(series),
        "missing_values_filled": series.filled,
        "targets": {
            part: {
                "rows": len(rows),
                "first": str(series.stamps[rows[0]]),
                "last": str(series.stamps[rows[-1]]),
            }
            for part, rows in parts.items()
        },
    }
