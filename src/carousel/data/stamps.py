"""Time stamps as people write them, read as what they are; what is recognised is said.

Numbers are the danger: 1700000000 is a second, 20240131 a day and 202401 a month, but each could be
read as a year.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import NamedTuple, NoReturn

import numpy as np
from numpy.typing import NDArray

from carousel.errors import DataError

Stamps = NDArray[np.datetime64]

_TIME = r"(?:[T ,]+(?P<time>\d{1,2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?))?"
_ISO = re.compile(
    r"(?P<local>\d{4}(?:-\d\d(?:-\d\d(?:[T ]\d\d(?::\d\d(?::\d\d(?:\.\d{1,9})?)?)?)?)?)?)"
    r"(?P<offset>Z|[+-]\d\d:?\d\d)?"
)
_QUARTER = re.compile(r"(?P<year>\d{4})[- ]?[Qq](?P<quarter>[1-4])")
_YEAR_FIRST = re.compile(
    r"(?P<year>\d{4})(?P<mark>[/.])(?P<a>\d{1,2})(?P=mark)(?P<b>\d{1,2})" + _TIME
)
_YEAR_LAST = re.compile(
    r"(?P<a>\d{1,2})(?P<mark>[/.-])(?P<b>\d{1,2})(?P=mark)(?P<year>\d{4})" + _TIME
)
_NUMBER = re.compile(r"\d+(?:\.\d*)?(?:[eE]\+?\d+)?")
#: Cells of dates that may begin with the day or the month.
UNSURE = r"^(?:0?[1-9]|1[012])(?:/(?:0?[1-9]|1[012])/|-(?:0?[1-9]|1[012])-)\d{4}(?:[T ,]+[\d:.]+)?$"
_COMPACT = {6: "%Y%m", 8: "%Y%m%d", 10: "%Y%m%d%H", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}
_LETTERS = {"%Y": "yyyy", "%m": "mm", "%d": "dd", "%H": "hh", "%M": "mm", "%S": "ss"}
_CENTURIES = ("19", "20")
# From when on a number counts the seconds since 1970, and so on (1973 in each).
_CLOCKS = ((10**8, "s"), (10**11, "ms"), (10**14, "us"), (10**17, "ns"))
_CLOCK_NAMES = {"s": "seconds", "ms": "milliseconds", "us": "microseconds", "ns": "nanoseconds"}
_EXPECTED = (
    "time stamps such as 2024-01-31, 2024-01-31T13:00 (ISO 8601), 2024-01, 2024Q1, 31.01.2024, "
    "20240131 or seconds since 1970"
)


class Read(NamedTuple):
    """Stamps (T,), and what was recognised, in words. order: "day" or "month", which dates such as
    03/04/2024 begin with; "" of others."""

    stamps: Stamps
    notes: tuple[str, ...] = ()
    order: str = ""


class _Cells(NamedTuple):
    cells: Sequence[str]
    lines: Sequence[int]
    source: str
    order: str = ""

    def match(self, pattern: re.Pattern[str], number: int) -> re.Match[str]:
        """The match of a cell. Raises `DataError` if it is of another kind than the first."""
        match = pattern.fullmatch(self.cells[number])
        if match is None:
            what = f"'{self.cells[number]}' is" if self.cells[number] else "an empty cell is"
            self.refuse(number, f"{what} no time stamp of the kind of '{self.cells[0]}'")
        return match

    def matches(self, pattern: re.Pattern[str]) -> list[re.Match[str]]:
        """The match of every cell."""
        return [self.match(pattern, number) for number in range(len(self.cells))]

    def array(self, texts: Sequence[str]) -> Stamps:
        """Stamps from ISO 8601, one for each cell."""
        try:
            return np.array(texts, dtype="datetime64")
        except ValueError:
            for number, text in enumerate(texts):
                try:
                    np.datetime64(text)
                except ValueError:
                    self.refuse(number, f"'{self.cells[number]}' is no date or time that there is")
            raise

    def refuse(self, number: int, why: str) -> NoReturn:
        raise DataError(f"{self.source} line {self.lines[number]}, the first column: {why}")


def is_stamp(cell: str) -> bool:
    """True if a cell of a first row is a time, not the name of a column."""
    return any(p.fullmatch(cell.strip()) for p in (*_READERS, _NUMBER))


def read_stamps(cells: Sequence[str], lines: Sequence[int], source: str, order: str = "") -> Read:
    """The stamps in the cells of a column, all of one kind, which the first decides.

    ISO 8601 (an offset moves them to UTC), quarters, dates with the year last or between points or
    slashes, numbers that write a date (202401, 20240131, …) and clocks that count from 1970.
    lines: of the cells in the file `source`, for errors. order: "day" or "month", which dates such
    as 03/04/2024 begin with where other cells than these told it. Raises `DataError`.
    """
    found = _Cells([cell.strip() for cell in cells], lines, source, order)
    for pattern, read in _READERS.items():
        if pattern.fullmatch(found.cells[0]):
            return read(found)
    if _NUMBER.fullmatch(found.cells[0]):
        return _numbers(found)
    what = f"'{found.cells[0]}'" if found.cells[0] else "empty"
    raise DataError(
        f"{source} line {lines[0]}: the first column must hold {_EXPECTED}; it is {what}"
    )


def _iso(found: _Cells) -> Read:
    local: list[str] = []
    offsets: dict[str, int] = {}
    minutes = np.zeros(len(found.cells), np.int64)
    for number, cell in enumerate(found.cells):  # cell by cell: there may be millions
        match = found.match(_ISO, number)
        offset = match["offset"] or ""
        if bool(offset) != bool(offsets) and number:
            found.refuse(number, f"'{cell}': either every time stamp has an offset or none")
        local.append(cell.removesuffix(offset).replace(" ", "T"))
        if offset:
            minutes[number] = offsets.setdefault(offset, _minutes(offset))
    if len(max(local, key=len)) == 4:
        return _years(found, local)
    stamps = found.array(local)
    if not minutes.any():
        return Read(stamps)
    names = ", ".join(sorted(offset for offset, moved in offsets.items() if moved))
    note = f"time stamps with an offset ({names}) are moved to UTC"
    if unit_of(stamps) in ("Y", "M", "D", "h"):
        stamps = stamps.astype("datetime64[m]")
    return Read(stamps - minutes.astype("timedelta64[m]"), (note,))


def _years(found: _Cells, years: list[str]) -> Read:
    for number, year in enumerate(years):
        if not "1000" <= year <= "2999":
            found.refuse(number, f"'{year}' is no year from 1000 to 2999, and may mean anything")
    return Read(found.array(years), (f"numbers like {years[0]} are read as years",))


def unit_of(stamps: Stamps) -> str:
    """The unit that stamps are counted in, such as "h"."""
    return str(np.datetime_data(stamps.dtype)[0])


def _minutes(offset: str) -> int:
    if offset == "Z":
        return 0
    minutes = 60 * int(offset[1:3]) + int(offset[-2:])
    return -minutes if offset[0] == "-" else minutes


def _quarters(found: _Cells) -> Read:
    matches = found.matches(_QUARTER)
    months = [f"{match['year']}-{3 * int(match['quarter']) - 2:02}" for match in matches]
    return Read(found.array(months), ("quarters are read as their first months",))


def _year_first(found: _Cells) -> Read:
    matches = found.matches(_YEAR_FIRST)
    return Read(found.array([_date(match, "a", "b") for match in matches]))


def _year_last(found: _Cells) -> Read:
    matches = found.matches(_YEAR_LAST)
    late = {name: any(int(match[name]) > 12 for match in matches) for name in ("a", "b")}
    mark, first = matches[0]["mark"], found.cells[0]
    told = "day" if late["a"] else "month" if late["b"] else found.order
    if mark == ".":
        told = "day"
    elif (late["a"] and late["b"]) or (found.order and told != found.order):
        told = ""
    if not told:
        raise DataError(
            f"{found.source}: it cannot be told whether '{first}' begins with the day or the "
            f"month; write the dates as 2024-01-31"
        )
    month, day = ("b", "a") if told == "day" else ("a", "b")
    order = "day, month, year" if told == "day" else "month, day, year"
    stamps = found.array([_date(match, month, day) for match in matches])
    note = f"dates like {first} are read as {order}"
    return Read(stamps, (note,), "" if mark == "." else told)


def _date(match: re.Match[str], month: str, day: str) -> str:
    date = f"{match['year']}-{int(match[month]):02}-{int(match[day]):02}"
    time = match["time"]
    return f"{date}T{time.zfill(8) if time.count(':') == 2 else time.zfill(5)}" if time else date


def _numbers(found: _Cells) -> Read:
    """Numbers that write a date, or count from 1970. Raises `DataError` for a mere count."""
    found.matches(_NUMBER)
    first = found.cells[0]
    widths = {len(cell) for cell in found.cells}
    if widths <= set(_COMPACT) and len(widths) == 1:
        pattern = _COMPACT[widths.pop()]
        if (texts := _compact(found.cells, pattern)) is not None:
            shown = re.sub(r"%.", lambda match: _LETTERS[match[0]], pattern)
            stamps = found.array(texts)
            return Read(stamps, (f"numbers like {first} are read as {shown} ({stamps[0]})",))
    values = [Decimal(cell) for cell in found.cells]
    units = {_clock(value) for value in values}
    unit = units.pop() if len(units) == 1 else None
    if unit is None:
        raise DataError(
            f"{found.source} line {found.lines[0]}: the first column must hold {_EXPECTED}; "
            f"numbers from {first} to {found.cells[-1]} may mean anything: write dates there"
        )
    note = _clock_note(first, unit)
    if any(value % 1 for value in values):
        if unit != "s" or max(values) >= 9 * 10**9:
            raise DataError(f"{found.source}: fractions of {_CLOCK_NAMES[unit]} cannot be read")
        values, unit = [value * 10**9 for value in values], "ns"
    return Read(np.array([int(value) for value in values], f"datetime64[{unit}]"), (note,))


def read_clock(counts: NDArray[np.int64]) -> Read | None:
    """Read whole numbers that count from 1970, all at once; None where `read_stamps` must look at
    each of them, as they may write dates or mean nothing.

    >>> read_clock(np.array([1700000000, 1700000060])).stamps[1]
    np.datetime64('2023-11-14T22:14:20')
    """
    if str(counts[0]).startswith(_CENTURIES):
        return None
    low, high = int(counts.min()), int(counts.max())
    for least, unit in _CLOCKS:
        if least <= low <= high < 1000 * least:
            return Read(counts.astype(f"datetime64[{unit}]"), (_clock_note(str(counts[0]), unit),))
    return None


def excel_days(values: NDArray[np.float64], inside: NDArray[np.bool_]) -> Stamps:
    """Stamps of days (N,) as Excel counts them, NaT where not `inside`; whole days as dates.

    >>> excel_days(np.array([45322.0, 45322.5]), np.array([True, True]))[1]
    np.datetime64('2024-01-31T12:00:00')
    """
    seconds = np.where(inside, values * 86_400, 0).round().astype("timedelta64[s]")
    stamps = np.datetime64("1899-12-30", "s") + seconds
    if (stamps[inside] == stamps[inside].astype("datetime64[D]")).all():
        stamps = stamps.astype("datetime64[D]")
    stamps[~inside] = np.datetime64("NaT")
    result: Stamps = stamps
    return result


def _clock_note(first: str, unit: str) -> str:
    return f"numbers like {first} are read as {_CLOCK_NAMES[unit]} since 1970 (UTC)"


def _clock(value: Decimal) -> str | None:
    return next((unit for least, unit in reversed(_CLOCKS) if least <= value < 1000 * least), None)


def _compact(cells: Sequence[str], pattern: str) -> list[str] | None:
    """The cells as ISO 8601, or None if one of them is no such date of 1900 to 2099."""
    texts = []
    for cell in cells:
        if not cell.isdigit() or not cell.startswith(_CENTURIES):
            return None
        parts = [cell[:4], *(cell[i : i + 2] for i in range(4, len(cell), 2))]
        limits = (9999, 12, 31, 23, 59, 59)
        if any(int(part) > most for part, most in zip(parts, limits, strict=False)):
            return None
        if "00" in parts[1:3]:
            return None
        texts.append("-".join(parts[:3]) + ("T" + ":".join(parts[3:]) if parts[3:] else ""))
    return texts


_READERS: dict[re.Pattern[str], Callable[[_Cells], Read]] = {
    _ISO: _iso,
    _QUARTER: _quarters,
    _YEAR_FIRST: _year_first,
    _YEAR_LAST: _year_last,
}
