"""Verdict on network against baselines, as far as the test part can tell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from carousel.scores import HIGHER_IS_BETTER


@dataclass(frozen=True)
class Verdict:
    """A baseline beside the network. sure: the interval of the network's score lies on one side of
    the baseline's; None where there is no interval."""

    baseline: str
    theirs: float
    better: bool
    sure: bool | None


def metric_of(result: Mapping[str, Any]) -> str:
    """The task's own metric, by which baselines are judged; another may choose the epoch."""
    return str(result.get("metric") or result.get("monitor") or "")


def timed(result: Mapping[str, Any]) -> bool:
    """True if a baseline of the run says how many seconds it took."""
    return any("seconds" in values for values in result.get("baseline", {}).values())


def interval_of(evaluation: Mapping[str, Any], metric: str) -> tuple[float, float] | None:
    """The interval of a metric in an evaluation, where it has one."""
    found = evaluation.get("interval")
    pair = found.get(metric) if isinstance(found, dict) else None
    if not isinstance(pair, list) or len(pair) != 2:
        return None
    return float(pair[0]), float(pair[1])


def verdicts(result: Mapping[str, Any], evaluation: Mapping[str, Any]) -> list[Verdict]:
    """The network against each baseline that has its metric, the strongest baseline first.

    The interval is that of the network's score over test parts drawn anew; the baseline's is taken
    as it is. A baseline inside of it is no worse and no better, as far as can be told.

    >>> result = {"metric": "accuracy", "test": {"accuracy": 0.8},
    ...           "baseline": {"linear": {"accuracy": 0.78}}}
    >>> verdicts(result, {"interval": {"accuracy": [0.75, 0.84]}})
    [Verdict(baseline='linear', theirs=0.78, better=True, sure=False)]
    """
    metric = metric_of(result)
    ours = result.get("test", {}).get(metric)
    if not isinstance(ours, float):
        return []
    higher = HIGHER_IS_BETTER.get(metric, True)
    sign = 1.0 if higher else -1.0
    ends = interval_of(evaluation, metric)
    found = []
    for name, values in result.get("baseline", {}).items():
        if isinstance(theirs := values.get(metric), float):
            sure = None if ends is None else not ends[0] <= theirs <= ends[1]
            found.append(Verdict(name, theirs, sign * ours > sign * theirs, sure))
    return sorted(found, key=lambda verdict: -sign * verdict.theirs)
