"""Custom tables: any usual kind of file, or a data frame, as columns whose types are known.

What is recognised is said, what does not fit is counted, and nothing is dropped in silence. Rows
stay in their order. polars reads; it is imported only when a table is.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from carousel.data.files.file_kind import require_file
from carousel.data.files.whole import content_of
from carousel.data.frame_index import with_index
from carousel.data.kinds import Read, kind_of, number
from carousel.data.remembered import once
from carousel.data.stamps import Stamps, excel_days, read_clock, read_stamps
from carousel.data.store.folder import is_store
from carousel.data.table_files import BINARY, TEXT, frame_of
from carousel.errors import DataError

if TYPE_CHECKING:
    import polars as pl

_EXCEL_DAYS = (20_000, 80_000)  # 1954 to 2119
_MOST_COLUMNS = 50_000


@dataclass(frozen=True)
class Column:
    """A column of a table.

    kind: "whole", "number", "boolean", "time", "text", "empty" or "nested". values: its cells as
    that, null where there is none. missing: empty cells. odd: cells that fit no other of the
    column and count as missing; example: one of them. note: how the cells were read. raw: the
    cells as they were written. style: "german" where a comma is the decimal sign, "day" or "month"
    of dates that begin with it, "unsure" of texts that may be either.
    """

    name: str
    kind: str
    values: pl.Series
    raw: pl.Series
    missing: int = 0
    odd: int = 0
    example: str = ""
    note: str = ""
    stamps: Stamps | None = None
    style: str = ""

    @property
    def is_number(self) -> bool:
        """True for numbers, and for yes and no."""
        return self.kind in ("whole", "number", "boolean")

    def numbers(self) -> NDArray[np.float64]:
        """The numbers (N,), NaN where there is none; yes is 1. Raises `DataError` for texts."""
        import polars as pl

        if self.kind == "empty":
            return np.full(len(self.values), np.nan)
        if not self.is_number:
            raise DataError(f"the column '{self.name}' holds no numbers but {_article(self.kind)}")
        wide = self.values.cast(pl.Float64)
        found: NDArray[np.float64] = wide.fill_null(float("nan")).to_numpy().copy()
        return found

    def cells(self) -> pl.Series:
        """The cells as they were written, "" where there is none; whole numbers without a point,
        lists and objects as JSON."""
        import polars as pl

        if self.kind == "nested":
            return pl.Series(
                self.name, ["" if v is None else _json(v) for v in self.values.to_list()]
            )
        cells = self.values if self.kind == "whole" else self.raw
        return cells.cast(pl.String).str.strip_chars().fill_null("")

    def texts(self) -> list[str]:
        """The `cells` as a list."""
        return self.cells().to_list()

    def some(self, rows: NDArray[np.int64]) -> Column:
        """The cells of these rows, in that order."""
        stamps = None if self.stamps is None else self.stamps[rows]
        return replace(self, values=self.values[rows], raw=self.raw[rows], stamps=stamps)

    def times(self) -> tuple[Stamps, tuple[str, ...]]:
        """Time stamps (N,), NaT where there is none, and what was recognised.

        Whole numbers are read as what they write (20240131), seconds or milliseconds since 1970,
        days as Excel counts them, or, if none of these, as mere counts (timedelta64 is not used:
        stamps are then in the generic unit "ns" since 1970). Raises `DataError`.
        """
        if isinstance(self._times, DataError):
            raise self._times
        return self._times

    @cached_property  # init, audit and split ask, and are told the same of mere counts
    def _times(self) -> tuple[Stamps, tuple[str, ...]] | DataError:
        try:
            return self._read_times()
        except DataError as error:
            return error

    def _read_times(self) -> tuple[Stamps, tuple[str, ...]]:
        if self.stamps is not None:
            return self.stamps, (self.note,) if self.note else ()
        if self.kind not in ("whole", "number"):
            raise DataError(f"the column '{self.name}' holds no times but {_article(self.kind)}")
        values = self.numbers()
        inside = ~np.isnan(values)
        low, high = values[inside].min(), values[inside].max()
        if _EXCEL_DAYS[0] <= low <= high <= _EXCEL_DAYS[1]:
            note = f"numbers like {low:g} are read as Excel's days"
            return excel_days(values, inside), (note,)
        places = np.flatnonzero(inside)
        known = self.values.drop_nulls()
        found = read_clock(known.to_numpy().astype(np.int64)) if self.kind == "whole" else None
        stamps = None if found is None else found.stamps
        if found is None:  # cell by cell, each once: there may be millions of a few
            some = known.unique(maintain_order=True)
            lines = places[known.is_first_distinct().to_numpy()] + 2
            found = read_stamps(some.cast(str).to_list(), lines.tolist(), f"'{self.name}'")
            stamps = found.stamps[known.replace_strict(some, range(len(some))).to_numpy()]
        every = np.full(len(values), np.datetime64("NaT"), found.stamps.dtype)
        every[places] = stamps
        return every, found.notes


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)


def _article(kind: str) -> str:
    return {"text": "texts", "time": "times", "nested": "lists", "empty": "nothing"}.get(kind, kind)


@dataclass(frozen=True)
class Table:
    """Columns of one length. source: names the file in errors. notes: what was recognised."""

    source: str
    columns: tuple[Column, ...]
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.columns[0].values)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The names of the columns, in their order."""
        return tuple(column.name for column in self.columns)

    @cached_property
    def _by_name(self) -> dict[str, Column]:
        return {column.name: column for column in self.columns}

    def __contains__(self, name: str) -> bool:
        return name in self._by_name

    def __getitem__(self, name: str) -> Column:
        """The column of that name. Raises `DataError`, which says what there is."""
        from carousel.config import closest

        if name in self._by_name:
            return self._by_name[name]
        shown = ", ".join(self.names[:10]) + (", …" if len(self.names) > 10 else "")
        raise DataError(
            f"{self.source} has no column '{name}'.{closest(name, self.names)} It has: {shown}"
        )

    def first_of_their_kind(self) -> NDArray[np.bool_]:
        """Rows (N,) of which none before is alike in every column."""
        import polars as pl

        cells = [c.raw.alias(c.name) for c in self.columns if c.kind not in ("nested", "empty")]
        found = pl.DataFrame(cells).select(pl.struct(pl.all()).is_first_distinct()).to_series()
        return found.to_numpy()

    def take(self, rows: NDArray[np.int64]) -> Table:
        """The rows of these numbers, in that order."""
        return Table(self.source, tuple(one.some(rows) for one in self.columns), self.notes)


