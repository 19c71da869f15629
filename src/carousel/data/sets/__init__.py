"""The published data sets, a file each: where it comes from, and how it is read.

A file is found by itself. What it may have:

    SOURCE    where the set comes from; it is called as the file is, with - for _
    READERS   by task, by the name that `data.name` has there, what makes the parts of a `Config`
    RECORDING by that name, what reads one recording as it was published, to predict from

The readers of custom files (`carousel.data.files`) are listed in the same way. To list the
sets must take no time: modules that need torch are imported inside the readers.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterator
from functools import cache
from types import ModuleType
from typing import TYPE_CHECKING, Any

from carousel.config import DataConfig, closest
from carousel.data.source import Source
from carousel.errors import ConfigError

if TYPE_CHECKING:
    from carousel.data.files.recordings import Frames

#: Makes parts of a configuration; of `data.name` = "table", also of a table that is handed in.
Reader = Callable[..., Any]


@cache
def sources() -> dict[str, Source]:
    """The sources of all sets, by their names."""
    found = {module.__name__.rpartition(".")[2]: module for module in _modules(__name__)}
    return {
        name.replace("_", "-"): module.SOURCE
        for name, module in found.items()
        if hasattr(module, "SOURCE")
    }


@cache
def readers(task: str) -> dict[str, Reader]:
    """Readers of a task's data, by `data.name`: published sets, then custom files."""
    found: dict[str, Reader] = {}
    for package in (__name__, "carousel.data.files"):
        for module in _modules(package):
            found |= getattr(module, "READERS", {}).get(task, {})
    return found


def find(task: str, name: str) -> Reader:
    """Reader of the data `name` of a task. Raises `ConfigError`, which lists what there is.

    >>> find("classify_text", "sts2")
    Traceback (most recent call last):
    carousel.errors.ConfigError: data.name must be one of mr, nsmc, sst2, sst5, sentences, table; \
got 'sts2'. Did you mean 'sst2'?
    """
    known = readers(task)
    if name in known:
        return known[name]
    must = f"data.name must be one of {', '.join(known)}"
    if name == DataConfig.name:
        raise ConfigError(
            f"{must}; got '{name}', which is what it is where nothing sets it: set data.name"
        )
    raise ConfigError(f"{must}; got '{name}'.{closest(name, list(known))}")


def recording_reader(name: str) -> Callable[[str, str], Frames] | None:
    """Parser for recordings of the set `name` as it was published: f(text, source) -> Frames. None
    where recordings are read as custom ones are."""
    for module in _modules(__name__):
        if name in (known := getattr(module, "RECORDING", {})):
            found: Callable[[str, str], Frames] = known[name]
            return found
    return None


def _modules(package: str) -> Iterator[ModuleType]:
    path = importlib.import_module(package).__path__
    for entry in sorted(pkgutil.iter_modules(path), key=lambda entry: entry.name):
        yield importlib.import_module(f"{package}.{entry.name}")
