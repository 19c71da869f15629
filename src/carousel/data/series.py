"""Series in time: reading, regular time stamps, parts in order of time, windows.

The parts follow each other, and the targets of their windows never overlap: what is forecast in a
later part was not a target of an earlier one. A context may reach back into the part before, as it
does when a model is used.
"""

from __future__ import annotations

import copy
import csv
import io
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from carousel.config import DataConfig, ForecastConfig
from carousel.data import sources
from carousel.data.files.csv_files import read_table, refuse_headless
from carousel.data.files.text import decode, read_text
from carousel.data.regular import Series, regular
from carousel.data.set_names import unknown_set
from carousel.data.stamps import Stamps, is_stamp, read_stamps, unit_of
from carousel.errors import ConfigError, DataError

_ETT_MONTH = 30 * 24
_DAY, _WEEK = np.timedelta64(1, "D"), 7


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
        raise unknown_set(data.name, ["bike", *known, "series"])
    source, file = known[data.name]
    return read_series(_text(source, file), file)


def read_series(text: str, source: str) -> Series:
    """A series in CSV: a header, time stamps in the first column, then numbers.

    Stamps (see `read_stamps`) must rise by one step, the smallest there is; months and quarters are
    steps too. Rows that are missing are put in, and missing numbers are taken from the row before
    (at the start from the first one there is). Raises `DataError` for anything else.
    """
    table = read_table(text, source, lambda header: (0,))
    if is_stamp(table.header[0]):
        refuse_headless(table.header, source)
    if not table.columns or len(table.lines) < 2:
        raise DataError(
            f"{source} must have time stamps, a column of numbers and at least 2 rows; it has "
            f"{len(table.header)} columns ({', '.join(table.header[:8])}) and {len(table.lines)} "
            f"rows below their names"
        )
    stamps, notes = read_stamps(table.words[0], table.lines.tolist(), source)
    series = regular(table.names, stamps, table.values, source)
    return replace(series, notes=(*table.notes, *notes, *series.notes))


def _text(source: str, file: str) -> str:
    return decode(sources.read(source, file), file)


def _bike(text: str) -> Series:
    """cnt, and what may be known of the hour; casual and registered add up to cnt: left out."""
    rows = list(csv.DictReader(io.StringIO(text)))
    columns = ("cnt", "holiday", "workingday", "weathersit", "temp", "atemp", "hum", "windspeed")
    stamps = np.array([f"{row['dteday']}T{int(row['hr']):02}" for row in rows], "datetime64[h]")
    values = np.array([[float(row[column]) for column in columns] for row in rows])
    return regular(columns, stamps, values, "hour.csv")


def calendar(stamps: Stamps, more: int = 0, turns: int = 0) -> NDArray[np.float32]:
    """sin and cos of the month, the day of the week and the hour, (T + more, 2 K).

    What the stamps do not tell (the hour of daily ones) is left out. more: also for so many steps
    after the last. turns: K, whatever the stamps tell: a network that was trained on stamps of
    another unit reads so many.
    """
    if more:
        step = stamps[-1] - stamps[-2]
        stamps = np.concatenate((stamps, stamps[-1] + np.arange(1, more + 1) * step))
    unit = unit_of(stamps)
    turns = turns or (1 if unit in ("Y", "M") else 2 if unit in ("W", "D") else 3)
    months = stamps.astype("datetime64[M]").astype(int) % 12
    days = stamps.astype("datetime64[D]")
    instants = days if unit in ("Y", "M", "W") else stamps
    all_turns = (months / 12, (days.astype(int) % _WEEK) / _WEEK, (instants - days) / _DAY)
    angles = 2 * np.pi * np.stack(all_turns[:turns], 1)
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
    """Every window of a part: `context` rows, then `horizon` rows, all of them in `rows`.

    truth (T, C): windows without any number to be forecast that was measured (all NaN) are left
    out: there is nothing in them to learn or to judge.
    """

    def __init__(
        self, rows: range, context: int, horizon: int, truth: NDArray[np.float64] | None = None
    ) -> None:
        self.context, self.horizon = context, horizon
        self.starts = torch.arange(rows.start, rows.stop - horizon + 1)
        if truth is not None and np.isnan(truth).any():
            measured = np.concatenate(([0], (~np.isnan(truth)).any(1).cumsum()))
            starts = self.starts.numpy()
            self.starts = self.starts[
                torch.from_numpy(measured[starts + horizon] > measured[starts])
            ]

    def __len__(self) -> int:
        return len(self.starts)

    @property
    def apart(self) -> int:
        """How many windows there are of which no two have a step to forecast in common."""
        count, end = 0, -1
        for start in self.starts.tolist():
            if start >= end:
                count, end = count + 1, start + self.horizon
        return count

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
    """Rows that are targets in each part, from when to when, what was filled, and what was
    recognised while reading."""
    return {
        "rows": len(series),
        "missing_values_filled": series.filled,
        "recognised": list(series.notes),
        "targets": {
            part: {
                "rows": len(rows),
                "first": str(series.stamps[rows[0]]),
                "last": str(series.stamps[rows[-1]]),
            }
            for part, rows in parts.items()
        },
    }
