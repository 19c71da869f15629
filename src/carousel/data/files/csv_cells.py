"""The cells of a table in CSV as they are read: numbers in arrays, words kept once."""

from __future__ import annotations

import math
import re
from array import array
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from carousel.errors import DataError

COMMA_NUMBER = re.compile(r"[+-]?\d*,\d+(?:[eE][+-]?\d+)?|[+-]?\d+,")
_THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2}(?:,\d{3})+")
_KEPT_ONCE = 10_000


def is_number(cell: str) -> bool:
    """True if a cell is a finite number, with a decimal point if any."""
    try:
        return math.isfinite(float(cell))
    except ValueError:
        return False


class Cells:
    """The cells of rows that are handed in one after the other, at most `rows`.

    words: by number of a column that is not among `columns`, its cells. comma: the first number
    with a decimal comma, which only tables that commas do not separate may have.
    """

    def __init__(
        self,
        source: str,
        header: Sequence[str],
        columns: Sequence[int],
        separator: str,
        rows: int,
    ) -> None:
        self.comma = ""
        self.words: dict[int, list[str]] = {i: [] for i in range(len(header)) if i not in columns}
        self._source, self._header, self._columns = source, header, columns
        self._separator, self._known, self._count = separator, dict[str, str](), 0
        # A row as a list of strings would take ten times the memory of the file.
        self._values = np.empty((rows, len(columns)))
        self._lines = np.empty(rows, np.int64)

    def take(self, first: int, block: str) -> bool:
        """Read lines without quotation marks, if they are plain: rows of the right length, with
        nothing but numbers where there must be some. Returns whether they were."""
        if '"' in block or not self._columns:
            return False
        lines = block.removesuffix("\n").split("\n")
        if not all(lines) or {line.count(self._separator) for line in lines} != {
            len(self._header) - 1
        }:
            return False
        try:
            numbers = np.loadtxt(
                lines, delimiter=self._separator, usecols=self._columns, comments=None, ndmin=2
            )
        except ValueError:
            return False
        start, self._count = self._count, self._count + len(lines)
        self._values[start : self._count] = numbers
        self._lines[start : self._count] = np.arange(first, first + len(lines))
        for i in self.words:
            self._keep(i, [line.split(self._separator)[i] for line in lines])
        return True

    def add(self, rows: Sequence[tuple[int, list[str]]]) -> None:
        """Read rows: their lines and cells. Raises `DataError`."""
        for line, row in rows:
            if len(row) != len(self._header):
                raise DataError(
                    f"{self._source} line {line} has {len(row)} cells, the header "
                    f"{len(self._header)}"
                )
        start, self._count = self._count, self._count + len(rows)
        self._lines[start : self._count] = [line for line, _ in rows]
        for place, i in enumerate(self._columns):
            try:
                numbers = array("d", (float(row[i]) for _, row in rows))
            except ValueError:
                numbers = array("d", (self._number(line, i, row[i]) for line, row in rows))
            self._values[start : self._count, place] = numbers
        for i in self.words:
            self._keep(i, [row[i] for _, row in rows])

    def values(self) -> NDArray[np.float64]:
        """The numbers (N, F); NaN where a cell is empty or not finite."""
        values = self._values[: self._count]
        values[~np.isfinite(values)] = np.nan
        return values

    def lines(self) -> NDArray[np.int64]:
        """The line of each row (N,)."""
        return self._lines[: self._count]

    def _keep(self, column: int, cells: Iterable[str]) -> None:
        cells = list(cells)
        one = {}
        for cell in set(cells):
            word = cell.strip()
            few = len(self._known) < _KEPT_ONCE
            one[cell] = self._known.setdefault(word, word) if few else self._known.get(word, word)
        self.words[column].extend(map(one.__getitem__, cells))

    def _number(self, line: int, column: int, cell: str) -> float:
        cell = cell.strip()
        if not cell:
            return math.nan
        try:
            return float(cell)
        except ValueError:
            pass
        if self._separator != "," and COMMA_NUMBER.fullmatch(cell):
            self.comma = self.comma or cell
            return float(cell.replace(",", "."))
        raise DataError(
            f"{self._source} line {line}, column '{self._header[column]}': must hold numbers, got "
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
                        f"{self._source} line {line}, column '{self._header[i]}': '{cell}' has a "
                        f"decimal point, and '{self.comma}' a comma: write all numbers with points"
                    )
                thousands = thousands and ("," not in cell or bool(_THOUSANDS.fullmatch(cell)))
        if thousands:
            raise DataError(
                f"{self._source}: '{self.comma}' may have a decimal comma or be a number of "
                f"thousands: write numbers with a decimal point and nothing between the thousands"
            )
