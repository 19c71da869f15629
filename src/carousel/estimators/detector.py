"""Steps of a series that are not as those it was fitted on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import OutlierMixin

from carousel.data.watched import WatchedSeries
from carousel.estimators.base import SequenceEstimator, said_as_value_error
from carousel.estimators.inputs import RAGGED, Given
from carousel.estimators.watched import read_series, watched


class AnomalyDetector(OutlierMixin, SequenceEstimator):  # type: ignore[misc]
    """A recurrent network that tells which steps of a series are unusual (anomaly, outlier and
    novelty detection), without labels.

    It has the methods of scikit-learn's outlier detectors, but X is one series, a row per step:
    (T,), (T, F) or a data frame, and answers are (T,); or several: a list of those, or (N, T, F),
    and answers are a list of (T_i,), or (N, T). What it is fitted on is taken to be normal. The
    error of a network that forecasts, or reconstructs, each step is its score; the last share of
    each series, `validation`, sets the threshold, one for all series.

    Args:
        false_alarms: how many normal steps of 1,000 may be alarms. A low rate needs many steps:
            1,000 / false_alarms - 1 in the validation part.
        error: of a "forecast" of each step, or of the "reconstruction" of the window that ends
            there.
        window: steps of a training window, and of the window that is reconstructed.
        horizon: steps that are forecast; of a reconstruction, the last rows that count.

    The others are those of `SequenceClassifier`; further ones, such as {"anomaly.score": "worst"}
    or {"anomaly.smooth": 5}, are given as `settings`.

    Attributes: `offset_`, minus the threshold; `n_features_in_`, `feature_names_in_`, `model_`,
    `epochs_`, `best_epoch_`, `validation_scores_`, as of `SequenceClassifier`.

    >>> rng = np.random.default_rng(0)
    >>> wave = np.sin(np.arange(600) / 5) + rng.normal(0, 0.05, 600)
    >>> model = AnomalyDetector(epochs=5, random_state=0).fit(wave)
    >>> wave[300] += 3
    >>> model.predict(wave)[[200, 300]]
    array([ 1, -1])
    >>> bool(model.score_samples(wave)[300] < model.offset_)
    True
    """

    _task = "anomaly"
    #: One scale and threshold, so that they hold for series that are new; it stays where it is.
    _own: ClassVar[dict[str, Any]] = {
        "anomaly.scaling": "set",
        "anomaly.calibration": "set",
        "anomaly.follow": 0.0,
    }
    _settings: ClassVar[dict[str, str]] = {
        name: f"anomaly.{name}" for name in ("false_alarms", "error", "window", "horizon")
    }

    def __init__(
        self,
        *,
        false_alarms: float = 10.0,
        error: str = "forecast",
        window: int | None = None,
        horizon: int | None = None,
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
        self.false_alarms, self.error = false_alarms, error
        self.window, self.horizon = window, horizon
        self.cell, self.hidden_size, self.num_layers = cell, hidden_size, num_layers
        self.dropout = dropout
        self.epochs, self.batch_size, self.learning_rate = epochs, batch_size, learning_rate
        self.patience, self.validation, self.random_state = patience, validation, random_state
        self.threads, self.settings, self.verbose = threads, settings, verbose

    def fit(self, X: Any, y: Any = None) -> Self:
        """Train on series that are taken to be normal; returns itself.

        X: (T,), (T, F), a data frame, a list of those, or (N, T, F). A NaN was not measured: it is
        read as the row before, at the start as the first value there is, and is in no loss and
        no score. y is not read. Raises `ValueError`, also where the validation part has too few
        steps for so few false alarms.
        """
        given = read_series(self, X, reset=True)
        if not 0 < self.validation < 1:
            raise ValueError(
                f"validation must be a share in (0, 1), as it sets the threshold; got "
                f"{self.validation}"
            )
        self._chosen(None, sum(map(len, given.series)))  # draws the seed
        named = getattr(self, "feature_names_in_", [f"x{k}" for k in range(self.n_features_in_)])
        self._columns = tuple(map(str, named))
        whole = Given(given.series, RAGGED)
        self._check_lengths(whole)
        series = tuple(
            watched(f"series {number}", self._columns, one, round(self.validation * len(one)))
            for number, one in enumerate(given.series)
        )
        with said_as_value_error():
            parts = WatchedSeries(series, judged=False)
        more = {"anomaly.validation": min(self.validation, 0.9)}
        self._fit(parts, whole, more)
        self.offset_ = -self._trained().limits[""].value
        return self

    def _check_lengths(self, given: Given) -> None:
        """Raise `ValueError` where no series is long enough to learn from."""
        with said_as_value_error():
            settings = self._config(len(given), given.mean_length, self.n_features_in_).anomaly
        needed = settings.window + (settings.horizon if settings.error == "forecast" else 0)
        longest = max(len(one) - round(self.validation * len(one)) for one in given.sequences)
        if longest < needed:
            raise ValueError(
                f"X has at most {longest} steps in a row to learn from (after the share "
                f"validation={self.validation:g}), and a window takes {needed}: give longer "
                f"series, or a window of {max(2, longest - needed + settings.window)} or less"
            )

    def predict(self, X: Any) -> Any:
        """-1 at every step that is unusual, 1 elsewhere, also at the first steps of a series,
        which have no score: (T,), a list of (T_i,), or (N, T)."""

        model = self._trained()

        def answer(values: NDArray[np.float64]) -> NDArray[np.int64]:
            return np.where(model.alarms(watched("", self._columns, values)), -1, 1)

        return read_series(self, X, reset=False).each(answer)

    def score_samples(self, X: Any) -> Any:
        """Minus the score of each step: the lower, the more unusual; about -1 is usual. NaN at the
        first steps of a series, before which the network knows too little, and where nothing was
        measured."""

        model = self._trained()

        def answer(values: NDArray[np.float64]) -> NDArray[np.float64]:
            scores: NDArray[np.float64] = model.raw_scores(watched("", self._columns, values))
            return -scores

        return read_series(self, X, reset=False).each(answer)

    def decision_function(self, X: Any) -> Any:
        """`score_samples` minus `offset_`: below 0 where a step is unusual, NaN where there is no
        score."""
        found = self.score_samples(X)
        if isinstance(found, list):
            return [one - self.offset_ for one in found]
        return found - self.offset_

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.three_d_array = True
        return tags
