"""Aligned many-to-many, numbers: a number at every step of a recording, such as life that is left.

The network of `label_frames` with one output that is a number instead of a class. Where the data
have one number, or several, of each whole recording, `WholeRegressTask` learns those.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from carousel.config import Config
from carousel.data import leaks
from carousel.data.measured import Measured, MeasuredRecordings
from carousel.data.ragged import Ragged
from carousel.data.whole_targets import WholeRecordings
from carousel.data.windows import is_labelled
from carousel.errors import ConfigError
from carousel.tasks.regress.scores import judge
from carousel.tasks.regress.target import Target
from carousel.tasks.regress.trained import TrainedRegressor
from carousel.tasks.regress.whole_task import WholeRegressTask
from carousel.tasks.regress.whole_trained import TrainedWholeRegressor
from carousel.tasks.shared import network, outputs
from carousel.tasks.shared.baselines import examples
from carousel.tasks.shared.frames import FrameLabeller, build_model, logits_of
from carousel.tasks.shared.losses import Batch, Carry, StepLoss
from carousel.tasks.shared.prepared import with_levels
from carousel.tasks.shared.recordings import RecordingsSubject, RecordingsTask
from carousel.tasks.shared.task import Task, TrainedModel

_BASELINE_STEPS = 30


class RegressTask(RecordingsTask):
    """Training of a `FrameLabeller` with one output on windows of recordings; whole recordings
    judge. Inputs and targets are standardised by the training part."""

    validation_metrics = ("rmse", "mae")
    unit = "steps"
    trained = TrainedRegressor
    data: MeasuredRecordings

    def __init__(self, config: Config, seed: int, parts: MeasuredRecordings | None = None) -> None:
        network.check(config)
        self.config = config
        self.data = MeasuredRecordings.read(config) if parts is None else parts
        train = self.data.train
        self.target = Target.fit(train.targets[is_labelled(train.targets)], config.regress)
        self._cut(train.values, train.targets, self.data.validation.values, seed)
        self.leaks = leaks.of_numbers(train.values.values, train.targets, self.data.columns)

    def build_model(self) -> FrameLabeller:
        return build_model(self._train.values.size(1), 1, self.config, self._levels)

    def loss(self, model: nn.Module, batch: Batch, carry: Carry = ()) -> StepLoss:
        values, lengths, *weights, numbers = batch
        inside = is_labelled(numbers)
        raw = model(self._noisy(values, model.training), lengths).squeeze(2)[inside]
        losses = self.target.losses(raw, numbers[inside])
        for each in weights:
            losses = losses * each.unsqueeze(1).expand_as(numbers)[inside]
        return StepLoss(losses.mean(), {"loss": losses.detach().sum()}, len(losses))

    def validate(self, model: nn.Module) -> dict[str, float]:
        held = self.data.validation
        raw = logits_of(model, self._validation).squeeze(1)
        # Against capped targets: what lies beyond the cap is not to be known.
        capped = Measured(held.names, held.values, self.target.capped(held.targets))
        values = judge(capped, self.target.number(raw), 0.0)
        return {name: values[name] for name in self.validation_metrics}

    def baselines(self) -> dict[str, dict[str, float]]:
        """The mean of the training part, and ridge regression from the last 30 steps."""
        test, train = self.data.test, self.data.train
        inside, judged = is_labelled(train.targets), is_labelled(test.targets)
        numbers = self.target.capped(train.targets[inside])
        guess = torch.full_like(test.targets, float(numbers.mean()))
        found = {"mean": judge(test, guess, self.target.cap)}
        held = self._prepare(test.values)
        wide, test_wide = (with_levels(some, self.data.columns) for some in (self._train, held))
        x = _last_steps(wide, inside, _BASELINE_STEPS)
        test_x = _last_steps(test_wide, judged, _BASELINE_STEPS)
        mean, std = float(numbers.mean()), float(numbers.std(correction=0)) or 1.0
        scaled = ((numbers - mean) / std).float()
        guess = guess.clone()
        guess[judged] = (
            mean
            + std
            * torch.from_numpy(
                examples.fit_numbers(x.numpy(), scaled.numpy(), test_x.numpy())
            ).double()
        )
        return {**found, "linear": judge(test, guess, self.target.cap)}

    def finish(self, model: nn.Module) -> TrainedRegressor:
        columns = self.data.columns
        return TrainedRegressor(model, self.config, self.scaler, self.target, columns)

    def account(self) -> dict[str, Any]:
        return {**super().account(), "capped": self._capped()}

    def _capped(self) -> int:
        train = self.data.train.targets
        return int((train > self.target.cap).sum()) if self.target.cap else 0

    def _clipped(self) -> str:
        count = int(is_labelled(self.data.train.targets).sum())
        share = self._capped() / count
        cap = f"regress.cap = {self.target.cap:g}"
        return f"\n{share:.0%} of the numbers to train on count as {cap}" if self._capped() else ""

    def describe(self, model: nn.Module) -> str:
        assert isinstance(model, FrameLabeller)
        train, validation = self.data.train, self.data.validation
        example = self._train.values.new_zeros(1, 2, model.recurrent.input_size)
        path = model.recurrent.path(example, ragged=True)
        how = "sigmoid, cross-entropy" if self.target.sigmoid else "identity, squared error"
        return (
            f"{len(train)} recordings ({len(train.targets):,} steps, "
            f"{int(is_labelled(train.targets).sum()):,} with a target) to train on, "
            f"{len(validation)} to validate; {self._train.values.size(1)} features; {how}\n"
            f"recurrent layer on {path}{self._clipped()}{self._remarks()}"
        )

    @property
    def subject(self) -> RegressSubject:
        return RegressSubject(self)


class RegressSubject(RecordingsSubject[RegressTask]):
    """Batches of windows with a number for every step, for the coach."""

    many_answers = True

    def wanted(self, batch: Batch) -> Tensor:
        return self.task.target.scaled(super().wanted(batch)).float()

    def targets(self) -> tuple[Tensor, Tensor]:
        parts = (self.task.data.train.targets, self.task.data.validation.targets)
        train, held = (self.task.target.scaled(part[is_labelled(part)]).float() for part in parts)
        return train, held

    def outputs(self, model: nn.Module) -> dict[str, float]:
        held = self.task.data.validation
        inside = is_labelled(held.targets)
        guess = self.task.target.number(logits_of(model, self.task._validation).squeeze(1))
        return outputs.of_numbers(guess[inside], self.task.target.capped(held.targets[inside]))


def _last_steps(values: Ragged, wanted: Tensor, steps: int) -> Tensor:
    """For each wanted step (N,) the `steps` rows up to it, flattened; before the start of a
    recording its first row is repeated."""
    place = torch.arange(len(values.values))
    first = values.offsets[:-1].repeat_interleave(values.lengths)
    back = torch.arange(steps - 1, -1, -1)
    rows = torch.maximum(place[wanted].unsqueeze(1) - back, first[wanted].unsqueeze(1))
    return values.values[rows].flatten(1)


class _Trained:
    """A trained model of either kind, as it was kept."""

    @classmethod
    def restore(cls, config: Config, facts: dict[str, Any]) -> TrainedModel:
        kind: type[TrainedModel] = TrainedWholeRegressor if "targets" in facts else TrainedRegressor
        return kind.restore(config, facts)


class Regression:
    """The task of data with numbers to be found: per step or per sequence, as they have them.

    Raises `ConfigError` where `regress.per` asks for the other kind, and for settings that the
    kind does not read.
    """

    trained: ClassVar[type[_Trained]] = _Trained

    def __call__(self, config: Config, seed: int, parts: Any = None) -> Task:
        data: Any = MeasuredRecordings.read(config) if parts is None else parts
        whole = isinstance(data, WholeRecordings)
        per, wanted = "sequence" if whole else "step", config.regress.per
        if wanted not in ("auto", per):
            raise ConfigError(
                f"regress.per = '{wanted}', but the data have numbers for each {per}: leave it out"
            )
        network.check(replace(config, regress=replace(config.regress, per=per)))
        if whole:
            return WholeRegressTask(config, seed, data)
        return RegressTask(config, seed, data)


TASK = Regression()
