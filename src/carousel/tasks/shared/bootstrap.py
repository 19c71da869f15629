"""Uncertainty of a metric: its interval over test parts drawn anew from the one there is."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
_DRAWS, _SHARE, _SEED = 1000, 0.95, 0
_FEWEST = 5  # units; of fewer an interval says nothing
_AT_ONCE = 2_000_000


def interval(sums: Array, score: Callable[[Array], Array]) -> list[float] | None:
    """[low, high] that holds 95 % of the scores of 1,000 test parts, each of as many units drawn
    with replacement (Efron 1979); None of fewer than five units, where a score is undefined, and
    where all draws score the same: what never varied in this part says nothing of another one.

    sums (n, K): of each unit what the score is made of; units are what is independent: sentences,
    whole recordings, stretches of a series. score: of summed rows (draws, K). The draws are always
    the same.

    >>> units = np.stack((np.arange(50) % 2, np.ones(50)), 1)  # every other one is right
    >>> low, high = interval(units, lambda sums: sums[:, 0] / sums[:, 1])
    >>> 0.3 < low < 0.5 < high < 0.7
    True
    >>> interval(np.ones((50, 2)), lambda sums: sums[:, 0] / sums[:, 1]) is None
    True
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
    """Intervals of accuracy and macro F1 where examples are independent: (C, C), a row a class.

    Accuracy: the score interval of a share p of n examples (Wilson 1927), which holds near 1, too,

        (p + z²/2n ± z √(p (1 - p) / n + z²/4n²)) / (1 + z²/n),    z = 1.96;

    macro F1: over test parts drawn anew, as in `interval`.

    >>> low, high = of_confusion([[60, 0], [0, 60]])["accuracy"]
    >>> round(low, 3), high  # all are right, which does not make it certain
    (0.969, 1.0)
    """
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
    accuracy = _of_share(float(counts.trace()) / total, total)
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


def _of_share(share: float, count: int) -> list[float]:
    z = NormalDist().inv_cdf((1 + _SHARE) / 2)
    middle = (share + z**2 / (2 * count)) / (1 + z**2 / count)
    reach = z * math.sqrt(share * (1 - share) / count + z**2 / (4 * count**2)) / (1 + z**2 / count)
    return [max(middle - reach, 0.0), min(middle + reach, 1.0)]


def _ends(values: Array) -> list[float] | None:
    if not np.isfinite(values).all() or np.ptp(values) == 0:
        return None
    low, high = np.quantile(values, [(1 - _SHARE) / 2, (1 + _SHARE) / 2])
    return [float(low), float(high)]


def known(found: dict[str, list[float] | None]) -> dict[str, Any]:
    """A report's entry with the intervals that there are; empty if there are none."""
    ends = {name: pair for name, pair in found.items() if pair is not None}
    return {"interval": ends} if ends else {}
