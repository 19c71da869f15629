"""Many-to-one: one label for a whole sequence. Here: an image read step by step."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from carousel import layers
from carousel.config import Config
from carousel.data.batches import ShuffledBatches, in_order
from carousel.data.labelled_images import ImageParts
from carousel.data.scaling import PixelScaler
from carousel.tasks.classify.network import (
    EVALUATION_BATCH,
    Classifier,
    build_model,
    sequences_of,
)
from carousel.tasks.classify.trained import TrainedClassifier
from carousel.tasks.shared import network, outputs, samples
from carousel.tasks.shared.baselines import examples
from carousel.tasks.shared.losses import Batch, Carry, StepLoss, mean_of
from carousel.tasks.shared.samples import Sample, Told
from carousel.tasks.shared.subject import TaskSubject
from carousel.tasks.shared.task import Task

_LOOKED_AT = 500


class ClassifyTask(Task):
    """Training of a `Classifier`."""

    validation_metrics = ("accuracy", "loss")
    unit = "images"
    trained = TrainedClassifier

    def __init__(self, config: Config, seed: int, parts: ImageParts | None = None) -> None:
        network.check(config)
        self.config = config
        self.parts = ImageParts.read(config) if parts is None else parts
        self.classes = self.parts.classes
        self.scaler = PixelScaler.fit(self.parts.train.images, config.data.scaling)
        self._batches = ShuffledBatches(
            self.parts.train,
            config.training.batch_size,
            seed,
            config.data.shift,
            edges=self.parts.notes is not None,
        )

    @property
    def parted(self) -> ImageParts:
        return self.parts

    @property
    def batches_per_epoch(self) -> int:
        return len(self._batches)

    def build_model(self) -> Classifier:
        return build_model(self.config, self.parts.shape, len(self.classes))

    def train_batches(self, epoch: int, start: int) -> Iterator[Batch]:
        return self._batches.epoch(epoch, start)

    def loss(self, model: nn.Module, batch: Batch, carry: Carry = ()) -> StepLoss:
        images, labels = batch
        logits, penalty = self._logits_and_penalty(model, self._sequences(images))
        total = F.cross_entropy(logits, labels, reduction="sum")
        hits = (logits.detach().argmax(1) == labels).sum()
        count = len(labels)
        objective = total / count if penalty is None else total / count + penalty
        return StepLoss(objective, {"loss": total.detach(), "accuracy": hits}, count)

    def _logits_and_penalty(self, model: nn.Module, x: Tensor) -> tuple[Tensor, Tensor | None]:
        regularization = self.config.regularization
        if not network.has_activation_penalty(regularization):
            return model(x), None
        with network.noting_outputs(cast(Classifier, model).recurrent) as noted:
            logits = model(x)
        (outputs,) = noted
        return logits, network.activation_penalty(outputs, outputs, regularization, time_dim=1)

    def _sequences(self, images: Tensor) -> Tensor:
        return sequences_of(self.scaler(images), self.config.data)

    def validate(self, model: nn.Module) -> dict[str, float]:
        batches = in_order(self.parts.validation, EVALUATION_BATCH)
        with network.evaluating(model) as device:
            return mean_of(self.loss(model, (x.to(device), y.to(device))) for x, y in batches)

    def samples(self, most: int) -> list[Sample]:
        held = self.parts.validation
        return [
            Sample(
                f"validation image {i}",
                picture=samples.picture(held.images[i]),
                wanted=self.classes[int(held.labels[i])],
            )
            for i in samples.spread(len(held), most).tolist()
        ]

    def answers(self, model: nn.Module, most: int) -> list[Told]:
        index = samples.spread(len(self.parts.validation), most)
        some = self.parts.validation.take(index)
        answers = self.finish(model).predict(some.images)
        return samples.of_classes(answers, [self.classes[i] for i in some.labels.tolist()])

    def baselines(self) -> dict[str, dict[str, float]]:
        return examples.fit_and_score(self.parts.train, self.parts.test)

    def account(self) -> dict[str, Any]:
        return self.parts.account()

    def finish(self, model: nn.Module) -> TrainedClassifier:
        return TrainedClassifier(model, self.config, self.classes, self.scaler, self.parts.shape)

    def describe(self, model: nn.Module) -> str:
        assert isinstance(model, Classifier)
        parts = self.parts
        example = self._sequences(parts.train.images[:1])
        own = "" if parts.notes is None else f"{'; '.join(parts.notes.words)}\n"
        return (
            f"{len(parts.train):,} images to train on, {len(parts.validation):,} to validate\n{own}"
            f"recurrent layer on {layers.explain(model.recurrent, example)}"
        )

    @property
    def subject(self) -> ClassifySubject:
        return ClassifySubject(self)


class ClassifySubject(TaskSubject[ClassifyTask]):
    """Batches of images with their classes, for the coach."""

    def targets(self) -> tuple[Tensor, Tensor]:
        return self.task.parts.train.labels, self.task.parts.validation.labels

    def outputs(self, model: nn.Module) -> dict[str, float]:
        held = self.task.parts.validation
        some = held.take(torch.arange(min(_LOOKED_AT, len(held))))
        with network.evaluating(model) as device:
            guess = model(self.task._sequences(some.images.to(device))).argmax(1)
        return outputs.of_classes(guess, some.labels)


TASK = ClassifyTask
