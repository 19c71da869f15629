"""Stand-in for a run folder, for the loop in memory."""

from __future__ import annotations

from dataclasses import dataclass

from carousel.config import Config


@dataclass(frozen=True)
class Unsaved:
    """A run in memory: nothing of it can be resumed."""

    config: Config
    seed: int
