"""Scores of labelled words: accuracy, and spans found whole."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from carousel import scores
from carousel.data.files.columns import Labelled
from carousel.tasks.label_words.network import most_probable
from carousel.tasks.label_words.spans import mark_spans, span_scores, spans_of
from carousel.tasks.shared import bootstrap


def judge(
    part: Labelled, logits: Tensor, labels: tuple[str, ...], well_formed: bool = False
) -> tuple[dict[str, float], dict[str, Any]]:
    """Metrics of logits (N, L) for the words of a part, and details.

    accuracy: of words; loss: over the words whose label the training part has; span_f1 and its
    parts where the labels mark spans, otherwise macro_f1 over the labels of this part.
    """
    number = {label: i for i, label in enumerate(labels)}
    flat = [label for sentence in part.labels for label in sentence]
    truth = torch.tensor([number.get(label, -1) for label in flat])
    guess = most_probable(logits, [*map(len, part.labels)], labels, well_formed)
    loss = nn.functional.cross_entropy(logits, truth, ignore_index=-1)
    values = {"accuracy": float((truth == guess).double().mean()), "loss": float(loss)}
    guessed = [labels[i] for i in guess.tolist()]
    rows = iter(guessed)
    sentences = [[next(rows) for _ in sentence] for sentence in part.labels]
    if mark_spans(labels):
        found = span_scores(part.labels, sentences)
        per_kind = found.pop("per_kind")
        return {**found, **values}, {"per_kind": per_kind, **_interval(part.labels, sentences)}
    from sklearn.metrics import f1_score  # takes a second to import

    macro = f1_score(flat, guessed, average="macro", zero_division=0.0)
    return {"macro_f1": float(macro), **values}, {}


def _interval(truth: Sequence[Sequence[str]], guess: Sequence[Sequence[str]]) -> dict[str, Any]:
    """Intervals of span F1 and accuracy, over sentences drawn anew."""
    rows = []
    for one, other in zip(truth, guess, strict=True):
        a, b = set(spans_of(one)), set(spans_of(other))
        right = sum(x == y for x, y in zip(one, other, strict=True))
        rows.append((len(a & b), len(a) + len(b), right, len(one)))
    sums = np.array(rows, dtype=float).reshape(-1, 4)
    return bootstrap.known(
        {
            "span_f1": bootstrap.interval(sums, lambda r: 2 * r[:, 0] / np.maximum(r[:, 1], 1)),
            "accuracy": bootstrap.interval(sums, lambda r: r[:, 2] / np.maximum(r[:, 3], 1)),
        }
    )


def headline(labels: Sequence[str]) -> tuple[str, ...]:
    """The metrics that `judge` gives, the one that chooses the epoch first."""
    first = "span_f1" if mark_spans(labels) else "macro_f1"
    assert first in scores.HIGHER_IS_BETTER
    return (first, "accuracy", "loss")
