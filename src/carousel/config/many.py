"""Section of the task that forecasts many series with one network."""

from __future__ import annotations

from dataclasses import dataclass

from carousel.config.keys import DROPPED, KEPT, key


@dataclass(frozen=True)
class ManyConfig:
    """Windows of many series on one scale, how they are drawn, and what is learnt of them.

    scaling: level that is taken from each window, which is then divided by its mean distance from
        it: "season", the mean of the last season; "mean" or "median" of the window; "last", the
        last value that was measured. Counts ("negative-binomial") are divided by 1 and the mean
        of the window in place of all that.
    transform: "log" of values above 0, or "asinh" of any, before that: for series whose changes
        grow with their size. "none": the values as they are.
    smoothing: "es": level and season of each window by exponential smoothing (Holt-Winters) with
        coefficients and first factors that are learnt for each series; the network reads the window
        without them, and says how the time to come differs from them (ES-RNN, Smyl 2020). A series
        that training did not have is smoothed by what all share. "es-all": many.seasons, too, which
        else the linear maps alone repeat. "none": the values on their scale.
    steady: how much the loss has of the mean square of the change of the change of ln level, which
        keeps the level from following every value (Smyl: 10 for hours, 100 for days and weeks).
    objective: the loss in training: "mase", the absolute error over that of the seasonal naive
        forecast of the same series; "smape", over half the sum of truth and forecast; "both",
        the first and ten times the second.
    seasons: further seasons than `forecast.season`, with commas between, such as a week of hours:
        "168".
    mixtures: linear maps of the window, of which the network says how much each counts; they start
        at repeating a season, one each, in turn (0: none). With many.smoothing they repeat half of
        what it has left of it.
    windows: that each series gives in an epoch, at most as many as it has (0: as many as make
        16,000 in all).
    embed: learn a row of numbers for each series, too. A series that training did not have is read
        as none of them.
    """

    scaling: str = key(
        "season",
        choices=("season", "mean", "median", "last"),
        when=("forecast.distribution!=negative-binomial",),
    )
    transform: str = key(
        "none",
        choices=("none", "log", "asinh"),
        when=("forecast.distribution!=negative-binomial",),
        of_set=DROPPED,
    )
    smoothing: str = key(
        "none",
        choices=("none", "es", "es-all"),
        only={"es": "many.transform=log", "es-all": "many.transform=log"},
    )
    steady: float = key(0.0, low=0, when=("many.smoothing=es|es-all",))
    objective: str = key(
        "mase",
        choices=("mase", "smape", "both"),
        when=("forecast.distribution=none|quantile|conformal",),
    )
    seasons: str = key("", of_set=DROPPED)
    mixtures: int = key(4, low=0, high=64, of_set=KEPT)
    windows: int = key(0, low=0)
    embed: bool = False
