"""A table (`config.columns`) as series that are watched for anomalies, each by its id."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from carousel.config import Config
from carousel.config.columns import names_in
from carousel.data.features import features_of
from carousel.data.files.table_labels import target_of
from carousel.data.files.table_new import refuse_missing
from carousel.data.files.table_steps import table_of
from carousel.data.sequences import features_columns, sequences_of
from carousel.data.table import Table
from carousel.errors import DataError

if TYPE_CHECKING:
    from carousel.data.watched import Watched, WatchedSeries


def read_watched_parts(config: Config, table: Table | None = None) -> WatchedSeries:
    """The series of a table, each cut in time."""
    from carousel.data.files.watched import judged
    from carousel.data.watched import WatchedSeries, shares

    series = series_of(table_of(config, table), config)
    cut = [replace(one, ends=shares(len(one), config)) for one in series]
    return WatchedSeries(tuple(judged(cut, config)))


def series_of(table: Table, config: Config, wanted: Sequence[str] | None = None) -> list[Watched]:
    """The series of a table: rows of one id, in order of time where there is one.

    Steps that are missing are not put in. wanted: the columns of training; without them, all that
    have no other role. A target that is not there judges nothing. Raises `DataError`.
    """
    from carousel.data.watched import Watched, filled

    columns = config.columns
    if wanted is None:
        read: Sequence[str] = features_columns(table, columns, "")
    else:
        refuse_missing(table, set(wanted))
        read = wanted
        present: dict[str, Any] = {
            role: "" for role in ("id", "time", "target")
            if not all(name in table for name in names_in(getattr(columns, role)))
        }  # fmt: skip
        columns = replace(columns, **present)
    features = features_of(table, read, ())
    # Rows are steps: whatever lies between them is not filled in.
    found = sequences_of(table, replace(columns, gap="fill", step="", time=""))
    labels = _labels(table, target_of(replace(config, columns=columns))) if columns.target else None
    notes = (*table.notes, *features.notes, *found.notes)
    series = []
    for sequence in found.found:
        rows, times = _in_time(table, columns.time, sequence.rows)
        values, missing = filled(features.values[rows])
        judge = None if labels is None else labels[rows]
        name = sequence.name if columns.id else ""
        series.append(Watched(name, features.names, times, values, missing, judge, notes=notes))
        notes = ()  # they are of the table: said once
    return series


def _in_time(
    table: Table, time: str, rows: NDArray[np.int64]
) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Rows of a series in order of time, and their times as text."""
    from carousel.data.sequences import order_key

    if not time:
        return rows, tuple(map(str, range(len(rows))))
    key, unit, _ = order_key(table, time)
    rows = rows[np.argsort(key[rows], kind="stable")]
    if not unit or unit == "millionth":
        cells = table[time].texts()
        return rows, tuple(cells[row] for row in rows.tolist())
    stamps, _ = table[time].times()
    return rows, tuple(map(str, stamps[rows]))


def _labels(table: Table, name: str) -> NDArray[np.bool_]:
    column = table[name].numbers()
    wrong = (~np.isin(column, (0.0, 1.0))).nonzero()[0]
    if len(wrong):
        raise DataError(
            f"{table.source}: the column '{name}' must hold 0 (normal) or 1 (anomalous) in every "
            f"row; row {wrong[0] + 2} has '{table[name].texts()[wrong[0]]}'"
        )
    labels: NDArray[np.bool_] = column == 1
    return labels


READERS = {"anomaly": {"table": read_watched_parts}}
