"""Tables of numbers in CSV, as people hand them in: series, and recordings of steps.

What is recognised (semicolons, tabs, decimal commas) is said in `Table.notes`; what cannot be read
is refused with its row and column.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from carousel.data.files.csv_cells import COMMA_NUMBER, Cells, is_number
from carousel.errors import DataError

LARGEST = 1e100
_SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs"}
_LOOKED_AT = 50
_AT_ONCE = 4096  # rows
_BLOCK = 1 << 20  # characters


@dataclass(frozen=True)
class Table:
    """A table: numbers, and the columns that are read as words.

    header: the names of all columns. columns: the numbers of those in `values`. values (N, F),
    float64: NaN where a cell is empty or not finite. words: by number of the column, its cells.
    lines (N,): where each row stands in the file, counted from 1. notes: what was recognised.
    """

    source: str
    header: tuple[str, ...]
    columns: tuple[int, ...]
    values: NDArray[np.float64]
    words: dict[int, list[str]]
    lines: NDArray[np.int64]
    notes: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the columns of numbers, in their order."""
        return tuple(self.header[i] for i in self.columns)


def read_table(
    text: str, source: str, words: Callable[[tuple[str, ...]], Sequence[int]] = lambda header: ()
) -> Table:
    """The table in a text: a header, then rows of as many cells; blank lines are passed over.

    words: of the header, the numbers of the columns that are not numbers. `source` names the file
    in errors. Raises `DataError` for a first row of numbers, rows of another length, the same
    name twice, quotation marks that do not close, words or numbers beyond 1e100 among the numbers.
    """
    separator = find_separator(text)
    header, rest, line = _header_of(text, source, separator)
    chosen = tuple(words(header))
    columns = tuple(i for i in range(len(header)) if i not in chosen)
    if is_headless([header[i] for i in columns]):
        refuse_headless(header, source)
    named = [name for name in header if name]
    for name in named:
        if named.count(name) > 1:
            raise DataError(f"{source} has more than one column with the name '{name}'")
    notes = [] if separator == "," else [f"cells are separated by {_SEPARATORS[separator]}"]
    cells = Cells(source, header, columns, separator, text.count("\n", rest) + 1)
    for first, block in _blocks(text, rest, line):
        if not cells.take(first, block):
            rows = split_rows(block, source, separator, first)
            while some := list(islice(rows, _AT_ONCE)):
                cells.add(some)
    if cells.comma:
        cells.check_commas(split_rows(text, source, separator))
        notes.append(f"commas are read as decimal points ({cells.comma})")
    values, where, found = cells.values(), cells.lines(), cells.words
    _refuse_large(values, where, [header[i] for i in columns], source)
    return Table(source, header, columns, values, found, where, tuple(notes))


def _header_of(text: str, source: str, separator: str) -> tuple[tuple[str, ...], int, int]:
    """The names in the first row that is not blank, the place in the text behind it, and the line
    that stands there."""
    rows = split_rows(text, source, separator)
    first, header = next(rows)
    lines = first + sum(name.count("\n") for name in header)
    place = 0
    for _ in range(lines):
        place = text.find("\n", place) + 1 or len(text)
    return tuple(name.strip() for name in header), place, lines + 1


def _blocks(text: str, start: int, line: int) -> Iterator[tuple[int, str]]:
    """(number of its first line, text) of one piece after another, each of whole rows."""
    if text.find('"', start) >= 0:  # a cell may go on in the next line
        yield line, text[start:]
        return
    while start < len(text):
        end = text.rfind("\n", start, start + _BLOCK) + 1 or text.find("\n", start) + 1 or len(text)
        yield line, text[start:end]
        line, start = line + text.count("\n", start, end), end


def split_rows(
    text: str | Iterable[str],
    source: str,
    separator: str = ",",
    line: int = 1,
    *,
    blank: bool = False,
) -> Iterator[tuple[int, list[str]]]:
    """(line number, cells) of each row that is not blank, read one by one, of a text or its lines.
    line: the number of the text's first line. blank: give blank rows too, without a cell. Raises
    `DataError`."""
    # One call for each line, since io.StringIO would hold four bytes for each letter.
    lines = _lines_of(text) if isinstance(text, str) else text
    reader = csv.reader(lines, delimiter=separator, strict=True)
    first = line
    try:
        for row in reader:
            if row or blank:
                yield first, row
            first = line + reader.line_num
    except csv.Error:
        last = line + reader.line_num - 1
        what = (
            f"is not closed properly up to line {last}"
            if last > first
            else "is not closed by one that a comma or the line's end follows"
        )
        raise DataError(
            f"{source} line {first} cannot be read as CSV: a quotation mark opens a cell and {what}"
            f'; close it, or write a mark that belongs to the text as "" in a quoted cell'
        ) from None


def _lines_of(text: str) -> Iterator[str]:
    start = 0
    while start < len(text):
        end = text.find("\n", start) + 1 or len(text)
        yield text[start:end]
        start = end


def find_separator(text: str) -> str:
    """Separator of the cells: a comma, a semicolon or a tab.

    That by which the first rows have the same number of cells, at least two, and most of them are
    numbers.

    >>> find_separator("t;a\\n2020;1,5\\n"), find_separator("t,a;b\\n2020,1\\n")
    (';', ',')
    """
    lines = [line for _, line in zip(range(_LOOKED_AT), _lines_of(text), strict=False)]
    there = [separator for separator in _SEPARATORS if any(separator in line for line in lines)]
    if len(there) == 1 and there[0] in lines[0]:  # nothing to choose from: most files are plain
        return there[0]
    best, most = ",", -1.0
    for separator in there:
        rows = [row for row in csv.reader(lines, delimiter=separator) if row]
        widths = {len(row) for row in rows}
        if len(rows) > 1 and len(widths) == 1 and widths != {1}:
            cells = [cell.strip() for row in rows[1:] for cell in row]
            numbers = sum(is_number(c) or bool(COMMA_NUMBER.fullmatch(c)) for c in cells)
            if numbers / len(cells) > most:
                best, most = separator, numbers / len(cells)
    if most < 0:  # no separator makes a table: the error to come should speak of the likeliest
        best = max(_SEPARATORS, key=lines[0].count) if lines else ","
    return best


def is_headless(cells: Sequence[str]) -> bool:
    """True if these cells of a first row are numbers, not names.

    >>> is_headless(["1.5", "2"]), is_headless(["a", "2"]), is_headless(["a", "2.5"])
    (True, False, True)
    """
    numbers = [cell for cell in map(str.strip, cells) if is_number(cell)]
    fractions = [cell for cell in numbers if not cell.isdigit()]
    return bool(fractions) or len(numbers) == len([c for c in cells if c.strip()]) > 0


def refuse_headless(header: Sequence[str], source: str) -> NoReturn:
    """Raise the `DataError` of a file whose first row is no header, and show that row."""
    shown = ", ".join(header[:8]) + (", …" if len(header) > 8 else "")
    raise DataError(
        f"{source} must begin with a row that names the columns; its first row has numbers "
        f"({shown}), which would be lost: put a row of names above it"
    )


def _refuse_large(
    values: NDArray[np.float64], lines: NDArray[np.int64], names: Sequence[str], source: str
) -> None:
    for i, name in enumerate(names):
        places = (np.abs(values[:, i]) > LARGEST).nonzero()[0]
        if len(places):
            raise DataError(
                f"{source} line {lines[places[0]]}, column '{name}': {values[places[0], i]:g} is "
                f"beyond {LARGEST:g}, too large to compute with"
            )
