"""Forecasts that are not recurrent, of the same windows as the network's."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from carousel import scores
from carousel.config import ForecastConfig
from carousel.data.series import Windows
from carousel.tasks.forecast.scores import Yardstick, measures
from carousel.tasks.shared.baselines.boosting import Boosting, Past, too_large
from carousel.tasks.shared.baselines.ensemble import average, best_of
from carousel.tasks.shared.baselines.ets import chosen, ets
from carousel.tasks.shared.baselines.linear import fit_linear
from carousel.tasks.shared.baselines.pooled import dlinear, fit_pooled, nlinear
from carousel.tasks.shared.baselines.table import local_methods, seconds_of

Array = NDArray[np.float64]
Forecasts = dict[str, Array]

_SEASONS, _FEWEST = 4, 240  # of a history, and its steps, at least, where there are as many
_CHOOSING = 12  # histories of each column by which ways of smoothing are chosen


def gather(values: Array, truth: Array, windows: Windows) -> tuple[Array, Array]:
    """Contexts (N, T, C) of values (R, C), and what came of truth (R, C): (N, K, C)."""
    index = torch.arange(len(windows))
    before, _ = windows.gather(torch.from_numpy(values), index)
    _, after = windows.gather(torch.from_numpy(truth), index)
    return before.numpy(), after.numpy()


@dataclass(frozen=True)
class Windowed:
    """Targets of a series in windows.

    values (R, C): of the rows, what was missing being filled; truth (R, C): NaN there. others
    (R, M): scaled columns that are read only; known (R + K, F): what is known of each step before.
    """

    values: Array
    truth: Array
    others: Array
    known: Array
    windows: dict[str, Windows]
    settings: ForecastConfig

    def gather(self, part: str) -> tuple[Array, Array]:
        """Contexts (N, T, C), and what came (N, K, C): NaN where nothing was measured."""
        return gather(self.values, self.truth, self.windows[part])

    @property
    def past(self) -> int:
        """Steps before each window that are its history: four seasons, 240 steps or the context,
        whichever is most, as far as the series has them before the first window that is judged."""
        settings = self.settings
        wanted = max(settings.context, _SEASONS * settings.season, _FEWEST)
        judged = (windows for part, windows in self.windows.items() if part != "train")
        return min(wanted, *(int(windows.starts.min()) for windows in judged if len(windows)))

    def histories(self, part: str) -> Array:
        """The past of every window and column: (N, C, past)."""
        return self._before(self.windows[part].starts.numpy())

    def examples(self) -> Array:
        """Pasts (N, C, past) within the training part, evenly over it."""
        end = int(self.windows["validation"].starts[0])
        count = min(_CHOOSING, end - self.past + 1)
        return self._before(np.linspace(self.past, end, count).astype(int))

    def _before(self, starts: NDArray[np.int64]) -> Array:
        found = np.lib.stride_tricks.sliding_window_view(self.values, self.past, axis=0)
        chosen_rows: Array = found[starts - self.past]
        return chosen_rows

    def boosted(self, part: str) -> Past:
        """Windows as gradient boosting reads them."""
        windows = self.windows[part]
        starts = windows.starts.numpy()
        steps = starts[:, None] + np.arange(self.settings.horizon)
        return Past(self.gather(part)[0], self.known[steps], self.others[starts - 1])


class Baselines:
    """Every method's forecasts of the validation windows and of those of another part.

    forecasts: (N, K, C) of that part, by name. seconds: of the processor, of each. left_out:
    methods that have none, and why. combined: the methods that the ensemble averages, the best on
    the validation part by MASE (by MAE where that is undefined).
    """

    def __init__(self, data: Windowed, yardstick: Yardstick, part: str = "test") -> None:
        self._data, self._yardstick, self._part = data, yardstick, part
        self._both = ("validation", part)
        self.seconds: dict[str, float] = {}
        self.left_out: list[str] = []
        self.combined: list[str] = []
        self._found: dict[str, Forecasts] = {name: {} for name in self._both}
        # scikit-learn takes a second to import, which is no method's own.
        import sklearn.ensemble
        import sklearn.linear_model  # noqa: F401

        with threadpool_limits(1):  # threads of BLAS stall each other on a busy machine
            self._local()
            self._smoothed()
            self._linear()
            self._pooled()
            self._boosted()
            self._ensemble()

    @property
    def notes(self) -> list[str]:
        """Notes on what was left out, and on what the ensemble is made of."""
        named = ", ".join(map(scores.baseline, self.combined))
        ensemble = f"ensemble: the average of those best on the validation part: {named}"
        return [*self.left_out, ensemble]

    @property
    def forecasts(self) -> Forecasts:
        return self._found[self._part]

    def scores(self) -> dict[str, dict[str, float]]:
        """Metrics of each on the windows of that part, with its seconds."""
        _, truth = self._data.gather(self._part)
        return {
            name: {**measures(truth, guess, self._yardstick), "seconds": self.seconds[name]}
            for name, guess in self.forecasts.items()
        }

    def _local(self) -> None:
        data, settings = self._data, self._data.settings
        for name, method in local_methods(data.past, settings.season).items():
            with seconds_of(self.seconds, name):
                for part in self._both:
                    guess = method(data.histories(part), settings.horizon, settings.season)
                    self._found[part][name] = guess.swapaxes(1, 2)

    def _smoothed(self) -> None:
        data, settings = self._data, self._data.settings
        with seconds_of(self.seconds, "ets"):
            examples = data.examples().reshape(-1, data.past)
            ways = chosen(examples, settings.season)
            for part in self._both:
                guess = ets(data.histories(part), settings.horizon, settings.season, ways)
                self._found[part]["ets"] = guess.swapaxes(1, 2)

    def _linear(self) -> None:
        with seconds_of(self.seconds, "linear"):
            model = fit_linear(*self._data.gather("train"))
            for part in self._both:
                self._found[part]["linear"] = model.forecasts(self._data.gather(part)[0])

    def _pooled(self) -> None:
        data = self._data
        for name, features in (("nlinear", nlinear), ("dlinear", dlinear)):
            with seconds_of(self.seconds, name):
                model = fit_pooled(features, data.gather("train"), data.gather("validation"))
                if model is None:
                    self.left_out.append(f"{name}: no training window was measured throughout")
                    continue
                for part in self._both:
                    self._found[part][name] = model.forecasts(data.gather(part)[0])

    def _boosted(self) -> None:
        data, name = self._data, "boosting"
        pasts = {part: data.boosted(part) for part in ("train", *self._both)}
        if too_large(*(pasts[part] for part in self._both)):
            why = "more than 3,000,000 values to forecast would take minutes"
            self.left_out.append(f"{name}: {why}")
            return
        with seconds_of(self.seconds, name):
            model = Boosting(data.settings.season, self._yardstick.std)
            held = pasts["validation"], data.gather("validation")[1]
            model.fit(pasts["train"], data.gather("train")[1], *held)
            for part in self._both:
                self._found[part][name] = model.forecasts(pasts[part])

    def _ensemble(self) -> None:
        _, truth = self._data.gather("validation")
        with seconds_of(self.seconds, "ensemble"):
            errors = {}
            for name, guess in self._found["validation"].items():
                values = measures(truth, guess, self._yardstick)
                errors[name] = values.get("mase", values["mae"])
            self.combined = best_of(errors)
            for part in self._both:
                self._found[part]["ensemble"] = average(self._found[part], self.combined)
        self.seconds["ensemble"] += sum(self.seconds[name] for name in self.combined)
