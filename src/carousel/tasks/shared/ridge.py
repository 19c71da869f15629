"""Ridge regression on numbers of any size."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import LinAlgWarning
from sklearn import linear_model

Array = NDArray[Any]


@dataclass(frozen=True)
class Ridge:
    """A linear model of K numbers from F features, with a penalty of 1 on its weights.

    It is solved on features and numbers that are divided by powers of two, which changes no digit
    and keeps squares from overflowing.

    >>> x = np.array([[0.0], [1e37], [2e37]])
    >>> Ridge.fit(x, 3 * x).predict(np.array([[4e37]])) / 1e37
    array([[12.]])
    """

    _model: linear_model.Ridge
    _x: float
    _y: float

    @classmethod
    def fit(cls, x: Array, y: Array) -> Ridge:
        """Fit to features (N, F) and numbers (N, K) or (N,)."""
        sizes = _power_of_two(x), _power_of_two(y)
        with warnings.catch_warnings():
            warnings.simplefilter("error", LinAlgWarning)
            try:
                model = _solved(x, y, *sizes, "auto")
            except LinAlgWarning:  # features that say the same: their squares lose all digits
                model = _solved(x, y, *sizes, "svd")
        return cls(model, *sizes)

    @property
    def weights(self) -> Array:
        """Weights (F, K)."""
        found: Array = np.atleast_2d(self._model.coef_).T * (self._y / self._x)
        return found

    @property
    def offsets(self) -> Array:
        """Offsets (K,), or a number."""
        found: Array = self._model.intercept_ * self._y
        return found

    def predict(self, x: Array) -> Array:
        """Numbers (N, K) or (N,) of features (N, F)."""
        found: Array = self._model.predict(x / self._x) * self._y
        return found.reshape(len(x), *np.shape(self.offsets))  # scikit-learn drops a K of one


def _solved(x: Array, y: Array, of_x: float, of_y: float, solver: str) -> linear_model.Ridge:
    return linear_model.Ridge(alpha=of_x**-2, solver=solver).fit(x / of_x, y / of_y)


def _power_of_two(values: Array) -> float:
    """The power of two above all values; 1 where all are smaller."""
    return float(2.0 ** np.frexp(np.abs(values).max(initial=1.0))[1])
