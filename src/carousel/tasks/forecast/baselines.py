"""Forecasts that are not recurrent, of the same windows as the network's."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from carousel.config import ForecastConfig
from carousel.data.series import Windows
from carousel.tasks.shared.baselines.linear import fit_linear
from carousel.tasks.shared.baselines.table import local_methods, seconds_of

Array = NDArray[np.float64]

_SEASONS, _FEWEST = 4, 240  # of a history, and its steps, at least, where there are as many


@dataclass(frozen=True)
class Windowed:
    """Targets of a series in windows.

    values (R, C): of the rows, what was missing being filled; truth (R, C): NaN there.
    """

    values: Array
    truth: Array
    windows: dict[str, Windows]
    settings: ForecastConfig

    def gather(self, windows: Windows) -> tuple[Array, Array]:
        """Contexts (N, T, C), and what came (N, K, C): NaN where nothing was measured."""
        index = torch.arange(len(windows))
        before, _ = windows.gather(torch.from_numpy(self.values), index)
        _, after = windows.gather(torch.from_numpy(self.truth), index)
        return before.numpy(), after.numpy()

    @property
    def past(self) -> int:
        """Steps before each window that are its history: four seasons, 240 steps or the context,
        whichever is most, as far as the series has them before the first window of all parts that
        are judged."""
        settings = self.settings
        wanted = max(settings.context, _SEASONS * settings.season, _FEWEST)
        first = min(int(self.windows[part].starts[0]) for part in self.windows if part != "train")
        return min(wanted, first)

    def histories(self, part: str) -> Array:
        """The past of every window and column: (N, C, past)."""
        starts = self.windows[part].starts.numpy()
        found = np.lib.stride_tricks.sliding_window_view(self.values, self.past, axis=0)
        chosen: Array = found[starts - self.past]
        return chosen


def local_forecasts(data: Windowed, part: str, seconds: dict[str, float]) -> dict[str, Array]:
    """Forecasts (N, K, C) of methods that fit each history by itself; their seconds are added."""
    settings, histories = data.settings, data.histories(part)
    found = {}
    for name, method in local_methods(data.past, settings.season).items():
        with seconds_of(seconds, name):
            found[name] = method(histories, settings.horizon, settings.season).swapaxes(1, 2)
    return found


def learned_forecasts(data: Windowed, part: str, seconds: dict[str, float]) -> dict[str, Array]:
    """Forecasts (N, K, C) of models fitted on the training windows; their seconds are added."""
    contexts, _ = data.gather(data.windows[part])
    with seconds_of(seconds, "linear"):
        linear = fit_linear(*data.gather(data.windows["train"])).forecasts(contexts)
    return {"linear": linear}
