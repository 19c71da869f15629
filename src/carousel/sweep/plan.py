"""Plan of a sweep: the recipe, what is searched, how, and with which seed. Everyone who works on
it has the same plan."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from carousel import scores
from carousel.config import Config
from carousel.errors import ConfigError
from carousel.sweep import space
from carousel.sweep.space import Axis, Choices, Value

SAMPLERS = ("tpe", "random", "grid")
PRUNERS = ("halving", "hyperband", "median", "none")


@dataclass(frozen=True)
class Plan:
    """A sweep of a recipe.

    sampler: how settings are drawn: "tpe" learns from those that were tried (tree-structured Parzen
        estimator, Bergstra et al. 2011), "random" (Bergstra and Bengio 2012), or "grid".
    pruner: when a trial is given up, by its best validation metric so far: "halving", where it is
        not among the best third at 1/27, 1/9 or 1/3 of the epochs (successive halving, Li et al.
        2020); "hyperband", the same from several starts (Li et al. 2018); "median", where it is
        below the median of the others at that epoch; or "none".
    metric, higher: what chooses, and whether more of it is better.
    epochs: the most that a trial takes.
    seed: of the draws, and of every trial.
    data: fingerprint of training and validation part.
    """

    config: Config
    axes: Mapping[str, Axis]
    sampler: str
    pruner: str
    metric: str
    higher: bool
    epochs: int
    seed: int
    data: str = ""

    def __post_init__(self) -> None:
        for name, known in (("sampler", SAMPLERS), ("pruner", PRUNERS)):
            if (given := getattr(self, name)) not in known:
                raise ConfigError(f"{name} must be one of {', '.join(known)}; got '{given}'", name)
        if self.sampler == "grid":
            space.size_of_grid(self.axes)

    @cached_property
    def identity(self) -> str:
        """A digest of all that decides what a trial is: who has another plan has another sweep."""
        facts = {
            "kind": type(self).__name__,
            "config": self.config.to_dict() | {"recipe": {}, "data": self.data},
            "axes": space.to_json(self.axes),
            "how": [self.sampler, self.pruner, self.metric, self.seed],
            "best": dict(getattr(self, "best", {})),
        }
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()

    def of_trial(self, values: Mapping[str, Value]) -> tuple[Config, int]:
        """Configuration and seed of a trial with these values. Raises `ConfigError` for values that
        cannot be."""
        return self.config.override(space.settled(self.config, values)), self.seed

    def folder_of(self, number: int, values: Mapping[str, Value]) -> str:
        """Name of the folder of a trial's run."""
        return f"trial-{number:04d}"

    def shown(self, value: float) -> str:
        """A validation metric in words."""
        return f"validation {scores.title(self.metric)} {scores.show(self.metric, value)}"

    def to_json(self) -> dict[str, Any]:
        """The plan as sweep.json has it."""
        return {
            "recipe": self.config.recipe.name,
            "task": self.config.task,
            "sampler": self.sampler,
            "pruner": self.pruner,
            "metric": self.metric,
            "metric_higher_is_better": self.higher,
            "epochs": self.epochs,
            "seed": self.seed,
            "over": space.to_json(self.axes),
        }


@dataclass(frozen=True)
class Confirmation(Plan):
    """Runs of the best settings that were found and of the recipe as it was, with other seeds.

    best: the settings.
    """

    best: Mapping[str, Value] = field(default_factory=dict)

    @classmethod
    def of(cls, plan: Plan, best: Mapping[str, Value], seeds: int) -> Confirmation:
        """So many seeds after that of the sweep; of the recipe alone, where it is the best."""
        names = ("best", "recipe") if space.changes(plan.config, best) else ("best",)
        axes: dict[str, Axis] = {
            "setting": Choices(names),
            "seed": Choices(tuple(plan.seed + n for n in range(1, seeds + 1))),
        }
        how = (plan.metric, plan.higher, plan.epochs, plan.seed, plan.data)
        return cls(plan.config, axes, "grid", "none", *how, best=dict(best))

    def of_trial(self, values: Mapping[str, Value]) -> tuple[Config, int]:
        best = space.settled(self.config, self.best)
        config = self.config.override(best) if values["setting"] == "best" else self.config
        return config, int(values["seed"])

    def folder_of(self, number: int, values: Mapping[str, Value]) -> str:
        return f"{values['setting']}-seed-{values['seed']}"
