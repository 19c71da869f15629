"""Files of series in time: CSV with time stamps in the first column."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from carousel.config import Config
from carousel.data.files.csv_files import read_table, refuse_headless
from carousel.data.files.text import read_text
from carousel.data.regular import Series, regular
from carousel.data.stamps import is_stamp, read_stamps
from carousel.errors import ConfigError, DataError

if TYPE_CHECKING:
    from carousel.data.series_parts import SeriesParts


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
    stamps, notes, _ = read_stamps(table.words[0], table.lines.tolist(), source)
    series = regular(table.names, stamps, table.values, source)
    return replace(series, notes=(*table.notes, *notes, *series.notes))


def read_parts(config: Config) -> SeriesParts:
    """The parts of `data.path`, in order of time."""
    from carousel.data.series_parts import SeriesParts

    if not config.data.path:
        raise ConfigError("data.name = 'series' needs data.path, a .csv file")
    series = read_series(read_text(config.data.path), config.data.path)
    return SeriesParts.own(series, config)


READERS = {"forecast": {"series": read_parts}}
