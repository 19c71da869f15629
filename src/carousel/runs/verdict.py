"""Numbers of several runs, and a judgement whether their means differ by more than seeds do."""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass
from typing import Any

from carousel import scores


@dataclass(frozen=True)
class Spread:
    """One number of several runs. values: by run; std: with n - 1, NaN of a single run."""

    values: dict[str, float]

    @property
    def mean(self) -> float:
        return statistics.fmean(self.values.values())

    @property
    def std(self) -> float:
        return statistics.stdev(self.values.values()) if len(self.values) > 1 else math.nan

    def to_dict(self) -> dict[str, Any]:
        """Comparison as JSON can hold it."""
        std = None if math.isnan(self.std) else self.std
        low, high = min(self.values.values()), max(self.values.values())
        return {"mean": self.mean, "std": std, "min": low, "max": high, "values": self.values}


@dataclass(frozen=True)
class Verdict:
    """Difference of a group's mean from that of the first.

    difference: group minus first. interval: of the difference of the means, by Welch's t
    (https://doi.org/10.1093/biomet/34.1-2.28); None where a group has a single run. With more than
    two groups each interval is as much wider as Bonferroni asks, so that all of them together hold
    with the confidence that is stated.
    """

    metric: str
    part: str
    group: str
    against: str
    difference: float
    interval: tuple[float, float] | None
    counts: tuple[int, int]

    @property
    def is_larger_than_spread(self) -> bool | None:
        """True if seeds alone hardly explain it; None where a single run says nothing of seeds."""
        if self.interval is None:
            return None
        return not self.interval[0] <= 0 <= self.interval[1]

    @property
    def is_better(self) -> bool | None:
        """True if the difference is an improvement; None where that is not known of the metric."""
        higher = scores.HIGHER_IS_BETTER.get(self.metric)
        return None if higher is None else (self.difference > 0) == higher

    def __str__(self) -> str:
        name = f"{self.part} {scores.title(self.metric)}"
        size = _signed(self.metric, self.difference)
        if self.difference == 0:
            return f"{name}: {self.group} and {self.against} are the same."
        word = {True: "better", False: "worse", None: "other"}[self.is_better]
        head = f"{name}: {self.group} is {word} than {self.against}, {size}"
        if self.interval is None:
            return f"{head}; a single run does not say how much seeds matter."
        low, high = (_signed(self.metric, end) for end in self.interval)
        ends = f"{low.removesuffix(' points')} to {high}"
        tail = "more" if self.is_larger_than_spread else "no more"
        return f"{head} ({ends}): {tail} than seeds explain."


def welch(here: list[float], there: list[float], confidence: float) -> tuple[float, float]:
    """Interval of the difference of two means whose spreads may differ."""
    from scipy import stats  # slow to import

    difference = statistics.fmean(here) - statistics.fmean(there)
    if statistics.pvariance(here) + statistics.pvariance(there) == 0:
        return difference, difference  # every seed gave the same
    ends = stats.ttest_ind(here, there, equal_var=False).confidence_interval(confidence)
    return float(ends.low), float(ends.high)


def _signed(metric: str, value: float) -> str:
    """A difference with its sign; of shares in points.

    >>> _signed("accuracy", 0.0031), _signed("bleu", -1.5)
    ('+0.31 points', '-1.50')
    """
    shown = scores.show(metric, abs(value))
    sign = "-" if value < 0 else "+"
    return f"{sign}{shown[:-1]} points" if shown.endswith("%") else f"{sign}{shown}"
