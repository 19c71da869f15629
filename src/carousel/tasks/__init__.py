"""The mappings, a folder each: what a batch is, how a model is judged, what it must beat."""

from __future__ import annotations

import importlib
import pkgutil
from typing import TYPE_CHECKING, Any, Protocol

from carousel.config import closest
from carousel.errors import ConfigError

if TYPE_CHECKING:
    from carousel.config import Config
    from carousel.tasks.shared.task import Task, TrainedModel

__all__ = ["Task", "TaskMaker", "find", "names"]


class Restores(Protocol):
    """Class that makes a trained model of what it kept (`TrainedModel.restore`)."""

    def restore(self, config: Config, facts: dict[str, Any], /) -> TrainedModel: ...


class TaskMaker(Protocol):
    """Maker of the task of a mapping: its class, or a choice of one by the data."""

    @property
    def trained(self) -> Restores: ...

    def __call__(self, config: Config, seed: int, parts: Any = None) -> Task: ...


def find(name: str) -> TaskMaker:
    """The task of that name: what tasks/<name>/task.py calls `TASK`, mostly a class. Raises
    `ConfigError`."""
    known = names()
    if name in known:
        found: TaskMaker = importlib.import_module(f"{__name__}.{name}.task").TASK
        return found
    raise ConfigError(
        f"task must be one of {', '.join(known)}; got '{name}'.{closest(name, known)}"
    )


def names() -> list[str]:
    """Every task there is."""
    return [room.name for room in pkgutil.iter_modules(__path__) if room.name != "shared"]


def __getattr__(name: str) -> Any:
    if name != "Task":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from carousel.tasks.shared.task import Task

    return Task
