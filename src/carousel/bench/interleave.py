"""Contestants take turns, so that what slows the machine down for a while slows all of them."""

from __future__ import annotations

import gc
import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from carousel.bench.peers.base import Contestant

Samples = dict[str, tuple[float | None, ...]]

_LONG = 0.2  # seconds from which on a call needs no warm-up: it is over within the first per cent


@dataclass(frozen=True)
class Plan:
    """Duration of a measurement: rounds and seconds.

    budget: seconds for a row. least, most: rounds. turn: seconds that a contestant's turn lasts at
    least, by repeated calls. settle: seconds for which a thread pool may spin after its work.
    """

    budget: float = 2.5
    least: int = 5
    most: int = 40
    turn: float = 0.02
    settle: float = 0.01


@dataclass(frozen=True)
class Schedule:
    """Repetitions that follow from a plan and the duration of one call of each contestant.

    calls: per turn. every: takes part in each so-many-th round, the first one included.
    """

    rounds: int
    calls: dict[str, int]
    every: dict[str, int]


def schedule(seconds: Mapping[str, float], reference: str, plan: Plan) -> Schedule:
    """Rounds that fit the budget; who would take most of it alone sits some of them out.

    >>> plan = Plan(budget=2.0, least=5, most=40, turn=0.02)
    >>> schedule({"ours": 0.01, "theirs": 0.02, "slow": 3.0}, "ours", plan)
    Schedule(rounds=28, calls={'ours': 2, 'theirs': 1, 'slow': 1}, \
every={'ours': 1, 'theirs': 1, 'slow': 21})
    """
    calls = {name: max(1, math.ceil(plan.turn / each)) for name, each in seconds.items()}
    cost = {
        name: calls[name] * each + (each if each < _LONG else 0) for name, each in seconds.items()
    }
    quick = [c for name, c in cost.items() if name == reference or plan.least * c <= plan.budget]
    rounds = min(plan.most, max(plan.least, int(plan.budget / sum(quick))))
    every = {
        name: 1 if name == reference else max(1, math.ceil(rounds * c / (2 * plan.budget)))
        for name, c in cost.items()
    }
    return Schedule(rounds, calls, every)


def measure(
    contestants: Mapping[str, Contestant],
    pools: Mapping[str, str],
    reference: str,
    plan: Plan,
    sleep: Callable[[float], None] = time.sleep,
) -> Samples:
    """Seconds per call of each contestant in each round; None where it sat out.

    pools: the thread pool of each. After one call of each to see how long it takes, contestants of
    one pool follow each other at once, those of the next after a pause. The pool that begins, and
    who begins in a pool, changes from round to round.
    """
    first: dict[str, float] = {}
    enabled = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        for name in _in_turn(pools, 0, sleep, plan.settle):
            first[name] = contestants[name].run(1)
        todo = schedule(first, reference, plan)
        samples: dict[str, list[float | None]] = {name: [] for name in contestants}
        for number in range(todo.rounds):
            for name in _in_turn(pools, number, sleep, plan.settle):
                if number % todo.every[name]:
                    samples[name].append(None)
                elif number == 0 and first[name] > plan.budget:
                    samples[name].append(first[name])
                else:
                    calls = todo.calls[name]
                    seconds = contestants[name].run(calls, first[name] < _LONG)
                    samples[name].append(seconds / calls)
    finally:
        if enabled:
            gc.enable()
    return {name: tuple(values) for name, values in samples.items()}


def _in_turn(
    pools: Mapping[str, str], number: int, sleep: Callable[[float], None], settle: float
) -> Iterator[str]:
    """The contestants in the order of one round; pauses between pools on the way."""
    groups: dict[str, list[str]] = {}
    for name, pool in pools.items():
        groups.setdefault(pool, []).append(name)
    start = number % len(groups)
    order = list(groups.values())
    for group in order[start:] + order[:start]:
        if len(groups) > 1:
            sleep(settle)
        first = number // len(groups) % len(group)  # else some would never begin a round
        yield from group[first:] + group[:first]
