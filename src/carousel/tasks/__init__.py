"""The mappings, one file each: what a batch is, how a model is judged, what it must beat."""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
from typing import TYPE_CHECKING, Any

from carousel.config import closest
from carousel.errors import ConfigError

if TYPE_CHECKING:
    from carousel.tasks.task import Task

__all__ = ["Task", "find", "names"]


def find(name: str) -> type[Task]:
    """The task of that name: what the file tasks/<name>.py calls `TASK`. Raises `ConfigError`."""
    if name.isidentifier() and importlib.util.find_spec(f"{__name__}.{name}") is not None:
        task = getattr(importlib.import_module(f"{__name__}.{name}"), "TASK", None)
        if task is not None:
            found: type[Task] = task
            return found
    known = names()
    raise ConfigError(
        f"task must be one of {', '.join(known)}; got '{name}'.{closest(name, known)}"
    )


def names() -> list[str]:
    """Every task there is."""
    modules = (module.name for module in pkgutil.iter_modules(__path__))
    return [m for m in modules if hasattr(importlib.import_module(f"{__name__}.{m}"), "TASK")]


def __getattr__(name: str) -> Any:
    if name != "Task":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from carousel.tasks.task import Task  # brings torch: tasks.scores is read without it

    return Task
