"""A long table (`config.columns`) as many series: an id, a time, a target, and what is read."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from carousel.config import Config
from carousel.config.columns import listed, names_in
from carousel.data.coded import as_trained
from carousel.data.counting import counted
from carousel.data.features import features_of
from carousel.data.files.table_new import refuse_missing, unseen_words
from carousel.data.files.table_steps import sources_of, table_of
from carousel.data.files.weights import weighed
from carousel.data.sequences import (
    Sequences,
    constant_in,
    features_columns,
    ids_of,
    order_key,
    sequences_of,
)
from carousel.data.table import Table
from carousel.errors import ConfigError, DataError

if TYPE_CHECKING:
    from carousel.data.many_series import ManySeries, ManySeriesParts


def read_many_parts(config: Config, table: Table | None = None) -> ManySeriesParts:
    """The series of a table, each in order of time, in parts."""
    return many_parts_of(table_of(config, table), config)


def many_parts_of(table: Table, config: Config, judged: bool = True) -> ManySeriesParts:
    """Series of a table in memory, in parts. judged: false where all but what validates is trained
    on, and the test part is the validation part."""
    from carousel.data.many_series import ManySeriesParts

    series, _ = many_series_of(table, config)
    make = ManySeriesParts.of if judged else ManySeriesParts.unjudged
    found = make(series, config)
    firsts, stops = found.rows["train"]
    train = [series.values[a:b] for a, b in zip(firsts.tolist(), stops.tolist(), strict=True)]
    rest = [
        series.values[b:e] for b, e in zip(stops.tolist(), series.firsts[1:].tolist(), strict=True)
    ]
    columns = as_trained(series.columns, train, rest)
    static = as_trained(series.static_columns, [series.static])
    return replace(found, series=replace(series, columns=columns, static_columns=static))


def many_series_of(
    table: Table, config: Config, wanted: tuple[Sequence[str], Sequence[str]] | None = None
) -> tuple[ManySeries, tuple[str, ...]]:
    """The series of a table with even steps, and the names of those that have no number, which are
    left out. wanted: columns of training, and those of one value per series. Raises `DataError`."""
    from carousel.data.many_series import ManySeries, filled_forward
    from carousel.data.pace import Pace

    columns = config.columns
    target = _target(config)
    if wanted is not None:
        refuse_missing(table, {*_plain(wanted, config), *names_in(columns.id), target})
    table = _once(table, config)
    found = sequences_of(table, columns)
    pace = Pace(found.every or 1, found.unit)
    moving, static = _read_columns(table, config, wanted)
    rows = np.concatenate([one.rows for one in found.found])
    firsts = np.concatenate(([0], np.cumsum([len(one.rows) for one in found.found])))
    values = np.concatenate((table[target].numbers()[:, None], moving[0]), 1)[np.maximum(rows, 0)]
    values[rows < 0] = np.nan
    coming = _coming(values[:, 1:], moving[1], config)
    kept, first, end, last = _bounds(values[:, 0], firsts, coming)
    lost = tuple(found.found[i].name for i in np.flatnonzero(~kept))
    if not kept.any():
        raise DataError(f"{table.source} has no number in the column '{target}'")
    begins = np.concatenate(([0], (last - first)[kept].cumsum()))
    inside = np.repeat(first[kept] - begins[:-1], np.diff(begins)) + np.arange(begins[-1])
    values = values[inside]
    origins = np.array([one.start for one in found.found], np.int64)
    ends = begins[:-1] + (end - first)[kept]
    pace, starts = pace.coarsest((origins + pace.every * (first - firsts[:-1]))[kept])
    constant = _static(table, config, found, static[0])[kept]
    series = ManySeries(
        tuple(one.name for one, keep in zip(found.found, kept, strict=True) if keep),
        (target, *moving[1]),
        _known_only(filled_forward(values, begins), values, begins, ends),
        np.isnan(values[:, 0]),
        begins,
        ends,
        starts,
        pace,
        constant,
        static[1],
        _missing(values, begins, ends),
        (
            *(*table.notes, *found.notes, *moving[2], *static[2]),
            *_said(lost, int((first - firsts[:-1])[kept].sum()), constant, static[1]),
        ),
    )
    if config.columns.weight and wanted is None:  # only what is learnt or judged is weighed
        series = weighed(series, table, config.columns.weight, found, kept)
    return series, lost


def _once(table: Table, config: Config) -> Table:
    """The table without rows that stand before, alike in every column. Raises `DataError` where
    others have the time of one before them in their series."""
    import polars as pl

    columns = config.columns
    if not columns.time:
        return table
    ids = names_in(columns.id)
    codes, key = ids_of(table, ids)[0], order_key(table, columns.time)[0]
    same = np.diff(codes)
    # Most long tables are in order, which is seen far sooner than that no row stands twice.
    if (same >= 0).all() and (np.diff(key)[same == 0] > 0).all():
        return table
    places = pl.DataFrame({"id": codes, "time": key})
    if not places.is_duplicated().any():
        return table
    kept = np.flatnonzero(table.first_of_their_kind())
    if (doubled := places[kept].is_duplicated()).any():
        row = int(kept[doubled.arg_true()[0]])
        name = ids_of(table.take(np.array([row])), ids)[1][0]
        raise DataError(
            f"{table.source}: a series has one row for each time, and '{name}' has "
            f"{table[columns.time].raw[row]} more than once (row {row + 2}): name all columns that "
            f"tell series apart as columns.id, which is '{columns.id}', or keep one row of each"
        )
    lost = counted(len(table) - len(kept), "rows stand before, alike in every column: left out")
    return replace(table.take(kept), notes=(*table.notes, lost))


Made = tuple[NDArray[np.float64], tuple[str, ...], tuple[str, ...]]


def _read_columns(
    table: Table, config: Config, wanted: tuple[Sequence[str], Sequence[str]] | None
) -> tuple[Made, Made]:
    """Columns that change along a series (N, F), and those of one value for each (N, G): numbers,
    names, and what is to be said of them."""
    columns, static = config.columns, names_in(config.columns.static)
    if wanted is None:
        used = [n for n in _others(table, config) if n not in static]
        one: tuple[Sequence[str] | None, Sequence[str] | None] = (None, None)
    else:
        used = [n for n in table.names if n in sources_of(wanted[0], columns)]
        static = tuple(n for n in static if n in sources_of(wanted[1], columns))
        one = wanted
    return _made(table, used, config, one[0]), _made(table, static, config, one[1])


def _others(table: Table, config: Config) -> list[str]:
    """Columns without a role, which are read; there may be none."""
    columns = config.columns
    taken = {columns.time, config.split.column}
    for role in (columns.id, columns.target, columns.ignore, columns.weight):
        taken.update(names_in(role))
    return features_columns(table, columns, "") if set(table.names) - taken else []


def _made(table: Table, names: Sequence[str], config: Config, wanted: Sequence[str] | None) -> Made:
    if not names:
        return np.empty((len(table), 0)), (), ()
    categories, embed = names_in(config.columns.category), config.columns.embed
    made = features_of(table, names, categories, wanted, embed)
    values, found = made.values, made.names
    assert isinstance(values, np.ndarray)
    if wanted is not None:
        values, found = values[:, [found.index(name) for name in wanted]], tuple(wanted)
    return values, found, (*made.notes, *unseen_words(made))


def _static(
    table: Table, config: Config, found: Sequences, values: NDArray[np.float64]
) -> NDArray[np.float64]:
    """One row of values for each series (S, G), of the first row that has them; NaN where none has
    a number."""
    full = np.ones(len(table), np.bool_)
    for name in names_in(config.columns.static):
        if name in table:
            constant_in(found.found, table[name].texts(), name, table.source)
            full &= (table[name].cells() != "").to_numpy()
    there = [one.rows[one.rows >= 0] for one in found.found]
    rows = np.array([some[np.argmax(full[some])] for some in there], np.int64)
    return values[rows]


def _bounds(
    target: NDArray[np.float64], firsts: NDArray[np.int64], coming: NDArray[np.bool_]
) -> tuple[NDArray[np.bool_], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Bounds of each series: whether it has a number, its first row with one, the row behind the
    last step that has come, and that behind its last row. coming (N,): rows that are still to come
    if they have no target, and no row behind them has come; others were not measured."""
    rows, count = np.arange(len(target)), len(target)
    measured = ~np.isnan(target)
    low = np.minimum.reduceat(np.where(measured, rows, count), firsts[:-1])
    high = np.maximum.reduceat(np.where(measured, rows, -1), firsts[:-1])
    come = np.maximum.reduceat(np.where(measured | ~coming, rows, -1), firsts[:-1])
    return high >= 0, low, come + 1, firsts[1:]


