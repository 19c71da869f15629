"""Linear forecasts of a window by itself."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Linear:
    """Ridge regression of each column from its own context, both taken from its last value.

    One model per column: of all linear ones the hardest to beat on such windows (Zeng et al. 2023,
    arXiv:2205.13504). weights (C, T, K), offsets (C, K).
    """

    weights: Array
    offsets: Array

    def forecasts(self, contexts: Array) -> Array:
        """contexts (N, T, C); returns (N, K, C)."""
        level = contexts[:, -1:]
        change: Array = np.einsum("ntc,ctk->nkc", contexts - level, self.weights)
        return change + self.offsets.T + level


def fit_linear(before: Array, after: Array) -> Linear:
    """The models of the training windows: contexts (M, T, C) and what came (M, K, C), NaN where
    nothing was measured. A step that was never measured repeats the last value."""
    from threadpoolctl import threadpool_limits

    from carousel.tasks.shared.ridge import Ridge  # takes a second to import

    weights, offsets = [], []
    with threadpool_limits(1):
        for c in range(before.shape[2]):
            level = before[:, -1:, c]
            x, y = before[:, :-1, c] - level, after[:, :, c] - level  # the last is its own level
            inside = ~np.isnan(y)
            coefficients = np.zeros((before.shape[1], y.shape[1]))
            constants = np.zeros(y.shape[1])
            whole = [slice(0, y.shape[1])] if inside.all() else []
            for steps in whole or [slice(k, k + 1) for k in range(y.shape[1])]:
                rows = inside[:, steps].all(1)
                if rows.any() and x.shape[1]:
                    model = Ridge.fit(x[rows], y[rows, steps])
                    coefficients[:-1, steps], constants[steps] = model.weights, model.offsets
                elif rows.any():  # a context of one step: nothing to go by but the mean
                    constants[steps] = y[rows, steps].mean(0)
            weights.append(coefficients)
            offsets.append(constants)
    return Linear(np.stack(weights), np.stack(offsets))
