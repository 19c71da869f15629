"""Counts in words."""

from __future__ import annotations

from collections.abc import Iterable


def unit_of(count: int, units: str) -> str:
    """The word for what is counted, as it stands after that count.

    >>> unit_of(1, "separate windows"), unit_of(2, "recordings")
    ('separate window', 'recordings')
    """
    return units.removesuffix("s") if count == 1 else units


def span_of(counts: Iterable[int], units: str) -> str:
    """The smallest and the largest of some counts, with the word for what is counted.

    >>> span_of([7, 12, 9], "steps"), span_of([12, 12], "steps"), span_of([1], "steps")
    ('7 to 12 steps', '12 steps', '1 step')
    """
    known = sorted(counts)
    low, high = known[0], known[-1]
    return f"{low:,} to {high:,} {units}" if low < high else f"{low:,} {unit_of(low, units)}"
