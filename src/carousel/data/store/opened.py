"""An imported table as a `Table`, whose columns stay on the disk until somebody asks for them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from carousel.data.kinds import boolean_of
from carousel.data.stamps import Stamps
from carousel.data.store.folder import LONG, Store, StoredColumn
from carousel.data.store.texts import LongTexts, MappedTexts, WordTexts
from carousel.data.table import Column, Table
from carousel.errors import DataError
from carousel.terminal import notice

if TYPE_CHECKING:
    import polars as pl


_COPIES = 5
"""Bytes of memory for each of a table that is read whole, as measured: cells, values, parts."""


LOOKED_AT = 2_000_000
"""Rows that guesses and the audit look at."""


class MappedColumn(Column):
    """A column of an imported table. Numbers are a view of the file; other cells are made of it
    when they are asked for."""

    def __init__(self, store: Store, stored: StoredColumn) -> None:
        kind = "whole" if stored.kind == "number" and stored.whole else stored.kind
        kind = "text" if kind == LONG else kind
        known: dict[str, Any] = {
            "name": stored.name,
            "kind": kind,
            "missing": stored.missing,
            "odd": stored.odd,
            "example": stored.example,
            "note": stored.note,
            "style": stored.style,
            "_store": store,
            "_stored": stored,
        }
        self.__dict__.update(known)

    @property
    def array(self) -> NDArray[Any]:
        """The column as it lies on the disk (N,)."""
        found: NDArray[Any] = self.__dict__["_store"].array(self.__dict__["_stored"])
        return found

    @property
    def is_long(self) -> bool:
        """True for long texts, which have no levels."""
        return bool(self.__dict__["_stored"].content)

    @property
    def on_disk(self) -> MappedTexts:
        """The cells of a column of words or texts (`texts`), each read when it is asked for."""
        if self.is_long:
            stored = self.__dict__["_stored"]
            return LongTexts(self.__dict__["_store"].letters(stored), self.array)
        return WordTexts([*self.levels, ""], self.array)

    @cached_property
    def levels(self) -> list[str]:
        """The words of a column of words by their numbers."""
        found: list[str] = self.__dict__["_store"].words(self.__dict__["_stored"])
        return found

    @cached_property
    def values(self) -> pl.Series:
        """The cells, in memory."""
        import polars as pl

        if self.kind in ("whole", "number"):
            found = pl.Series(self.name, np.asarray(self.array)).fill_nan(None)
            return found.cast(pl.Int64) if self.kind == "whole" else found
        if self.kind == "boolean":
            read = boolean_of(self.raw, {word.strip().lower() for word in self.levels})
            assert read is not None
            return read.values
        return self.raw

    @cached_property
    def raw(self) -> pl.Series:
        """The cells as they are written, in memory; numbers and times as they are kept."""
        import polars as pl

        if self.kind in ("whole", "number"):
            return self.values
        if self.kind == "empty":
            return pl.Series(self.name, [None] * self.__dict__["_store"].rows, dtype=pl.String)
        if self.kind == "time":
            assert self.stamps is not None
            texts = np.datetime_as_string(self.stamps).tolist()
            return pl.Series(self.name, [None if text == "NaT" else text for text in texts])
        if self.is_long:
            return pl.Series(self.name, [text or None for text in self.on_disk], dtype=pl.String)
        words = pl.Series(self.name, [*self.levels, None], dtype=pl.String)
        codes = np.asarray(self.array)
        return words.gather(np.where(codes < 0, len(self.levels), codes).astype(np.uint32))

    @cached_property
    def stamps(self) -> Stamps | None:
        """Times (N,), NaT where there is none."""
        if self.kind != "time":
            return None
        wide: Stamps = np.asarray(self.array).view("datetime64[us]")
        return wide.astype(f"datetime64[{self.__dict__['_stored'].unit}]")

    def numbers(self) -> NDArray[np.float64]:
        """The numbers (N,), NaN where there is none: a view of the file."""
        if self.kind in ("whole", "number"):
            return self.array
        return super().numbers()

    def texts(self) -> list[str]:
        """The cells as texts, "" where there is none; each word is one object, however often it
        stands."""
        if self.kind not in ("text", "boolean"):
            return super().texts()
        if self.is_long:
            return list(self.on_disk)
        words = np.array([*self.levels, ""], object)
        found: list[str] = words[np.asarray(self.array)].tolist()
        return found

    def some(self, rows: NDArray[np.int64]) -> Column:
        """The cells of these rows, in memory."""
        if self.is_long:
            import polars as pl

            texts, every = [text or None for text in self.on_disk.some(rows)], self.__dict__
            cells = pl.Series(self.name, texts, dtype=pl.String)
            return Column(self.name, "text", cells, cells, self.missing, note=every["note"])
        stamps = None if self.stamps is None else self.stamps[rows]
        return Column(
            self.name, self.kind, self.values[rows], self.raw[rows], self.missing, self.odd,
            self.example, self.note, stamps, self.style,
        )  # fmt: skip


class MappedTable(Table):
    """An imported table: what its columns are is known, and their cells are read when asked for."""

    store: Store

    def __init__(self, store: Store) -> None:
        columns = tuple(MappedColumn(store, one) for one in store.columns)
        super().__init__(str(store.path), columns, store.notes)
        self.__dict__["store"] = store

    @property
    def folder(self) -> Path:
        """Folder of the table, with room for what is made of it."""
        return self.store.path

    def __len__(self) -> int:
        return self.store.rows


def refuse_large(table: Table, what: str, others: Sequence[str]) -> None:
    """Raise `DataError` unless the memory of this machine holds an imported table, with what is
    made of it. what: needs it there; others: tasks that do not."""
    if not isinstance(table, MappedTable):
        return
    needs, has = _COPIES * table.store.bytes, memory()
    if needs > has:
        raise DataError(
            f"{table.source} has {table.store.bytes / 1e9:.1f} GB, and {what} reads it into "
            f"memory, about {needs / 1e9:.1f} GB of the {has / 1e9:.1f} GB there are; from the "
            f"disk it is read by {', '.join(others)}: import fewer rows or columns"
        )


def beginning(table: Table) -> Table:
    """The first rows of an imported table that is large, which it is looked at by; said. Others are
    returned as they are."""
    if not isinstance(table, MappedTable) or len(table) <= LOOKED_AT:
        return table
    rows = f"{table.source} has {len(table):,} rows"
    notice(f"{rows}: what its columns are is judged by the first {LOOKED_AT:,}")
    return MappedTable(replace(table.store, rows=LOOKED_AT))


def memory() -> int:
    """Bytes of memory that this process may have: of the machine, or of its control group."""
    found = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    try:
        limit = Path("/sys/fs/cgroup/memory.max").read_text().strip()
    except OSError:
        return found
    return min(found, int(limit)) if limit.isdigit() else found


def open_table(path: Path) -> MappedTable:
    """The table in a folder. Raises `DataError`."""
    return MappedTable(Store.open(path))
