"""A class for every step of each sequence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray

from carousel.data.ragged import Ragged
from carousel.data.recordings import LabelledFrames, Recordings
from carousel.estimators.base import SequenceEstimator, class_names, said_as_value_error
from carousel.estimators.inputs import RAGGED, Given, read


class SequenceTagger(SequenceEstimator):
    """A recurrent network that tells the class of every step of a sequence.

    It has scikit-learn's methods, but labels are rows: y is a list of (T_i,) or an array (N, T),
    and so is what `predict` gives. Arguments are those of `SequenceClassifier` without `pooling`;
    sequences are held out at random, or by groups.

    Attributes: `classes_`, `n_features_in_`, `feature_names_in_`, `model_`, `epochs_`,
    `best_epoch_`, `validation_scores_`, as of `SequenceClassifier`.

    >>> rng = np.random.default_rng(0)
    >>> X = [rng.normal(size=(length, 2)) for length in rng.integers(4, 9, 30)]
    >>> y = [np.where(x[:, 0] > 0, "high", "low") for x in X]
    >>> model = SequenceTagger(learning_rate=0.02, random_state=0).fit(X, y)
    >>> [len(row) for row in model.predict(X[:2])] == [len(x) for x in X[:2]]
    True
    >>> bool(model.score(X, y) > 0.8)
    True
    """

    _task = "label_frames"
    _own: ClassVar[dict[str, Any]] = {"training.monitor": "loss"}

    def __init__(
        self,
        *,
        cell: str | None = None,
        hidden_size: int | None = None,
        num_layers: int = 1,
        bidirectional: bool = True,
        dropout: float | None = None,
        epochs: int | None = None,
        batch_size: int | None = None,
        learning_rate: float | None = None,
        patience: int | None = None,
        validation: float = 0.2,
        random_state: Any = None,
        threads: int = 1,
        settings: Mapping[str, Any] | None = None,
        verbose: bool = False,
    ) -> None:
        self.cell, self.hidden_size, self.num_layers = cell, hidden_size, num_layers
        self.bidirectional, self.dropout = bidirectional, dropout
        self.epochs, self.batch_size, self.learning_rate = epochs, batch_size, learning_rate
        self.patience, self.validation, self.random_state = patience, validation, random_state
        self.threads, self.settings, self.verbose = threads, settings, verbose

    def fit(self, X: Any, y: Any, sample_weight: Any = None, groups: Any = None) -> Self:
        """Train on sequences and the classes of their steps; returns itself.

        X: a list of arrays (T_i, F), an array (N, T, F), or (N, T) with one feature per step. y: a
        list of (T_i,) or an array (N, T); a label None is not known, and in no loss and no score.
        sample_weight (N,): how much each sequence counts in the loss; 0 leaves it out. groups
        (N,): of which whole ones are held out. Raises `ValueError`.
        """
        given = read(self, X, reset=True)
        rows = _rows(y, given)
        chosen = self._chosen(sample_weight, len(given))
        known = [label for i in chosen.index for label in rows[i] if label is not None]
        if len({isinstance(label, str) for label in known}) > 1:
            raise ValueError("y must hold labels of one kind, it has text and numbers")
        self.classes_ = np.unique(np.array(known)) if known else np.array([])
        if len(self.classes_) < 2:
            raise ValueError(
                f"{type(self).__name__} needs at least 2 classes; y has {len(self.classes_)}"
            )
        train, held = self._split(chosen, [0] * len(chosen.index), groups)
        place = {label: number for number, label in enumerate(self.classes_.tolist())}

        def part(index: NDArray[np.int64]) -> Recordings:
            numbers = chosen.index[index]
            values = Ragged.of(torch.from_numpy(given.sequences[i]) for i in numbers)
            labels = [-1 if x is None else place[x] for i in numbers for x in rows[i]]
            return Recordings(tuple(map(str, numbers)), values, torch.tensor(labels))

        with said_as_value_error():
            judged = part(held)
            parts = LabelledFrames(part(train), judged, judged, class_names(self.classes_))
        parts.weights = chosen.weights_of(train=train)
        for weights in parts.weights.values():  # with a mean of 1 over the steps, which are judged
            steps = torch.tensor([len(rows[i]) - rows[i].count(None) for i in chosen.index[train]])
            weights *= steps.sum() / (weights * steps).sum()
        self._fit(parts, given, self._keeps_last(train, held))
        return self

    def predict(self, X: Any) -> Any:
        """The most probable class of every step: a list of (T_i,), or (N, T) of an array."""
        model, given = self._trained(), read(self, X, reset=False)
        chances = model.predict_proba(given.sequences)
        return _as_given([self.classes_[rows.argmax(1)] for rows in chances], given)

    def predict_proba(self, X: Any) -> Any:
        """Probabilities of the classes at every step, in the order of `classes_`: a list of
        (T_i, C), or (N, T, C) of an array."""
        model, given = self._trained(), read(self, X, reset=False)
        chances = [rows.astype(np.float64) for rows in model.predict_proba(given.sequences)]
        return _as_given([rows / rows.sum(1, keepdims=True) for rows in chances], given)

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Share of the steps with a label whose class is found. sample_weight: of the sequences.
        Raises `ValueError` if no step has a label."""
        given = read(self, X, reset=False)
        rows, found = _rows(y, given), self.predict(X)
        weights = np.ones(len(given)) if sample_weight is None else np.asarray(sample_weight)
        right, total = 0.0, 0.0
        for weight, wanted, guess in zip(weights, rows, found, strict=True):
            pairs = [(a, b) for a, b in zip(wanted, guess.tolist(), strict=True) if a is not None]
            right += weight * sum(a == b for a, b in pairs)
            total += weight * len(pairs)
        if not total:
            raise ValueError("no step of y has a label that counts: there is nothing to judge")
        return float(right / total)


def _rows(y: Any, given: Given) -> list[list[Any]]:
    """The labels of each sequence, None where one is not known. Raises `ValueError`."""
    if y is None:
        raise ValueError("y must be the labels of every step of each sequence, got None")
    rows = [_labels(row) for row in y]
    if len(rows) != len(given):
        raise ValueError(f"X has {len(given)} sequences, y the labels of {len(rows)}")
    for number, (labels, sequence) in enumerate(zip(rows, given.sequences, strict=True)):
        if len(labels) != len(sequence):
            raise ValueError(
                f"sequence {number} has {len(sequence)} steps, and y {len(labels)} labels for it"
            )
    return rows


def _labels(row: Any) -> list[Any]:
    if isinstance(row, str) or np.ndim(row) != 1:
        raise ValueError(
            f"y must have a row of labels, one for each step, for each sequence; got {row!r:.60}"
        )
    found: list[Any] = row.tolist() if hasattr(row, "tolist") else list(row)
    return [None if label != label else label for label in found]


def _as_given(rows: Sequence[NDArray[Any]], given: Given) -> Any:
    """A list for a list, an array for an array."""
    return list(rows) if given.form == RAGGED else np.stack(rows)
