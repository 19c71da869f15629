"""A class for each sequence."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import assert_all_finite, column_or_1d

from carousel.data.labelled_recordings import Labelled, LabelledRecordings
from carousel.data.ragged import Ragged
from carousel.estimators.base import WholeEstimator, class_names, said_as_value_error
from carousel.estimators.inputs import read


class SequenceClassifier(ClassifierMixin, WholeEstimator):  # type: ignore[misc]
    """A recurrent network that tells the class of a sequence, as a scikit-learn classifier.

    Args:
        cell: "lstm", "gru", "rnn", "mingru", "minlstm", "indrnn", "slstm", "sru", "rglru",
            "qrnn", "qrnn2", "lru", "lmu" or "s6".
        hidden_size: units of each layer and direction.
        num_layers: recurrent layers.
        bidirectional: read each sequence from its end, too.
        pooling: what the head sees: the "last" state, the "mean" or "max" over time, or
            "attention".
        dropout: share of the units that is dropped between layers and before the head.
        epochs, batch_size, learning_rate: of the training, with Adam and a one-cycle schedule.
        patience: stop after so many epochs without improvement (0: never).
        validation: share of the sequences of each class (or of the groups) that is held out to
            choose the epoch; 0 trains on all and keeps the last weights.
        random_state: of weights, order, dropout and the held-out share: an int for equal results.
        threads: CPU threads; their number changes the last bits.
        settings: further settings by their names, as in docs/settings.md.
        verbose: show the training.

    What is None follows from the size of the data (`carousel.data.sizes.settings`).

    Attributes: `classes_`, `n_features_in_` (features of a step; of a 2-D array its steps),
    `feature_names_in_` of data frames, `model_` (the trained model, as `carousel.load` returns),
    `epochs_`, `best_epoch_`, `validation_scores_`.

    >>> rng = np.random.default_rng(0)
    >>> X = [rng.normal(size=(length, 2)) for length in rng.integers(4, 9, 40)]
    >>> y = ["up" if x[:, 0].mean() > 0 else "down" for x in X]
    >>> model = SequenceClassifier(hidden_size=8, epochs=30, random_state=0).fit(X, y)
    >>> model.classes_.tolist(), model.predict(X[:2]).shape, model.predict_proba(X[:2]).shape
    (['down', 'up'], (2,), (2, 2))
    """

    _task = "classify_recordings"
    _own: ClassVar[dict[str, Any]] = {"training.monitor": "loss"}

    def fit(self, X: Any, y: Any, sample_weight: Any = None, groups: Any = None) -> Self:
        """Train on sequences and the class of each; returns itself.

        X: a list of arrays (T_i, F), an array (N, T, F), or (N, T) with one feature per step. y:
        (N,). sample_weight (N,): how much each counts in the loss and in what chooses the epoch; 0
        leaves it out. groups (N,): of which whole ones are held out. Raises `ValueError`.
        """
        given = read(self, X, reset=True)
        labels = self._labels(y, len(given))
        chosen = self._chosen(sample_weight, len(given))
        self.classes_, numbers = np.unique(labels[chosen.index], return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(f"{type(self).__name__} needs at least 2 classes; y has 1 class")
        train, held = self._split(chosen, numbers.tolist(), groups)

        def part(index: NDArray[np.int64]) -> Labelled:
            rows = chosen.index[index]
            values = Ragged.of(torch.from_numpy(given.sequences[i]) for i in rows)
            return Labelled(tuple(map(str, rows)), values, torch.from_numpy(numbers[index]))

        with said_as_value_error():
            judged = part(held)
            parts = LabelledRecordings(part(train), judged, judged, class_names(self.classes_))
        parts.weights = chosen.weights_of(train=train, validation=held)
        self._fit(parts, given, self._keeps_last(train, held))
        return self

    def _labels(self, y: Any, count: int) -> NDArray[Any]:
        if y is None:
            raise ValueError(
                f"{type(self).__name__} requires y to be passed, but the target y is None"
            )
        labels: NDArray[Any] = column_or_1d(y, warn=True)
        assert_all_finite(labels, input_name="y")
        check_classification_targets(labels)
        if len(labels) != count:
            raise ValueError(f"X has {count} sequences, y {len(labels)} classes")
        return labels

    def predict(self, X: Any) -> NDArray[Any]:
        """The most probable class of each sequence (N,)."""
        best = self.predict_proba(X).argmax(1)
        found: NDArray[Any] = self.classes_[best]
        return found

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Probabilities (N, C) of the classes, in the order of `classes_`."""
        model = self._trained()
        chances = model.predict_proba(read(self, X, reset=False).sequences).astype(np.float64)
        found: NDArray[np.float64] = chances / chances.sum(1, keepdims=True)
        return found
