"""One number, or several, for each sequence."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import RegressorMixin
from sklearn.utils.validation import check_array

from carousel.data.ragged import Ragged
from carousel.data.whole_targets import WholeRecordings, WholeTargets
from carousel.estimators.base import WholeEstimator, said_as_value_error
from carousel.estimators.inputs import read


class SequenceRegressor(RegressorMixin, WholeEstimator):  # type: ignore[misc]
    """A recurrent network that finds one number, or several, of a sequence, as a scikit-learn
    regressor.

    The arguments are those of `SequenceClassifier`; sequences are held out at random, or by
    groups. Inputs and numbers are standardised by what is trained on.

    Attributes: `n_features_in_`, `feature_names_in_`, `model_`, `epochs_`, `best_epoch_`,
    `validation_scores_`, as of `SequenceClassifier`.

    >>> rng = np.random.default_rng(0)
    >>> X = [rng.normal(size=(length, 2)) for length in rng.integers(4, 9, 40)]
    >>> y = [100 + 10 * x[:, 0].sum() for x in X]
    >>> model = SequenceRegressor(learning_rate=0.02, random_state=0).fit(X, y)
    >>> model.predict(X[:3]).shape, bool(model.score(X, y) > 0.5)
    ((3,), True)
    """

    _task = "regress"
    _whole = True
    _own: ClassVar[dict[str, Any]] = {"regress.per": "sequence", "regress.output": "identity"}

    def fit(self, X: Any, y: Any, sample_weight: Any = None, groups: Any = None) -> Self:
        """Train on sequences and the numbers of each; returns itself.

        X: a list of arrays (T_i, F), an array (N, T, F), or (N, T) with one feature per step. y:
        (N,) or (N, K). sample_weight (N,): how much each counts in the loss and in what chooses
        the epoch; 0 leaves it out. groups (N,): of which whole ones are held out. Raises
        `ValueError`.
        """
        given = read(self, X, reset=True)
        numbers = self._numbers(y, len(given))
        self._single = numbers.ndim == 1
        numbers = numbers.reshape(len(numbers), -1)
        chosen = self._chosen(sample_weight, len(given))
        train, held = self._split(chosen, None, groups)

        def part(index: NDArray[np.int64]) -> WholeTargets:
            rows = chosen.index[index]
            values = Ragged.of(torch.from_numpy(given.sequences[i]) for i in rows)
            return WholeTargets(tuple(map(str, rows)), values, torch.from_numpy(numbers[rows]))

        names = ["y"] if self._single else [f"y{k}" for k in range(numbers.shape[1])]
        with said_as_value_error():
            judged = part(held)
            parts = WholeRecordings(part(train), judged, judged, names)
        parts.weights = chosen.weights_of(train=train, validation=held)
        self._fit(parts, given, self._keeps_last(train, held))
        return self

    def _numbers(self, y: Any, count: int) -> NDArray[np.float64]:
        if y is None:
            raise ValueError(
                f"{type(self).__name__} requires y to be passed, but the target y is None"
            )
        numbers: NDArray[np.float64] = check_array(
            y, dtype=np.float64, ensure_2d=False, input_name="y"
        )
        if numbers.ndim > 2 or len(numbers) != count:
            raise ValueError(f"X has {count} sequences, y has the shape {numbers.shape}")
        return numbers

    def predict(self, X: Any) -> NDArray[np.float64]:
        """The number of each sequence (N,), or its K numbers (N, K), as y had them."""
        model = self._trained()
        found: NDArray[np.float64] = model.numbers(read(self, X, reset=False).sequences)
        return found[:, 0] if self._single else found

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
