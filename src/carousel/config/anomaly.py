"""The section on anomaly detection: the error that is watched, and what an alarm is."""

from __future__ import annotations

from dataclasses import dataclass

from carousel.config.keys import DROPPED, KEPT, key

_FORECAST = ("anomaly.error=forecast",)
_OWN = ("data.name=series|table",)


@dataclass(frozen=True)
class AnomalyConfig:
    """Series that are watched: the error of a network on them, and the threshold of an alarm.

    error: of a "forecast" of the steps to come (Malhotra et al. 2015), or of the "reconstruction"
        of the window that ends there, by an autoencoder (Malhotra et al. 2016).
    window: steps of a training window, and of the window that is reconstructed.
    horizon: steps that are forecast, or the last rows of the window whose reconstruction counts:
        the error of a step has so many parts for each column.
    relative: add the last value to each forecast, so that the level need not be learnt.
    score: one number from a step's standardised errors: "mahalanobis" (all of them, with their
        covariance) or "worst" (of the column that is worst, each column by itself).
    smooth: the score of a step is the geometric mean of the last so many.
    scaling: scale and usual error of each "series" by itself, or of the whole "set".
    false_alarms: how many normal steps of 1,000 may be alarms; the validation part sets the
        threshold by it, and too few validation steps for so low a rate are refused.
    calibration: a threshold for each "series", from its own validation steps, or one for the whole
        "set", which has more of them to promise by, but lets its wildest series speak for all.
    follow: how far an alarm raises the logarithm of the threshold, which sinks back in the quiet
        that must lie between two: so the rate holds where series drift, too (Gibbs and Candès 2021;
        0: the threshold stays).
    merge: alarms with at most so many quiet steps between them are one window.
    season: steps after which the series resembles itself, of the seasonal baseline (1: none).
    validation, test: shares of each series, at its end; what comes before the test part is taken to
        be normal.
    labels: column of 0 and 1 that judges, where there is one; training never reads it. Of a table
        with roles it is `columns.target`.
    windows: a file of the true windows, .json or .csv, in place of such a column.
    """

    error: str = key("forecast", choices=("forecast", "reconstruction"))
    window: int = key(48, low=2, of_set=KEPT)
    horizon: int = key(1, low=1)
    relative: bool = key(True, when=_FORECAST)
    score: str = key("mahalanobis", choices=("mahalanobis", "worst"))
    smooth: int = key(1, low=1)
    scaling: str = key("series", choices=("series", "set"))
    false_alarms: float = key(1.0, above=0, high=500)
    calibration: str = key("series", choices=("series", "set"))
    follow: float = key(0.0, low=0, high=10)
    merge: int = key(10, low=0, of_set=KEPT)
    season: int = key(1, low=1, of_set=DROPPED)
    validation: float = key(0.2, above=0, high=0.9, when=_OWN)
    test: float = key(0.4, above=0, high=0.9, when=_OWN)
    labels: str = key("label", when=("data.name=series",), of_set=DROPPED)
    windows: str = key("", when=_OWN, of_set=DROPPED)
