"""Many series of one step of time, end to end, and the parts of them that a run remembers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from carousel.config import Config
from carousel.data import sets
from carousel.data.held import Held, completed
from carousel.data.pace import Pace
from carousel.data.shares import shares
from carousel.errors import ConfigError, DataError

Rows = NDArray[np.int64]


@dataclass(frozen=True)
class ManySeries:
    """Series (T_s, F) end to end: `values` (N, F), the target first, then columns that are read.

    missing (N,): where the target was not measured: it is the value before then, as all missing
    numbers are. firsts (S + 1,): the row at which each series begins, and the end. ends (S,): the
    row behind the last step that has come: the rows from there on have only what is known of them
    beforehand. starts (S,): the time of its first row, in units of `pace`. static (S, G): one value
    each of `static_columns`. filled: missing numbers that were filled. notes: in words. weights
    (S,): how much each counts, their mean 1; None: all alike.
    """

    names: tuple[str, ...]
    columns: tuple[str, ...]
    values: NDArray[np.float64]
    missing: NDArray[np.bool_]
    firsts: Rows
    ends: Rows
    starts: Rows
    pace: Pace = field(default_factory=Pace)
    static: NDArray[np.float64] = field(default_factory=lambda: np.empty((0, 0)))
    static_columns: tuple[str, ...] = ()
    filled: int = 0
    notes: tuple[str, ...] = ()
    weights: NDArray[np.float64] | None = None

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, some: slice | int) -> ManySeries:
        """Some of the series, one behind the other, or one alone."""
        return self.take(np.atleast_1d(np.arange(len(self))[some]))

    @classmethod
    def of(cls, names: Sequence[str], series: Sequence[NDArray[np.float64]]) -> ManySeries:
        """Series of one column each, which begin at count 1; NaN where nothing was measured.
        Raises `DataError` for one without a number."""
        empty = [name for name, one in zip(names, series, strict=True) if np.isnan(one).all()]
        if empty:
            raise DataError(f"the series '{empty[0]}' has no number")
        lengths = np.array([len(one) for one in series], np.int64)
        firsts = np.concatenate(([0], lengths.cumsum()))
        values = np.concatenate([np.asarray(one, np.float64) for one in series])
        missing = np.isnan(values)
        whole = filled_forward(values[:, None], firsts)
        return cls(
            tuple(names), ("value",), whole, missing, firsts, firsts[1:], np.ones_like(lengths),
            static=np.empty((len(lengths), 0)), filled=int(missing.sum()),
        )  # fmt: skip

    @classmethod
    def joined(cls, parts: Sequence[ManySeries]) -> ManySeries:
        """All series of several, which have the same columns and the same step, in its units; notes
        and weights are left behind."""
        if len(parts) == 1:
            return parts[0]
        lengths = np.concatenate([np.diff(part.firsts) for part in parts])
        firsts = np.concatenate(([0], lengths.cumsum()))
        come = np.concatenate([part.ends - part.firsts[:-1] for part in parts])
        return replace(
            parts[0],
            names=tuple(name for part in parts for name in part.names),
            values=np.concatenate([part.values for part in parts]),
            missing=np.concatenate([part.missing for part in parts]),
            firsts=firsts,
            ends=firsts[:-1] + come,
            starts=np.concatenate([part.starts for part in parts]),
            static=np.concatenate([part.static for part in parts]),
            filled=sum(part.filled for part in parts),
            notes=(),
            weights=None,
        )

    @property
    def truth(self) -> NDArray[np.float64]:
        """The target (N,), NaN where nothing was measured or nothing has come yet."""
        found: NDArray[np.float64] = np.where(self.missing, np.nan, self.values[:, 0])
        return found

    @property
    def past(self) -> NDArray[np.float64]:
        """Values of the steps that have come, the target NaN where nothing was measured."""
        values = np.concatenate((self.truth[:, None], self.values[:, 1:]), 1)
        kept = np.arange(len(values)) < np.repeat(self.ends, np.diff(self.firsts))
        found: NDArray[np.float64] = values[kept]
        return found

    def last(self, rows: int) -> ManySeries:
        """Copy without what is more than so many rows before the steps to come."""
        first = np.maximum(self.firsts[:-1], self.ends - rows)
        lengths = self.firsts[1:] - first
        begins = np.concatenate(([0], lengths.cumsum()))
        inside = np.repeat(first - begins[:-1], lengths) + np.arange(begins[-1])
        return replace(
            self,
            values=self.values[inside],
            missing=self.missing[inside],
            firsts=begins,
            ends=begins[:-1] + self.ends - first,
            starts=self.starts + self.pace.every * (first - self.firsts[:-1]),
            filled=int(self.missing[inside].sum()),
        )

    def in_pace(self, pace: Pace) -> ManySeries:
        """Copy whose times are counted in the units of an equal step."""
        if (pace.every, pace.unit) == (self.pace.every, self.pace.unit):
            return self
        starts = self.starts.astype(f"datetime64[{self.pace.unit}]")
        counts = starts.astype(f"datetime64[{pace.unit}]").astype(np.int64)
        return replace(self, starts=counts, pace=pace)

    def take(self, index: Rows) -> ManySeries:
        """The series of these numbers, in that order."""
        if np.array_equal(index, np.arange(len(self))):
            return self
        lengths = np.diff(self.firsts)[index]
        firsts = np.concatenate(([0], lengths.cumsum()))
        rows = np.repeat(self.firsts[index] - firsts[:-1], lengths) + np.arange(firsts[-1])
        return replace(
            self,
            names=tuple(self.names[i] for i in index.tolist()),
            values=self.values[rows],
            missing=self.missing[rows],
            firsts=firsts,
            ends=firsts[:-1] + (self.ends - self.firsts[:-1])[index],
            starts=self.starts[index],
            static=self.static[index],
            weights=None if self.weights is None else self.weights[index],
        )


def filled_forward(values: NDArray[np.float64], firsts: Rows) -> NDArray[np.float64]:
    """Values (N, F) of series end to end with each NaN like the value before it in its series; at
    the start like the first one there is, and 0 where there is none.

    >>> filled_forward(np.array([[np.nan], [1.0], [np.nan], [np.nan]]), np.array([0, 3, 4])).T
    array([[1., 1., 1., 0.]])
    """
    rows, first = np.arange(len(values)), np.repeat(firsts[:-1], np.diff(firsts))
    last = np.repeat(firsts[1:], np.diff(firsts))
    found = np.empty_like(values)
    for place, column in enumerate(values.T):
        known = ~np.isnan(column)
        before = np.maximum.accumulate(np.where(known, rows, -1))
        after = np.minimum.accumulate(np.where(known, rows, len(rows))[::-1])[::-1]
        chosen = np.where(before >= first, before, after)
        inside = (chosen >= first) & (chosen < last)
        found[:, place] = np.where(inside, column[np.where(inside, chosen, 0)], 0.0)
    return found


@dataclass(frozen=True)
class ManyPart:
    """Rows of many series that are targets in a part: their names, how many rows each has, and
    what was measured in them (N,), NaN where nothing was. Of series with other columns (N, F),
    those in the order of their names behind the target: what a network reads tells parts apart."""

    names: tuple[str, ...]
    lengths: Rows
    values: NDArray[np.float64]
    horizon: int

    @property
    def counts(self) -> dict[str, int]:
        """Windows that share no step to forecast, series, and rows."""
        return {
            "separate windows": int((self.lengths // self.horizon).sum()),
            "series": len(self.names),
            "rows": int(self.lengths.sum()),
        }


@dataclass(frozen=True)
class ManySeriesParts:
    """Many series, and which rows of each are targets in each part: (first (S,), stop (S,)), the
    same of a series that has none of them. short: series that only train, being too short."""

    series: ManySeries
    rows: dict[str, tuple[Rows, Rows]]
    horizon: int
    short: int = 0
    held: dict[str, Held] = field(default_factory=dict)

    @classmethod
    def read(cls, config: Config) -> ManySeriesParts:
        """Read the series that `data.name` names: published ones, or a table, `data.path`.

        Raises `ConfigError` or `DataError`.
        """
        found: ManySeriesParts = sets.find("forecast_many", config.data.name)(config)
        done: ManySeriesParts = completed(found, config)
        return done

    @classmethod
    def of(cls, series: ManySeries, config: Config) -> ManySeriesParts:
        """Parts of series of one's own: the end of each judges, what is before it validates.
        Raises `ConfigError`, or `DataError` if nothing validates."""
        if config.forecast.origin:
            return cls.before(series, config)
        if config.split.folds:
            raise ConfigError(
                "split.folds = 0 is the only choice for many series yet: a part of each is held out"
            )
        count, held = series.ends - series.firsts[:-1], shares(config, config.forecast)
        sizes = {
            name: np.zeros_like(count) if share is None else _held(count, float(share), config)
            for name, share in held.items()
            if share is None or isinstance(share, float)
        }
        return cls.cut(series, sizes["validation"], sizes["test"], config.forecast.horizon)

    @classmethod
    def unjudged(cls, series: ManySeries, config: Config) -> ManySeriesParts:
        """Parts of which the end of each series validates, and judges, too. Raises as `of`."""
        count, forecast = series.ends - series.firsts[:-1], config.forecast
        held = _held(count, forecast.validation, config)
        found = cls.cut(series, held, np.zeros_like(held), forecast.horizon)
        return replace(found, rows={**found.rows, "test": found.rows["validation"]})

    @classmethod
    def before(cls, series: ManySeries, config: Config) -> ManySeriesParts:
        """Parts of which all before `forecast.origin`, counted to the end of each series, trains
        and validates. A series with fewer than two rows before it is in no part; one that is too
        short to validate, too, is judged all the same. Raises as `of`."""
        settings = config.forecast
        other = "data.test" if config.data.files else "split.folds" if config.split.folds else ""
        if other:
            raise ConfigError(f"forecast.origin cuts the series, and so does {other}: name one")
        first, end = series.firsts[:-1], series.ends
        count = np.maximum(end - first - settings.origin, 0)
        known = count >= 2
        cut = first + np.where(known, count, 0)
        held = _held(count, settings.validation, config)
        short = count - held < 2
        held = np.where(short, 0, held)
        if not held.any():
            raise DataError(
                f"none of the {len(series):,} series has {2 + settings.horizon} rows before the "
                f"origin, {settings.origin:,} steps before its end: two to read and "
                f"forecast.horizon = {settings.horizon} to choose the epoch by; the longest has "
                f"{int(count.max())} there"
            )
        judged = np.minimum(end, cut + (settings.judged or settings.origin))
        rows = {
            "train": (first, cut - held),
            "validation": (cut - held, cut),
            "test": (cut, np.where(known, judged, cut)),
        }
        return cls(series, rows, settings.horizon, int((short & known).sum()))

    @classmethod
    def cut(cls, series: ManySeries, validation: Rows, test: Rows, horizon: int) -> ManySeriesParts:
        """Parts that have so many rows (S,) of each series, at its end. A series with fewer than
        two rows before them only trains. Raises `DataError` if nothing validates."""
        short = (series.ends - series.firsts[:-1]) - validation - test < 2
        validation, test = np.where(short, 0, validation), np.where(short, 0, test)
        first, end = series.firsts[:-1], series.ends
        rows = {
            "train": (first, end - test - validation),
            "validation": (end - test - validation, end - test),
            "test": (end - test, end),
        }
        if not validation.any():
            raise DataError(
                f"none of the {len(series):,} series has {2 + 2 * horizon} rows: two to read, "
                f"forecast.horizon = {horizon} to choose the epoch by and as many to judge; the "
                f"longest has {int((end - first).max())}"
            )
        return cls(series, rows, horizon, int(short.sum()))

    def part(self, name: str) -> ManyPart:
        """ "train", "validation" or "test"."""
        first, stop = self.rows[name]
        lengths = stop - first
        begins = lengths.cumsum() - lengths
        rows = np.repeat(first - begins, lengths) + np.arange(lengths.sum())
        names = tuple(n for n, c in zip(self.series.names, lengths.tolist(), strict=True) if c)
        return ManyPart(names, lengths[lengths > 0], self._read(rows, lengths), self.horizon)

    def _read(self, rows: Rows, lengths: Rows) -> NDArray[np.float64]:
        """Values that a network reads in rows, so many of each series: the target, then others."""
        series = self.series
        truth = series.truth[rows]
        names = [*series.columns[1:], *series.static_columns]
        if not names:
            return truth
        of_series = np.repeat(np.arange(len(series)), lengths)
        others = np.concatenate((series.values[rows, 1:], series.static[of_series]), 1)
        order = sorted(range(len(names)), key=names.__getitem__)
        return np.concatenate((truth[:, None], others[:, order]), 1)


def _held(count: Rows, share: float, config: Config) -> Rows:
    """Rows of each series that are held out: whole horizons, at least one."""
    horizon = config.forecast.horizon
    return horizon * np.maximum(1, np.round(share * count / horizon).astype(np.int64))


def account(parts: ManySeriesParts) -> dict[str, Any]:
    """Series and rows, their lengths, what is held out, what was filled and recognised."""
    series = parts.series
    lengths = np.diff(series.firsts)
    return {
        "series": len(series),
        "rows": int(lengths.sum()),
        "shortest": int(lengths.min()),
        "longest": int(lengths.max()),
        "only_trained_on": parts.short,
        "missing_values_filled": series.filled,
        "recognised": list(series.notes),
        "targets": {name: parts.part(name).counts for name in parts.rows},
    }
