"""Metrics of several labels at once, as scikit-learn has them; a label is said from 0.5 on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from carousel.tasks.shared import bootstrap

Floats = NDArray[np.float64]


def scores(truth: NDArray[Any], guess: NDArray[Any]) -> dict[str, float]:
    """Micro and macro F1, and the share of examples whose labels are all right.

    truth, guess (n, K): 0 and 1. A label that neither stands nor is said has F1 0.

    >>> found = scores(np.array([[1, 0], [1, 1]]), np.array([[1, 0], [1, 0]]))
    >>> found["micro_f1"], found["macro_f1"], found["subset_accuracy"]
    (0.8, 0.5, 0.5)
    """
    counts = _counts(np.asarray(truth) > 0, np.asarray(guess) > 0)
    sums = counts.sum(0)[None]
    return {
        "micro_f1": float(_micro(sums)[0]),
        "macro_f1": float(_macro(sums)[0]),
        "subset_accuracy": float(_exact(sums)[0] / len(counts)),
    }


def report(targets: Tensor, logits: Tensor, labels: Sequence[str]) -> dict[str, Any]:
    """Scores of labels with their intervals over examples drawn anew, the loss, and per label
    precision, recall, F1 and support. targets, logits (n, K)."""
    truth, guess = targets.numpy() > 0, logits.numpy() > 0
    counts = _counts(truth, guess)
    loss = torch.nn.functional.binary_cross_entropy_with_logits(logits, targets.float())
    both, said, stand = counts[:, : 3 * len(labels)].sum(0).reshape(3, -1)
    found: dict[str, Any] = {**scores(truth, guess), "loss": float(loss)}
    precision, recall = _ratio(both, said), _ratio(both, stand)
    f1 = _ratio(2 * both, said + stand)
    found["per_class"] = {
        name: {
            "precision": float(precision[i]),
            "recall": float(recall[i]),
            "f1": float(f1[i]),
            "support": int(stand[i]),
        }
        for i, name in enumerate(labels)
    }
    examples = len(counts)
    ends = {
        "micro_f1": bootstrap.interval(counts, _micro),
        "macro_f1": bootstrap.interval(counts, _macro),
        "subset_accuracy": bootstrap.interval(counts, lambda sums: _exact(sums) / examples),
    }
    return {**found, **bootstrap.known(ends)}


def _counts(truth: NDArray[np.bool_], guess: NDArray[np.bool_]) -> Floats:
    """Counts of each example (n, 3 K + 1): labels said that stand, said, that stand; all right."""
    exact = (truth == guess).all(1, keepdims=True)
    return np.concatenate((truth & guess, guess, truth, exact), 1).astype(np.float64)


def _three(sums: Floats) -> Floats:
    return sums[:, :-1].reshape(len(sums), 3, -1)


def _micro(sums: Floats) -> Floats:
    both, said, stand = _three(sums).sum(2).T
    return _ratio(2 * both, said + stand)


def _macro(sums: Floats) -> Floats:
    both, said, stand = np.moveaxis(_three(sums), 1, 0)
    found: Floats = _ratio(2 * both, said + stand).mean(1)
    return found


def _exact(sums: Floats) -> Floats:
    found: Floats = sums[:, -1]
    return found


def _ratio(part: Floats, whole: Floats) -> Floats:
    return np.divide(part, whole, out=np.zeros_like(whole), where=whole > 0)
