"""Tables in files, block by block: each block is a table of its own, and memory that of a block."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from carousel.data.files.pieces import blocks, decoded
from carousel.data.files.text import suffix_of
from carousel.data.kinds import Read, number
from carousel.data.kinds import kind_of as kind_of_cells
from carousel.data.table import Column, Table, read_table, typed
from carousel.data.table_text import COUNTED, lines_frame, text_frame
from carousel.errors import DataError

if TYPE_CHECKING:
    import polars as pl

SIZE = 8 << 20
_ROWS = 250_000
_TEXTS = (".csv", ".tsv", ".txt")
_LINES = (".ndjson", ".jsonl")
_SCANS = {".parquet": "scan_parquet", ".pq": "scan_parquet"} | dict.fromkeys(
    (".arrow", ".ipc", ".feather"), "scan_ipc"
)
_COMMA, _BREAK, _ZERO, _NINE = ord(","), ord("\n"), ord("0"), ord("9")


@dataclass(frozen=True)
class Block:
    """Some rows, and the share of the file that has been read with them."""

    table: Table
    done: float


@dataclass(frozen=True)
class Known:
    """Knowledge of the columns of a table while it is read.

    quick: tells which are plain numbers, so that their cells need no other look. orders: tells
    what dates begin with, "day" or "month", by column. commas: numbers have decimal commas.
    """

    quick: Callable[[], set[str]]
    orders: Callable[[], dict[str, str]]
    commas: bool


def grows(path: Path) -> bool:
    """True for a kind of file to which rows can be appended: text that is not gzipped."""
    return path.suffix.lower() in (*_TEXTS, *_LINES)


def tables(path: Path, known: Known, start: int = 0) -> Iterator[Block]:
    """The rows of a file in blocks, from byte `start` on. Raises `DataError`."""
    suffix = suffix_of(path)
    if suffix in _TEXTS:
        yield from _Cells(path, known).blocks(start)
    elif suffix in _LINES:
        line = 1
        for content, done in blocks(path, "line", SIZE, start):
            text = decoded(content, str(path), line)
            frame = lines_frame(text, str(path))
            yield Block(typed(frame, (), str(path), 1, known.orders()), done)
            line += text.count("\n")
    elif suffix in _SCANS and path.suffix.lower() != ".gz":
        yield from _scanned(path, suffix, known)
    else:
        yield Block(read_table(path, fewest=1), 1.0)


def _scanned(path: Path, suffix: str, known: Known) -> Iterator[Block]:
    import polars as pl

    try:
        frame = getattr(pl, _SCANS[suffix])(path)
        whole, seen = frame.select(pl.len()).collect().item(), 0
        for some in frame.collect_batches(chunk_size=_ROWS, maintain_order=True):
            if some.height:
                seen += some.height
                yield Block(typed(some, (), str(path), 1, known.orders()), seen / whole)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise DataError(f"{path} cannot be read: {str(error).splitlines()[0]}") from None


class _Cells:
    """Blocks of text with separators between its cells."""

    def __init__(self, path: Path, known: Known) -> None:
        self._path, self._known = path, known
        self._header, self._line = "", 1
        self._names: list[str] = []

    def blocks(self, start: int) -> Iterator[Block]:
        if start:
            first = next(blocks(self._path, "row", 1 << 16))[0]
            self._take_header(decoded(first, str(self._path), 1))
        for content, done in blocks(self._path, "row", SIZE, start):
            if not content.strip():
                continue
            table = self._at_once(content) or self._looked_at(content)
            self._line += content.count(b"\n")
            if table is not None:
                yield Block(table, done)

    def _take_header(self, text: str) -> None:
        lead = len(text) - len(text.lstrip("\n"))
        self._header = text[lead:].partition("\n")[0] + "\n"
        self._names = [name.strip() for name in next(csv.reader([self._header.strip("\n")]))]

    def _looked_at(self, content: bytes) -> Table | None:
        """Rows read with a look at everything that people write in tables."""
        source, first = str(self._path), 1
        text = decoded(content, source, self._line)
        if self._header:
            first, text = self._line - 1, self._header + text
        else:
            self._take_header(text)
            if not text.lstrip("\n").partition("\n")[2].strip():
                return None
        frame, notes = text_frame(text, source, line=first)
        table = typed(frame, notes, str(self._path), 1, self._known.orders())
        return self._with_commas(table) if self._known.commas else table

    def _with_commas(self, table: Table) -> Table:
        from dataclasses import replace

        return replace(
            table,
            columns=tuple(
                _column(c.name, c.raw, kind_of_cells(c.raw, commas=True))
                if c.kind in ("whole", "number")
                else c
                for c in table.columns
            ),
        )

    def _at_once(self, content: bytes) -> Table | None:
        """Rows of plain numbers and words, parsed at once; None if anything in them needs a look:
        quotation marks, rows of other lengths, blank rows, cells of another kind, codes (007)."""
        import polars as pl

        quick, orders = self._known.quick(), self._known.orders()
        width = len(self._names)
        if not quick or width < 2 or b'"' in content or b"\r" in content or self._known.commas:
            return None
        lines = content.count(b"\n") + (not content.endswith(b"\n"))
        if content.count(b",") != lines * (width - 1) or _has_codes(content):
            return None
        kinds = {n: pl.Float64 if n in quick else pl.String for n in self._names}
        try:
            frame = pl.read_csv(
                io.BytesIO(content),
                has_header=False,
                schema=kinds,
                quote_char=None,
                empty_string_is_null=False,
            )
        except pl.exceptions.PolarsError:
            return None  # the look at every cell says what is wrong
        if frame.height != lines:
            return None
        columns = []
        for series in frame.iter_columns():
            if series.name in quick:
                if not series.is_finite().fill_null(True).all():
                    return None
                absent = series.is_null()
                read = number(series, absent, pl.Series([False]), series)
            else:
                read = kind_of_cells(series, order=orders.get(series.name, ""))
            columns.append(_column(series.name, series, read))
        return Table(str(self._path), tuple(columns))


def _column(name: str, raw: pl.Series, read: Read) -> Column:
    return Column(
        name, read.kind, read.values, raw, read.missing, read.odd, read.example, read.note,
        read.stamps, read.style,
    )  # fmt: skip


def _has_codes(content: bytes) -> bool:
    """True if a cell begins with a zero and another digit: 007 is a name, and no number."""
    letters = np.frombuffer(b"\n" + content, np.uint8)
    if len(letters) < 3:
        return False
    before, after = letters[:-2], letters[2:]
    first = (before == _COMMA) | (before == _BREAK)
    first &= letters[1:-1] == _ZERO
    places = after[np.flatnonzero(first)]
    return bool(((places >= _ZERO) & (places <= _NINE)).any())


def together(notes: list[str]) -> tuple[str, ...]:
    """Notes on blocks as those of one table, each once; what they count is counted together."""
    from carousel.data.counting import counted

    found: dict[str, int] = {}
    for note in notes:
        count = note.partition(" ")[0].replace(",", "")
        known = int(count) if count.isdecimal() else 0
        words = next((some for some in COUNTED if note == counted(known, some)), note)
        found[words] = found.get(words, 0) + known
    return tuple(counted(n, words) if words in COUNTED else words for words, n in found.items())
