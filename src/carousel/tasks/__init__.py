"""The mappings, a folder each: what a batch is, how a model is judged, what it must beat."""

from __future__ import annotations

import importlib
import pkgutil
from typing import TYPE_CHECKING, Any

from carousel.config import closest
from carousel.errors import ConfigError

if TYPE_CHECKING:
    from carousel.tasks.shared.task import Task, TaskMaker

__all__ = ["Task", "find", "names"]


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
