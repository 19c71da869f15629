"""Series as people hand them to a detector: one or several, read, checked, in one form."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator

from carousel.data.watched import Watched, filled
from carousel.estimators.inputs import BLOCK, RAGGED, compare_names, names_of, remember_names

ONE = "one series"
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class GivenSeries:
    """Series (T_i, F), float64, NaN where nothing was measured, and the form that they came in:
    ONE, RAGGED (a list) or BLOCK (N, T, F)."""

    series: list[Floats]
    form: str

    def each(self, answer: Callable[[Floats], NDArray[Any]]) -> Any:
        """Answers (T_i,) in the form of the series: (T,), a list of (T_i,), or (N, T)."""
        found = [answer(one) for one in self.series]
        if self.form == ONE:
            return found[0]
        return np.stack(found) if self.form == BLOCK else found


def read_series(estimator: BaseEstimator, X: Any, *, reset: bool) -> GivenSeries:
    """Read and check series for an estimator.

    X: one series, (T,), (T, F) or a data frame; or several, a list of those with the same columns
    or an array (N, T, F). A NaN is a value that was not measured. reset: remember the number of
    columns and their names (`n_features_in_`, `feature_names_in_`), or else compare them.

    Raises `ValueError` for infinity, a series without a step, or columns that differ from one
    another or from those that were fitted, and `TypeError` for what are no numbers.
    """
    items, form = _items(X)
    many = form != ONE
    found = [_numbers(item, f"series {i}" if many else "X") for i, item in enumerate(items)]
    widths = {one.shape[1] for one in found}
    if len(widths) != 1:
        said = f"some have {min(widths)} columns, others {max(widths)}" if widths else "got none"
        raise ValueError(f"X must be a series, or a list of some with the same columns: {said}")
    (width,) = widths
    names = names_of(items)
    if reset:
        estimator.n_features_in_ = width
        remember_names(estimator, names)
        return GivenSeries(found, form)
    if width != estimator.n_features_in_:
        raise ValueError(
            f"X has {width} features, but {type(estimator).__name__} is expecting "
            f"{estimator.n_features_in_} features as input"
        )
    compare_names(estimator, names)
    return GivenSeries(found, form)


def watched(name: str, columns: tuple[str, ...], values: Floats, held: int = 0) -> Watched:
    """A series as the network reads it, whose last `held` steps validate. values (T, F): NaN where
    nothing was measured, which is read as the row before and not judged."""
    full, missing = filled(values)
    times = tuple(map(str, range(len(values))))
    return Watched(name, columns, times, full, missing, ends=(len(values) - held, len(values)))


def _items(X: Any) -> tuple[Sequence[Any], str]:
    if hasattr(X, "columns"):
        return [X], ONE
    if isinstance(X, list | tuple) and any(_is_series(item) for item in X):
        return X, RAGGED
    if getattr(X, "ndim", 0) == 3:
        return list(X), BLOCK
    return [X], ONE


def _is_series(item: Any) -> bool:
    """True for what is a series within a list: an array, a data frame, or a list of rows."""
    if hasattr(item, "columns") or (hasattr(item, "ndim") and item.ndim):
        return True
    return isinstance(item, list | tuple) and bool(item) and isinstance(item[0], list | tuple)


def _numbers(item: Any, name: str) -> Floats:
    if hasattr(item, "toarray"):
        raise TypeError(f"{name} is sparse, and sparse data are not supported: give X.toarray()")
    values = np.asarray(item.to_numpy() if hasattr(item, "to_numpy") else item)
    if np.iscomplexobj(values):
        raise ValueError(f"Complex data not supported: {name}")
    try:
        values = values.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise type(error)(f"{name} must hold numbers: {error}") from None
    values = values[:, None] if values.ndim == 1 else values
    if values.ndim != 2 or not values.size:
        raise ValueError(
            f"{name} must be a series (steps,) or (steps, features) of a step at least; got the "
            f"shape {values.shape}"
        )
    if np.isinf(values).any():
        raise ValueError(f"Input X contains infinity, in {name}")
    return values
