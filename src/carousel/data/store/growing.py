"""Columns of a table that is being imported: cells are added block by block, and counted once."""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from carousel.data.kinds import boolean_of
from carousel.data.store.folder import DTYPES, LONG, Store, StoredColumn, itemsize
from carousel.data.table import Column
from carousel.errors import DataError
from carousel.run.durable import write_durably

MOST_LETTERS = 16 << 20
"""Letters of the different texts of a column that is kept by numbers of its texts; one with more
is kept as long texts, end to end."""
_UNITS = ("Y", "M", "W", "D", "h", "m", "s", "ms", "us")
_BLOCK = 1 << 20
_ABSENT = {"number": np.nan, "time": np.iinfo(np.int64).min, "text": -1, "boolean": -1}


class OtherKindError(Exception):
    """A column has cells that its kind cannot hold: it has to be read from the beginning, as texts
    (column), as long ones (long), as dates of an order (column and order), or with decimal commas
    (no column)."""

    def __init__(self, column: str, why: str, order: str = "", *, long: bool = False) -> None:
        super().__init__(why)
        self.column, self.order, self.long = column, order, long


class Growing:
    """A column that grows at its end. rows: how many it has; stored: what is known of it."""

    def __init__(self, folder: Path, stored: StoredColumn, rows: int, store: Store | None) -> None:
        self.folder, self.rows, self.name = folder, rows, stored.name
        self._facts: dict[str, Any] = vars(stored).copy()
        self._notes = [stored.note] if stored.note else []
        # Of texts, whether all of them are dates whose order cannot be told; None of no text.
        is_text = stored.kind == "text" or (stored.kind == LONG and rows > 0)
        self._is_unsure = stored.style == "unsure" if is_text else None
        self._m2 = stored.count * (stored.deviation or 0.0) ** 2
        self._state = hashlib.blake2b(digest_size=16)
        self._levels: dict[str, int] = {}
        self._letters = 0
        if store is not None and stored.levels:
            self._levels = {word: number for number, word in enumerate(store.words(stored))}
            self._letters = sum(map(len, self._levels))
        # One that an older version kept by numbers stays so until it is twice as large.
        self._most_letters = max(MOST_LETTERS, 2 * self._letters)
        self._file = _opened(folder / stored.file, rows * itemsize(stored.kind))
        self._content: BinaryIO | None = None
        self._content_state = hashlib.blake2b(digest_size=16)
        if stored.kind == LONG:
            self._facts["content"] = stored.content or f"{Path(stored.file).stem}-texts.bin"
            self._content = _opened(folder / self._facts["content"], stored.size)

    @property
    def kind(self) -> str:
        """Kind of the column so far; "" before anything is known."""
        return str(self._facts["kind"])

    @property
    def order(self) -> str:
        """ "day" or "month", which its dates begin with; "" of others."""
        return str(self._facts["style"]) if self.kind == "time" else ""

    @property
    def is_quick(self) -> bool:
        """True for numbers that can be read without a look at each cell's letters."""
        return self.kind == "number" and not self._facts["style"]

    def add(self, column: Column) -> None:
        """Add the cells of a block. Raises `OtherKindError`."""
        kind = self._kind_with(column)
        count = len(column.values)
        if kind != self.kind:
            self._become(kind)
        if kind == "number":
            self._write(self._numbers(column))
        elif kind == "time":
            self._write(self._times(column))
        elif kind in ("text", "boolean"):
            self._write(self._words(column))
        elif kind == LONG:
            self._write(self._long(column))
        self.rows += count
        self._account(column, kind, count)

    def add_nothing(self, count: int) -> None:
        """Add rows without a cell."""
        if self.kind in DTYPES:
            self._fill(count)
        self.rows += count
        self._facts["missing"] += count

    def _kind_with(self, column: Column) -> str:
        kind = "number" if column.kind == "whole" else column.kind
        if kind == "nested":
            raise DataError(
                f"the column '{self.name}' holds lists, which an imported table cannot: leave it "
                f"out of the import"
            )
        mine = self.kind
        is_text = mine in ("text", LONG)
        if is_text and self._is_unsure and kind == "time" and column.style:
            raise OtherKindError(
                self.name,
                f"'{self.name}' has dates of which {self.rows:,} rows do not tell what they begin "
                f"with, and then come such that begin with the {column.style}",
                column.style,
            )
        if is_text or kind == mine or (kind == "empty" and mine not in ("", "empty")):
            return mine
        if mine in ("", "empty"):
            if kind == "text" and mine == "empty" and self._facts["example"]:
                raise OtherKindError(self.name, f"'{self.name}' holds words for what is missing")
            return kind
        if mine == "boolean" and kind == "text":
            words = {word.lower() for word in self._levels}
            if boolean_of(column.raw.cast(str), words) is not None:
                return mine
        cell = next((text for text in column.texts() if text), "")
        raise OtherKindError(
            self.name,
            f"'{self.name}' was read as {_WORDS[mine]} for {self.rows:,} rows, and then come "
            f"{_WORDS[kind]} ('{cell[:30]}')",
        )

    def _become(self, kind: str) -> None:
        """Give a kind to what was empty so far."""
        self._facts.update(kind=kind, example="")
        if kind in DTYPES and self.rows:
            self._fill(self.rows)
        if kind == "number":
            self._facts["whole"] = True

    def _fill(self, count: int) -> None:
        value = self._facts["size"] if self.kind == LONG else _ABSENT[self.kind]
        absent = np.array(value, DTYPES[self.kind])
        for start in range(0, count, _BLOCK):
            self._write(np.full(min(_BLOCK, count - start), absent))

    def _write(self, data: NDArray[Any]) -> None:
        kept = np.ascontiguousarray(data, DTYPES[self.kind])
        self._state.update(kept.data)
        self._file.write(kept.data)

    def _numbers(self, column: Column) -> NDArray[np.float64]:
        numbers = column.numbers()
        known = numbers[~np.isnan(numbers)] if column.missing or column.odd else numbers
        self._facts["whole"] &= column.kind in ("whole", "empty")
        if len(known):
            self._measure(len(known), float(known.mean()), float(known.var()) * len(known))
            self._reach(float(known.min()), float(known.max()))
        return numbers

    def _measure(self, count: int, mean: float, m2: float) -> None:
        """Mean and squares of what there was and what comes (Chan, Golub and LeVeque 1983)."""
        before, old = self._facts["count"], self._facts["mean"] or 0.0
        whole = before + count
        self._m2 += m2 + (mean - old) ** 2 * before * count / whole
        self._facts.update(
            count=whole,
            mean=old + (mean - old) * count / whole,
            deviation=math.sqrt(self._m2 / whole),
        )

    def _reach(self, low: float, high: float) -> None:
        facts = self._facts
        facts["low"] = low if facts["low"] is None else min(low, facts["low"])
        facts["high"] = high if facts["high"] is None else max(high, facts["high"])

    def _times(self, column: Column) -> NDArray[np.int64]:
        if column.stamps is None:
            return np.full(len(column.values), _ABSENT["time"])
        unit = np.datetime_data(column.stamps.dtype)[0]
        if unit not in _UNITS:
            raise DataError(
                f"the column '{self.name}' has times in nanoseconds, and an imported table keeps "
                f"microseconds: round them"
            )
        self._facts["unit"] = max(self._facts["unit"] or "Y", unit, key=_UNITS.index)
        return column.stamps.astype("datetime64[us]").astype(np.int64)

    def _words(self, column: Column) -> NDArray[np.int32]:
        import polars as pl

        cells = column.cells()
        found = cells.unique(maintain_order=True)
        words = found.to_list()
        levels = self._levels
        for word in words:
            if word and word not in levels:
                levels[word] = len(levels)
                self._letters += len(word)
        if self._letters > self._most_letters and self.kind == "text":
            raise OtherKindError(
                self.name,
                f"'{self.name}' has {len(levels):,} different texts, of {self._letters:,} letters",
                long=True,
            )
        numbers = [levels.get(word, -1) for word in words]
        codes: NDArray[np.int32] = cells.replace_strict(
            found, numbers, return_dtype=pl.Int32
        ).to_numpy()
        return codes

    def _long(self, column: Column) -> NDArray[np.int64]:
        """Write the texts of a block end to end; returns where each ends."""
        assert self._content is not None
        cells = column.cells()
        kept = "".join(cells.to_list()).encode()
        self._content_state.update(kept)
        self._content.write(kept)
        ends: NDArray[np.int64] = cells.str.len_bytes().to_numpy().astype(np.int64).cumsum()
        ends += self._facts["size"]
        self._facts["size"] += len(kept)
        return ends

    def _account(self, column: Column, kind: str, count: int) -> None:
        facts = self._facts
        if kind in ("text", LONG):
            facts["missing"] += int((column.cells() == "").sum())
            if column.kind != "empty":
                self._is_unsure = self._is_unsure is not False and column.style == "unsure"
            facts["style"] = "unsure" if self._is_unsure else ""
            self._notes = [*self._notes, column.note][:1] if self._is_unsure else []
            return
        facts["missing"] += column.missing
        facts["odd"] += column.odd
        facts["example"] = facts["example"] or column.example
        if kind == "empty" and not facts["example"]:
            facts["example"] = next((text for text in column.texts() if text), "")
        facts["style"] = facts["style"] or column.style
        if column.note and _plain(column.note) not in map(_plain, self._notes):
            self._notes.append(column.note)

    def finish(self) -> tuple[StoredColumn, dict[str, str]]:
        """Everything is on the disk: the column, and a digest of what was added to each file."""
        facts = {**self._facts, "note": "; ".join(self._notes)}
        digests = {facts["file"]: self._state.hexdigest()}
        for file in filter(None, (self._content, self._file)):
            file.flush()
            os.fsync(file.fileno())
            file.close()
        if self._content is not None:
            digests[facts["content"]] = self._content_state.hexdigest()
        if self.kind in ("text", "boolean"):
            facts["levels"] = f"{Path(facts['file']).stem}-{self.rows}.json"
            facts["distinct"] = len(self._levels)
            words = json.dumps([*self._levels], ensure_ascii=False).encode()
            write_durably(self.folder / facts["levels"], words)
        return StoredColumn(**facts), digests

    def close(self) -> None:
        """Give up: what was written behind the end counts for nothing."""
        for file in filter(None, (self._content, self._file)):
            with suppress(OSError):  # a full disk has no room for what is still to be written
                file.close()


def _opened(path: Path, size: int) -> BinaryIO:
    """A file that grows behind so many bytes: what an import that was interrupted wrote there
    goes."""
    if path.is_file():
        os.truncate(path, size)
    return path.open("ab")


def _plain(note: str) -> str:
    """Words of a note without the example that it shows."""
    return re.sub(r" \(.*?\)|like \S+( \S*\d\S*)*", "", note)


_WORDS = {
    "number": "numbers",
    "time": "times",
    "text": "texts",
    "boolean": "yes and no",
    "empty": "empty cells",
}
