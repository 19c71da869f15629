"""A text file in pieces that are texts of their own, so that it never stands in memory whole."""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal

import numpy as np

from carousel.data.files.file_kind import require_file
from carousel.data.files.text import decode
from carousel.errors import DataError

Ends = Literal["line", "row", "block"]
"""Where a piece may end: at a line break, at one outside of quotation marks, at a blank line."""

SIZE = 4 << 20  # bytes
_LONGEST = 4  # pieces without a place to end
_CELL = 16 << 20  # bytes that a quoted cell may have, or more where pieces are larger
_MARK, _BEFORE = ord('"'), [*b',;\t|\n"']
_QUOTED = re.compile(rb'(?:(?<=[,;\t|\n])|\A)"[^"]*+(?:""[^"]*+)*+("?)')


@dataclass(frozen=True)
class Piece:
    """A piece of a text. line: the number of its first line in the file; done: the share of the
    file that has been read with it."""

    text: str
    line: int
    done: float


def pieces(path: Path, ends: Ends = "line", size: int | None = None) -> Iterator[Piece]:
    """The pieces of a UTF-8 file, also gzipped, of about so many bytes; none is blank.

    Raises `DataError` as `read_text`, with the place of what is wrong counted in the piece.
    """
    line = 1
    for content, done in blocks(path, ends, size or SIZE):
        text = decoded(content, str(path), line)
        yield Piece(text, line, done)
        line += text.count("\n")


def blocks(path: Path, ends: Ends, size: int, start: int = 0) -> Iterator[tuple[bytes, float]]:
    """The content of a file, also gzipped, in blocks of about so many bytes that end where pieces
    may, and the share of the file that has been read with each.

    start: of a file that is not gzipped, the place of the first byte that is read. Raises
    `DataError` for a file that cannot be read.
    """
    require_file(path)
    whole = max(1, path.stat().st_size)
    try:
        with path.open("rb") as raw, _unpacked(raw, start) as file:
            line = 1
            for content in _cut(file, ends, size):
                yield content, min(1.0, raw.tell() / whole)
                line += content.count(b"\n")
    except _OpenError as error:
        raise DataError(
            f"{path} line {line + error.lines} cannot be read as CSV: a quotation mark opens a "
            f"cell that is not closed within {error.size >> 20} MB; close it, or write a mark that "
            'belongs to the text as "" in a quoted cell'
        ) from None
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path} cannot be read: {error}") from None


def _unpacked(raw: IO[bytes], start: int) -> IO[bytes]:
    packed = raw.read(2) == b"\x1f\x8b"
    raw.seek(0 if packed else start)
    return gzip.open(raw) if packed else raw  # type: ignore[return-value]


class _OpenError(Exception):
    """A quoted cell does not end within `size` bytes; it begins behind so many lines."""

    def __init__(self, lines: int, size: int) -> None:
        super().__init__()
        self.lines, self.size = lines, size


def _cut(file: IO[bytes], ends: Ends, size: int) -> Iterator[bytes]:
    kept = b""
    while more := file.read(size):
        kept += more
        end = _end(kept, ends)
        if not end and ends == "block" and len(kept) >= _LONGEST * size:
            end = _end(kept, "line")
        if end and kept[:end].strip():
            yield kept[:end]
            kept = kept[end:]
        elif not end and ends == "row" and len(kept) >= max(_LONGEST * size, _CELL):
            opened = [cell.start() for cell in _QUOTED.finditer(kept) if not cell[1]]
            if opened:
                raise _OpenError(kept.count(b"\n", 0, opened[0]), len(kept))
    if kept:
        yield kept


def _end(content: bytes, ends: Ends) -> int:
    """The length of the longest beginning that may be a piece; 0 if there is none."""
    if ends == "block":
        return max(content.rfind(mark) + len(mark) for mark in (b"\n\n", b"\n\r\n")) * (
            b"\n\n" in content or b"\n\r\n" in content
        )
    return content.rfind(b"\n") + 1 if ends == "line" else _row_end(content)


def _row_end(content: bytes) -> int:
    """The length of the longest beginning that ends with a row; 0 if there is none. A quotation
    mark encloses only where it begins a cell: within one it is a letter."""
    end = content.rfind(b"\n")
    letters = np.frombuffer(content, np.uint8)
    marks = np.flatnonzero(letters == _MARK)
    opening = marks[::2][marks[::2] > 0]
    begins = np.isin(letters[opening - 1], _BEFORE)  # or goes on: two in a cell are one
    if begins.all() and np.searchsorted(marks, end) % 2 == 0:
        return end + 1
    end = len(content)
    for cell in reversed([*_QUOTED.finditer(content)]):
        found = content.rfind(b"\n", cell.end(), end)
        if found >= 0:
            return found + 1
        end = cell.start()
    return content.rfind(b"\n", 0, end) + 1


def decoded(content: bytes, source: str, line: int) -> str:
    """The text of a block of a UTF-8 file that begins in that line. Raises `DataError`."""
    if line == 1:
        return decode(content, source)
    if not content.strip():
        return content.decode("ascii").replace("\r\n", "\n")  # the blank end of a file
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        return decode(content, f"{source}, from line {line} on,")
    return text.replace("\r\n", "\n").replace("\r", "\n").removeprefix("\ufeff")
