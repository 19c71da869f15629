"""Answers of a model as JSON can hold them, with the names of classes and targets."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from carousel.runtime.files import Bundle

_LIKELIEST = 10  # tokens of a vocabulary that are named

SEVERAL = "labels"


class Answers:
    """Rows of numbers (C,) with names: classes and their probabilities, or numbers of targets."""

    def __init__(self, task: str, names: tuple[str, ...], several: bool) -> None:
        self.task, self.names, self.several = task, names, several

    @property
    def kind(self) -> str:
        """Word for what an answer is: "class", "labels", "next" or "numbers"."""
        if self.task == "regress":
            return "numbers"
        if self.task == "generate":
            return "next"
        return SEVERAL if self.several else "class"

    def told(self, rows: NDArray[Any]) -> list[dict[str, Any]]:
        """An object for each row of answers (T, C).

        >>> Answers("classify", ("up", "down"), False).told(np.array([[0.25, 0.75]]))
        [{'class': 'down', 'probabilities': {'up': 0.25, 'down': 0.75}}]
        >>> Answers("regress", (), False).told(np.array([[2.5]]))
        [{'number': 2.5}]
        """
        if self.task == "regress":
            if not self.names:
                return [{"number": row[0]} for row in rows.tolist()]
            return [{"numbers": dict(zip(self.names, row, strict=True))} for row in rows.tolist()]
        if self.task == "generate":
            return [self._next(row) for row in rows]
        return [self._class(row) for row in rows.tolist()]

    def _class(self, row: list[float]) -> dict[str, Any]:
        chances = dict(zip(self.names, row, strict=True))
        if self.several:
            return {
                SEVERAL: [name for name, chance in chances.items() if chance >= 0.5],
                "probabilities": chances,
            }
        return {"class": max(chances, key=lambda name: chances[name]), "probabilities": chances}

    def _next(self, row: NDArray[Any]) -> dict[str, Any]:
        best = np.argsort(-row, kind="stable")[:_LIKELIEST]
        chances = {self.names[place]: float(row[place]) for place in best}
        return {"next": self.names[best[0]], "probabilities": chances}


def answers_of(bundle: Bundle, names: tuple[str, ...]) -> Answers:
    """Answers of a saved model."""
    return Answers(bundle.config.task, names, bool(bundle.facts.get("several")))
