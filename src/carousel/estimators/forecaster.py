"""The steps that follow a series."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from carousel.data.regular import Series, regular
from carousel.data.series_parts import SeriesParts
from carousel.estimators.base import SequenceEstimator, said_as_value_error
from carousel.estimators.inputs import RAGGED, Given
from carousel.tasks.forecast.input import series_of


class Forecaster(SequenceEstimator):
    """A recurrent network that forecasts the steps that follow a series.

    It has scikit-learn's methods, but X is one series, a row per step: (T,), (T, F), or a data
    frame whose index, or first column, may have time stamps. The last share of it, `validation`,
    chooses the epoch.

    Args:
        horizon: steps that are forecast at once.
        context: steps that are read before them.
        season: steps after which the series resembles itself (of the scores; 1: none).
        calendar: tell the network hour, weekday and month, of time stamps.
        distribution: "none", "gaussian", "quantile", "conformal" or, of counts,
            "negative-binomial": `predict_interval` needs another than "none".

    The others are those of `SequenceClassifier`; further ones, such as {"forecast.targets": "load"}
    or {"forecast.linear": True}, are given as `settings`.

    Attributes: `n_features_in_`, `feature_names_in_`, `model_`, `epochs_`, `best_epoch_`,
    `validation_scores_`, as of `SequenceClassifier`.

    >>> wave = np.sin(np.arange(200) / 5)
    >>> model = Forecaster(horizon=5, context=20, random_state=0).fit(wave)
    >>> model.predict().shape
    (5,)
    >>> bool(np.abs(model.predict() - np.sin(np.arange(200, 205) / 5)).max() < 0.5)
    True
    """

    _task = "forecast"
    _own: ClassVar[dict[str, Any]] = {}
    _settings: ClassVar[dict[str, str]] = {
        name: f"forecast.{name}"
        for name in ("horizon", "context", "season", "calendar", "distribution")
    }

    def __init__(
        self,
        *,
        horizon: int = 12,
        context: int = 48,
        season: int = 1,
        calendar: bool = False,
        distribution: str = "none",
        cell: str | None = None,
        hidden_size: int | None = None,
        num_layers: int = 1,
        dropout: float | None = None,
        epochs: int | None = None,
        batch_size: int | None = None,
        learning_rate: float | None = None,
        patience: int | None = None,
        validation: float = 0.2,
        random_state: Any = None,
        threads: int = 1,
        settings: Mapping[str, Any] | None = None,
        verbose: bool = False,
    ) -> None:
        self.horizon, self.context, self.season = horizon, context, season
        self.calendar, self.distribution = calendar, distribution
        self.cell, self.hidden_size, self.num_layers = cell, hidden_size, num_layers
        self.dropout = dropout
        self.epochs, self.batch_size, self.learning_rate = epochs, batch_size, learning_rate
        self.patience, self.validation, self.random_state = patience, validation, random_state
        self.threads, self.settings, self.verbose = threads, settings, verbose

    def fit(self, X: Any, y: Any = None) -> Self:
        """Train on a series; returns itself.

        X: (T,), (T, F), or a data frame. A NaN was not measured: it is read as the row before and
        is in no loss. y is not read. Raises `ValueError` for a series that is too short.
        """
        with said_as_value_error():
            series = _series(X)
        count, needed = len(series), self.context + 2 * self.horizon
        if not 0 <= self.validation < 1:
            raise ValueError(f"validation must be a share in [0, 1), got {self.validation}")
        if count < needed:
            raise ValueError(
                f"the series has {count} steps; to train on a context of {self.context} and "
                f"forecast {self.horizon}, once to learn and once to validate, {needed} are needed"
            )
        held = max(self.horizon, round(self.validation * count))
        held = min(held, count - self.context - self.horizon)
        judged = range(count - held, count)
        learnt = range(self.context, count - held if self.validation else count)
        rows = {"train": learnt, "validation": judged, "test": judged}
        self._single = np.ndim(X) == 1
        self._chosen(None, count)  # draws the seed
        more = {} if self.validation else {"training.restore_best": False, "training.patience": 0}
        whole = Given([series.values], RAGGED)
        self._fit(SeriesParts(series, rows, self.horizon), whole, more)
        self.n_features_in_ = len(series.columns)
        if hasattr(X, "columns"):
            self.feature_names_in_ = np.array(series.columns, dtype=object)
        elif hasattr(self, "feature_names_in_"):
            del self.feature_names_in_
        rest = slice(max(0, count - max(2, self._trained().rows_read)), None)
        self._columns = series.columns
        self._stamps, self._values = series.stamps[rest], series.values[rest]
        self._missing = None if series.missing is None else series.missing[rest]
        return self

    def predict(self, X: Any = None, steps: int | None = None) -> NDArray[np.float64]:
        """The steps that follow X, (K,) or (K, targets); None: that follow what was fitted.

        X: a series as in `fit`, of `context` steps at least. steps: how many, `horizon` if None;
        beyond the horizon the network reads its own forecasts. Raises `ValueError`.
        """
        return self._shaped(self._forecast(X, steps)[1])

    def predict_interval(
        self, X: Any = None, steps: int | None = None
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Ends (low, high) of the intervals of 80 % of those steps; NaN beyond the horizon.

        Raises `ValueError` where `distribution` is "none".
        """
        model = self._trained()
        if model.config.forecast.distribution == "none":
            raise ValueError(
                "intervals need distribution = 'conformal', 'gaussian' or 'quantile'; it is 'none'"
            )
        low, _, high = self._forecast(X, steps)
        return self._shaped(low), self._shaped(high)

    def score(self, X: Any, y: Any = None) -> float:
        """Minus the mean absolute error of the forecasts from every step of X that has a context
        before it and a horizon after it; y is not read. Raises `ValueError`."""
        model = self._trained()
        with said_as_value_error():
            series = self._fitting(X)
            rows = range(self.context, len(series))
            if len(rows) < self.horizon:
                raise ValueError(
                    f"X has {len(series)} steps; {self.context + self.horizon} are needed to judge"
                )
            every = {"train": rows, "validation": rows, "test": rows}
            model.parts = SeriesParts(series, every, self.horizon)
            try:
                return -float(model.evaluate("test")["mae"])
            finally:
                model.parts = None

    def _forecast(self, X: Any, steps: int | None) -> NDArray[np.float64]:
        model = self._trained()
        if steps is not None and steps < 1:
            raise ValueError(f"steps must be at least 1, got {steps}")
        with said_as_value_error():
            missing = getattr(self, "_missing", None)  # pickles of before lack it
            last = Series(self._columns, self._stamps, self._values, missing)
            series = last if X is None else self._fitting(X)
            found: NDArray[np.float64] = model.forecast(series, steps or 0)
        return found

    def _fitting(self, X: Any) -> Series:
        """The series, whose columns must be as many as those that were fitted, or have their
        names."""
        series = _series(X)
        if len(series.columns) != self.n_features_in_:
            raise ValueError(
                f"X has {len(series.columns)} features, but {type(self).__name__} is expecting "
                f"{self.n_features_in_} features as input"
            )
        if hasattr(X, "columns") and hasattr(self, "feature_names_in_"):
            return series
        return Series(self._columns, series.stamps, series.values, series.missing)

    def _shaped(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        return values[:, 0] if self._single else values


def _series(X: Any) -> Series:
    """A series of what was handed in. Raises `ValueError` or `DataError`."""
    if isinstance(X, Series) or (hasattr(X, "columns") and _has_stamps(X)):
        return series_of(X)
    names = tuple(map(str, X.columns)) if hasattr(X, "columns") else ()
    values = np.asarray(X.to_numpy() if hasattr(X, "to_numpy") else X, dtype=np.float64)
    values = values[:, None] if values.ndim == 1 else values
    if values.ndim != 2 or len(values) < 2 or not values.shape[1]:
        raise ValueError(
            f"a series must be (steps,) or (steps, features), of 2 steps at least; got the shape "
            f"{values.shape}"
        )
    if np.isinf(values).any():
        raise ValueError("Input X contains infinity")
    stamps = np.datetime64("2000-01-01", "D") + np.arange(len(values))
    names = names or tuple(f"x{k}" for k in range(values.shape[1]))
    return regular(names, stamps, values, "X")


def _has_stamps(frame: Any) -> bool:
    """True if the index of a data frame, or else its first column, has dates or words."""
    index = getattr(getattr(frame, "index", None), "dtype", None)
    if index is not None and index.kind not in "iuf":
        return True
    first = np.asarray(frame[frame.columns[0]].to_numpy())
    return first.dtype.kind not in "iufb"
