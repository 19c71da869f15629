"""Series in time: parts in order of time, and windows.

The parts follow each other, and the targets of their windows never overlap: what is forecast in a
later part was not a target of an earlier one. A context may reach back into the part before, as it
does when a model is used.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from carousel.config import ForecastConfig
from carousel.data.order import generator_of
from carousel.data.regular import Series
from carousel.data.splits import in_time
from carousel.data.stamps import Stamps, unit_of
from carousel.errors import ConfigError, DataError
from carousel.runtime.calendar import waves


def calendar(stamps: Stamps, more: int = 0, turns: int = 0) -> NDArray[np.float32]:
    """sin and cos of the month, the day of the week and the hour, (T + more, 2 K).

    What the stamps do not tell (the hour of daily ones) is left out. more: also for so many steps
    after the last. turns: K, whatever the stamps tell: a network that was trained on stamps of
    another unit reads so many.
    """
    if more:
        step = stamps[-1] - stamps[-2]
        stamps = np.concatenate((stamps, stamps[-1] + np.arange(1, more + 1) * step))
    unit = unit_of(stamps)
    turns = turns or (1 if unit in ("Y", "M") else 2 if unit in ("W", "D") else 3)
    return waves(stamps.astype("datetime64[D]") if unit in ("Y", "M", "W") else stamps, turns)


def cut(count: int, config: ForecastConfig, ends: Sequence[int] = ()) -> dict[str, range]:
    """Rows that are targets in each part, in order of time; ends: of the parts, where a set has its
    own, unless the configuration names an origin. Raises `DataError` if one has no window."""
    test, validation = round(config.test * count), round(config.validation * count)
    ends = ends or (count - test - validation, count - test, count)
    if config.origin:
        ends = _ends_at_origin(count, config)
    parts = in_time(ends, config.context, config.gap)
    for part, rows in parts.items():
        unjudged = part == "test" and ends[1] == ends[2]
        if len(rows) < config.horizon and not unjudged:
            raise DataError(
                f"the {part} part has {len(rows)} rows to forecast, fewer than forecast.horizon = "
                f"{config.horizon}: the series of {count} is too short, or forecast.context, "
                f"validation, test or gap is too large"
            )
    return parts


def _ends_at_origin(count: int, config: ForecastConfig) -> tuple[int, int, int]:
    """Ends of the parts where the first step that judges lies `forecast.origin` from the end."""
    first = count - config.origin
    if first < 1:
        raise DataError(
            f"forecast.origin = {config.origin} lies before the beginning of the series of {count} "
            f"steps: it must leave steps to train on"
        )
    if config.judged > config.origin:
        raise ConfigError(
            f"forecast.judged = {config.judged} reaches beyond the end of the series, "
            f"{config.origin} steps after forecast.origin: let it be at most as large"
        )
    validation = max(config.horizon, round(config.validation * first))
    known = first - config.gap
    return known - validation - config.gap, known, first + (config.judged or config.origin)


class Windows:
    """Every window of a part: `context` rows, then `horizon` rows, all of them in `rows`.

    truth (T, C): windows without any number to be forecast that was measured (all NaN) are left
    out: there is nothing in them to learn or to judge.
    """

    def __init__(
        self, rows: range, context: int, horizon: int, truth: NDArray[np.float64] | None = None
    ) -> None:
        self.context, self.horizon = context, horizon
        self.starts = torch.arange(rows.start, rows.stop - horizon + 1)
        if truth is not None and np.isnan(truth).any():
            measured = np.concatenate(([0], (~np.isnan(truth)).any(1).cumsum()))
            starts = self.starts.numpy()
            self.starts = self.starts[
                torch.from_numpy(measured[starts + horizon] > measured[starts])
            ]

    def __len__(self) -> int:
        return len(self.starts)

    @property
    def apart(self) -> int:
        """Number of windows of which no two have a step to forecast in common."""
        count, end = 0, -1
        for start in self.starts.tolist():
            if start >= end:
                count, end = count + 1, start + self.horizon
        return count

    def take(self, index: Tensor) -> Windows:
        """Some of the windows, by their numbers."""
        some = copy.copy(self)
        some.starts = self.starts[index]
        return some

    def gather(self, values: Tensor, index: Tensor) -> tuple[Tensor, Tensor]:
        """(what stands before, what comes): (B, context, F) and (B, horizon, F)."""
        first = self.starts[index].unsqueeze(1)
        return self.contexts(values, index), values[first + torch.arange(self.horizon)]

    def contexts(self, values: Tensor, index: Tensor) -> Tensor:
        """Contexts alone, which may end where the values do: (B, context, F)."""
        first: Tensor = self.starts[index].unsqueeze(1)
        return values[first + torch.arange(-self.context, 0)]

    def epoch(self, batch_size: int, seed: int, epoch: int, start: int = 0) -> Iterator[Tensor]:
        """Numbers of the windows in each batch of an epoch, from batch `start` on; the order
        depends on (seed, epoch) alone."""
        generator = generator_of(seed, epoch)
        order = torch.randperm(len(self), generator=generator)
        yield from torch.split(order, batch_size)[start:]


def account(series: Series, parts: dict[str, range]) -> dict[str, Any]:
    """Rows that are targets in each part, from when to when, what was filled, and what was
    recognised while reading."""
    return {
        "rows": len(series),
        "missing_values_filled": series.filled,
        "recognised": list(series.notes),
        "targets": {
            part: {
                "rows": len(rows),
                "first": str(series.stamps[rows[0]]),
                "last": str(series.stamps[rows[-1]]),
            }
            for part, rows in parts.items()
            if len(rows)
        },
    }
