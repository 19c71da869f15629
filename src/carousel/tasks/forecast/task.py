"""Many-to-many, numbers: the steps of a series that come after those it has had."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from carousel.config import Config
from carousel.data.coded import codes_in
from carousel.data.counting import unit_of
from carousel.data.regular import filled_in_series
from carousel.data.scaling import FeatureScaler
from carousel.data.series import Windows, account, calendar
from carousel.data.series_parts import SeriesParts
from carousel.data.steps import step_of
from carousel.errors import ConfigError, DataError
from carousel.tasks.forecast.baselines import Baselines, Windowed, gather
from carousel.tasks.forecast.frame import Frame, forecasts, levels_of, target_numbers, targets_of
from carousel.tasks.forecast.network import Forecaster
from carousel.tasks.forecast.origins import SeriesOrigins
from carousel.tasks.forecast.output import SHARE, Output
from carousel.tasks.forecast.scores import Yardstick, measures
from carousel.tasks.forecast.tables import mase_note
from carousel.tasks.forecast.trained import TrainedForecaster
from carousel.tasks.shared import network, outputs, samples
from carousel.tasks.shared.baselines.linear import fit_linear
from carousel.tasks.shared.conformal import stretch
from carousel.tasks.shared.counts import COUNTS, require_counts
from carousel.tasks.shared.losses import Batch, Carry, StepLoss, mean_measured
from carousel.tasks.shared.samples import Sample, Told
from carousel.tasks.shared.subject import TaskSubject
from carousel.tasks.shared.task import Task

_FEWEST = 14  # windows apart: calibrated on so many, the share is off by 10 points (1 sigma)


class ForecastTask(Task):
    """Training of a `Forecaster` on the windows of one series, in order of time."""

    validation_metrics: tuple[str, ...] = ("mse_standardised", "mae", "mase")
    unit = "windows"
    trained = TrainedForecaster

    def __init__(self, config: Config, seed: int, parts: SeriesParts | None = None) -> None:
        network.check(config)
        self.config, self._seed = config, seed
        settings = config.forecast
        if settings.season > settings.context:
            raise ConfigError(
                f"forecast.season = {settings.season} must lie within forecast.context = "
                f"{settings.context}"
            )
        if settings.ridge and not (settings.linear and settings.relative):
            raise ConfigError("forecast.ridge needs forecast.linear and forecast.relative")
        if settings.segment and settings.context % settings.segment:
            raise ConfigError(
                f"forecast.context = {settings.context} must be a multiple of forecast.segment = "
                f"{settings.segment}"
            )
        self._data = SeriesParts.read(config) if parts is None else parts
        self.series, self.parts = self._data.series, self._data.rows
        end = self.parts["train"].stop
        train, measured = self._measured(end)
        self.scaler = FeatureScaler.fit(train, measured, codes_in(self.series.columns))
        absolute = settings.loss == "absolute"
        targets = target_numbers(self.series.columns, targets_of(config))
        self.output = Output(
            self._is_sigmoid(train),
            settings.distribution,
            absolute=absolute,
            unit=(self.scaler.mean[targets], self.scaler.std[targets]),
        )
        lacking = {"ridge": settings.ridge, "normalize": settings.normalize != "none"}
        for name, chosen in (lacking | {"loss": absolute}).items():
            if chosen and self.output.sigmoid:
                raise ConfigError(f"forecast.{name} needs forecast.output = 'identity'")
        self.frame = Frame(self.series, self.scaler, config, self.output.sigmoid)
        self._values = self.series.truth[:, self.frame.targets]
        if settings.distribution == COUNTS:
            require_counts(self._values.ravel(), f"the target {', '.join(self._names)}")
        self.yardstick = Yardstick.fit(self._values[:end], settings.season)
        self.windows = {
            name: Windows(rows, settings.context, settings.horizon, self._values)
            for name, rows in self.parts.items()
            if len(rows)
        }
        for name, windows in self.windows.items():
            if not len(windows):
                raise DataError(f"the {name} part has no measured value of what is to be forecast")
        self._choose_metrics()
        # Whatever chooses the epoch, forecasts are compared by what does not depend on their unit.
        by_mase = "mase" in self.validation_metrics and not config.training.monitor
        self.headline = "mase" if by_mase else config.training.monitor

    def _measured(self, end: int) -> tuple[Tensor, Tensor]:
        """The rows of the training part, and which of their values were measured."""
        truth = torch.from_numpy(self.series.truth[:end])
        measured = ~truth.isnan()
        for name, some in zip(self.series.columns, measured.any(0).tolist(), strict=True):
            if not some:
                raise DataError(f"the training part has no number in the column '{name}'")
        return torch.from_numpy(self.series.values[:end]), measured

    def _choose_metrics(self) -> None:
        """Only what is defined on the validation part."""
        truth = self._truth(self.windows["validation"])
        defined = measures(truth, np.zeros_like(truth), self.yardstick)
        self.validation_metrics = tuple(m for m in self.validation_metrics if m in defined)
        if self.config.training.monitor == "mase" and "mase" not in defined:
            raise ConfigError(f"training.monitor = 'mase': {mase_note(self._undefined)}")

    @property
    def _names(self) -> list[str]:
        return [self.series.columns[i] for i in self.frame.targets]

    @property
    def _undefined(self) -> list[str]:
        return self.yardstick.without_mase(self._names)

    def _is_sigmoid(self, train: Tensor) -> bool:
        settings = self.config.forecast
        targets = train[:, target_numbers(self.series.columns, targets_of(self.config))]
        bounded = bool((targets >= 0).all() and (targets <= 1).all())
        if settings.output == "sigmoid" and not bounded:
            raise DataError(
                f"forecast.output = 'sigmoid' needs targets in [0, 1]; these lie between "
                f"{float(targets.min()):g} and {float(targets.max()):g}"
            )
        if settings.distribution != "none":
            if settings.output == "sigmoid":
                raise ConfigError("forecast.distribution must be none where the output is sigmoid")
            return False
        return settings.output == "sigmoid" or (settings.output == "auto" and bounded)

    @property
    def parted(self) -> SeriesParts:
        return self._data

    @property
    def batches_per_epoch(self) -> int:
        return -(-len(self.windows["train"]) // self.config.training.batch_size)

    def build_model(self) -> Forecaster:
        known = self.frame.known.size(1)
        columns = self.series.columns
        levels = levels_of(columns, self.config, known)
        model = Forecaster(len(columns), known, self.frame.targets, self.config, levels)
        if self.config.forecast.ridge:
            line = fit_linear(*self._gather(self.windows["train"]))
            scale = self.scaler.std[self.frame.targets].unsqueeze(1)
            model.start_from(
                torch.from_numpy(line.weights), torch.from_numpy(line.offsets.copy()) / scale
            )
        return model

    def train_batches(self, epoch: int, start: int) -> Iterator[Batch]:
        windows = self.windows["train"]
        for index in windows.epoch(self.config.training.batch_size, self._seed, epoch, start):
            yield self.frame.batch(windows, index)

    def loss(self, model: nn.Module, batch: Batch, carry: Carry = ()) -> StepLoss:
        x, before, after, level, truth = batch
        measured = ~truth.isnan()
        losses = self.output.losses(model(x, before, after), level, truth.where(measured, level))
        objective = mean_measured(losses, measured)
        return StepLoss(
            objective, {"loss": objective.detach() * len(x)}, len(x), weight=int(measured.sum())
        )

    def validate(self, model: nn.Module) -> dict[str, float]:
        windows = self.windows["validation"]
        _, guess, _ = forecasts(model, self.frame, windows, self.output)
        values = measures(self._truth(windows), guess, self.yardstick)
        return {name: values[name] for name in self.validation_metrics}

    def _gather(self, windows: Windows) -> tuple[Any, Any]:
        """Contexts, and what came: NaN where nothing was measured."""
        return gather(self.series.values[:, self.frame.targets], self._values, windows)

    def _truth(self, windows: Windows) -> Any:
        return self._gather(windows)[1]

    def samples(self, most: int) -> list[Sample]:
        windows = self._some(most)
        first = torch.from_numpy(self._values[:, 0])
        curves = torch.cat(windows.gather(first, torch.arange(len(windows))), 1).numpy()
        return [
            Sample(
                f"from {self.series.stamps[int(start)]}",
                curve=tuple(None if v != v else v for v in samples.rounded(curve)),
            )
            for start, curve in zip(windows.starts, curves, strict=True)
        ]

    def _some(self, most: int) -> Windows:
        """Windows of the validation part in which the first target was measured."""
        settings, rows = self.config.forecast, self.parts["validation"]
        first = self._values[:, :1]
        windows = Windows(rows, settings.context, settings.horizon, first)
        return windows.take(samples.spread(len(windows), most))

    def answers(self, model: nn.Module, most: int) -> list[Told]:
        windows = self._some(most)
        truth = self._truth(windows)[:, :, 0]
        found = self.output.told(forecasts(model, self.frame, windows, self.output))[..., 0]
        probable = self.config.forecast.distribution != "none"
        return [
            Told(
                float(np.nanmean(abs(middle - true))),
                low=samples.rounded(low) if probable else (),
                middle=samples.rounded(middle),
                high=samples.rounded(high) if probable else (),
            )
            for true, low, middle, high in zip(truth, *found, strict=True)
        ]

    def baselines(self) -> dict[str, dict[str, float]]:
        """Methods that fit a history by itself, models fitted on the training windows, and the
        average of the best, with the seconds of each."""
        return self.judged_baselines()[0]

    def judged_baselines(self) -> tuple[dict[str, dict[str, float]], list[str]]:
        found = Baselines(self._windowed, self.yardstick)
        return found.scores(), found.notes

    def baseline_forecasts(self, windows: Windows) -> Baselines:
        """Forecasts of the baselines in some windows, fitted on histories and the training part."""
        data = replace(self._windowed, windows={**self.windows, "judged": windows})
        return Baselines(data, self.yardstick, "judged")

    def origins(self) -> SeriesOrigins:
        """Windows of the series for a backtest."""
        return SeriesOrigins(self)

    @property
    def _windowed(self) -> Windowed:
        settings, series, frame = self.config.forecast, self.series, self.frame
        known = frame.known.double().numpy()
        if not settings.calendar:
            known = np.concatenate((calendar(series.stamps, settings.horizon), known), 1)
        read_only = [i for i in range(len(series.columns)) if i not in frame.targets]
        others = frame.scaled[:, read_only].double().numpy()
        values = series.values[:, frame.targets]
        return Windowed(values, self._values, others, known, self.windows, settings)

    def account(self) -> dict[str, Any]:
        """Besides the rows: windows of each part, those of them that share no target (`apart`),
        for which columns MASE is undefined, and what there is to be wary of."""
        counts = {name: len(windows) for name, windows in self.windows.items()}
        apart = {name: windows.apart for name, windows in self.windows.items()}
        return {
            **account(self.series, self.parts),
            "windows": counts,
            "windows_apart": apart,
            "mase_undefined": self._undefined,
            "warnings": self._warnings(),
        }

    def _warnings(self) -> list[str]:
        settings, windows = self.config.forecast, self.windows["validation"]
        found = [mase_note(self._undefined)] if self._undefined else []
        if settings.distribution != "none" and settings.calibrate and windows.apart < _FEWEST:
            found.append(
                f"the intervals of {SHARE:.0%} are calibrated on {len(windows)} validation "
                f"windows, of which {windows.apart} share no step: with fewer than {_FEWEST} "
                f"they may hold far less or more (a longer series or a larger "
                f"forecast.validation has more)"
            )
        return found

    def finish(self, model: nn.Module) -> TrainedForecaster:
        known = self.frame.known.size(1)
        columns, output = self.series.columns, self._calibrated(model)
        step = step_of(self.series.stamps)
        return TrainedForecaster(model, self.config, columns, self.scaler, output, known, step)

    def _calibrated(self, model: nn.Module) -> Output:
        """The output with its intervals as wide as the validation part asks for."""
        settings, windows = self.config.forecast, self.windows["validation"]
        if settings.distribution == "none" or not settings.calibrate:
            return self.output
        low, middle, high = forecasts(model, self.frame, windows, self.output)
        wider = stretch(self._truth(windows), (low, middle, high), SHARE)
        return replace(self.output, stretch=torch.from_numpy(wider).float())

    def describe(self, model: nn.Module) -> str:
        assert isinstance(model, Forecaster)
        settings, counts = self.config.forecast, {n: len(w) for n, w in self.windows.items()}
        x, before, *_ = self.frame.batch(self.windows["train"], torch.arange(1))
        width, steps = model.recurrent.input_size, x.size(1) // (settings.segment or 1)
        path = model.recurrent.path(torch.cat((x, before), 2).new_zeros(1, steps, width))
        how = "sigmoid, cross-entropy" if self.output.sigmoid else settings.distribution
        said = [*self.series.notes, *(f"warning: {text}" for text in self._warnings())]
        if self.series.filled:
            said.append(f"{filled_in_series(self.series.filled)}, not judged")
        columns = len(self.series.columns)
        return "".join(f"{text}\n" for text in said) + (
            f"{counts['train']:,} windows to train on, {counts['validation']:,} to validate, "
            f"{counts.get('test', 0):,} to judge; "
            f"{settings.context} steps of {columns} {unit_of(columns, 'columns')} to forecast "
            f"{settings.horizon} of {len(self.frame.targets)} (distribution: {how})\n"
            f"recurrent layer on {path}"
        )

    @property
    def subject(self) -> ForecastSubject:
        return ForecastSubject(self)


class ForecastSubject(TaskSubject[ForecastTask]):
    """Batches of windows of a series, for the coach."""

    many_answers = True

    def targets(self) -> tuple[Tensor, Tensor]:
        train, held = self.task.parts["train"], self.task.parts["validation"]
        found = (self.task.frame.truth[part.start : part.stop].flatten() for part in (train, held))
        some, others = (part[~part.isnan()] for part in found)
        return some, others

    def outputs(self, model: nn.Module) -> dict[str, float]:
        windows = self.task.windows["validation"]
        last, truth = self.task._gather(windows)
        _, guess, _ = forecasts(model, self.task.frame, windows, self.task.output)
        measured = ~np.isnan(truth[:, 0])
        first = (guess[:, 0], truth[:, 0], last[:, -1])
        return outputs.of_numbers(*(torch.from_numpy(part[measured]) for part in first))


TASK = ForecastTask