def read_table(path: str | Path, *, fewest: int = 2, blank: bool = False) -> Table:
    """The table in a file, by its suffix: .csv, .tsv, .txt, .parquet, .ndjson, .jsonl, .json,
    .arrow, .feather, .ipc, .xlsx, .xls, .xlsb, .ods; each also with .gz behind it; or a folder
    that `carousel data import` wrote, whose columns stay on the disk. A text that would fill half
    of the memory is imported by itself, which is said.

    Text may be separated by commas, semicolons, tabs or bars, and be in any usual encoding. blank:
    keep blank rows of a text, as empty cells, so that a row's place is that in the file. Raises
    `DataError` for a file that is not there, empty, damaged, not what its suffix says, has fewer
    columns than `fewest` (2, to learn from; a table to predict from may have one) or no rows,
    names a column twice, or has rows of other lengths.
    """
    from carousel.data.store.by_itself import imported, is_too_large

    path = Path(path)
    if is_store(path):
        from carousel.data.store.opened import open_table

        return open_table(path)
    require_file(path)
    if not blank and is_too_large(path):
        return imported(path)
    stat = path.stat()
    key = (path.resolve(), stat.st_mtime_ns, stat.st_size, fewest, blank)
    return once("table", key, lambda: _read(path, fewest, blank))


def _read(path: Path, fewest: int, blank: bool) -> Table:
    suffixes = [suffix.lower() for suffix in path.suffixes]
    suffix = next((s for s in reversed(suffixes) if s != ".gz"), "")
    said = path.suffix.lower() in TEXT
    return typed(*frame_of(content_of(path, said), suffix, str(path), blank), str(path), fewest)


