"""The folder of an imported table: which columns it has, how long they are, where they came from.

`store.json` is written last, and says how many rows count: what an import that was interrupted
left behind it is never read. Columns are plain arrays: numbers of 8 bytes, NaN where one is
missing; times as whole numbers of their unit; words as the numbers of their levels, -1 where there
is none; long texts as UTF-8 end to end, and where each ends.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from carousel.config.own import IMPORTED
from carousel.errors import DataError
from carousel.run.durable import replace_durably

FILE = IMPORTED
FORMAT = 2
"""Format of a table with long texts; others are written as format 1, which older versions read."""
LONG = "long"
DTYPES = {"number": "<f8", "time": "<i8", "text": "<i4", "boolean": "<i4", LONG: "<i8"}
"""How a column of each kind is kept; of an empty one there is nothing to keep."""
_DIGEST = 16
_AT_ONCE = 1 << 22


def is_store(path: str | Path) -> bool:
    """True for the folder of an imported table."""
    return (Path(path) / FILE).is_file()


def origins(path: Path) -> list[Path]:
    """A path, and of an imported table the files that it was made of, without links. Raises
    `DataError` for a damaged table."""
    files = Store.open(path).files if is_store(path) else ()
    return [path.resolve(), *(Path(file.path).resolve() for file in files)]


def overlap(one: Path, other: Path) -> bool:
    """True if one file or folder is the other, or lies in it; an imported table is the files, too,
    that it was made of."""
    return any(
        here == there or here in there.parents or there in here.parents
        for here in origins(one)
        for there in origins(other)
    )


@dataclass(frozen=True)
class StoredColumn:
    """A column of an imported table.

    kind: "number", "time", "text", "boolean", "long" or "empty"; whole: numbers without fractions.
    file, levels: names of its files. content, size: file of long texts, of which `file` has the
    ends, and its bytes. missing, odd, example, note, style: as of `carousel.data.table`.
    unit: of times. low, high, mean, deviation: of numbers, over all rows; distinct: levels.
    """

    name: str
    kind: str
    file: str
    levels: str = ""
    whole: bool = False
    unit: str = ""
    missing: int = 0
    odd: int = 0
    example: str = ""
    note: str = ""
    style: str = ""
    distinct: int = 0
    count: int = 0
    low: float | None = None
    high: float | None = None
    mean: float | None = None
    deviation: float | None = None
    content: str = ""
    size: int = 0


@dataclass(frozen=True)
class StoredFile:
    """A file that was imported: its path, bytes, their digest, and the rows that it has. ends: the
    last byte ends a row, so that what is appended begins another."""

    path: str
    size: int
    digest: str
    rows: int
    ends: bool = True


@dataclass(frozen=True)
class Segment:
    """Rows that one import added, and a digest of them in the file of each column."""

    rows: int
    digests: dict[str, str]


@dataclass(frozen=True)
class Store:
    """An imported table. segments: what each import added; forced: columns that are kept as texts
    because some of their cells are nothing else; commas: numbers have decimal commas."""

    path: Path
    rows: int
    columns: tuple[StoredColumn, ...]
    files: tuple[StoredFile, ...]
    segments: tuple[Segment, ...]
    notes: tuple[str, ...] = ()
    forced: tuple[str, ...] = ()
    commas: bool = False
    ignored: tuple[str, ...] = field(default=())

    @classmethod
    def open(cls, path: str | Path) -> Store:
        """Open the table in a folder. Raises `DataError` if there is none, or files are missing or
        shorter than they should be."""
        path = Path(path)
        try:
            facts = json.loads((path / FILE).read_bytes())
        except (OSError, ValueError) as error:
            raise DataError(f"{path} is no imported table that can be read: {error}") from None
        if facts.get("format") not in range(1, FORMAT + 1):
            raise DataError(
                f"{path} has the format {facts.get('format')} of imported tables, and this version "
                f"reads up to {FORMAT}: import the files again, or upgrade"
            )
        store = cls(
            path,
            facts["rows"],
            tuple(StoredColumn(**column) for column in facts["columns"]),
            tuple(StoredFile(**file) for file in facts["files"]),
            tuple(Segment(**segment) for segment in facts["segments"]),
            tuple(facts["notes"]),
            tuple(facts["forced"]),
            facts["commas"],
            tuple(facts["ignored"]),
        )
        store._refuse_short()
        return store

    def write(self) -> None:
        """Write what counts, on the disk before anybody can read it."""
        long = any(column.content for column in self.columns)
        facts = {**asdict(self), "format": FORMAT if long else 1}
        del facts["path"]
        for column in facts["columns"]:
            if not column["content"]:
                del column["content"], column["size"]
        replace_durably(self.path / FILE, json.dumps(facts, ensure_ascii=False).encode())

    def _refuse_short(self) -> None:
        sizes = [(one.file, self.rows * itemsize(one.kind)) for one in self.columns]
        sizes += [(one.content, one.size) for one in self.columns if one.content]
        for name, wanted in sizes:
            file = self.path / name
            found = file.stat().st_size if file.is_file() else -1
            if wanted and found < wanted:
                state = "is missing" if found < 0 else f"has {found:,} bytes of {wanted:,}"
                raise DataError(f"{file} {state}: the table is damaged, import its files again")

    @cached_property
    def by_name(self) -> Mapping[str, StoredColumn]:
        """The columns by their names."""
        return {column.name: column for column in self.columns}

    @property
    def bytes(self) -> int:
        """Bytes of all columns."""
        each = sum(itemsize(column.kind) for column in self.columns)
        return self.rows * each + sum(column.size for column in self.columns)

    def array(self, column: StoredColumn) -> NDArray[Any]:
        """The column (N,) as it lies on the disk: a map, of which the operating system reads what
        is looked at."""
        if column.kind == "empty":
            return np.full(self.rows, np.nan)
        return np.memmap(self.path / column.file, DTYPES[column.kind], "r", shape=(self.rows,))

    def letters(self, column: StoredColumn) -> NDArray[np.uint8]:
        """The bytes of long texts (n,), end to end, as they lie on the disk: a map."""
        if not column.size:
            return np.empty(0, np.uint8)
        return np.memmap(self.path / column.content, np.uint8, "r", shape=(column.size,))

    def words(self, column: StoredColumn) -> list[str]:
        """The levels of a column of words by their numbers. Raises `DataError`."""
        try:
            found: list[str] = json.loads((self.path / column.levels).read_bytes())
        except (OSError, ValueError) as error:
            raise DataError(f"{self.path / column.levels} cannot be read: {error}") from None
        return found

    def verify(self) -> dict[str, str]:
        """Compare every column with the digests of its imports. Returns a digest by file; raises
        `DataError` for one that was changed."""
        found = {}
        for column in self.columns:
            if column.kind == "empty":
                continue
            whole = self.array(column)
            stops = np.cumsum([segment.rows for segment in self.segments]).tolist()
            found[column.file] = self._verified(column.file, whole, stops)
            if column.content:
                ends = [int(whole[stop - 1]) if stop else 0 for stop in stops]
                found[column.content] = self._verified(column.content, self.letters(column), ends)
            if column.levels:
                words = "\0".join(self.words(column)).encode()
                found[column.levels] = hashlib.blake2b(words, digest_size=_DIGEST).hexdigest()
        return found

    def _verified(self, name: str, content: NDArray[Any], stops: list[int]) -> str:
        """A digest of a file, whose pieces, up to each of some stops, are what was imported."""
        whole, start = hashlib.blake2b(digest_size=_DIGEST), 0
        for segment, stop in zip(self.segments, stops, strict=True):
            state = hashlib.blake2b(digest_size=_DIGEST)
            for place in range(start, stop, _AT_ONCE):
                some = np.ascontiguousarray(content[place : min(stop, place + _AT_ONCE)])
                state.update(some.data)
                whole.update(some.data)
            start = max(start, stop)
            if state.hexdigest() != segment.digests.get(name):
                raise DataError(
                    f"{self.path / name} is not what was imported ({content.itemsize * stop:,} "
                    f"bytes read): the table is damaged, import its files again"
                )
        return whole.hexdigest()


def itemsize(kind: str) -> int:
    """Bytes of a cell of that kind."""
    return np.dtype(DTYPES[kind]).itemsize if kind in DTYPES else 0
