"""Sections of the tasks that find numbers."""

from __future__ import annotations

from dataclasses import dataclass

from carousel.config.keys import DROPPED, KEPT, key

#: Forecasts one series (of several columns), not many.
ONE = ("forecast",)


@dataclass(frozen=True)
class RegressConfig:
    """Regression of a number per step of a recording, or of numbers of a whole one.

    per: whether there is a number to be found for each "step", or one or several for each
        "sequence"; "auto": as the data have them.
    cap: targets above it count as it, in training (0: none). An engine that is far from failing
        does not show how far.
    output: "identity" with squared error on the standardised target, "sigmoid" with binary
        cross-entropy for targets in [0, 1], or "auto": sigmoid where all training targets are.
    """

    per: str = key("auto", choices=("auto", "step", "sequence"), of_set=DROPPED)
    cap: float = key(0.0, low=0, of_set=DROPPED)
    output: str = key("auto", choices=("auto", "identity", "sigmoid"))


@dataclass(frozen=True)
class ForecastConfig:
    """Windows of a series, or of each of many, and the forecast after each.

    context, horizon: steps that are read, and steps that are forecast from them, all at once.
    targets: the columns to forecast, with commas between (empty: all of them); the others are
        read only.
    calendar: tell the network the hour, the day of the week and the month of every step, those to
        come included, as far as the time stamps have them.
    season: steps after which the series resembles itself: of the seasonal baseline and of MASE
        (1: none).
    relative: take the last value of each context from its window and add it to the forecast, so
        that the level need not be learnt.
    normalize: read each target by the level and the size of its own window, and bring its forecast
        back (Kim et al. 2022): less its "last" value or its "mean", over its deviation; "none".
    segment: steps of a window that the recurrence reads at once, as one step of its own; segments
        to come are decoded at once, too (SegRNN, Lin et al. 2023). 0: step by step. context must
        be a multiple.
    linear: add a linear map of each target's own window, so that the network need only say what
        a line does not (Lai et al. 2018).
    ridge: start that map at the ridge regression on the training windows, and the rest of the
        network at zero, so that training begins from the baseline.
    independent: forecast each target from its own past alone, by one network for all of them: far
        it overfits less (Nie et al. 2023).
    output: "identity" (forecasts on the scale of the standardised series), "sigmoid" (with binary
        cross-entropy, for targets in [0, 1]), or "auto": sigmoid where all training targets are.
    distribution: "none" (one number), "gaussian" (mean and deviation), "quantile" (10, 50, 90 %),
        "conformal" (one number, learnt as with "none", and intervals as wide as its errors on the
        validation part), "negative-binomial" (counts; the forecast is the median); of many
        series, too, "student-t" (a Gaussian with outliers).
    loss: of one number: its "squared" error, or the "absolute" one, which single far values move
        less.
    calibrate: stretch the intervals, for each step and target, until 80 % of the validation part
        lies within them.
    follow: how fast the intervals of later windows widen or narrow, as the truth of those before
        comes (Gibbs and Candès 2021), such as 0.05, or, of many series, where each has windows of
        its own that share no step, 0.2; 0: they stay as they were calibrated.
    validation, test: shares of the series, at its end, of a set that has no split of its own; of
        many, at the end of each, and at least one horizon.
    gap: steps left out between the parts.
    origin: steps from the first that judges to the end of the series, of each of many, in place of
        the shares of the parts (0: those): all before them trains and validates, as in a window of
        `carousel backtest`; the share `validation` is then of those before.
    judged: how many of these steps judge (0: all of them).
    """

    context: int = key(48, low=1, of_set=KEPT)
    horizon: int = key(12, low=1, of_set=KEPT)
    targets: str = key("", tasks=ONE, of_set=DROPPED)
    calendar: bool = False
    season: int = key(1, low=1, of_set=DROPPED)
    relative: bool = key(True, tasks=ONE)
    normalize: str = key(
        "none",
        choices=("none", "last", "mean"),
        tasks=ONE,
        when=("forecast.distribution!=negative-binomial",),
    )
    segment: int = key(0, low=0, tasks=ONE)
    linear: bool = key(False, tasks=ONE)
    ridge: bool = key(False, tasks=ONE)
    independent: bool = key(False, tasks=ONE)
    output: str = key("auto", choices=("auto", "identity", "sigmoid"), tasks=ONE)
    distribution: str = key(
        "none",
        choices=("none", "gaussian", "quantile", "conformal", "student-t", "negative-binomial"),
        only={"student-t": "task=forecast_many"},
    )
    loss: str = key(
        "squared",
        choices=("squared", "absolute"),
        tasks=ONE,
        when=("forecast.distribution=none|conformal",),
    )
    calibrate: bool = key(True, when=("forecast.distribution!=none|conformal",))
    follow: float = key(0.0, low=0, high=1, when=("forecast.distribution!=none",))
    validation: float = key(0.15, above=0, high=0.5)
    test: float = key(0.15, above=0, high=0.5)
    gap: int = key(0, low=0, tasks=ONE)
    origin: int = key(0, low=0, of_set=DROPPED)
    judged: int = key(0, low=0, of_set=DROPPED, when=("forecast.origin!=0",))
