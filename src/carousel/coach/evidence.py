"""Evidence that the rules read: everything known of a run up to a step, whoever recorded it."""

from __future__ import annotations

import bisect
import math
import statistics
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any, overload

from carousel.config import Config
from carousel.scores import HIGHER_IS_BETTER


class Points(Sequence[tuple[int, float]]):
    """(step, value) in order of steps, in 16 bytes each where a list has more than 100: a long run
    records millions.

    >>> points = Points([(1, 0.5), (2, 0.25)])
    >>> points.append((3, 0.125))
    >>> points[-1], list(points[:2])
    ((3, 0.125), [(1, 0.5), (2, 0.25)])
    """

    __slots__ = ("_steps", "_values")

    def __init__(self, points: Iterable[tuple[int, float]] = ()) -> None:
        self._steps, self._values = array("q"), array("d")
        for point in points:
            self.append(point)

    def append(self, point: tuple[int, float]) -> None:
        self._steps.append(point[0])
        self._values.append(point[1])

    def __len__(self) -> int:
        return len(self._steps)

    def __iter__(self) -> Iterator[tuple[int, float]]:
        return zip(self._steps, self._values, strict=True)

    @overload
    def __getitem__(self, where: int) -> tuple[int, float]: ...
    @overload
    def __getitem__(self, where: slice) -> Points: ...
    def __getitem__(self, where: int | slice) -> tuple[int, float] | Points:
        if isinstance(where, int):
            return self._steps[where], self._values[where]
        part = Points()
        part._steps, part._values = self._steps[where], self._values[where]
        return part


Series = list[tuple[int, float]] | Points


_OF_EVENTS = ("time", "step", "kind")
_NOT_READ = ("histogram", "profiles", "finding", "finding_cleared")  # by any rule


