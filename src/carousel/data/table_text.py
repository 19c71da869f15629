"""Tables in text: rows with separators between their cells, or a JSON object on each line."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

from carousel.data.counting import counted
from carousel.data.files.csv_files import is_headless, refuse_headless, split_rows
from carousel.data.stamps import is_stamp
from carousel.errors import DataError

if TYPE_CHECKING:
    import polars as pl

_SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
_LOOKED_AT = 200
COUNTED = (
    "blank rows are passed over",
    "cells have quotation marks within, read as letters",
)
"""Words of what is counted in a text."""
_BLOCK = 1 << 24
_BREAK, _BLANK = ord("\n"), ord(" ")


def text_frame(
    text: str, source: str, keep_blank: bool = False, line: int = 1
) -> tuple[pl.DataFrame, tuple[str, ...]]:
    """All cells of a text as texts, and what was recognised. keep_blank: blank rows below the
    header are rows of empty cells. line: the number of the first one, for errors. Raises
    `DataError`."""
    import polars as pl

    if text.lstrip()[:1] in ("{", "[") and _is_json(text):
        raise DataError(f"{source} is JSON, not cells with separators: give it the suffix .ndjson")
    separator, quoted, notes = _layout(text)
    blank = 0
    if quoted:
        header = next(split_rows(text, source, separator, line))[1]
        width = len(header)
        counts, stray = _look_at_rows(text, source, separator, line)
        if stray and counts is None:
            text = _written_anew(text, source, separator, width)
            notes.append(counted(stray, COUNTED[1]))
        content = text.encode()
    else:
        header = next(line for line in _lines(text) if line.strip()).strip("\n").split(separator)
        width, content = len(header), text.encode()
        blank, counts = _look_at_lines(content, separator, width, line)
        if keep_blank:
            content = text.lstrip("\n ").encode()
        elif blank:
            content = "\n".join(line for line in text.split("\n") if line.strip()).encode()
    del text  # there may be hundreds of megabytes of it
    if counts is not None:
        at, found = counts
        raise DataError(
            f"{source} line {at} has {found} cells, the header {width} "
            f"({', '.join(header[:6])}): every row must have as many; put a text that holds "
            f"{_SEPARATORS[separator]} in quotation marks"
        )
    if is_headless(header) or (width > 1 and is_stamp(header[0])):
        refuse_headless(header, source)
    _refuse_double(header, source)
    try:
        frame = pl.read_csv(
            io.BytesIO(content),
            separator=separator,
            infer_schema=False,
            quote_char='"' if quoted else None,
            empty_string_is_null=False,
        )
    except pl.exceptions.NoDataError:
        raise DataError(f"{source} is empty") from None
    except pl.exceptions.PolarsError as error:
        raise DataError(f"{source} cannot be read: {str(error).splitlines()[0]}") from None
    if keep_blank:
        return frame.with_columns(pl.all().fill_null("")), tuple(notes)
    # A row without any cell: polars makes one of a blank line.
    full = frame.select(pl.any_horizontal(pl.all() != "")).to_series()
    if not full.all():
        blank = max(blank, int((~full).sum()))
        frame = frame.filter(full)
    if blank:
        notes.append(counted(blank, COUNTED[0]))
    return frame, tuple(notes)


def _is_json(text: str) -> bool:
    """True if a text, or its first line, is JSON."""
    start = text.lstrip()
    for some in (start.partition("\n")[0], start):
        try:
            return isinstance(json.loads(some), dict | list)
        except ValueError:
            continue
    return False


def _layout(text: str) -> tuple[str, bool, list[str]]:
    """The separator, whether quotation marks enclose cells, and what is to be said of both."""
    separator = _separator(text)
    notes = [] if separator == "," else [f"cells are separated by {_SEPARATORS[separator]}"]
    quoted = '"' in text
    if quoted and separator == "\t" and _is_plain(text):
        quoted = False
        notes.append("quotation marks are read as letters: every line is a row without them")
    return separator, quoted, notes


def _is_plain(text: str) -> bool:
    """True if lines have as many tabs as the first, and no cell is wholly in quotation marks."""
    lines = [line for line in text.split("\n") if line.strip()]
    tabs = lines[0].count("\t")
    if any(line.count("\t") != tabs for line in lines):
        return False
    cells = (cell for line in lines[:_LOOKED_AT] for cell in line.split("\t"))
    return not any(len(c) > 1 and c[0] == c[-1] == '"' and c.count('"') % 2 == 0 for c in cells)


def _separator(text: str) -> str:
    """Find what cuts the first rows into as many cells, at least two; of several, what the
    header has most of.

    >>> _separator("a;b\\n1,5;2\\n"), _separator("a,b\\n1;5,2\\n")
    (';', ',')
    """
    start = text.lstrip("\n")
    lines = list(islice(_lines(start), _LOOKED_AT))
    if len(lines) == _LOOKED_AT:
        lines = lines[:-1]
    found: dict[str, int] = {}
    for separator in _SEPARATORS:
        rows = [row for row in csv.reader(lines, delimiter=separator) if any(map(str.strip, row))]
        widths = {len(row) for row in rows}
        if len(widths) == 1 and widths != {1}:
            found[separator] = widths.pop()
    if found:
        in_header = {s: lines[0].count(s) for s in found}
        return max(found, key=lambda s: (in_header[s] > 0, found[s]))
    return max(_SEPARATORS, key=lines[0].count) if lines else ","


def _lines(text: str) -> Iterator[str]:
    start = 0
    while start < len(text):
        end = text.find("\n", start) + 1 or len(text)
        yield text[start:end]
        start = end


def _look_at_lines(
    content: bytes, separator: str, width: int, first: int
) -> tuple[int, tuple[int, int] | None]:
    """Count of blank lines; the first with another number of cells, and that number. first: the
    number of the first line.

    In blocks, as there may be millions: bytes are counted, and lines that are odd are looked at.
    """
    blank, line = 0, first - 1
    for block in _blocks(content):
        letters = np.frombuffer(block, np.uint8)
        breaks = letters == _BREAK
        places = np.flatnonzero(breaks | (letters == ord(separator)))
        last = np.flatnonzero(breaks[places])  # of the separators and breaks, the breaks
        ends = places[last]
        if not block.endswith(b"\n"):
            last, ends = np.append(last, len(places)), np.append(ends, len(block))
        cells, starts = np.diff(last, prepend=-1), np.concatenate(([0], ends[:-1] + 1))
        odd = cells != width
        if separator == "\t" or width == 1:  # a blank line may be as wide as any
            odd |= ~np.logical_or.reduceat(letters > _BLANK, starts) | (width == 1)
        for one in np.flatnonzero(odd).tolist():
            if not block[starts[one] : ends[one]].decode().strip():
                blank += 1
            elif cells[one] != width:
                return blank, (line + one + 1, int(cells[one]))
        line += len(starts)
    return blank, None


def _blocks(content: bytes) -> Iterator[bytes]:
    """Pieces of a text that end where a line does."""
    start = 0
    while start < len(content):
        end = content.find(b"\n", min(start + _BLOCK, len(content) - 1)) + 1 or len(content)
        yield content[start:end]
        start = end


def _look_at_rows(
    text: str, source: str, separator: str, first: int
) -> tuple[tuple[int, int] | None, int]:
    """The first row with another number of cells than the header, and that number; and how many
    cells have a quotation mark without standing in such marks."""
    width = stray = 0
    lines = _Lines(text)
    for line, row in split_rows(lines, source, separator, first):
        raw = lines.since()
        width = width or len(row)
        if len(row) != width and (any(row) or len(row) > width):
            return (line, len(row)), stray
        if '"' in "".join(row):
            quoted = ('"' + cell.replace('"', '""') + '"' for cell in row if '"' in cell)
            stray += sum(cell not in raw for cell in quoted)
    return None, stray


class _Lines:
    """The lines of a text, which remember what was read last."""

    def __init__(self, text: str) -> None:
        self._text, self._seen = text, list[str]()

    def __iter__(self) -> Iterator[str]:
        for line in _lines(self._text):
            self._seen.append(line)
            yield line

    def since(self) -> str:
        """The lines since this was asked last."""
        found = "".join(self._seen)
        self._seen.clear()
        return found


def _written_anew(text: str, source: str, separator: str, width: int) -> str:
    """Rows as they were, with every quotation mark as CSV has it: polars takes one anywhere for the
    beginning of what is quoted."""
    file = io.StringIO()
    writer = csv.writer(file, delimiter=separator, lineterminator="\n")
    for _, row in split_rows(text.lstrip("\n"), source, separator, blank=True):
        writer.writerow(row or [""] * width)
    return file.getvalue()


def _refuse_double(header: list[str], source: str) -> None:
    plain = Counter(name.strip(' "') for name in header)
    for name, count in plain.items():
        if name and count > 1:
            raise DataError(f"{source} has more than one column with the name '{name}'")


def lines_frame(text: str, source: str) -> pl.DataFrame:
    """Rows of JSON: an object on each line, or one list of objects. Raises `DataError`."""
    import polars as pl

    content = io.BytesIO(text.encode())
    try:
        if text.lstrip().startswith("["):
            return pl.read_json(content, infer_schema_length=None)
        return pl.read_ndjson(content, infer_schema_length=None)
    except pl.exceptions.PolarsError as error:
        raise DataError(
            f"{source} must hold a JSON object on each line, or one list of objects: "
            f"{str(error).splitlines()[0]}"
        ) from None
