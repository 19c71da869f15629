"""Stand-in for a run folder, for the loop in memory."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from carousel.config import Config
from carousel.run.events import Event
from carousel.run.writing import EventStore


@dataclass(frozen=True)
class Unsaved:
    """A run in memory: nothing of it can be resumed."""

    config: Config
    seed: int


@dataclass(frozen=True)
class Following(Unsaved):
    """Part of a process in a run whose folder, `path`, is the first process's to write."""

    path: Path


class Nowhere(EventStore):
    """A store that keeps nothing."""

    def __init__(self) -> None:  # opens no file
        pass

    def record(self, step: int, values: dict[str, float]) -> None:
        pass

    def event(self, step: int, event: Event) -> None:
        pass

    def flush(self) -> None:
        pass

    def forget_after(self, step: int) -> None:
        pass
