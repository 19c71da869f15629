"""Anomaly detection: a network learns how a series goes on, and its error says what is unusual.

Nothing here reads a label but `account`, which counts them: labels only judge.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from carousel.config import Config
from carousel.data.counting import unit_of
from carousel.data.regular import filled_in_series
from carousel.data.watched import WatchedSeries
from carousel.errors import ConfigError, DataError
from carousel.runtime.unusual import warm_up
from carousel.tasks.anomaly import baselines
from carousel.tasks.anomaly.alarms import check_promise, limits, promise, smoothed
from carousel.tasks.anomaly.errors import Usual, network_errors, scaler_of
from carousel.tasks.anomaly.network import Autoencoder, StepForecaster, build
from carousel.tasks.anomaly.trained import TrainedDetector
from carousel.tasks.shared import network, samples
from carousel.tasks.shared.losses import Batch, Carry, StepLoss
from carousel.tasks.shared.network import evaluating
from carousel.tasks.shared.samples import Sample, Told
from carousel.tasks.shared.subject import TaskSubject
from carousel.tasks.shared.task import Task

_EPOCH = 1_000_003


class AnomalyTask(Task):
    """Training on windows of the beginnings of series, which are taken to be normal."""

    validation_metrics = ("mse_standardised",)
    unit = "windows"
    trained = TrainedDetector

    def __init__(self, config: Config, seed: int, parts: WatchedSeries | None = None) -> None:
        network.check(config)
        self.config, self._seed, self.settings = config, seed, config.anomaly
        if self.settings.error == "reconstruction" and self.settings.horizon > self.settings.window:
            raise ConfigError(
                f"anomaly.horizon = {self.settings.horizon} must lie within anomaly.window = "
                f"{self.settings.window}"
            )
        self._data = WatchedSeries.read(config) if parts is None else parts
        self.series = list(self._data.series)
        self.columns = self._data.column_names
        self._scalers = self._fit_scalers()
        self._scaled = [self.scaler(one.name)(torch.from_numpy(one.values)) for one in self.series]
        self._truth = [
            scaled.masked_fill(torch.from_numpy(~one.measured), torch.nan)
            for one, scaled in zip(self.series, self._scaled, strict=True)
        ]
        self.starts = self._windows()
        self._calibrating = self._count_scores()
        check_promise(self._calibrating, self.settings)
        labelled = any(one.labels is not None and one.labels.any() for one in self.series)
        self.headline = "window_f1" if labelled else "mse_standardised"

    def _fit_scalers(self) -> dict[str, Any]:
        if self.settings.scaling == "set":
            return {"": scaler_of(self.series)}
        return {one.name: scaler_of([one]) for one in self.series}

    def scaler(self, name: str) -> Any:
        """Scaler of a series by its name."""
        return self._scalers.get(name) or self._scalers[""]

    @property
    def _length(self) -> int:
        """Steps of a series that a window takes."""
        ahead = self.settings.horizon if self.settings.error == "forecast" else 0
        return self.settings.window + ahead

    def _windows(self) -> Tensor:
        """(series, first row) of each training window (N, 2)."""
        found, short = [], []
        for number, one in enumerate(self.series):
            count = one.ends[0] - self._length + 1
            if count < 1:
                short.append(one.name)
            found += [(number, row) for row in range(max(count, 0))]
        self.short = short
        if not found:
            raise DataError(
                f"no training part holds a window of {self._length} steps; the longest has "
                f"{max(one.ends[0] for one in self.series)}: choose a smaller anomaly.window, or a "
                f"smaller anomaly.test"
            )
        return torch.tensor(found)

    def _count_scores(self) -> dict[str, int]:
        """Number of validation steps of each series that will have a score."""
        first, found = warm_up(self.settings), {}
        for one in self.series:
            rows = one.measured[max(one.ends[0], first) : one.ends[1]]
            found[one.name] = int(rows.any(1).sum())
        return found

    @property
    def parted(self) -> WatchedSeries:
        return self._data

    @property
    def batches_per_epoch(self) -> int:
        return -(-len(self.starts) // self.config.training.batch_size)

    def build_model(self) -> StepForecaster | Autoencoder:
        return build(len(self.columns), self.config)

    def train_batches(self, epoch: int, start: int) -> Iterator[Batch]:
        generator = torch.Generator().manual_seed(self._seed * _EPOCH + epoch)
        order = torch.randperm(len(self.starts), generator=generator)
        for index in torch.split(order, self.config.training.batch_size)[start:]:
            yield self._batch(self.starts[index])

    def _batch(self, places: Tensor) -> Batch:
        """x (B, T, F), and what its outputs are to be, NaN where nothing was measured."""
        rows = [self._window(number, first) for number, first in places.tolist()]
        x, truth = (torch.stack(parts) for parts in zip(*rows, strict=True))
        return x, truth

    def _window(self, number: int, first: int) -> tuple[Tensor, Tensor]:
        length = self.settings.window
        x, truth = self._scaled[number][first : first + length], self._truth[number]
        if self.settings.error == "reconstruction":
            return x, truth[first : first + length]
        ahead = truth[first + 1 : first + length + self.settings.horizon]
        return x, ahead.unfold(0, self.settings.horizon, 1).transpose(1, 2)

    def loss(self, model: nn.Module, batch: Batch, carry: Carry = ()) -> StepLoss:
        x, truth = batch
        measured = ~truth.isnan()
        out = model(x)
        if measured.all():
            objective = F.mse_loss(out, truth)
        elif measured.any():
            objective = (out - truth)[measured].square().mean()
        else:
            objective = out.sum() * 0.0
        return StepLoss(
            objective, {"loss": objective.detach() * len(x)}, len(x), weight=int(measured.sum())
        )

    def _errors(self, model: nn.Module, number: int, stop: int) -> NDArray[np.float64]:
        one = self.series[number]
        missing = None if one.missing is None else one.missing[:stop]
        return network_errors(model, self._scaled[number][:stop], missing, self.settings)

    def validate(self, model: nn.Module) -> dict[str, float]:
        squares = []
        for number, one in enumerate(self.series):
            errors = self._errors(model, number, one.ends[1])[one.rows("validation")]
            squares.append((errors**2)[~np.isnan(errors)])
        return {"mse_standardised": float(np.concatenate(squares).mean())}

    def finish(self, model: nn.Module) -> TrainedDetector:
        errors = [self._errors(model, n, one.ends[1]) for n, one in enumerate(self.series)]
        usual = self._fit_usual(errors)
        held = {}
        for one, some in zip(self.series, errors, strict=True):
            scores, _ = (usual.get(one.name) or usual[""]).judge(some)
            held[one.name] = smoothed(scores, self.settings)[one.rows("validation")]
        found = limits(held, self.settings)
        return TrainedDetector(model, self.config, self.columns, usual, found)

    def _fit_usual(self, errors: list[NDArray[np.float64]]) -> dict[str, Usual]:
        score = self.settings.score
        rows = [some[one.rows("train")] for one, some in zip(self.series, errors, strict=True)]
        if self.settings.scaling == "set":
            return {"": Usual.fit(self.scaler(""), np.concatenate(rows), score, "the set")}
        return {
            one.name: Usual.fit(self.scaler(one.name), some, score, one.name)
            for one, some in zip(self.series, rows, strict=True)
        }

    def baselines(self) -> dict[str, dict[str, float]]:
        """A rolling z-score, the change from a season before, and an isolation forest, each with
        a threshold by the same rule."""
        return baselines.judged(self.series, self.scaler, self.settings)

    # ---- what there is to say

    def account(self) -> dict[str, Any]:
        """Besides the steps: constant columns, series too short to train on, and how many
        validation steps the threshold comes from."""
        return {
            **self._data.account(),
            "windows": len(self.starts),
            "calibrated_on": self._calibrating,
            "constant_in_training": self._constant(),
            "too_short_to_train_on": list(self.short),
        }

    def _constant(self) -> dict[str, list[str]]:
        found = {}
        for one in self.series:
            rows = one.values[one.rows("train")]
            same = (rows == rows[:1]).all(0)
            names = [name for name, flat in zip(self.columns, same, strict=True) if flat]
            if names:
                found[one.name] = names
        return found

    def describe(self, model: nn.Module) -> str:
        assert isinstance(model, StepForecaster | Autoencoder)
        path = model.recurrent.path(torch.zeros(1, 2, len(self.columns)))
        count, columns = len(self.series), len(self.columns)
        settings = self.settings
        what = (
            f"a forecast of {settings.horizon} {unit_of(settings.horizon, 'steps')}"
            if settings.error == "forecast"
            else f"a reconstruction of {settings.window} steps"
        )
        said = [f"{one.name}: {note}" for one in self.series for note in one.notes]
        said += self._warnings()
        return "".join(f"{text}\n" for text in said) + (
            f"{count} series of {columns} {unit_of(columns, 'columns')}: {len(self.starts):,} "
            f"windows of {settings.window} steps to train on; the error of {what}\n"
            f"threshold of the {settings.calibration}, from {sum(self._calibrating.values()):,} "
            f"validation steps in all: {promise(settings)}\n"
            f"recurrent layer on {path}"
        )

    def _warnings(self) -> list[str]:
        found = []
        if self.short:
            found.append(
                f"{len(self.short)} series with too short a training part for a window of "
                f"{self._length} steps, scored but not trained on: {', '.join(self.short[:5])}"
            )
        for name, columns in self._constant().items():
            found.append(
                f"{name}: constant in the training part: {', '.join(columns)} (any change is "
                f"unusual)"
            )
        found += self._weaker()
        filled = sum(one.filled for one in self.series)
        if filled:
            found.append(f"{filled_in_series(filled)}, not judged")
        if marked := self._data.account()["labelled_anomalous_in_training"]:
            found.append(
                f"{marked:,} steps of the training and validation parts are labelled anomalous: "
                f"they are learnt as normal"
            )
        return [f"warning: {text}" for text in found]

    def _weaker(self) -> list[str]:
        """Notices about series with too few validation steps for the rate that was asked for."""
        if self.settings.calibration == "set" or self.settings.follow:
            return []
        rate = self.settings.false_alarms
        return [
            f"{name}: {count:,} validation steps with a score promise {1000 / (count + 1):.3g} "
            f"false alarms in 1,000 steps, not {rate:g}"
            if count
            else f"{name}: no validation step has a score: it never alarms"
            for name, count in self._calibrating.items()
            if (count + 1) * rate < 1000
        ]

    # ---- examples

    def _some(self, most: int) -> list[tuple[int, int]]:
        """(series, row behind the last) of validation windows."""
        length = self._length
        places = [
            (number, stop)
            for number, one in enumerate(self.series)
            for stop in range(max(one.ends[0] + 1, length), one.ends[1] + 1)
        ]
        return [places[i] for i in samples.spread(len(places), most).tolist()]

    def samples(self, most: int) -> list[Sample]:
        found = []
        for number, stop in self._some(most):
            one, truth = self.series[number], self._truth[number]
            curve = samples.rounded(truth[stop - self.settings.window : stop, 0])
            name = f"{one.name} up to {one.times[stop - 1]}"
            found.append(Sample(name, curve=tuple(None if v != v else v for v in curve)))
        return found

    def answers(self, model: nn.Module, most: int) -> list[Told]:
        return [self._told(model, number, stop) for number, stop in self._some(most)]

    def _told(self, model: nn.Module, number: int, stop: int) -> Told:
        """The later half of a window, as it was forecast step by step, or reconstructed."""
        length, half = self.settings.window, -(-self.settings.window // 2)
        x, truth = self._scaled[number], self._truth[number][stop - half : stop, 0]
        with evaluating(model) as device:
            if self.settings.error == "forecast":
                read = x[stop - 1 - min(length, stop - 1) : stop - 1].unsqueeze(0)
                middle = model(read.to(device))[0, -half:, 0, 0].cpu()
            else:
                read = x[stop - length : stop].unsqueeze(0)
                middle = model(read.to(device))[0, -half:, 0].cpu()
        off = (middle - truth[-len(middle) :]).abs()
        wrong = float(off.nanmean()) if (~off.isnan()).any() else 0.0
        return Told(round(wrong, 6), middle=samples.rounded(middle))

    @property
    def subject(self) -> AnomalySubject:
        return AnomalySubject(self)


class AnomalySubject(TaskSubject[AnomalyTask]):
    """Batches of windows of watched series, for the coach."""

    many_answers = True

    def targets(self) -> tuple[Tensor, Tensor]:
        found = []
        for part in ("train", "validation"):
            rows = [
                truth[one.rows(part)].flatten()
                for one, truth in zip(self.task.series, self.task._truth, strict=True)
            ]
            values = torch.cat(rows)
            found.append(values[~values.isnan()])
        return found[0], found[1]


TASK = AnomalyTask
