"""A column beside what is to be found: whether it alone tells the class, or the number."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]
_WRONG = 0.01
"""Share of what guessing the most frequent class gets wrong that a column may still get wrong."""
_ALIKE = 1e-4
"""1 - r² of a column that says the number, or its rank."""
_BY_CHANCE = 1e-3
_FEWEST, _REPEATS, _AGAIN = 6, 3, 10


def tells_class(
    column: Floats,
    labels: NDArray[np.int64],
    units: NDArray[np.int64],
    tried: int,
    by_value: bool = True,
) -> str:
    """Manner in which a column tells the class: "by value", "by range", or "" if it does not.

    column, labels (N,). units (C,): independent examples of each class. tried: columns that are
    looked at, of which one may do so by chance.

    >>> tells_class(np.arange(40.0) // 20, np.arange(40) // 20, np.array([20, 20]), 1)
    'by value'
    """
    if int(units.sum()) < _FEWEST or (units > 0).sum() < 2:
        return ""
    if by_value and _by_value(column, labels):
        return "by value"
    return "by range" if _by_range(column, labels) and _chance(units) * tried < _BY_CHANCE else ""


def tells_number(column: Floats, wanted: Floats) -> str:
    """Manner in which a column tells a number (N,): "scaled", "in its order", or "" if it does not.

    >>> wanted = np.arange(9.0)
    >>> tells_number(2 * wanted + 1, wanted), tells_number(np.ones(9), wanted)
    ('scaled', '')
    """
    from scipy.stats import rankdata  # here, because few tasks need it

    if len(wanted) < _FEWEST or not wanted.std() > 0 or not column.std() > 0:
        return ""
    exact = _correlation(column, wanted) ** 2
    ranks = _correlation(rankdata(column), rankdata(wanted)) ** 2
    if max(exact, ranks) < 1 - _ALIKE:
        return ""
    return "scaled" if exact >= ranks else "in its order"


def _correlation(a: Floats, b: Floats) -> float:
    a, b = a - a.mean(), b - b.mean()
    a, b = a / np.abs(a).max(), b / np.abs(b).max()  # squares of large numbers overflow
    return float(a @ b / math.sqrt((a @ a) * (b @ b)))


def _by_value(column: Floats, labels: NDArray[np.int64]) -> bool:
    """Few values, each of which comes with one class."""
    known, place = np.unique(column, return_inverse=True)
    repeated = len(column) >= max(_REPEATS * len(known), len(known) + _AGAIN)
    # A value that comes once says nothing; one for each class is no accident.
    if len(known) < 2 or not (repeated or len(known) == len(np.unique(labels))):
        return False
    classes = int(labels.max()) + 1
    table = np.zeros((len(known), classes), np.int64)
    np.add.at(table, (place, labels), 1)
    wrong, usual = len(labels) - table.max(1).sum(), len(labels) - table.sum(0).max()
    return bool(usual and wrong <= _WRONG * usual)


def _by_range(column: Floats, labels: NDArray[np.int64]) -> bool:
    """Each class in a range of its own, but for the outermost of its values."""
    ranges = []
    for label in np.unique(labels):
        inside = column[labels == label]
        low, high = np.quantile(inside, (_WRONG / 2, 1 - _WRONG / 2), method="nearest")
        ranges.append((float(low), float(high)))
    ranges.sort()
    return all(one[1] < other[0] for one, other in pairwise(ranges))


def _chance(units: NDArray[np.int64]) -> float:
    """Probability that random numbers stand apart by class: C! Π n_c! / N!"""
    counts = units[units > 0]
    log = math.lgamma(len(counts) + 1) + sum(math.lgamma(n + 1) for n in counts.tolist())
    return math.exp(log - math.lgamma(int(counts.sum()) + 1))
