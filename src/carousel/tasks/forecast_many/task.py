"""Many-to-many, numbers: the steps to come of each of many series, by one network."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from carousel.config import Config
from carousel.data.counting import counted, span_of, unit_of
from carousel.data.many_series import ManySeriesParts, account
from carousel.data.regular import filled_in_series
from carousel.errors import ConfigError, DataError
from carousel.tasks.forecast_many.baselines import Baselines
from carousel.tasks.forecast_many.calibrating import SHARE, stretch_of
from carousel.tasks.forecast_many.dilated import dilations_of
from carousel.tasks.forecast_many.forecasts import forecasts
from carousel.tasks.forecast_many.network import ManyForecaster, seasons_of
from carousel.tasks.forecast_many.origins import ManyOrigins
from carousel.tasks.forecast_many.output import Output
from carousel.tasks.forecast_many.scaling import Scale
from carousel.tasks.forecast_many.scores import by_series, means, naive_errors
from carousel.tasks.forecast_many.smoothing import wiggliness
from carousel.tasks.forecast_many.trained import Shape, TrainedManyForecaster
from carousel.tasks.forecast_many.windows import Drawing, Frame, Origins, fit_scalers
from carousel.tasks.shared import network, outputs, samples
from carousel.tasks.shared.losses import Batch, Carry, StepLoss, mean_measured
from carousel.tasks.shared.samples import Sample, Told
from carousel.tasks.shared.subject import TaskSubject
from carousel.tasks.shared.task import Task

WEIGHED_METRICS = ("mase_weighted", "smape_weighted")
"""Metrics that validate besides, and of which the first chooses the epoch, where series have
weights."""
_FEWEST = 14  # windows: calibrated on so many, the share is off by 10 points (1 sigma)


class ForecastManyTask(Task):
    """Training of a `ManyForecaster` on windows of all series."""

    validation_metrics: tuple[str, ...] = ("mase", "smape", "mae")
    unit = "windows"
    trained = TrainedManyForecaster

    def __init__(self, config: Config, seed: int, parts: ManySeriesParts | None = None) -> None:
        network.check(config)
        self.config, self._seed = config, seed
        check_seasons(config)
        dilations_of(config)
        self._data = ManySeriesParts.read(config) if parts is None else parts
        self.series, settings = self._data.series, config.forecast
        self.scalers = fit_scalers(self._data)
        self.frame = Frame(self.series, self.scalers, config)
        self.output = Output.of(config)
        self.drawing = Drawing(self._data, config)
        self.held = Origins.judging(self._data, "validation")
        naive = naive_errors(self._data, settings.season, "train")
        self._naive = naive
        self._divisor = torch.from_numpy(_divisors(naive, self._data)).unsqueeze(1)
        self.held.measured(self.frame, "validation")
        if len(judged := Origins.judging(self._data, "test")):
            judged.measured(self.frame, "test")
        measured = ~self.frame.truth(self.held).isnan().all(1)
        weights, held = self.series.weights, np.unique(self.held.series[measured].numpy())
        self._weight = None if weights is None else torch.from_numpy(weights).unsqueeze(1)
        if weights is not None:
            if not weights[held].any():
                raise DataError(
                    f"columns.weight = '{config.columns.weight}' is 0 for every series that is "
                    "long enough to validate, and measured there: one of them must count"
                )
            self.validation_metrics = (*WEIGHED_METRICS, *self.validation_metrics)
        defined = means({"mase": np.where(naive > 0, 1.0, np.nan)[held]}, _some(weights, held))
        self.validation_metrics = tuple(
            m for m in self.validation_metrics if m in defined or not m.startswith("mase")
        )

    @property
    def parted(self) -> ManySeriesParts:
        return self._data

    @property
    def batches_per_epoch(self) -> int:
        return -(-self.drawing.total // self.config.training.batch_size)

    def build_model(self) -> ManyForecaster:
        return Shape.of(self.series, self.config).network(self.config)

    def train_batches(self, epoch: int, start: int) -> Iterator[Batch]:
        windows = self.drawing.epoch(self._seed, epoch)
        size = self.config.training.batch_size
        for index in torch.split(torch.arange(len(windows)), size)[start:]:
            yield self.batch(windows.take(index))

    def batch(self, windows: Origins) -> Batch:
        """Inputs, the scale of each window, the error that divides its loss, its weight if series
        have one, and the truth, NaN where nothing was measured."""
        x, after, static, scale = self.frame.read(windows)
        parts = [scale.level, scale.spread, self._divisor[windows.series]]
        if self._weight is not None:
            parts.append(self._weight[windows.series])
        ends = torch.cat(parts, 1)
        return x, after.nan_to_num(), static, ends, self.frame.truth(windows)

    def loss(self, model: nn.Module, batch: Batch, carry: Carry = ()) -> StepLoss:
        x, after, static, ends, truth = batch
        level, spread, naive, *weight = torch.split(ends, 1, 1)
        measured = ~truth.isnan()
        scale = Scale(level, spread, self.config.many.transform)
        raw, penalty = self._said_and_penalty(model, x, after, static)
        losses = self.output.losses(
            raw, scale, truth.where(measured, scale.restore(0 * level)), naive
        )
        if weight:
            losses = losses * weight[0].float()
        objective = mean_measured(losses, measured)
        objective = objective + penalty
        return StepLoss(
            objective, {"loss": objective.detach() * len(x)}, len(x), weight=int(measured.sum())
        )

    def _said_and_penalty(self, model: nn.Module, *read: Tensor) -> tuple[Tensor, Tensor | float]:
        """Numbers of the network (B, K, P), and `many.steady` of how its levels change."""
        steady = self.config.many.steady
        if not steady:
            return model(*read), 0.0
        smoothing = cast(ManyForecaster, model).smoothing
        assert smoothing is not None
        with network.noting_outputs(smoothing) as noted:
            raw = model(*read)
        return raw, steady * wiggliness(noted[0])

    def validate(self, model: nn.Module) -> dict[str, float]:
        _, guess, _ = forecasts(model, self.frame, self.held, self.output)
        found = means(self._scores(self.held, guess, self._naive), self.series.weights)
        return {name: found[name] for name in self.validation_metrics}

    def _scores(self, windows: Origins, guess: Any, naive: Any) -> dict[str, Any]:
        return by_series(self.frame.truth(windows).numpy(), guess, windows.series.numpy(), naive)

    def baselines(self) -> dict[str, dict[str, float]]:
        """Methods that fit the context of each window by itself, models fitted on windows of all
        series, and the average of the best, with the seconds of each."""
        return self.judged_baselines()[0]

    def judged_baselines(self) -> tuple[dict[str, dict[str, float]], list[str]]:
        naive = naive_errors(self._data, self.config.forecast.season, "test")
        found = self.baseline_forecasts(Origins.judging(self._data, "test"))
        values = {
            name: {
                **means(self._scores(found.of(name), guess, naive), self.series.weights),
                "seconds": found.seconds[name],
            }
            for name, guess in found.forecasts.items()
        }
        return values, found.notes

    def baseline_forecasts(self, windows: Origins) -> Baselines:
        """Forecasts of the baselines in some windows, fitted on contexts and the training part."""
        held, divisor = self.held, self._divisor[:, 0].numpy()
        return Baselines(self.frame, self.drawing, windows, held, self._judge, divisor, self._seed)

    def origins(self) -> ManyOrigins:
        """Windows of the series for a backtest."""
        return ManyOrigins(self)

    def _judge(self, windows: Origins, guess: Any) -> dict[str, float]:
        """Metrics of windows of the validation part."""
        return means(self._scores(windows, guess, self._naive))

    def account(self) -> dict[str, Any]:
        """Besides the series: windows to train on, how many of them an epoch draws, and windows
        that validate and judge."""
        counts = {
            "train": self.drawing.all,
            "an_epoch": self.drawing.total,
            "validation": len(self.held),
            "test": len(Origins.judging(self._data, "test")),
        }
        flat = int((self._naive <= 0).sum())
        return {
            **account(self._data),
            "windows": counts,
            "mase_undefined": flat,
            "warnings": self._warnings(),
        }

    def _warnings(self) -> list[str]:
        settings, found = self.config.forecast, []
        if flat := int((self._naive <= 0).sum()):
            found.append(
                f"MASE is undefined for {flat:,} of {len(self.series):,} series: in what they are "
                "trained on the seasonal naive forecast has no error to divide by"
            )
        if self._data.short:
            found.append(
                counted(
                    self._data.short,
                    "series are too short to hold a part of them out: they are for training alone",
                )
            )
        if settings.calendar and not self.series.pace.dated:
            found.append("forecast.calendar reads nothing: the steps are counts, and no times")
        if settings.distribution != "none" and settings.calibrate and len(self.held) < _FEWEST:
            found.append(
                f"the intervals of {SHARE:.0%} are calibrated on {len(self.held)} validation "
                f"windows: with fewer than {_FEWEST} they may hold far less or more"
            )
        return found

    def finish(self, model: nn.Module) -> TrainedManyForecaster:
        shape = Shape.of(self.series, self.config)
        return TrainedManyForecaster(
            model, self.config, shape, self.scalers, self._calibrated(model)
        )

    def _calibrated(self, model: nn.Module) -> Output:
        """The output with its intervals as wide as the validation part asks for."""
        settings = self.config.forecast
        if settings.distribution == "none" or not settings.calibrate:
            return self.output
        wider = stretch_of(model, self.frame, self.held, self.output)
        return replace(self.output, stretch=wider)

    def samples(self, most: int) -> list[Sample]:
        windows = self._some(most)
        curves = torch.cat((self.frame.contexts(windows), self.frame.truth(windows)), 1)
        names = [self.series.names[number] for number in windows.series.tolist()]
        return [
            Sample(name, curve=tuple(None if v != v else v for v in samples.rounded(curve)))
            for name, curve in zip(names, curves.numpy(), strict=True)
        ]

    def _some(self, most: int) -> Origins:
        """Windows of the validation part in which something was measured."""
        measured = (~self.frame.truth(self.held).isnan()).any(1).nonzero().squeeze(1)
        return self.held.take(measured[samples.spread(len(measured), most)])

    def answers(self, model: nn.Module, most: int) -> list[Told]:
        windows = self._some(most)
        truth = self.frame.truth(windows).numpy()
        found = forecasts(model, self.frame, windows, self.output)
        probable = self.config.forecast.distribution != "none"
        scale = self._divisor[windows.series].numpy()
        return [
            Told(
                float(np.nanmean(abs(middle - true)) / naive[0]),
                low=samples.rounded(low) if probable else (),
                middle=samples.rounded(middle),
                high=samples.rounded(high) if probable else (),
            )
            for true, naive, low, middle, high in zip(truth, scale, *found, strict=True)
        ]

    def describe(self, model: nn.Module) -> str:
        assert isinstance(model, ManyForecaster)
        settings, series = self.config.forecast, self.series
        width = model.recurrent.input_size
        path = model.recurrent.path(torch.zeros(1, settings.context, width))
        said = [*series.notes, *(f"warning: {text}" for text in self._warnings())]
        if series.filled:
            said.append(f"{filled_in_series(series.filled)}, not judged")
        lengths, columns = np.diff(series.firsts), len(series.columns)
        return "".join(f"{text}\n" for text in said) + (
            f"{len(series):,} series of {span_of(lengths.tolist(), 'steps')}; "
            f"{self.drawing.total:,} of {self.drawing.all:,} windows an epoch to train on, "
            f"{len(self.held):,} to validate; {settings.context} steps of {columns} "
            f"{unit_of(columns, 'columns')} to forecast {settings.horizon} "
            f"(distribution: {settings.distribution})\n"
            f"recurrent layer on {path}"
        )

    @property
    def subject(self) -> ForecastManySubject:
        return ForecastManySubject(self)


def _some(weights: Any, places: Any) -> Any:
    return None if weights is None else weights[places]


def check_seasons(config: Config) -> None:
    """Raise `ConfigError` for seasons that no window holds, or that are no numbers."""
    context, more = config.forecast.context, config.many.seasons
    if not all(
        part.strip().isdigit() and int(part) > 0 for part in more.split(",") if part.strip()
    ):
        raise ConfigError(f"many.seasons must be whole numbers with commas, got '{more}'")
    if (longest := max(seasons_of(config))) > context:
        name = "forecast.season" if longest == config.forecast.season else "many.seasons"
        raise ConfigError(f"{name} = {longest} must lie within forecast.context = {context}")


def _divisors(naive: Any, parts: ManySeriesParts) -> Any:
    """Divisor of the loss of each series: the error of its seasonal naive forecast; where
    that is 0, the mean size of the series, and 1 of a series of zeros."""
    truth = np.nan_to_num(np.abs(parts.series.truth))
    first, stop = parts.rows["train"]
    sums = np.concatenate(([0.0], truth.cumsum()))
    size = (sums[stop] - sums[first]) / np.maximum(stop - first, 1)
    return np.where(naive > 0, naive, np.where(size > 0, size, 1.0))


class ForecastManySubject(TaskSubject[ForecastManyTask]):
    """Batches of windows of many series, for the coach."""

    many_answers = True

    def outputs(self, model: nn.Module) -> dict[str, float]:
        task = self.task
        truth = task.frame.truth(task.held)
        read = task.frame.read(task.held)
        raw = forecasts(model, task.frame, task.held, task.output)[1][:, 0]
        before = task.frame.contexts(task.held)[:, -1]
        measured = ~truth[:, 0].isnan()
        level, spread = read.scale.level[:, 0], read.scale.spread[:, 0]

        def scaled(values: Tensor) -> Tensor:
            return ((task.frame.forward(values) - level) / spread)[measured]

        return outputs.of_numbers(*map(scaled, (torch.from_numpy(raw), truth[:, 0], before)))


TASK = ForecastManyTask