@dataclass
class Evidence:
    """The record of a training, whole or so far.

    series: numbers by name, (step, value) in order of steps; docs/coach.md lists the names.
    epochs: what was said at the end of each epoch: epoch, step, train, validation (by metric).
    facts: what is known of data and network from the start, by name.
    events: everything else by kind, each with its step.
    monitor: the validation metric that chooses the best epoch; higher_is_better: its direction.
    result: what `result.json` says; empty while the run goes on.
    run: the folder of the run, as a command names it; empty where there is none.
    """

    series: dict[str, Series] = field(default_factory=dict)
    epochs: list[dict[str, Any]] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)
    events: list[dict[str, Any]] = field(default_factory=list)
    config: Config | None = None
    monitor: str = "loss"
    higher_is_better: bool = False
    result: dict[str, Any] = field(default_factory=dict)
    run: str = ""

    # ---- what comes in

    def add(self, step: int, values: Mapping[str, float]) -> None:
        """Take the numbers of a step into the series."""
        for name, value in values.items():
            self.series.setdefault(name, Points()).append((step, value))

    def take(self, event: Mapping[str, Any]) -> None:
        """Put an event where the rules look for it, while a run goes on or when it is read back.

        event: as the event store gives it, with its kind and step.
        """
        kind, body = event["kind"], {k: v for k, v in event.items() if k not in _OF_EVENTS}
        if kind == "facts":
            self.facts |= body
            self.monitor = body.get("monitor", self.monitor)
            self.higher_is_better = body.get("higher_is_better", self.higher_is_better)
        elif kind == "checks":
            self.facts["checks"] = body.get("found", {})
        elif kind == "epoch":
            if "monitor" in event:
                self.monitor = event["monitor"]
                if "higher_is_better" not in self.facts:  # a run from before they were recorded
                    self.higher_is_better = HIGHER_IS_BETTER.get(self.monitor, False)
            self.epochs.append(dict(event))
        elif kind not in _NOT_READ:
            self.events.append(dict(event))

    def end(self, result: dict[str, Any]) -> None:
        """Take what `result.json` says: the run has ended."""
        self.result = result
        self.monitor = result.get("monitor", self.monitor)

    # ---- series

    @property
    def step(self) -> int:
        """The newest step of anything."""
        last = [points[-1][0] for points in self.series.values() if points]
        last += [int(epoch["step"]) for epoch in self.epochs[-1:]]
        last += [int(event.get("step", 0)) for event in self.events[-1:]]
        return max(last, default=0)

    def points(self, name: str) -> Series:
        return self.series.get(name, [])

    def values(self, name: str) -> list[float]:
        return [value for _, value in self.points(name)]

    def last(self, name: str) -> float | None:
        """The newest value of a series, None if it has none."""
        points = self.points(name)
        return points[-1][1] if points else None

    def named(self, prefix: str, suffix: str) -> dict[str, Series]:
        """The series whose name begins and ends so, by what stands between."""
        return {
            name[len(prefix) : len(name) - len(suffix)]: points
            for name, points in self.series.items()
            if points and name.startswith(prefix) and name.endswith(suffix)
        }

    def of_kind(self, kind: str) -> list[dict[str, Any]]:
        return [event for event in self.events if event["kind"] == kind]

    @property
    def is_done(self) -> bool:
        """True if the training loss has come down to a tenth of where it began: gradients are tiny
        and gates decided then, and nothing is wrong with that."""
        losses = finite(self.values("train/loss"))
        return len(losses) > 40 and statistics.fmean(losses[-20:]) < 0.1 * losses[0]

    @property
    def guess_loss(self) -> float | None:
        """The training loss of the best constant, where it is the variance of the targets."""
        deviation, mean = self.facts.get("target_std"), self.facts.get("target_mean", 0.0)
        if deviation is None or self.config is None:
            return None
        output, squared = {
            "forecast": (
                self.config.forecast.output,
                self.config.forecast.distribution in ("none", "conformal"),
            ),
            "regress": (self.config.regress.output, True),
        }.get(self.config.task, ("", False))
        standardised = output == "identity" or (output == "auto" and abs(mean) < 0.05)
        return float(deviation) ** 2 if squared and standardised else None

    @property
    def began_fitted(self) -> bool:
        """True if the first weights were good ones: a forecaster that starts at the ridge
        regression, or first losses below half of a guess's. Such a loss need not fall, and rises by
        chance."""
        if self.config is not None and self.config.task == "forecast":
            forecast = self.config.forecast
            if forecast.linear and forecast.ridge:
                return True
        first, guess = finite(self.values("train/loss"))[:5], self.guess_loss
        return bool(first) and guess is not None and statistics.fmean(first) < 0.5 * guess

    # ---- curves

    def curve(self, part: str, metric: str) -> list[float]:
        """A metric of "train" or "validation", epoch by epoch, as far as it is known."""
        return [epoch[part][metric] for epoch in self.epochs if metric in epoch.get(part, {})]

    @property
    def best(self) -> tuple[int, float] | None:
        """The epoch (from 1) with the best monitored value, and that value."""
        pairs = [
            (int(epoch["epoch"]), epoch["validation"][self.monitor])
            for epoch in self.epochs
            if self.monitor in epoch.get("validation", {})
        ]
        if not pairs:
            return None
        sign = 1 if self.higher_is_better else -1
        return max(pairs, key=lambda pair: (sign * pair[1], -pair[0]))

    def until(self, step: int) -> Evidence:
        """Evidence known at a step."""
        return replace(
            self,
            series={
                name: points[: bisect.bisect_right(points, step, key=lambda point: point[0])]
                for name, points in self.series.items()
            },
            epochs=[epoch for epoch in self.epochs if epoch["step"] <= step],
            events=[event for event in self.events if event["step"] <= step],
            result={},
        )


def slope(values: list[float]) -> float:
    """Least-squares slope of values a step apart; 0 for fewer than two.

    >>> slope([1.0, 3.0, 5.0])
    2.0
    """
    if len(values) < 2:
        return 0.0
    return statistics.linear_regression(range(len(values)), values).slope


def smoothed(values: list[float], parts: int) -> list[float]:
    """The means of `parts` stretches of equal length, fewer if there are fewer values.

    >>> smoothed([1.0, 3.0, 5.0, 7.0], 2)
    [2.0, 6.0]
    """
    parts = min(parts, len(values))
    edges = [round(k * len(values) / parts) for k in range(parts + 1)] if parts else []
    return [statistics.fmean(values[a:b]) for a, b in pairwise(edges)]


def scatter(values: list[float], parts: int) -> float:
    """The standard error of one of `parts` stretches' means, from what lies within them: the median
    over the stretches, so that a fall or a jump in one of them does not count.

    >>> round(scatter([1.0, 3.0, 5.0, 7.0], 2), 6)
    0.707107
    """
    size = len(values) // max(1, min(parts, len(values) // 2))
    within = [values[k : k + size] for k in range(0, len(values) - size + 1, size)] if size else []
    errors = [statistics.pstdev(part) / len(part) ** 0.5 for part in within]
    return statistics.median(errors) if errors else 0.0


def finite(values: list[float]) -> list[float]:
    return [value for value in values if value is not None and math.isfinite(value)]
