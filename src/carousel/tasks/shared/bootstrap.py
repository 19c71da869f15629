"""Uncertainty of a metric: its interval over test parts drawn anew from the one there is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
_DRAWS, _SHARE, _SEED = 1000, 0.95, 0
_FEWEST = 5  # units; of fewer an interval says nothing
_AT_ONCE = 2_000_000


def interval(sums: Array, score: Callable[[Array], Array]) -> list[float] | None:
    """[low, high] that holds 95 % of the scores of 1,000 test parts, each of as many units drawn
    with replacement (Efron 1979); None of fewer than five units, or where a score is undefined.

    sums (n, K): of each unit what the score is made of; units are what is independent: sentences,
    whole recordings, stretches of a series. score: of summed rows (draws, K). The draws are always
    the same.

    >>> interval(np.ones((50, 2)), lambda sums: sums[:, 0] / sums[:, 1])
    [1.0, 1.0]
    """
    count = len(sums)
    if count < _FEWEST:
        return None
    random, found = np.random.default_rng(_SEED), []
    step = max(1, _AT_ONCE // count)
    for start in range(0, _DRAWS, step):
        draws = min(step, _DRAWS - start)
        times = random.multinomial(count, np.full(count, 1 / count), size=draws)
        found.append(score(times @ sums))
    return _ends(np.concatenate(found))


def of_confusion(confusion: Sequence[Sequence[int]]) -> dict[str, list[float]]:
    """Intervals of accuracy and macro F1 where examples are independent: (C, C), a row a class."""
    counts = np.asarray(confusion, dtype=float)
    total = int(counts.sum())
    if total < _FEWEST:
        return {}
    random, found = np.random.default_rng(_SEED), []
    step = max(1, _AT_ONCE // counts.size)
    for start in range(0, _DRAWS, step):
        draws = min(step, _DRAWS - start)
        drawn = random.multinomial(total, counts.ravel() / total, size=draws)
        found.append(drawn.reshape(-1, *counts.shape))
    drawn = np.concatenate(found)
    accuracy = _ends(drawn.trace(axis1=1, axis2=2) / total)
    macro = _ends(macro_f1(drawn.astype(float)))
    ends = {"accuracy": accuracy, "macro_f1": macro}
    return {name: pair for name, pair in ends.items() if pair is not None}


def macro_f1(confusion: Array) -> Array:
    """Macro F1 of confusions (…, C, C), over the classes that occur or were predicted."""
    hits = np.diagonal(confusion, axis1=-2, axis2=-1)
    both = confusion.sum(-1) + confusion.sum(-2)
    f1 = np.divide(2 * hits, both, out=np.zeros_like(both), where=both > 0)
    found: Array = f1.sum(-1) / np.maximum((both > 0).sum(-1), 1)
    return found


def _ends(values: Array) -> list[float] | None:
    if not np.isfinite(values).all():
        return None
    low, high = np.quantile(values, [(1 - _SHARE) / 2, (1 + _SHARE) / 2])
    return [float(low), float(high)]


def known(found: dict[str, list[float] | None]) -> dict[str, Any]:
    """A report's entry with the intervals that there are; empty if there are none."""
    ends = {name: pair for name, pair in found.items() if pair is not None}
    return {"interval": ends} if ends else {}
