"""Preparation of a task from a recipe, a file or a run folder: settings, seed, threads, data."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from carousel import recipes, tasks
from carousel.config import Config
from carousel.data.record import DataRecord
from carousel.errors import ConfigError
from carousel.run import layout
from carousel.run.layout import RunFolder
from carousel.tasks.shared.task import Task
from carousel.training.bare import completed, is_bare

Settings = Iterable[str] | Mapping[str, Any]

#: Sections that may change without the parts of the data being others.
_OF_THE_NETWORK = (
    *("recipe", "model", "encoder", "decoder", "initialization", "loss", "regularization"),
    *("optimizer", "schedule", "averaging", "training", "pretraining", "coach"),
)


def _keys(settings: Settings) -> list[str]:
    return [str(setting).partition("=")[0].strip() for setting in settings]


@dataclass(frozen=True)
class Preparation:
    """A configuration that is ready to be trained, and the seed of weights and order.

    record: of the data of the run that the configuration is of; None where it is of no run, where
    that run has none, or where other data were asked for.
    """

    config: Config
    seed: int
    record: DataRecord | None = None

    @classmethod
    def of(
        cls, source: str | Config | RunFolder, settings: Settings = (), seed: int | None = None
    ) -> Preparation:
        """Prepare a recipe's name, a TOML file, a configuration, or a run as it was begun.

        seed: the source's own if None, or else 0. Raises `ConfigError` or `RunError`.
        """
        settings = settings if isinstance(settings, Mapping | str) else [*settings]
        run: Path | None = None
        before: Config | None = None
        if isinstance(source, RunFolder):
            before, stated, run = source.config.settled(), source.seed, source.path
            config = before.override(settings)
        elif isinstance(source, Config):
            config, stated = source.override(settings).check_data(), None
        else:
            config, stated = recipes.configured(source, settings)
            values = recipes.read_toml(recipes.path_of(source))
            if is_bare(values, config) and source not in recipes.own_names():
                config = completed(config, values, _keys(settings))
            if Path(source).name == layout.CONFIG:
                before, run = recipes.load(source)[0], Path(source).parent
        if seed is None:
            seed = stated or 0
        check_seed(seed)
        same = before is not None and _same_data(before, config)
        record = DataRecord.read(run) if run is not None and same else None
        return cls(_absolute(config), seed, record)

    def task(self) -> Task:
        """The task, with its data. Raises `ConfigError` or `DataError`."""
        return tasks.find(self.config.task)(self.config, self.seed)

    def model(self, task: Task) -> nn.Module:
        """The network with the weights that a run with this seed begins with."""
        torch.manual_seed(self.seed)
        return task.build_model()

    def changes(self, task: Task) -> str:
        """Differences of the data from those on record, in words; empty if none or unrecorded."""
        return "" if self.record is None else self.record.differences(task.parted, "validation")


def check_seed(seed: int) -> None:
    """Raise `ConfigError` unless this can be a seed."""
    if not 0 <= seed < 2**31:
        raise ConfigError(f"the seed must lie between 0 and {2**31 - 1}, got {seed}")


def checked_threads(threads: int | None, processes: int = 1) -> int:
    """The number of threads; if None torch's current one, or, where several `processes` share the
    machine, so many that together they are as many as there are cores. Raises `ConfigError` for one
    that cannot be."""
    if threads is None and processes > 1:
        threads = max(1, len(os.sched_getaffinity(0)) // processes)
    threads = torch.get_num_threads() if threads is None else threads
    if threads < 1:
        raise ConfigError(f"the number of threads must be at least 1, got {threads}")
    return threads


@contextmanager
def using_threads(threads: int | None) -> Iterator[None]:
    """Let torch compute with so many threads inside the block; as many as it does if None."""
    before = torch.get_num_threads()
    torch.set_num_threads(checked_threads(threads))
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _absolute(config: Config) -> Config:
    """Copy with the whole paths of the data: a run may be resumed from another folder."""
    if not config.data.path:
        return config
    paths = {"path": config.data.path, **config.data.files}
    return config.override({f"data.{k}": str(Path(path).absolute()) for k, path in paths.items()})


def _same_data(one: Config, other: Config) -> bool:
    same = {name: getattr(one, name) for name in _OF_THE_NETWORK}
    return _absolute(replace(other, **same)) == _absolute(one)
