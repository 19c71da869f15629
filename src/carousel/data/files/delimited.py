"""Tables of texts in CSV, read strictly: what does not fit is an error that names its line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from carousel.data.files.csv_files import split_rows
from carousel.errors import DataError

_QUOTING = "a cell with a comma, a quotation mark or a line break must stand in quotation marks"


class Row(NamedTuple):
    """The cells of a row, and the line of the file that it begins in, counted from 1."""

    line: int
    cells: list[str]


def csv_table(text: str, source: str, *, blank: bool = False) -> tuple[list[str], list[Row]]:
    """The header, its names without blanks around them, and the rows below it. blank: give blank
    rows too, each cell empty.

    Raises `DataError` as `split_rows`, for a name that stands twice, and for a row with more or
    fewer cells than the header has.
    """
    rows = (Row(line, row) for line, row in split_rows(text, source, blank=blank))
    first = next((row for row in rows if row.cells), None)
    header = [name.strip() for name in first.cells] if first else []
    for name in header:
        if name and header.count(name) > 1:
            raise DataError(f"{source} has the column '{name}' twice: rename one")
    body = []
    for row in rows:
        if not row.cells:
            row = Row(row.line, [""] * len(header))
        check_width(row, len(header), source)
        body.append(row)
    return header, body


def check_width(row: Row, wanted: int, source: str, too_many: str = _QUOTING) -> None:
    """Raises `DataError` for a row that has another number of cells than the header. too_many: what
    may be wrong where there are more."""
    count = len(row.cells)
    if count == wanted:
        return
    why = f": {too_many}" if count > wanted else ""
    raise DataError(
        f"{source} line {row.line} has {cells(count)}, the header {wanted}{why}; "
        f"the last is '{row.cells[-1][:40]}'"
    )


def places(header: Sequence[str], wanted: Sequence[str], source: str) -> list[int]:
    """Positions of the wanted columns in a header. Raises `DataError` if one is missing, and says
    so if the header is separated by something else than commas."""
    missing = [name for name in wanted if name not in header]
    if not missing:
        return [header.index(name) for name in wanted]
    names = " and ".join(wanted)
    for sign, name in ((";", "semicolons"), ("\t", "tabs"), ("|", "bars")):
        if len(header) == 1 and sign in header[0]:
            raise DataError(
                f"{source} is separated by {name}; a .csv must be separated by commas, with the "
                f"columns {names}"
            )
    raise DataError(
        f"{source} must begin with a header that has the column{'s' * (len(wanted) > 1)} {names}; "
        f"it has {', '.join(header)[:80]}"
    )


def cells(count: int) -> str:
    """Number of cells, in words.

    >>> cells(1), cells(2)
    ('1 cell', '2 cells')
    """
    return f"{count} cell{'s' * (count != 1)}"
