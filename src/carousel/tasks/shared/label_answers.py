"""Answers that are several labels at once."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from carousel.tasks.shared.answers import Answer


@dataclass(frozen=True)
class LabelSetAnswer(Answer):
    """The labels of an input: none, one or several.

    labels: those whose probability is 0.5 or more. probabilities: of all by name, each by itself.

    >>> LabelSetAnswer(("war",), {"drama": 0.25, "war": 0.75}).to_json()
    {'labels': ['war'], 'probabilities': {'drama': 0.25, 'war': 0.75}}
    """

    labels: tuple[str, ...]
    probabilities: dict[str, float]

    @property
    def text(self) -> str:
        """The labels in one line."""
        return "; ".join(self.labels)

    @property
    def probability(self) -> float:
        """The probability that all labels are right, if they were independent."""
        return math.prod(p if p >= 0.5 else 1 - p for p in self.probabilities.values())

    def to_json(self) -> dict[str, Any]:
        """Keys "labels" and "probabilities"."""
        return {"labels": [*self.labels], "probabilities": self.probabilities}


def label_sets_of(chances: Tensor, labels: Sequence[str]) -> list[LabelSetAnswer]:
    """An answer for each row of probabilities (n, K).

    >>> label_sets_of(Tensor([[0.25, 0.75]]), ["drama", "war"])[0].text
    'war'
    """
    found = []
    for row in chances.tolist():
        known = dict(zip(labels, row, strict=True))
        found.append(LabelSetAnswer(tuple(name for name, p in known.items() if p >= 0.5), known))
    return found
