"""A table (`config.columns`) as one series in time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from carousel.config import Config
from carousel.config.columns import ColumnsConfig, names_in
from carousel.data.coded import as_trained
from carousel.data.counting import counted
from carousel.data.features import features_of
from carousel.data.files.table_new import refuse_missing, unseen_words
from carousel.data.files.table_steps import sources_of, table_of
from carousel.data.sequences import features_columns
from carousel.data.table import Table
from carousel.errors import ConfigError, DataError

if TYPE_CHECKING:
    from carousel.data.regular import Series
    from carousel.data.series_parts import SeriesParts


def read_series_parts(config: Config, table: Table | None = None) -> SeriesParts:
    """The series of a table, in order of time."""
    from carousel.data.series_parts import SeriesParts

    found = SeriesParts.own(series_of(table_of(config, table), config), config)
    series, end = found.series, found.rows["train"].stop
    rest = [series.values[end:], *([] if series.future is None else [series.future])]
    columns = as_trained(series.columns, [series.values[:end]], rest)
    return replace(found, series=replace(series, columns=columns))


def series_of(table: Table, config: Config, wanted: Sequence[str] | None = None) -> Series:
    """A table as one series with even steps; its targets are columns, too. Raises `DataError`."""
    from carousel.data.regular import regular

    columns = config.columns
    if not columns.time:
        raise ConfigError("columns.time must name the column of time stamps")
    column = table[columns.time]
    if column.missing or column.odd:
        raise DataError(
            f"{table.source}: {column.missing + column.odd:,} rows have no time in the column "
            f"'{column.name}': fill them in, or remove those rows"
        )
    stamps, notes = column.times()
    order = np.argsort(stamps, kind="stable")
    moved = int((np.diff(stamps) < np.timedelta64(0)).sum())
    more = (
        [counted(moved, "rows stood before an earlier one: put in order of time")] if moved else []
    )
    if wanted is None:
        read = features_columns(table, replace(columns, target=""), "")
    else:
        sources = sources_of(wanted, columns)
        refuse_missing(table, sources)
        read = [name for name in table.names if name in sources]
    features = features_of(table, read, names_in(columns.category), wanted, columns.embed)
    if columns.gap == "error":
        _refuse_gaps(stamps[order], table.source)
    elif columns.gap == "cut":
        raise ConfigError("columns.gap = 'cut' would make several series: a forecast reads one")
    values: NDArray[np.float64] = features.values[order]
    series = regular(features.names, stamps[order], values, table.source)
    said = (*table.notes, *notes, *more, *features.notes, *unseen_words(features), *series.notes)
    series = replace(series, notes=said)
    return series if wanted is None or not columns.known else _with_future(series, columns)


def _with_future(series: Series, columns: ColumnsConfig) -> Series:
    """The series up to the last row with a target; what comes after is known beforehand."""
    targets = [series.columns.index(name) for name in names_in(columns.target)]
    measured = np.flatnonzero((~np.isnan(series.truth[:, targets])).any(1))
    end = int(measured[-1]) + 1
    return replace(
        series,
        stamps=series.stamps[:end],
        values=series.values[:end],
        missing=None if series.missing is None else series.missing[:end],
        future=series.values[end:],
    )


def known_numbers(names: Sequence[str], columns: ColumnsConfig) -> list[int]:
    """Columns of a series that are known for the steps to come. Raises `ConfigError` for
    one that is to be forecast, or without a target."""
    known = names_in(columns.known)
    if known and (not columns.target or set(known) & set(names_in(columns.target))):
        raise ConfigError("columns.known needs columns.target, and can name no target")
    return [i for i, name in enumerate(names) if sources_of([name], columns) & {*known}]


def _refuse_gaps(stamps: NDArray[Any], source: str) -> None:
    apart = np.diff(stamps)
    wide = np.flatnonzero(apart > apart.min())
    if len(wide):
        raise DataError(
            f"{source}: steps are missing after {stamps[wide[0]]}, and columns.gap = 'error'"
        )


READERS = {"forecast": {"table": read_series_parts}}
