"""Many-to-many, numbers: the steps of a series that come after those it has had."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from carousel.config import Config, reject_without_effect
from carousel.data.scaling import FeatureScaler
from carousel.data.series import Windows, account, cut, load
from carousel.errors import ConfigError, DataError
from carousel.tasks import network, outputs, samples
from carousel.tasks.forecast_scores import (
    Yardstick,
    fit_linear,
    measures,
    naive_forecasts,
    stretch,
)
from carousel.tasks.forecaster import (
    Forecaster,
    Frame,
    Output,
    TrainedForecaster,
    forecasts,
    target_numbers,
)
from carousel.tasks.samples import Answer, Sample
from carousel.tasks.task import Batch, Carry, StepLoss, Task

_SHARE = 0.8  # that an interval is to hold
_WITHOUT_EFFECT = (
    "decoder",
    "translate",
    "data.view",
    "data.permutation",
    "data.scaling",
    "data.validation",
    "data.split_seed",
    "data.train_limit",
    "data.shift",
    "data.test_head",
    "data.fold",
    "text",
    "regress",
    "frames",
    "sound",
    "data.hold_out",
    "scenes",
    "pictures",
    "encoder",
    "loss",
    "model.embedding_size",
    "model.feature_size",
    "model.tied",
    "model.adaptive_softmax",
    "model.bidirectional",
    "model.pooling",
    "regularization.activation",
    "regularization.temporal_activation",
    "regularization.l1.embedding",
    "regularization.l2.embedding",
)


class ForecastTask(Task):
    """Training of a `Forecaster` on the windows of one series, in order of time."""

    validation_metrics = ("mse_standardised", "mae", "mase")
    unit = "windows"
    trained = TrainedForecaster

    def __init__(self, config: Config, seed: int) -> None:
        reject_without_effect(config, _WITHOUT_EFFECT, "the task 'forecast'")
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
        self.series = load(config.data)
        self.parts = cut(len(self.series), config.data.name, settings)
        train = torch.from_numpy(self.series.values[: self.parts["train"].stop])
        self.scaler = FeatureScaler.fit(train)
        self.output = Output(self._is_sigmoid(train), settings.distribution)
        if settings.ridge and self.output.sigmoid:
            raise ConfigError("forecast.ridge needs forecast.output = 'identity'")
        self.frame = Frame(self.series, self.scaler, config, self.output.sigmoid)
        self.yardstick = Yardstick.fit(
            train[:, self.frame.targets].double().numpy(), settings.season
        )
        self.windows = {
            name: Windows(rows, settings.context, settings.horizon)
            for name, rows in self.parts.items()
        }

    def _is_sigmoid(self, train: Tensor) -> bool:
        settings = self.config.forecast
        targets = train[:, target_numbers(self.series.columns, settings.targets)]
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
    def batches_per_epoch(self) -> int:
        return -(-len(self.windows["train"]) // self.config.training.batch_size)

    def build_model(self) -> Forecaster:
        known = self.frame.known.size(1)
        model = Forecaster(len(self.series.columns), known, self.frame.targets, self.config)
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
        losses = self.output.losses(model(x, before, after), level, truth)
        objective = losses.mean()
        return StepLoss(objective, {"loss": objective.detach() * len(x)}, len(x))

    def validate(self, model: nn.Module) -> dict[str, float]:
        windows = self.windows["validation"]
        _, guess, _ = forecasts(model, self.frame, windows, self.output)
        values = measures(self._truth(windows), guess, self.yardstick)
        return {name: values[name] for name in self.validation_metrics}

    def _gather(self, windows: Windows) -> tuple[Any, Any]:
        values = torch.from_numpy(self.series.values[:, self.frame.targets]).double()
        before, after = windows.gather(values, torch.arange(len(windows)))
        return before.numpy(), after.numpy()

    def _truth(self, windows: Windows) -> Any:
        return self._gather(windows)[1]

    def targets(self) -> tuple[Tensor, Tensor]:
        train, held = self.parts["train"], self.parts["validation"]
        truth = self.frame.truth
        return truth[train.start : train.stop].flatten(), truth[held.start : held.stop].flatten()

    def outputs(self, model: nn.Module) -> dict[str, float]:
        windows = self.windows["validation"]
        last, truth = self._gather(windows)
        _, guess, _ = forecasts(model, self.frame, windows, self.output)
        first = (guess[:, 0], truth[:, 0], last[:, -1])
        return outputs.of_numbers(*(torch.from_numpy(part).flatten() for part in first))

    def samples(self, most: int) -> list[Sample]:
        windows = self._some(most)
        return [
            Sample(
                f"from {self.series.stamps[int(start)]}",
                curve=samples.rounded([*known[:, 0], *truth[:, 0]]),
            )
            for start, known, truth in zip(windows.starts, *self._gather(windows), strict=True)
        ]

    def _some(self, most: int) -> Windows:
        windows = self.windows["validation"]
        return windows.take(samples.spread(len(windows), most))

    def answers(self, model: nn.Module, most: int) -> list[Answer]:
        windows = self._some(most)
        truth = self._truth(windows)[:, :, 0]
        found = forecasts(model, self.frame, windows, self.output)[..., 0]
        probable = self.config.forecast.distribution != "none"
        return [
            Answer(
                float(abs(middle - true).mean()),
                low=samples.rounded(low) if probable else (),
                middle=samples.rounded(middle),
                high=samples.rounded(high) if probable else (),
            )
            for true, low, middle, high in zip(truth, *found, strict=True)
        ]

    def baselines(self) -> dict[str, dict[str, float]]:
        """The last value, the value a season ago, and a linear model on the same windows."""
        settings = self.config.forecast
        contexts, truth = self._gather(self.windows["test"])
        found = naive_forecasts(contexts, settings.horizon, settings.season)
        found["linear"] = fit_linear(*self._gather(self.windows["train"])).forecasts(contexts)
        return {name: measures(truth, guess, self.yardstick) for name, guess in found.items()}

    def account(self) -> dict[str, Any]:
        return account(self.series, self.parts)

    def finish(self, model: nn.Module) -> TrainedForecaster:
        known = self.frame.known.size(1)
        columns, output = self.series.columns, self._calibrated(model)
        return TrainedForecaster(model, self.config, columns, self.scaler, output, known)

    def _calibrated(self, model: nn.Module) -> Output:
        """The output with its intervals as wide as the validation part asks for."""
        settings, windows = self.config.forecast, self.windows["validation"]
        if settings.distribution == "none" or not settings.calibrate:
            return self.output
        low, middle, high = forecasts(model, self.frame, windows, self.output)
        wider = stretch(self._truth(windows), (low, middle, high), _SHARE)
        return replace(self.output, stretch=torch.from_numpy(wider).float())

    def describe(self, model: nn.Module) -> str:
        assert isinstance(model, Forecaster)
        settings, counts = self.config.forecast, {n: len(w) for n, w in self.windows.items()}
        x, before, *_ = self.frame.batch(self.windows["train"], torch.arange(1))
        width = model.recurrent.input_size
        path = model.recurrent.path(torch.cat((x, before), 2).new_zeros(1, x.size(1), width))
        how = "sigmoid, cross-entropy" if self.output.sigmoid else settings.distribution
        return (
            f"{counts['train']:,} windows to train on, {counts['validation']:,} to validate; "
            f"{settings.context} steps of {len(self.series.columns)} columns to forecast "
            f"{settings.horizon} of {len(self.frame.targets)} (distribution: {how})\n"
            f"recurrent layer on {path}"
        )


TASK = ForecastTask
