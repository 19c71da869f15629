"""Plan of a sweep: the recipe, what is searched, how, and with which seed. Everyone who works on
it has the same plan."""

from __future__ import annotations

import hashlib
import json
import re
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
        return _digest(self.facts)

    @property
    def facts(self) -> dict[str, Any]:
        """All that decides what a trial is, as JSON can hold it."""
        return {
            "kind": type(self).__name__,
            "config": self.config.to_dict() | {"recipe": {}, "data": self.data},
            "axes": space.to_json(self.axes),
            "how": [self.sampler, self.pruner, self.metric, self.seed],
            "best": dict(getattr(self, "best", {})),
        }

    def unlike(self, facts: Mapping[str, Any]) -> list[str]:
        """Differences between this plan and the `facts` of a sweep, in words. A setting that they
        do not have, as the version that began the sweep did not know it, takes its default."""
        mine = json.loads(json.dumps(self.facts))  # lists for tuples, as they were written
        mine["config"] = _as_known(mine["config"], facts["config"])
        names = ("sampler", "pruner", "metric", "seed")
        one, two = (
            {**some, "how": dict(zip(names, some["how"], strict=True))} for some in (mine, facts)
        )
        return _unlike(one, two)

    def is_of(self, identity: str, known: Mapping[str, Any]) -> bool:
        """True if a digest is that of this plan, made by a version that knew the settings of a
        configuration, `known`, where all others have their defaults."""
        facts = self.facts
        return _digest({**facts, "config": _as_known(facts["config"], known)}) == identity

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


def _digest(facts: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def _as_known(
    config: Mapping[str, Any], known: Mapping[str, Any], usual: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """A configuration without the settings that are not among the known ones and have their
    defaults, in groups within a section, too. usual: the defaults; those of `Config` if None."""
    standard = json.loads(json.dumps(Config().to_dict())) if usual is None else usual
    found: dict[str, Any] = {}
    for name, value in config.items():
        default = standard.get(name)
        if not isinstance(value, dict):
            if name in known or json.loads(json.dumps(value)) != default:
                found[name] = value
            continue
        before = known.get(name)
        kept = _as_known(
            value,
            before if isinstance(before, dict) else {},
            default if isinstance(default, dict) else {},
        )
        if kept or name in known:
            found[name] = kept
    return found


def _unlike(mine: Mapping[str, Any], other: Mapping[str, Any], where: str = "") -> list[str]:
    """Names whose values differ, with both."""
    found = []
    for name in {**mine, **other}:
        one, two = mine.get(name), other.get(name)
        if isinstance(one, dict) and isinstance(two, dict):
            found += _unlike(one, two, f"{where}{name}.")
        elif one != two:
            shown = re.sub(r"^(config|how)\.", "", f"{where}{name}").replace("axes.", "over ", 1)
            found.append(f"{shown} is {_shown(one)} here and {_shown(two)} there")
    return found


def _shown(value: Any) -> str:
    return "absent" if value is None else json.dumps(value, ensure_ascii=False)


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
