"""Series that are watched for anomalies: their beginnings are taken to be normal, the rest judges.

Each series is cut in time: the network learns from the training rows, the threshold comes from the
validation rows, and what follows judges. Rows are steps, in the order in which they stand.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from carousel.config import Config
from carousel.data import sets
from carousel.data.held import Held, completed
from carousel.errors import ConfigError, DataError

Numbers = NDArray[np.float64]
Flags = NDArray[np.bool_]
#: Ends of the parts of a series that is all training, until files of their own bring the others.
UNCUT = (-1, -1)
NAMES = ("train", "validation", "test")


def probation(count: int) -> int:
    """Rows at the beginning of a series in which the Numenta benchmark scores nothing: 15 %, and
    at most 750 (15 % of 5,000).

    >>> probation(1000), probation(20_000)
    (150, 750)
    """
    return min(math.floor(0.15 * count), 750)


@dataclass(frozen=True)
class Watched:
    """One series. values (T, F), float64; times: of its rows, as text.

    missing (T, F): where a value was not measured but taken from the row before. labels (T,): what
    is anomalous; None where nobody said. ends: the rows where the training and the validation part
    stop. notes: what was recognised while reading, in words.
    """

    name: str
    columns: tuple[str, ...]
    times: tuple[str, ...]
    values: Numbers
    missing: Flags | None = None
    labels: Flags | None = None
    ends: tuple[int, int] = (0, 0)
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.values)

    @property
    def filled(self) -> int:
        """Number of missing values that were filled."""
        return 0 if self.missing is None else int(self.missing.sum())

    @property
    def measured(self) -> Flags:
        """Mask (T, F) of the values that were measured."""
        if self.missing is None:
            return np.ones(self.values.shape, np.bool_)
        return ~self.missing

    def rows(self, part: str) -> slice:
        """The rows of a part: "train", "validation" or "test"."""
        starts = dict(zip(NAMES, (0, *self.ends), strict=True))
        stops = dict(zip(NAMES, (*self.ends, len(self)), strict=True))
        return slice(starts[part], stops[part])


@dataclass(frozen=True)
class WatchedPart:
    """Rows of a part of every series; labels are what judges, of the test part alone."""

    names: tuple[str, ...]
    columns: tuple[str, ...]
    times: tuple[tuple[str, ...], ...]
    values: tuple[Numbers, ...]
    labels: tuple[Flags | None, ...]

    @property
    def counts(self) -> dict[str, int]:
        """Counts of the part's contents."""
        return {"steps": sum(map(len, self.values)), "sequences": len(self.names)}


@dataclass(frozen=True)
class WatchedSeries:
    """Several series with the same columns. left_out: why others were left out, by name. judged:
    whether there must be a test part. held: what there is to say of parts that have files of their
    own.

    Raises `DataError` if there is none, if their columns differ, if two have one name, or if a part
    has no row.
    """

    series: tuple[Watched, ...]
    left_out: dict[str, str] = field(default_factory=dict)
    judged: bool = True
    held: dict[str, Held] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.series:
            why = "; ".join(f"{name}: {text}" for name, text in self.left_out.items())
            raise DataError(f"there is no series to watch{': ' + why if why else ''}")
        first = self.series[0]
        for one in self.series[1:]:
            if one.columns != first.columns:
                raise DataError(
                    f"series must have the same columns: {first.name} has "
                    f"{', '.join(first.columns)}, {one.name} has {', '.join(one.columns)}"
                )
        names = [one.name for one in self.series]
        for name in names:
            if names.count(name) > 1:
                raise DataError(f"two series are called '{name}': each needs a name of its own")
        if all(one.ends == UNCUT for one in self.series):
            return
        for part in NAMES if self.judged else NAMES[:2]:
            if not self.part(part).counts["steps"]:
                raise DataError(f"the {part} part has no step: {_SHARES}")

    @classmethod
    def read(cls, config: Config) -> WatchedSeries:
        """Read the series that `data.name` names: published ones, or custom files, `data.path`.

        Raises `ConfigError` or `DataError`.
        """
        found: WatchedSeries = completed(sets.find("anomaly", config.data.name)(config), config)
        return found

    @property
    def column_names(self) -> tuple[str, ...]:
        """Names of the columns, the same in every series."""
        return self.series[0].columns

    def part(self, name: str) -> WatchedPart:
        """ "train", "validation" or "test"."""
        cuts = [(one, one.rows(name)) for one in self.series]
        labels = [
            one.labels[rows] if name == "test" and one.labels is not None else None
            for one, rows in cuts
        ]
        return WatchedPart(
            tuple(one.name for one in self.series),
            self.series[0].columns,
            tuple(one.times[rows] for one, rows in cuts),
            tuple(_gaps(one)[rows] for one, rows in cuts),
            tuple(labels),
        )

    def account(self) -> dict[str, Any]:
        """Steps of each part and series, true anomalies, what was filled and what was left out."""
        said = {one.name: list(one.notes) for one in self.series if one.notes}
        beginnings = sum(
            int(one.labels[: one.ends[1]].sum()) for one in self.series if one.labels is not None
        )
        return {
            "series": {
                one.name: {
                    "steps": {part: _length(one.rows(part)) for part in NAMES},
                    "anomalies": None
                    if one.labels is None
                    else len(runs(one.labels[one.rows("test")])),
                }
                for one in self.series
            },
            "missing_values_filled": sum(one.filled for one in self.series),
            "labelled_anomalous_in_training": beginnings,
            "left_out": dict(self.left_out),
            "recognised": said,
        }