def _coming(others: NDArray[np.float64], names: Sequence[str], config: Config) -> NDArray[np.bool_]:
    """Rows (N,) that may be to come: all columns that are known beforehand have a value there."""
    known = {*names_in(config.columns.known)}
    places = [i for i, name in enumerate(names) if sources_of([name], config.columns) & known]
    if not places:
        return np.zeros(len(others), np.bool_)
    return np.asarray(~np.isnan(others[:, places]).any(axis=1))


def _known_only(
    filled: NDArray[np.float64],
    values: NDArray[np.float64],
    firsts: NDArray[np.int64],
    ends: NDArray[np.int64],
) -> NDArray[np.float64]:
    """Values that were filled, but for those of steps to come: nothing may be guessed there."""
    coming = np.arange(len(values)) >= np.repeat(ends, np.diff(firsts))
    return np.where(coming[:, None], values, filled)


def _missing(
    values: NDArray[np.float64], firsts: NDArray[np.int64], ends: NDArray[np.int64]
) -> int:
    """Missing numbers in the rows that have come."""
    empty = np.isnan(values).sum(1)
    sums = np.concatenate(([0], empty.cumsum()))
    return int((sums[ends] - sums[firsts[:-1]]).sum())


def _said(
    lost: Sequence[str], before: int, static: NDArray[np.float64], names: Sequence[str]
) -> Iterator[str]:
    """Sentences on what is left out and what is missing. before: rows ahead of the first number."""
    if lost:
        yield lost_words(lost)
    if before:
        yield counted(before, "rows come before the first number of their series: left out")
    for name, empty in zip(names, np.isnan(static).sum(0).tolist(), strict=True):
        if empty:
            yield f"'{name}' has no value in {empty:,} of {len(static):,} series: read as the mean"


def lost_words(lost: Sequence[str]) -> str:
    """Sentence on series that have no number.

    >>> lost_words(["a", "b"])
    'left out, without a number to forecast: 2 series (a, b)'
    """
    shown = listed(list(lost[:3])) + (", …" if len(lost) > 3 else "")
    return f"left out, without a number to forecast: {len(lost):,} series ({shown})"


def warn_of_lost(lost: Sequence[str]) -> None:
    """Warn of series that have no number, where answers would lack them without a word."""
    if lost:
        warnings.warn(lost_words(lost), UserWarning, stacklevel=2)


def _target(config: Config) -> str:
    targets = names_in(config.columns.target)
    if len(targets) != 1 or not config.columns.id:
        raise ConfigError(
            "many series need columns.id, what tells them apart, and columns.target, one column of "
            f"numbers to forecast; they are '{config.columns.id}' and '{config.columns.target}'"
        )
    return targets[0]


def _plain(wanted: tuple[Sequence[str], Sequence[str]], config: Config) -> set[str]:
    """Columns of the table that features were made of, without the target."""
    return sources_of([*wanted[0], *wanted[1]], config.columns)


READERS = {"forecast_many": {"table": read_many_parts, "series": read_many_parts}}
