"""Drawing of a trial's settings, and the giving up of trials, in Optuna's terms."""

from __future__ import annotations

import hashlib
import warnings
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.pruners import (
    BasePruner,
    HyperbandPruner,
    MedianPruner,
    NopPruner,
    SuccessiveHalvingPruner,
)
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from optuna.study import Study
from optuna.trial import FrozenTrial

from carousel.sweep import space
from carousel.sweep.plan import Plan
from carousel.sweep.space import Choices

THIRD = 3
STARTS = 27
_BEFORE_TPE = 10


def distributions(plan: Plan) -> dict[str, BaseDistribution]:
    """Distribution that each axis is drawn from."""
    found: dict[str, BaseDistribution] = {}
    for name, axis in plan.axes.items():
        if isinstance(axis, Choices):
            found[name] = CategoricalDistribution(axis.values)
        elif axis.whole:
            step = 1 if axis.log else int(axis.step) or 1
            found[name] = IntDistribution(int(axis.low), int(axis.high), axis.log, step)
        else:
            found[name] = FloatDistribution(axis.low, axis.high, axis.log, axis.step or None)
    return found


def pruner(plan: Plan) -> BasePruner:
    """Pruner, which gives trials up. A resource is an epoch."""
    first = max(1, round(plan.epochs / STARTS))
    if plan.pruner == "halving":
        return SuccessiveHalvingPruner(min_resource=first, reduction_factor=THIRD)
    if plan.pruner == "hyperband":
        return HyperbandPruner(min_resource=first, max_resource=plan.epochs, reduction_factor=THIRD)
    if plan.pruner == "median":
        return MedianPruner(n_startup_trials=5, n_warmup_steps=first)
    return NopPruner()


class ByNumber(BaseSampler):
    """Draws that follow from the seed and the number of the trial, whoever draws: a worker that
    joins does not repeat another's, and one that comes back goes on where it was."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._made: tuple[int, BaseSampler] | None = None

    def infer_relative_search_space(
        self, study: Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        return self._of(trial).infer_relative_search_space(study, trial)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        return self._of(trial).sample_relative(study, trial, search_space)

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: Any
    ) -> Any:
        return self._of(trial).sample_independent(study, trial, param_name, param_distribution)

    def _of(self, trial: FrozenTrial) -> BaseSampler:
        if self._made is None or self._made[0] != trial.number:
            digest = hashlib.sha256(f"{self._plan.seed} {trial.number}".encode()).digest()
            seed = int.from_bytes(digest[:4], "big")
            made: BaseSampler = RandomSampler(seed)
            if self._plan.sampler == "tpe":
                made = TPESampler(n_startup_trials=_BEFORE_TPE, seed=seed)
            self._made = (trial.number, made)
        return self._made[1]


IsAgain = Callable[[FrozenTrial], bool]
"""True for a second attempt at another trial's settings."""
IsLost = Callable[[FrozenTrial, Sequence[FrozenTrial]], bool]
"""True for a trial, among these, that was closed before it was trained."""


class Grid(BaseSampler):
    """Every point of a grid once, in an order that follows from the seed: a trial's point is that
    of its place among all trials that are no second attempt; behind the last come the points of
    trials that were lost."""

    def __init__(self, plan: Plan, is_again: IsAgain, is_lost: IsLost) -> None:
        self._plan, self._is_again, self._is_lost = plan, is_again, is_lost
        size = space.size_of_grid(plan.axes)
        key = lambda n: hashlib.sha256(f"{plan.seed} {n}".encode()).digest()  # noqa: E731
        self._order = sorted(range(size), key=key)
        self._drawn: tuple[int, dict[str, space.Value]] | None = None

    def infer_relative_search_space(
        self, study: Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        return {}

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        return {}

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: Any
    ) -> Any:
        if self._drawn is None or self._drawn[0] != trial.number:
            place = self._place(trial.number, study.get_trials(deepcopy=False))
            point = space.point(self._plan.axes, self._order[place % len(self._order)])
            self._drawn = (trial.number, point)
        return self._drawn[1][param_name]

    def _place(self, number: int, trials: Sequence[FrozenTrial]) -> int:
        """Place in the order of the points of trial `number`."""
        fresh, lost = 0, deque[int]()
        for one in sorted(trials, key=lambda one: one.number):
            if one.number > number:
                break
            if self._is_again(one):
                continue
            place = fresh
            if fresh >= len(self._order) and lost:
                place = lost.popleft()
            else:
                fresh += 1
            if one.number == number:
                return place
            if self._is_lost(one, trials):
                lost.append(place)
        raise AssertionError(f"trial {number} is drawn and is not there")


def sampler(plan: Plan, is_again: IsAgain, is_lost: IsLost) -> BaseSampler:
    """Sampler, which draws the settings."""
    return Grid(plan, is_again, is_lost) if plan.sampler == "grid" else ByNumber(plan)


def importance(study: Study) -> dict[str, float]:
    """Share of each setting in what makes the best trials (PED-ANOVA, Watanabe et al. 2023); empty
    while too few have ended."""
    with warnings.catch_warnings(record=True) as said:  # that there are too few
        warnings.simplefilter("always")
        try:
            found = optuna.importance.get_param_importances(study)
        except (ValueError, RuntimeError, ZeroDivisionError):
            return {}
    if said:
        return {}
    return {name: float(share) for name, share in found.items()}
