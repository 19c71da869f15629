"""Targets that count down to the end of each sequence, such as the life that a machine has left."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from carousel.data.guesses import Guess
from carousel.data.sequences import ids_of, order_key
from carousel.data.table import Table

_FEWEST = 5


def cap_of(table: Table, found: Guess) -> float:
    """Cap of a target that counts down through each sequence (`cap_of_countdown`), else 0."""
    ids, times, targets = (found.named(role) for role in ("id", "time", "target"))
    if not ids or len(targets) != 1 or set(targets) <= set(found.constant):
        return 0.0
    codes, _ = ids_of(table, ids)
    key = order_key(table, times[0])[0] if times else np.arange(len(table))
    return cap_of_countdown(table[targets[0]].numbers(), codes, np.lexsort((key, codes)))


def cap_of_countdown(
    numbers: NDArray[np.float64], codes: NDArray[np.int64], order: NDArray[np.int64]
) -> float:
    """The number above which a countdown counts as that number: where the shortest sequence begins,
    of those that are at least half as long as the usual one. Above it not every sequence has been
    seen, and a machine that is far from its end does not show how far (Heimes 2008). 0 if the
    numbers are no countdown.

    numbers (N,) of rows, codes (N,): the sequence of each, order (N,): rows by sequence and time.

    >>> lengths = np.array([3, 30, 40, 50, 60])
    >>> left = np.concatenate([np.arange(n)[::-1] for n in lengths]).astype(float)
    >>> cap_of_countdown(left, np.repeat(np.arange(5), lengths), np.arange(183))
    29.0
    """
    values, sequence = numbers[order], codes[order]
    if np.isnan(values).any():
        return 0.0
    same = np.diff(sequence) == 0
    steps = np.diff(values)[same]
    first = np.concatenate(([True], ~same))
    last = np.concatenate((~same, [True]))
    if first.sum() < _FEWEST or not len(steps) or not (steps == steps[0]).all() or steps[0] >= 0:
        return 0.0
    ends = values[last]
    if (ends != ends[0]).any() or (values[first] == ends[0]).all():
        return 0.0
    begins = values[first] - ends[0]
    cap = float(ends[0] + begins[begins >= np.median(begins) / 2].min())
    return cap if cap < values.max() else 0.0
