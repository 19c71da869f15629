"""The n-gram model that a recurrent language model has to beat: modified Kneser-Ney.

No kept library estimates one quickly from Python (KenLM's estimator is a program of its own), so
here it is, over sorted arrays.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


class NGram:
    """Interpolated modified Kneser-Ney, as in Chen and Goodman 1999, section 3.

    p_n(w | c) = (a(cw) - D(a(cw))) / A(c) + γ(c) p_{n-1}(w | c without its first token)

    a(cw): how often cw stands in the text for the highest order n; below that, how many different
    tokens stand before it. A(c) = Σ_w a(cw). D: the discount of counts 1, 2 and 3 or more,
    estimated from how many n-grams have counts 1 to 4. γ(c): what the discounts took, over A(c).
    Below the single token stands 1 / size.

    Args:
        tokens: numbers (N,) from 0 to size - 1, N at least `order`.
        order: n of the longest n-grams.
        size: of the vocabulary.

    >>> model = NGram(np.array([0, 1, 0, 1, 0, 2]), order=2, size=3)
    >>> model.probabilities(np.array([0, 1])).round(3).tolist()
    [0.333, 0.5]
    """

    def __init__(self, tokens: NDArray[np.integer], order: int, size: int) -> None:
        self._size = size
        self._keys: list[Ints] = []  # of the n-grams of each order from 2 on, ascending
        self._tables: list[tuple[Floats, Floats, Floats]] = []
        w = tokens.astype(np.int64)
        # found[i]: number of the n-gram that ends at token i + n - 1, among those of its order.
        found, counts, prefix = w, np.bincount(w, minlength=size), np.zeros(size, np.int64)
        contexts = 1
        for n in range(2, order + 1):
            keys, first, found_next, counts_next = np.unique(
                found[:-1] * size + w[n - 1 :],
                return_index=True,
                return_inverse=True,
                return_counts=True,
            )
            before = np.bincount(found[first + 1], minlength=len(counts))
            self._tables.append(_smooth(before, prefix, contexts))
            self._keys.append(keys)
            contexts = len(counts)
            found, counts, prefix = found_next, counts_next, keys // size
        self._tables.append(_smooth(counts, prefix, contexts))

    def probabilities(self, tokens: NDArray[np.integer]) -> Floats:
        """Probability of each token of a text (N,), given those before it, which begin with the
        first."""
        w = tokens.astype(np.int64)
        found, context = w, np.zeros(len(w), np.int64)
        result = np.full(len(w), 1 / self._size)
        for n, (share, left, total) in enumerate(self._tables):
            if n > 0:
                context = np.concatenate(([-1], found[:-1]))
                found = self._look_up(self._keys[n - 1], context, w)
            own = np.where(found >= 0, share[found], 0.0)
            known = (context >= 0) & (total[context] > 0)
            result = np.where(known, own + left[context] * result, result)
        return result

    def _look_up(self, keys: Ints, context: Ints, w: Ints) -> Ints:
        """Numbers of the n-grams made of a context's number and a token; -1 if never seen."""
        wanted = context * self._size + w
        place = np.searchsorted(keys, wanted).clip(max=len(keys) - 1)
        return np.where((context >= 0) & (keys[place] == wanted), place, -1)


def _smooth(counts: Ints, prefix: Ints, contexts: int) -> tuple[Floats, Floats, Floats]:
    """Smoothed terms of one order: (a - D(a)) / A per n-gram, and γ and A per context.

    counts: a of each n-gram; prefix: the number of its context, one of `contexts`.
    """
    kind = counts.clip(max=3)
    discount = _discounts(counts)[kind]
    total: Floats = np.bincount(prefix, counts, contexts).astype(np.float64)
    safe = np.maximum(total, 1)
    share = (counts - discount) / safe[prefix]
    left = np.bincount(prefix, discount, contexts) / safe
    return share, left, total


def _discounts(counts: Ints) -> Floats:
    """D of the counts 0, 1, 2, and 3 or more; 0.5, 1, 1.5 where a text is too small to tell, which
    one is whose estimate takes nothing: tokens that never followed would be impossible."""
    small = (0.5, 1.0, 1.5)
    n1, n2, n3, n4 = (int((counts == k).sum()) for k in (1, 2, 3, 4))
    if not (n1 and n2 and n3 and n4):
        return np.array([0.0, *small])
    y = n1 / (n1 + 2 * n2)
    estimates = [1 - 2 * y * n2 / n1, 2 - 3 * y * n3 / n2, 3 - 4 * y * n4 / n3]
    taken = [d if d > 0 else most for d, most in zip(estimates, small, strict=True)]
    return np.array([0.0, *(min(d, k) for k, d in enumerate(taken, 1))])
