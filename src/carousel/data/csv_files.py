"""Tables of numbers in CSV, as people hand them in: series, and recordings of steps.

What is recognised (semicolons, tabs, decimal commas) is said in `Table.notes`; what cannot be read
is refused with its row and column.
"""

from __future__ import annotations

import csv
import math
import re
from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from carousel.errors import DataError

LARGEST = 1e100
_SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs"}
_LOOKED_AT = 50
_COMMA_NUMBER = re.compile(r"[+-]?\d*,\d+(?:[eE][+-]?\d+)?|[+-]?\d+,")
_THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2}(?:,\d{3})+")


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
    rows = split_rows(text, source, separator)
    header = tuple(name.strip() for name in next(rows)[1])
    chosen = tuple(words(header))
    columns = tuple(i for i in range(len(header)) if i not in chosen)
    if is_headless([header[i] for i in columns]):
        refuse_headless(header, source)
    named = [name for name in header if name]
    for name in named:
        if named.count(name) > 1:
            raise DataError(f"{source} has more than one column with the name '{name}'")
    notes = [] if separator == "," else [f"cells are separated by {_SEPARATORS[separator]}"]
    cells = _Numbers(source, header, columns, commas=separator != ",")
    found: dict[int, list[str]] = {i: [] for i in chosen}
    lines = array("q")
    for line, row in rows:
        if len(row) != len(header):
            raise DataError(f"{source} row {line} has {len(row)} cells, the header {len(header)}")
        for i in chosen:
            found[i].append(row[i].strip())
        cells.add(line, row)
        lines.append(line)
    if cells.comma:
        cells.check_commas(split_rows(text, source, separator))
        notes.append(f"commas are read as decimal points ({cells.comma})")
    values = np.frombuffer(cells.found, np.float64).reshape(len(lines), len(columns)).copy()
    where = np.frombuffer(lines, np.int64).copy()
    _refuse_large(values, where, [header[i] for i in columns], source)
    return Table(source, header, columns, values, found, where, tuple(notes))


def split_rows(text: str, source: str, separator: str = ",") -> Iterator[tuple[int, list[str]]]:
    """(line number, cells) of each row that is not blank, read one by one. Raises `DataError`."""
    # One call for each line, since io.StringIO would hold four bytes for each letter.
    reader = csv.reader(_lines_of(text), delimiter=separator, strict=True)
    first = 1
    try:
        for row in reader:
            if row:
                yield first, row
            first = reader.line_num + 1
    except csv.Error:
        last = reader.line_num
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
    """What stands between the cells: a comma, a semicolon or a tab.

    That by which the first rows have the same number of cells, at least two, and most of them are
    numbers.

    >>> find_separator("t;a\\n2020;1,5\\n"), find_separator("t,a;b\\n2020,1\\n")
    (';', ',')
    """
    lines = [line for _, line in zip(range(_LOOKED_AT), _lines_of(text), strict=False)]
    best, most = ",", -1.0
    for separator in _SEPARATORS:
        rows = [row for row in csv.reader(lines, delimiter=separator) if row]
        widths = {len(row) for row in rows}
        if len(rows) > 1 and len(widths) == 1 and widths != {1}:
            cells = [cell.strip() for row in rows[1:] for cell in row]
            numbers = sum(_is_number(c) or bool(_COMMA_NUMBER.fullmatch(c)) for c in cells)
            if numbers / len(cells) > most:
                best, most = separator, numbers / len(cells)
    if most < 0:  # no separator makes a table: the error to come should speak of the likeliest
        best = max(_SEPARATORS, key=lines[0].count) if lines else ","
    return best


def is_headless(cells: Sequence[str]) -> bool:
    """Whether these cells of a first row are numbers, not names.

    >>> is_headless(["1.5", "2"]), is_headless(["a", "2"]), is_headless(["a", "2.5"])
    (True, False, True)
    """
    numbers = [cell for cell in map(str.strip, cells) if _is_number(cell)]
    fractions = [cell for cell in numbers if not cell.isdigit()]
    return bool(fractions) or len(numbers) == len([c for c in cells if c.strip()]) > 0


def refuse_headless(header: Sequence[str], source: str) -> NoReturn:
    """Raise the `DataError` of a file whose first row is no header, and show that row."""
    shown = ", ".join(header[:8]) + (", …" if len(header) > 8 else "")
    raise DataError(
        f"{source} must begin with a row that names the columns; its first row has numbers "
        f"({shown}), which would be lost: put a row of names above it"
    )


def _is_number(cell: str) -> bool:
    try:
        return math.isfinite(float(cell))
    except ValueError:
        return False


class _Numbers:
    """The numbers of the rows, one after the other. comma: the first cell with a decimal comma."""

    def __init__(
        self, source: str, header: Sequence[str], columns: Sequence[int], commas: bool
    ) -> None:
        self.found, self.comma = array("d"), ""
        self._source, self._header, self._columns = source, header, columns
        self._commas = commas

    def add(self, line: int, row: Sequence[str]) -> None:
        for i in self._columns:
            try:
                value = float(row[i])
            except ValueError:
                value = self._unusual(line, i, row[i].strip())
            self.found.append(value if math.isfinite(value) else math.nan)

    def _unusual(self, line: int, column: int, cell: str) -> float:
        if not cell:
            return math.nan
        if self._commas and _COMMA_NUMBER.fullmatch(cell):
            self.comma = self.comma or cell
            return float(cell.replace(",", "."))
        raise DataError(
            f"{self._source} row {line}, column '{self._header[column]}': must hold numbers, got "
            f"'{cell}' (leave the cell empty where a number is missing)"
        )

    def check_commas(self, rows: Iterator[tuple[int, list[str]]]) -> None:
        """Raise `DataError` where it cannot be told what the commas are."""
        next(rows)
        thousands = True
        for line, row in rows:
            for i in self._columns:
                cell = row[i].strip()
                if "." in cell:
                    raise DataError(
                        f"{self._source} row {line}, column '{self._header[i]}': '{cell}' has a "
                        f"decimal point, and '{self.comma}' a comma: write all numbers with points"
                    )
                thousands = thousands and ("," not in cell or bool(_THOUSANDS.fullmatch(cell)))
        if thousands:
            raise DataError(
                f"{self._source}: '{self.comma}' may have a decimal comma or be a number of "
                f"thousands: write numbers with a decimal point and nothing between the thousands"
            )


def _refuse_large(
    values: NDArray[np.float64], lines: NDArray[np.int64], names: Sequence[str], source: str
) -> None:
    for i, name in enumerate(names):
        places = (np.abs(values[:, i]) > LARGEST).nonzero()[0]
        if len(places):
            raise DataError(
                f"{source} row {lines[places[0]]}, column '{name}': {values[places[0], i]:g} is "
                f"beyond {LARGEST:g}, too large to compute with"
            )
