"""Columns that give away what is to be found: a class or a number left in among the inputs."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from carousel.data.ragged import Ragged

Floats = NDArray[np.floating[Any]]
Leak = dict[str, Any]
_WRONG = 0.01
"""Share of what guessing the most frequent class gets wrong that a column may still get wrong."""
_ALIKE = 1e-4
"""1 - r² of a column that says the number, or its rank."""
_BY_CHANCE = 1e-3
_LOOKED_AT = 100_000
_FEWEST, _REPEATS, _AGAIN = 6, 3, 10


def of_recordings(
    values: Ragged, labels: Tensor, columns: tuple[str, ...], classes: int
) -> list[Leak]:
    """Columns of recordings that alone tell the class of each: by one value that they keep through
    a recording, or in every step by the range that it lies in. values: the training part; labels
    (n,)."""
    found = []
    counts = np.bincount(labels.numpy(), minlength=classes)
    first = values.values[values.offsets[:-1]]
    kept = (values.values == first.repeat_interleave(values.lengths, 0)).all(0).tolist()
    rows = _some(torch.ones(len(values.values), dtype=torch.bool))
    by_step = labels.repeat_interleave(values.lengths)[rows].numpy()
    for number, name in enumerate(columns):
        if kept[number]:
            column = first[:, number].double().numpy()
            found += _tells(column, labels.numpy(), counts, name, len(columns))
        else:
            column = values.values[rows, number].double().numpy()
            found += _tells(column, by_step, counts, name, len(columns), by_value=False)
    return found


def of_frames(values: Ragged, labels: Tensor, columns: tuple[str, ...], classes: int) -> list[Leak]:
    """Columns whose value alone tells the label of a frame. values: the training part; labels
    (N,), negative where there is none."""
    inside = labels >= 0
    starts = torch.ones_like(inside)
    starts[1:] = labels[1:] != labels[:-1]
    starts[values.offsets[:-1]] = True
    # Frames next to each other are alike: what counts is how often a label begins.
    counts = np.bincount(labels[starts & inside].numpy(), minlength=classes)
    rows, some = _some(inside), []
    for number, name in enumerate(columns):
        column = values.values[rows, number].double().numpy()
        some += _tells(column, labels[rows].numpy(), counts, name, len(columns))
    return some


def of_numbers(values: Tensor, targets: Tensor, columns: tuple[str, ...]) -> list[Leak]:
    """Columns that are the number to be found, on some scale, or put the steps in its order.

    values (N, F) and targets (N,): the training part, NaN where there is none.
    """
    from scipy.stats import rankdata  # here, because few tasks need it

    rows = _some(~targets.isnan())
    wanted, found = targets[rows].double().numpy(), []
    if len(wanted) < _FEWEST or not wanted.std() > 0:
        return []
    for number, name in enumerate(columns):
        column = values[rows, number].double().numpy()
        if not column.std() > 0:
            continue
        exact = _correlation(column, wanted) ** 2
        ranks = _correlation(rankdata(column), rankdata(wanted)) ** 2
        if max(exact, ranks) >= 1 - _ALIKE:
            how = "scaled" if exact >= ranks else "in its order"
            found.append({"column": name, "tells": "number", "how": how})
    return found


def of_whole_numbers(values: Ragged, targets: Tensor, columns: tuple[str, ...]) -> list[Leak]:
    """Columns that keep one value through each recording, and are a number to be found of it, on
    some scale or in its order. values: the training part; targets (n, K), NaN where there is none.
    """
    first = values.values[values.offsets[:-1]]
    kept = (values.values == first.repeat_interleave(values.lengths, 0)).all(0)
    names = tuple(name for name, same in zip(columns, kept.tolist(), strict=False) if same)
    found: list[Leak] = []
    for one in targets.unbind(1) if names else ():
        found += [leak for leak in of_numbers(first[:, kept], one, names) if leak not in found]
    return found


def in_words(leaks: list[Leak]) -> str:
    """Sentence about `leaks`; empty if there are none.

    >>> in_words([{"column": "digit", "tells": "class", "how": "by value"}])
    "the column 'digit' alone tells the class"
    """
    if not leaks:
        return ""
    names = ", ".join(f"'{leak['column']}'" for leak in leaks)
    what = leaks[0]["tells"]
    if len(leaks) == 1:
        return f"the column {names} alone tells the {what}"
    return f"each of the columns {names} alone tells the {what}"


def _some(inside: Tensor) -> Tensor:
    """Numbers of about so many rows that are inside (fewer than twice), evenly spread."""
    rows = inside.nonzero().flatten()
    return rows[:: max(1, len(rows) // _LOOKED_AT)]


def _correlation(a: Floats, b: Floats) -> float:
    a, b = a - a.mean(), b - b.mean()
    a, b = a / np.abs(a).max(), b / np.abs(b).max()  # squares of large numbers overflow
    return float(a @ b / math.sqrt((a @ a) * (b @ b)))


def _tells(
    column: Floats,
    labels: NDArray[np.int64],
    units: NDArray[np.int64],
    name: str,
    tried: int,
    by_value: bool = True,
) -> list[Leak]:
    """Leaks by which a column tells the class. units (C,): independent examples of each class."""
    if int(units.sum()) < _FEWEST or (units > 0).sum() < 2:
        return []
    how = "by value" if by_value and _by_value(column, labels) else ""
    if not how and _by_range(column, labels) and _chance(units) * tried < _BY_CHANCE:
        how = "by range"
    return [{"column": name, "tells": "class", "how": how}] if how else []


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
