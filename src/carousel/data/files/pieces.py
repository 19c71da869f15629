"""A text file in pieces that are texts of their own, so that it never stands in memory whole."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal

from carousel.data.files.file_kind import require_file
from carousel.data.files.text import decode
from carousel.errors import DataError

Ends = Literal["line", "row", "block"]
"""Where a piece may end: at a line break, at one outside of quotation marks, at a blank line."""

SIZE = 4 << 20  # bytes
_LONGEST = 4  # pieces without a place to end


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
            for content in _cut(file, ends, size):
                yield content, min(1.0, raw.tell() / whole)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path} cannot be read: {error}") from None


def _unpacked(raw: IO[bytes], start: int) -> IO[bytes]:
    packed = raw.read(2) == b"\x1f\x8b"
    raw.seek(0 if packed else start)
    return gzip.open(raw) if packed else raw  # type: ignore[return-value]


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
    if kept:
        yield kept


def _end(content: bytes, ends: Ends) -> int:
    """The length of the longest beginning that may be a piece; 0 if there is none."""
    if ends == "block":
        return max(content.rfind(mark) + len(mark) for mark in (b"\n\n", b"\n\r\n")) * (
            b"\n\n" in content or b"\n\r\n" in content
        )
    end = content.rfind(b"\n")
    while ends == "row" and end >= 0 and content.count(b'"', 0, end) % 2:
        end = content.rfind(b"\n", 0, content.rfind(b'"', 0, end))
    return end + 1


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
