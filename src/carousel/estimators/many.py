"""The steps that follow each of many series, of a long table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from carousel.config import Config
from carousel.config.columns import names_in
from carousel.config.own import TABLE
from carousel.data.files.table_many import many_parts_of, many_series_of, warn_of_lost
from carousel.data.many_series import ManySeries, ManySeriesParts
from carousel.data.proposal import propose
from carousel.data.table import Table, of_frame
from carousel.errors import DataError
from carousel.estimators.base import SequenceEstimator, said_as_value_error
from carousel.training import fit as train

if TYPE_CHECKING:
    from carousel.tasks.forecast_many.trained import TrainedManyForecaster

_NOTHING = 1e-6  # share of a series that rounds to no window


class ManySeriesForecaster(SequenceEstimator):
    """A recurrent network that forecasts the steps that follow each of many series.

    It has scikit-learn's methods, but X is a long table, a data frame of pandas, polars or Arrow
    with a row for each series and time. Series may begin and end at different times. The end of
    each, a share `validation` in whole horizons, chooses the epoch.

    Args:
        target, id, time: columns of X: the number to forecast, what tells series apart (several
            with commas between), and their time; guessed where they are empty.
        known: columns whose values are known for the steps to come, with commas between: the X to
            go on from ends, for each series, with rows that have them and no target; empty: those
            for which the X that is fitted has such rows.
        horizon, context, season: steps that are forecast at once, that are read before them, and
            after which a series resembles itself; by the step of time and the usual length of a
            series where they are None.
        distribution: "quantile", "gaussian", "student-t", or "none", without intervals.

    The others are those of `SequenceClassifier`; further ones, such as {"many.embed": True} or
    {"columns.ignore": "note"}, are given as `settings`.

    Attributes: `series_`, the names of the series; `columns_`, the roles of the columns;
    `n_features_in_`, `feature_names_in_`, `model_`, `epochs_`, `best_epoch_`,
    `validation_scores_`, as of `SequenceClassifier`.

    >>> import polars
    >>> days = np.arange(np.datetime64("2024-01-01"), np.datetime64("2024-03-01"))
    >>> X = polars.DataFrame({
    ...     "shop": np.repeat(["a", "b", "c"], 60), "day": np.tile(days, 3),
    ...     "sold": np.repeat([1.0, 10.0, 100.0], 60) * (5 + np.tile(np.arange(60) % 7, 3)),
    ... })
    >>> model = ManySeriesForecaster(target="sold", epochs=3, random_state=0).fit(X)
    >>> model.horizon_, model.predict().head(2)["day"].cast(str).to_list()
    (7, ['2024-03-01', '2024-03-02'])
    """

    _task = "forecast_many"
    _own: ClassVar[dict[str, Any]] = {}
    _settings: ClassVar[dict[str, str]] = {
        **{name: f"forecast.{name}" for name in ("horizon", "context", "season", "distribution")},
        **{"validation": "forecast.validation"},
    }

    def __init__(
        self,
        *,
        target: str = "",
        id: str = "",
        time: str = "",
        known: str = "",
        horizon: int | None = None,
        context: int | None = None,
        season: int | None = None,
        distribution: str = "quantile",
        cell: str | None = None,
        hidden_size: int | None = None,
        num_layers: int | None = None,
        dropout: float | None = None,
        epochs: int | None = None,
        batch_size: int | None = None,
        learning_rate: float | None = None,
        patience: int | None = None,
        validation: float = 0.15,
        random_state: Any = None,
        threads: int = 1,
        settings: Mapping[str, Any] | None = None,
        verbose: bool = False,
    ) -> None:
        self.target, self.id, self.time, self.known = target, id, time, known
        self.horizon, self.context, self.season = horizon, context, season
        self.distribution = distribution
        self.cell, self.hidden_size, self.num_layers = cell, hidden_size, num_layers
        self.dropout = dropout
        self.epochs, self.batch_size, self.learning_rate = epochs, batch_size, learning_rate
        self.patience, self.validation, self.random_state = patience, validation, random_state
        self.threads, self.settings, self.verbose = threads, settings, verbose

    def fit(self, X: Any, y: Any = None) -> Self:
        """Train on a long table; returns itself.

        X: a data frame. A cell without a number was not measured: it is read as the row before and
        is in no loss. y is not read. Raises `ValueError` for what is no long table, and for series
        that are all too short.
        """
        with said_as_value_error():
            table = _table(X)
            config = self._configured(table)
            # Every row is there to learn from: the end that chooses the epoch judges, too.
            parts = many_parts_of(table, config, judged=False)
            self._chosen(None, max(2, len(parts.series)))  # draws the seed
            seed, quiet = self._seed, not self.verbose
            fitted = train(config, parts, seed=seed, threads=self.threads, quiet=quiet)
        fitted.model.parts = None  # the data stay the caller's
        self.model_, self.epochs_ = fitted.model, fitted.epochs
        self.best_epoch_, self.validation_scores_ = fitted.best_epoch, fitted.validation
        self.n_features_in_ = len(table.names)
        self.feature_names_in_ = np.array(table.names, dtype=object)
        columns, forecast = config.columns, config.forecast
        self.columns_ = {role: getattr(columns, role) for role in ("id", "time", "target", "known")}
        self.horizon_, self.context_ = forecast.horizon, forecast.context
        self.series_ = np.array(parts.series.names, dtype=object)
        # Intervals that follow what came read windows before the last one, too.
        self._last = parts.series if forecast.follow else parts.series.last(self.context_)
        self._pandas = _is_pandas(X)
        return self

    def predict(self, X: Any = None) -> Any:
        """The steps that follow each series: a frame, of pandas where that was handed in and of
        polars otherwise, with a row for each series and step, columns for id, time and the
        forecast, which is called as the target.

        X: a long table as in `fit`, also of series that were not fitted; None: what was fitted.
        Raises `ValueError`.
        """
        series, found = self._forecast(X)
        return self._framed(X, series, {self.columns_["target"]: found[1]})

    def predict_interval(self, X: Any = None) -> Any:
        """Ends of the intervals of 80 % of those steps: a frame with columns for id, time, "low"
        and "high". Raises `ValueError` where `distribution` is "none"."""
        if self._trained().config.forecast.distribution == "none":
            raise ValueError(
                "intervals need distribution = 'quantile', 'gaussian' or 'student-t'; it is 'none'"
            )
        series, found = self._forecast(X)
        return self._framed(X, series, {"low": found[0], "high": found[2]})

    def score(self, X: Any, y: Any = None) -> float:
        """Minus the MASE of the forecasts of the last `horizon` steps of each series of X, from
        what stands before them, mean over series (minus the mean absolute error where MASE is
        undefined for all); y is not read. Raises `ValueError`."""
        model = self._trained()
        with said_as_value_error():
            series = self._read(X)
            config = model.config
            last = np.full(len(series), config.forecast.horizon)
            nothing = np.zeros_like(last)
            parts = ManySeriesParts.cut(series, last, nothing, config.forecast.horizon)
            first, stop = parts.rows["validation"]
            # The error that MASE divides by is that of all before the steps that are judged.
            rows = {**parts.rows, "validation": (first, first), "test": (first, stop)}
            model.parts = replace(parts, rows=rows)
            try:
                found = model.evaluate("test")
            finally:
                model.parts = None
        return -float(found.get("mase", found["mae"]))

    def _configured(self, table: Table) -> Config:
        """The configuration for a table: what `carousel init` would write, and the parameters."""
        asked = (self.target, self.id, self.time, self._task)
        config = propose("data frame", *asked, table=table).config
        config = replace(config, data=replace(config.data, name=TABLE, path=""))
        # All but what validates is trained on: intervals that follow what came read that alone.
        given = {"forecast.test": _NOTHING, **self._given(), **dict(self.settings or {})}
        if self.known:
            given["columns.known"] = self.known
        found = config.override(given)
        if not names_in(found.columns.id):
            raise DataError(f"{table.source} has no column that tells series apart: name it as id")
        return found

    def _read(self, X: Any) -> ManySeries:
        """The series of a table as the network reads them."""
        model: TrainedManyForecaster = self._trained()
        wanted = (model.shape.columns[1:], model.shape.static)
        series, lost = many_series_of(_table(X), model.config, wanted)
        warn_of_lost(lost)
        return model.shape.fit(series)

    def _forecast(self, X: Any) -> tuple[ManySeries, NDArray[np.float64]]:
        model: TrainedManyForecaster = self._trained()
        with said_as_value_error():
            series = self._last if X is None else self._read(X)
            return series, model.forecasts_after(series)

    def _framed(
        self, X: Any, series: ManySeries, columns: Mapping[str, NDArray[np.float64]]
    ) -> Any:
        """A frame with a row for each series and step."""
        count, horizon = len(series), self.horizon_
        pace = series.pace
        first = series.starts + pace.every * (series.ends - series.firsts[:-1])
        counts = first[:, None] + pace.every * np.arange(horizon)
        ids = names_in(self.columns_["id"])
        made: dict[str, Any] = {
            ids[0] if len(ids) == 1 else "series": np.repeat(np.array(series.names), horizon)
        }
        times: Any = counts.ravel()
        if pace.dated:  # in a unit that frames have
            days = "D" if pace.unit in ("D", "W", "M", "Y") else "us"
            times = times.astype(f"datetime64[{pace.unit}]").astype(f"datetime64[{days}]")
        made[self.columns_["time"] or "step"] = times
        made |= {name: values.reshape(count * horizon) for name, values in columns.items()}
        if self._pandas if X is None else _is_pandas(X):
            import pandas  # type: ignore[import-untyped]

            return pandas.DataFrame(made)
        import polars

        return polars.DataFrame(made)


def _table(X: Any) -> Table:
    """The table of a frame. Raises `ValueError` for what is none."""
    if not hasattr(X, "columns"):
        raise ValueError(
            "X must be a long table: a data frame of pandas, polars or Arrow with a row for each "
            f"series and time; got {type(X).__name__}"
        )
    return of_frame(X)


def _is_pandas(X: Any) -> bool:
    return type(X).__module__.partition(".")[0] == "pandas"