def of_frame(frame: Any, source: str = "the data frame", *, fewest: int = 2) -> Table:
    """The table in a data frame of polars, pandas or Arrow. An index of pandas that has a name, or
    is no count of the rows, is its first column. Raises `DataError`."""
    import narwhals
    import polars as pl

    frame, notes = with_index(frame)
    try:
        found = narwhals.from_native(frame, eager_only=True)
    except TypeError:
        raise DataError(f"{source} must be a data frame, got {type(frame).__name__}") from None
    polars = frame if isinstance(frame, pl.DataFrame) else None
    if polars is None:
        names = [str(name) for name in found.columns]
        columns = [found[name].to_list() for name in found.columns]
        polars = pl.DataFrame(
            [pl.Series(n, c, strict=False) for n, c in zip(names, columns, strict=True)]
        )
    return typed(polars, notes, source, fewest)


def is_table(path: Path) -> bool:
    """Tell from a file's name that it is a table that `read_table` reads; a folder is one that was
    imported."""
    if is_store(path):
        return True
    suffix = next((s for s in reversed(path.suffixes) if s.lower() != ".gz"), "")
    return suffix.lower() in {*BINARY, *TEXT}


def typed(
    frame: pl.DataFrame,
    notes: tuple[str, ...],
    source: str,
    fewest: int,
    orders: Mapping[str, str] | None = None,
) -> Table:
    """The table in a frame of polars, with what is to be said of it. orders: what dates begin with,
    by column (see `kind_of`). Raises `DataError`."""
    import polars as pl

    if frame.width < fewest:
        names = f" ('{frame.columns[0][:60]}')" if frame.width else ""
        raise DataError(
            f"{source} has {frame.width or 'no'} column{names}, and a table needs at least two: "
            f"what is learnt from, and what is to be learnt"
        )
    if frame.width > _MOST_COLUMNS:
        raise DataError(f"{source} has {frame.width:,} columns; the most is {_MOST_COLUMNS:,}")
    if not frame.height:
        raise DataError(f"{source} has the names of columns and no row")
    stripped = [name.strip() for name in frame.columns]
    for name, count in Counter(stripped).items():
        if count > 1 and name:
            raise DataError(f"{source} has more than one column with the name '{name}'")
    if "" in stripped:
        place = stripped.index("") + 1
        raise DataError(f"{source} has no name above column {place}: name it")
    texts = [c for c in frame.iter_columns() if c.dtype == pl.String]
    known = orders or {}
    reads = {s.name: kind_of(s, order=known.get(s.name.strip(), "")) for s in texts}
    if any(read.style == "german" for read in reads.values()):
        again = ("whole", "number")
        reads = {
            s.name: kind_of(s, commas=True) if reads[s.name].kind in again else reads[s.name]
            for s in texts
        }
    columns = []
    for name, series in zip(stripped, frame.iter_columns(), strict=True):
        read = reads.get(series.name) or _of_type(series)
        columns.append(
            Column(
                name, read.kind, read.values, series, read.missing, read.odd, read.example,
                read.note, read.stamps, read.style,
            )
        )  # fmt: skip
    return Table(source, tuple(columns), notes)


def _of_type(series: pl.Series) -> Read:
    """A column whose type the file knows."""
    import polars as pl

    kind, absent = series.dtype, series.is_null()
    if kind == pl.Null or absent.all():
        return Read("empty", series.cast(pl.String, strict=False), int(absent.sum()))
    if kind == pl.Boolean:
        return Read("boolean", series, int(absent.sum()))
    if kind.is_numeric():
        values = series.cast(pl.Float64)
        finite = values.is_finite().fill_null(False)
        absent = absent | values.is_nan().fill_null(False)
        values = values.set(~finite, None)
        return number(values, absent, values.is_null() & ~absent, series)
    if kind in (pl.Date, pl.Datetime):
        zone = getattr(kind, "time_zone", None)
        note = f"times of the zone {zone} are moved to UTC" if zone not in (None, "UTC") else ""
        plain = series.dt.convert_time_zone("UTC").dt.replace_time_zone(None) if zone else series
        stamps = plain.to_numpy().copy()
        whole = stamps.astype("datetime64[s]")
        stamps = whole if (whole == stamps)[~np.isnat(stamps)].all() else stamps
        return Read("time", series, int(absent.sum()), note=note, stamps=stamps)
    if kind in (pl.Categorical, pl.Enum):
        return kind_of(series.cast(pl.String))
    return Read("nested", series, int(absent.sum()))