_SHARES = "anomaly.validation and anomaly.test must leave rows in each of the three parts"


def shares(count: int, config: Config) -> tuple[int, int]:
    """Ends of the training and the validation part of a series of so many rows. Raises
    `DataError` if the two shares leave nothing to train on."""
    if config.data.files:
        return UNCUT
    if config.split.folds:
        raise ConfigError(
            "a series is watched from its beginning on, so its parts cannot change places: the "
            "task 'anomaly' makes no folds; leave split.folds out"
        )
    settings = config.anomaly
    test, validation = round(settings.test * count), round(settings.validation * count)
    if settings.validation + settings.test >= 1:
        raise DataError(
            f"anomaly.validation = {settings.validation:g} and anomaly.test = {settings.test:g} "
            f"leave nothing to train on: their sum must be below 1"
        )
    return count - test - validation, count - test


def runs(flags: Flags) -> list[tuple[int, int]]:
    """(first, last) of each run of flags that are set.

    >>> runs(np.array([False, True, True, False, True]))
    [(1, 2), (4, 4)]
    """
    edges = np.diff(np.concatenate(([0], flags.astype(np.int8), [0])))
    starts, stops = (edges > 0).nonzero()[0], (edges < 0).nonzero()[0]
    return [(int(a), int(b) - 1) for a, b in zip(starts, stops, strict=True)]


def filled(values: Numbers) -> tuple[Numbers, Flags | None]:
    """Values (T, F) with each NaN taken from the row before, at the start from the first number
    there is, 0 in a column without any; and where that was so, None if nowhere."""
    missing = ~np.isfinite(values)
    if not missing.any():
        return values, None
    full = values.copy()
    for column, gaps in zip(full.T, missing.T, strict=True):
        known = (~gaps).nonzero()[0]
        if len(known):
            places = np.searchsorted(known, np.arange(len(column)), side="right") - 1
            column[:] = column[known[np.maximum(places, 0)]]
        else:
            column[:] = 0.0
    return full, missing


def mark(times: NDArray[Any], windows: Sequence[tuple[Any, Any]], source: str) -> Flags:
    """Labels (T,) of rows at `times` that lie within any of the windows, their ends included.
    Raises `DataError` for a window without a row."""
    labels = np.zeros(len(times), np.bool_)
    for start, end in windows:
        inside = (times >= start) & (times <= end)
        if not inside.any():
            raise DataError(
                f"{source}: the window from {start} to {end} holds no row of the series"
            )
        labels |= inside
    return labels


def _gaps(one: Watched) -> Numbers:
    return one.values if one.missing is None else np.where(one.missing, np.nan, one.values)


def _length(rows: slice) -> int:
    return int(rows.stop - rows.start)
