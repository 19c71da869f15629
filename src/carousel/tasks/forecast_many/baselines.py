"""Forecasts of many series that are not recurrent, of the same windows as the network's."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits
from torch import Tensor

from carousel import scores
from carousel.tasks.forecast_many.windows import Drawing, Frame, Origins
from carousel.tasks.shared.baselines.boosting import Boosting, Past
from carousel.tasks.shared.baselines.ensemble import average, best_of
from carousel.tasks.shared.baselines.ets import chosen, ets
from carousel.tasks.shared.baselines.linear import fit_linear
from carousel.tasks.shared.baselines.pooled import Features, dlinear, fit_pooled, nlinear
from carousel.tasks.shared.baselines.table import local_methods, seconds_of

Array = NDArray[np.float64]
Judge = Callable[[Origins, Array], dict[str, float]]

_AT_ONCE, _LEARNT_FROM = 512, 16_000
_CHOOSING = 48  # windows by which ways of smoothing are chosen
SLOW = 5_000
"""Windows of a part that the methods which take long forecast, at most."""


class Baselines:
    """Every method's forecasts of validation windows, and of those of another part.

    Methods of a history see the context of a window. "linear" (a ridge regression), "nlinear",
    "dlinear" and "boosting" are one model each for all series, learnt from the windows of the first
    epoch, 16,000 at most, on the scale of each. ETS and boosting take long: of more than 5,000
    windows of a part they forecast so many, evenly over the series, and so does the average of the
    three methods that are best on the validation windows, 5,000 of them at most, if it has one.

    forecasts: (n, K) of the windows in `windows`, by name; partial: of some windows only. seconds:
    of the processor, of each. notes: what is to be said. combined: what the ensemble averages.
    """

    def __init__(
        self,
        frame: Frame,
        drawing: Drawing,
        windows: Origins,
        held: Origins,
        judge: Judge,
        scale: Array,
        seed: int,
    ) -> None:
        """held: windows of the validation part, which `judge` measures; scale (S,): of each series,
        what its values are divided by for the trees."""
        self._frame, self._settings = frame, frame.config.forecast
        self._judge, self._divisor = judge, torch.from_numpy(scale)
        self.windows = windows
        self._held = held.take(_evenly(len(held)))
        self._some = windows.take(_evenly(len(windows)))
        drawn = drawing.epoch(seed, 0)
        self._learnt = drawn.take(torch.arange(min(len(drawn), _LEARNT_FROM)))
        self.seconds: dict[str, float] = {}
        self.notes: list[str] = []
        self.combined: list[str] = []
        self.forecasts: dict[str, Array] = {}
        self.partial: list[str] = []
        self._validated: dict[str, Array] = {}
        # scikit-learn takes a second to import, which is no method's own.
        import sklearn.ensemble
        import sklearn.linear_model  # noqa: F401

        with threadpool_limits(1):  # threads of BLAS stall each other on a busy machine
            self._local()
            self._linear()
            self._pooled()
            self._smoothed()
            self._boosted()
            self._ensemble()
        self._say()

    def of(self, name: str) -> Origins:
        """Windows that a method forecast."""
        return self._some if name in self.partial else self.windows

    # ---- methods

    def _local(self) -> None:
        settings = self._settings
        for name, method in local_methods(settings.context, settings.season).items():
            self._add(name, partial(self._of_history, method))

    def _linear(self) -> None:
        with seconds_of(self.seconds, "linear"):
            before, after = self._scaled(self._learnt)
            model = fit_linear(before, after)
        self._add("linear", partial(self._restored, forecasts=model.forecasts))

    def _pooled(self) -> None:
        pairs: tuple[tuple[str, Features], ...] = (("nlinear", nlinear), ("dlinear", dlinear))
        for name, features in pairs:
            with seconds_of(self.seconds, name):
                model = fit_pooled(features, self._scaled(self._learnt), self._scaled(self._held))
            if model is None:
                self.notes.append(f"{name}: no training window was measured throughout")
                continue
            self._add(name, partial(self._restored, forecasts=model.forecasts))

    def _smoothed(self) -> None:
        with seconds_of(self.seconds, "ets"):
            few = self._held.take(_evenly(len(self._held), _CHOOSING))
            ways = chosen(self._frame.contexts(few).numpy(), self._settings.season)

        self._add("ets", partial(self._of_history, partial(ets, among=ways)), slow=True)

    def _boosted(self) -> None:
        model = Boosting(self._settings.season, np.ones(1))
        with seconds_of(self.seconds, "boosting"):
            after, held_after = (
                (self._frame.truth(some) / self._divided(some)).unsqueeze(2).numpy()
                for some in (self._learnt, self._held)
            )
            if np.isnan(after).all() or np.isnan(held_after).all():
                self.notes.append("boosting: no window to learn from was measured")
                return
            model.fit(self._past(self._learnt), after, self._past(self._held), held_after)

        def forecast(piece: Origins) -> Array:
            size: Array = self._divided(piece).numpy()
            found: Array = model.forecasts(self._past(piece))[:, :, 0] * size
            return found

        self._add("boosting", forecast, slow=True)

    def _ensemble(self) -> None:
        with seconds_of(self.seconds, "ensemble"):
            errors = {}
            for name, guess in self._validated.items():
                values = self._judge(self._held, guess)
                errors[name] = values.get("mase", values.get("mae", np.nan))
            self.combined = best_of(errors)
            if not self.combined:
                return
            some = {name: self.forecasts[name] for name in self.combined}
            if any(name in self.partial for name in self.combined):
                self.partial.append("ensemble")
                places = _evenly(len(self.windows)).numpy()
                some = {n: v if n in self.partial else v[places] for n, v in some.items()}
            self.forecasts["ensemble"] = average(some, self.combined)
        self.seconds["ensemble"] += sum(self.seconds[name] for name in self.combined)

    # ---- what they have in common

    def _add(self, name: str, forecast: Callable[[Origins], Array], slow: bool = False) -> None:
        few = slow and len(self._some) < len(self.windows)
        if few:
            self.partial.append(name)
        with seconds_of(self.seconds, name):
            self._validated[name] = _in_pieces(self._held, forecast)
            self.forecasts[name] = _in_pieces(self._some if few else self.windows, forecast)

    def _of_history(self, method: Callable[..., Array], piece: Origins) -> Array:
        settings = self._settings
        contexts = self._frame.contexts(piece).numpy()
        found: Array = method(contexts, settings.horizon, settings.season)
        return found

    def _scaled(self, windows: Origins) -> tuple[Array, Array]:
        """Contexts (n, T, 1) on the scale of each window, and what came (n, K, 1)."""
        frame, read = self._frame, self._frame.read(windows)
        after = read.scale(frame.forward(frame.truth(windows))).double()
        return read.x[:, :, :1].double().numpy(), after.unsqueeze(2).numpy()

    def _restored(self, piece: Origins, forecasts: Callable[[Array], Array]) -> Array:
        read = self._frame.read(piece)
        guess = forecasts(read.x[:, :, :1].double().numpy())[:, :, 0]
        found: Array = read.scale.restore(torch.from_numpy(guess)).numpy()
        return found

    def _divided(self, windows: Origins) -> Tensor:
        return self._divisor[windows.series].unsqueeze(1)

    def _past(self, windows: Origins) -> Past:
        frame, read = self._frame, self._frame.read(windows)
        contexts = frame.contexts(windows) / self._divided(windows)
        others = torch.cat((read.x[:, -1, 2:], read.static), 1)
        known = [read.after.double().numpy()]
        if not self._settings.calendar:
            known.append(frame.coming(windows).numpy())
        return Past(
            contexts.unsqueeze(2).numpy(), np.concatenate(known, 2), others.double().numpy()
        )

    def _say(self) -> None:
        if self.combined:
            named = ", ".join(map(scores.baseline, self.combined))
            self.notes.append(
                f"ensemble: the average of those best on the validation part: {named}"
            )
        if self.partial:
            named = ", ".join(map(scores.baseline, self.partial))
            self.notes.append(
                f"{named}: judged on {len(self._some):,} of {len(self.windows):,} windows, evenly "
                "over the series, to bound the time"
            )


def _evenly(count: int, most: int | None = None) -> Tensor:
    """Numbers of at most so many of `count` things, evenly over them."""
    most = SLOW if most is None else most
    if count <= most:
        return torch.arange(count)
    return torch.from_numpy(np.linspace(0, count - 1, most).round().astype(np.int64))


def _in_pieces(windows: Origins, forecast: Callable[[Origins], Array]) -> Array:
    pieces = torch.split(torch.arange(len(windows)), _AT_ONCE)
    return np.concatenate([forecast(windows.take(piece)) for piece in pieces])
