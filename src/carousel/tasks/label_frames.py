"""Aligned many-to-many, series: a label for every frame of a recording."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import nn

from carousel.config import Config, reject_without_effect
from carousel.data.ragged import Ragged
from carousel.data.recordings import LabelledFrames
from carousel.data.scaling import FeatureScaler
from carousel.data.windows import LabelledWindows
from carousel.tasks import baselines, network
from carousel.tasks.frame_labeller import (
    FrameLabeller,
    TrainedFrameLabeller,
    build_model,
    judge,
    logits_of,
    with_differences,
)
from carousel.tasks.task import Batch, Carry, StepLoss, Task

_WITHOUT_EFFECT = (
    "data.view",
    "forecast",
    "data.permutation",
    "data.scaling",
    "data.validation",
    "data.train_limit",
    "data.shift",
    "data.test_head",
    "data.fold",
    "text",
    "regress",
    "model.embedding_size",
    "model.feature_size",
    "model.tied",
    "model.pooling",
    "regularization.activation",
    "regularization.temporal_activation",
    "regularization.l1.embedding",
    "regularization.l2.embedding",
)
_OF_BASELINES = (
    "macro_f1",
    "accuracy",
    "segment_f1_10",
    "segment_f1_25",
    "segment_f1_50",
    "edit_score",
)


class LabelFramesTask(Task):
    """Training of a `FrameLabeller` on windows of recordings; whole recordings judge."""

    validation_metrics = ("macro_f1", "accuracy", "segment_f1_50", "loss")
    unit = "frames"
    trained = TrainedFrameLabeller

    def __init__(self, config: Config, seed: int) -> None:
        reject_without_effect(config, _WITHOUT_EFFECT, "the task 'label_frames'")
        network.check(config)
        self.config, frames = config, config.frames
        self.data = LabelledFrames(config.data, frames)
        train = with_differences(self.data.train.values, frames.differences)
        self.scaler = FeatureScaler.fit(train.values)
        self._train = Ragged(self.scaler(train.values), train.offsets)
        self._validation = self._prepare(self.data.validation.values)
        labels = self.data.train.labels
        classes = len(self.data.classes)
        self._weights = network.class_weights(labels[labels >= 0], classes, config.loss)
        rows = config.training.batch_size
        self._batches = LabelledWindows(
            self._train, labels, frames.window, rows, seed, frames.passes
        )

    def _prepare(self, values: Ragged) -> Ragged:
        wide = with_differences(values, self.config.frames.differences)
        return Ragged(self.scaler(wide.values), wide.offsets)

    @property
    def batches_per_epoch(self) -> int:
        return len(self._batches)

    def build_model(self) -> FrameLabeller:
        return build_model(self._train.values.size(1), len(self.data.classes), self.config)

    def train_batches(self, epoch: int, start: int) -> Iterator[Batch]:
        return self._batches.epoch(epoch, start)

    def loss(self, model: nn.Module, batch: Batch, carry: Carry = ()) -> StepLoss:
        values, lengths, labels = batch
        noise = self.config.frames.noise
        if noise and model.training:
            values = values + noise * torch.randn_like(values)
        inside = labels >= 0
        logits, truth = model(values, lengths)[inside], labels[inside]
        objective, total = network.weighted_loss(logits, truth, self.config.loss, self._weights)
        hits = (logits.detach().argmax(1) == truth).sum()
        return StepLoss(objective, {"loss": total, "accuracy": hits}, len(truth))

    def validate(self, model: nn.Module) -> dict[str, float]:
        logits = logits_of(model, self._validation)
        report = judge(self.data.validation, logits, self.data.classes)
        return {name: report[name] for name in self.validation_metrics}

    def baselines(self) -> dict[str, dict[str, float]]:
        """The most frequent class, and logistic regression of each frame by itself."""
        test, train = self.data.part("test"), self.data.train
        inside = train.labels >= 0
        x, y = self._train.values[inside].numpy(), train.labels[inside].numpy()
        guesses = baselines.fit_frames(x, y, self._prepare(test.values).values.numpy())
        scores = {}
        for name, guess in guesses.items():
            sure = nn.functional.one_hot(torch.from_numpy(guess), len(self.data.classes)).float()
            report = judge(test, sure, self.data.classes)
            scores[name] = {key: report[key] for key in _OF_BASELINES}
        return scores

    def account(self) -> dict[str, Any]:
        return self.data.account()

    def finish(self, model: nn.Module) -> TrainedFrameLabeller:
        return TrainedFrameLabeller(model, self.config, self.data.classes, self.scaler)

    def describe(self, model: nn.Module) -> str:
        assert isinstance(model, FrameLabeller)
        train, validation = self.data.train, self.data.validation
        path = model.recurrent.path(self._train.values[:2].unsqueeze(0), ragged=True)
        return (
            f"{len(train)} recordings ({len(train.labels):,} frames, "
            f"{int((train.labels >= 0).sum()):,} labelled) to train on, {len(validation)} to "
            f"validate; {len(self.data.classes)} classes; {self._train.values.size(1)} features\n"
            f"recurrent layer on {path}"
        )


TASK = LabelFramesTask
