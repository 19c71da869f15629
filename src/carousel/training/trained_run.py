"""A run that has ended, and the question whether one goes on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from carousel import bundle
from carousel.report import html_of_run
from carousel.run import events
from carousel.tasks.shared.task import TrainedModel

GoesOn = Callable[[events.Epoch], bool]
"""Asked after every epoch whether the run goes on."""


@dataclass(frozen=True)
class TrainedRun:
    """A finished run: where it is, and what result.json says."""

    path: Path
    result: dict[str, Any]

    def _repr_html_(self) -> str:
        """HTML that a notebook shows of it: the score, its baselines, and where the report is."""
        return html_of_run(self.path)

    def load(self) -> TrainedModel:
        """The trained model."""
        return bundle.load(self.path)
