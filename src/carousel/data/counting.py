"""Counts in words."""

from __future__ import annotations

import re
from collections.abc import Iterable

_SINGULAR = {
    name: name.removesuffix("es") if name == "classes" else name.removesuffix("s")
    for name in (
        *("rows", "cells", "values", "sequences", "gaps", "times", "columns", "classes", "steps"),
        *("examples", "texts", "stamps", "windows", "words", "recordings", "images", "numbers"),
    )
} | {"series": "series"}
_VERBS = {"have": "has", "are": "is", "were": "was", "do": "does"}
_BETWEEN = r"(?: \([^)]*\))?(?: (?:in|of|by) '[^']*'(?:, '[^']*')*)?"
_ONE = re.compile(
    rf"(?<![\d.,])1 ((?:blank |empty |single )?)({'|'.join(_SINGULAR)})\b({_BETWEEN})"
    rf"( (?:{'|'.join(_VERBS)}|stand|lie|hold|keep|come|look|begin)\b)?"
)


def unit_of(count: int, units: str) -> str:
    """The word for what is counted, as it stands after that count.

    >>> unit_of(1, "separate windows"), unit_of(2, "recordings")
    ('separate window', 'recordings')
    """
    return units.removesuffix("s") if count == 1 else units


def counted(count: int, words: str) -> str:
    """A count with the words behind it, of which the noun and the verb after it are made to fit.

    >>> counted(1, "rows have no time"), counted(1200, "rows have no time"), counted(1, "classes")
    ('1 row has no time', '1,200 rows have no time', '1 class')
    """
    return singular(f"{count:,} {words}")


def singular(text: str) -> str:
    """An English text with what is counted in the singular where there is one.

    >>> singular("1 rows stand twice, and 21 rows are blank; 1,001 cells are empty")
    '1 row stands twice, and 21 rows are blank; 1,001 cells are empty'
    >>> singular("1 cells (0.1%) of 'a', 'b' do not fit")
    "1 cell (0.1%) of 'a', 'b' does not fit"
    >>> singular("1 series are too short"), singular("1 of 9 series")
    ('1 series is too short', '1 of 9 series')
    """
    return _ONE.sub(lambda m: f"1 {m[1]}{_SINGULAR[m[2]]}{m[3]}{_verb(m[4])}", text)


def _verb(found: str | None) -> str:
    return "" if found is None else f" {_VERBS.get(found.strip(), found.strip() + 's')}"


def span_of(counts: Iterable[int], units: str) -> str:
    """The smallest and the largest of some counts, with the word for what is counted.

    >>> span_of([7, 12, 9], "steps"), span_of([12, 12], "steps"), span_of([1], "steps")
    ('7 to 12 steps', '12 steps', '1 step')
    """
    known = sorted(counts)
    low, high = known[0], known[-1]
    return f"{low:,} to {high:,} {units}" if low < high else f"{low:,} {unit_of(low, units)}"
