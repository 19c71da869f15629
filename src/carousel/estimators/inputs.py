"""Sequences as people hand them to an estimator: read, checked, and brought into one form."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils.validation import validate_data

FLAT, RAGGED, BLOCK = "a 2-D array", "a list of sequences", "a 3-D array"
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Given:
    """Sequences (T_i, F), float64 and finite, and the form that they were handed in.

    form: FLAT (N, T), one feature per step; BLOCK (N, T, F); or RAGGED, a list of (T_i, F).
    """

    sequences: list[Floats]
    form: str

    def __len__(self) -> int:
        return len(self.sequences)

    @property
    def mean_length(self) -> float:
        """Mean number of steps of a sequence."""
        return sum(map(len, self.sequences)) / max(1, len(self))


def read(estimator: BaseEstimator, X: Any, *, reset: bool) -> Given:
    """Read and check sequences for an estimator, as scikit-learn does rows.

    X: a list of arrays or data frames (T_i, F), or of (T_i,) of unequal lengths; an array
    (N, T, F); or an array or data frame (N, T), one feature per step. reset: remember the number
    of features and their names (`n_features_in_`, `feature_names_in_`), or else compare them.

    Raises `ValueError` for NaN, infinity, sequences without a step, or features that differ from
    one another or from those that were fitted, and `TypeError` for what are no numbers.
    """
    items, form = _items(X)
    if form == FLAT:
        return _read_flat(estimator, X, reset)
    found = [_read_one(estimator, number, item) for number, item in enumerate(items)]
    widths = {one.shape[1] for one in found}
    if len(widths) > 1:
        raise ValueError(
            f"all sequences must have the same features: some have {min(widths)}, others "
            f"{max(widths)}"
        )
    (width,) = widths
    names = names_of(items)
    if reset:
        estimator.n_features_in_, estimator._form = width, RAGGED
        remember_names(estimator, names)
        return Given(found, form)
    if estimator._form == FLAT:
        raise ValueError(
            f"{type(estimator).__name__} was fitted on a 2-D array of {estimator.n_features_in_} "
            f"steps, and X is {form}: give an array (sequences, {estimator.n_features_in_})"
        )
    if width != estimator.n_features_in_:
        raise ValueError(
            f"X has {width} features, but {type(estimator).__name__} is expecting "
            f"{estimator.n_features_in_} features as input"
        )
    compare_names(estimator, names)
    return Given(found, form)


def _items(X: Any) -> tuple[Sequence[Any], str]:
    """The sequences of X and its form; of a form that is not known, FLAT, which is checked."""
    if hasattr(X, "columns") or hasattr(X, "toarray"):  # a data frame, a sparse matrix
        return [], FLAT
    if isinstance(X, list | tuple):
        return (X, RAGGED) if _are_sequences(X) else ([], FLAT)
    array = np.asarray(X)
    if array.ndim == 3 and array.size:
        return list(array), BLOCK
    if array.ndim == 1 and array.dtype == object and _are_sequences(array):
        return list(array), RAGGED
    return [], FLAT


def _are_sequences(items: Iterable[Any]) -> bool:
    dimensions = {_dimensions(item) for item in items}
    if dimensions == {1}:
        return len({len(item) for item in items}) > 1
    return dimensions == {2}


def _dimensions(item: Any) -> int:
    if hasattr(item, "ndim"):
        return int(item.ndim)
    if hasattr(item, "columns"):
        return 2
    depth = 0
    while isinstance(item, list | tuple) and item:
        item, depth = item[0], depth + 1
    return depth


def _read_one(estimator: BaseEstimator, number: int, item: Any) -> Floats:
    name = type(estimator).__name__
    values = np.asarray(item.to_numpy() if hasattr(item, "to_numpy") else item)
    if np.iscomplexobj(values):
        raise ValueError(f"Complex data not supported: sequence {number}")
    try:
        values = values.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise type(error)(f"sequence {number} must hold numbers: {error}") from None
    if values.ndim == 1:
        values = values[:, None]
    if not values.size:
        raise ValueError(
            f"sequence {number} has {len(values)} steps and {values.shape[1]} features: "
            f"{name} needs at least one of each"
        )
    if not np.isfinite(values).all():
        what = "NaN" if np.isnan(values).any() else "infinity"
        raise ValueError(f"Input X contains {what}, in sequence {number}")
    return values


def _read_flat(estimator: BaseEstimator, X: Any, reset: bool) -> Given:
    if not reset and estimator._form == RAGGED:
        if estimator.n_features_in_ > 1:
            raise ValueError(
                f"X must be a list of sequences (steps, {estimator.n_features_in_}), or a 3-D "
                "array of them; of a single sequence x, [x]"
            )
        array = np.asarray(X.to_numpy() if hasattr(X, "to_numpy") else X)
        if array.ndim != 2:
            raise ValueError(f"X must be sequences, got an array of {array.ndim} dimensions")
        rows = [_read_one(estimator, number, row) for number, row in enumerate(array)]
        return Given(rows, FLAT)
    values = validate_data(estimator, X, reset=reset, dtype=np.float64)
    if reset:
        estimator._form = FLAT
    if not values.flags.writeable:  # torch warns of what it could write to
        values = values.copy()
    return Given([row[:, None] for row in values], FLAT)


def names_of(items: Sequence[Any]) -> tuple[str, ...]:
    """The names of the features, where every sequence is a data frame; they must agree."""
    named = [tuple(map(str, item.columns)) for item in items if hasattr(item, "columns")]
    if len(named) < len(items):
        return ()
    if len(set(named)) > 1:
        other = next(names for names in named if names != named[0])
        raise ValueError(
            f"all data frames must have the same columns in the same order: {list(named[0])}, "
            f"{list(other)}"
        )
    return named[0]


def remember_names(estimator: BaseEstimator, names: tuple[str, ...]) -> None:
    if names:
        estimator.feature_names_in_ = np.array(names, dtype=object)
    elif hasattr(estimator, "feature_names_in_"):
        del estimator.feature_names_in_


def compare_names(estimator: BaseEstimator, names: tuple[str, ...]) -> None:
    known = tuple(getattr(estimator, "feature_names_in_", ()))
    if names and known and names != known:
        raise ValueError(
            "The feature names should match those that were passed during fit: "
            f"{list(known)}, got {list(names)}"
        )
