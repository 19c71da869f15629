"""Many-to-one: one label for a whole sequence. Here: an MNIST image read step by step."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from carousel import layers
from carousel.config import Config, DataConfig, ModelConfig, RegularizationConfig
from carousel.data import mnist
from carousel.data.batches import ShuffledBatches, in_order
from carousel.data.scaling import PixelScaler
from carousel.data.splits import hold_out
from carousel.tasks import baselines, metrics

Batch = tuple[Tensor, Tensor]

_EVALUATION_BATCH = 1000


def as_sequence(images: Tensor, view: str) -> Tensor:
    """Images (B, 28, 28) as sequences (B, T, I): "rows", "pixels" or the whole "image" at once.

    >>> [tuple(as_sequence(torch.zeros(2, 28, 28), v).shape) for v in ("rows", "pixels", "image")]
    [(2, 28, 28), (2, 784, 1), (2, 1, 784)]
    """
    if view == "rows":
        return images
    return images.flatten(1).unsqueeze(2 if view == "pixels" else 1)


class Classifier(nn.Module):
    """Recurrent layers, pooling over time, dropout, a linear head: (B, T, I) to logits (B, C).

    Dropout acts on vertical connections only (Zaremba et al. 2014): `input_dropout` on the input,
    `dropout` between layers and before the head.
    """

    def __init__(
        self,
        input_size: int,
        classes: int,
        model: ModelConfig,
        regularization: RegularizationConfig,
    ) -> None:
        super().__init__()
        stacked: dict[str, Any] = {
            "num_layers": model.num_layers,
            "batch_first": True,
            "dropout": regularization.dropout if model.num_layers > 1 else 0.0,
            "bidirectional": model.bidirectional,
        }
        self.recurrent: layers.LSTM | layers.GRU | layers.RNN
        if model.cell == "lstm":
            self.recurrent = layers.LSTM(
                input_size, model.hidden_size, forget_bias=model.forget_bias, **stacked
            )
        elif model.cell == "gru":
            self.recurrent = layers.GRU(input_size, model.hidden_size, **stacked)
        else:
            self.recurrent = layers.RNN(
                input_size, model.hidden_size, nonlinearity=model.nonlinearity, **stacked
            )
        self.pooling = model.pooling
        self.input_dropout = _dropout(regularization.input_dropout)
        self.dropout = _dropout(regularization.dropout)
        self.head = nn.Linear(model.hidden_size * (2 if model.bidirectional else 1), classes)

    def forward(self, x: Tensor) -> Tensor:
        """x: scaled sequences (B, T, I). Returns logits (B, C)."""
        outputs, last = self.recurrent(self.input_dropout(x))
        if self.pooling == "mean":
            summary = outputs.mean(1)
        elif self.pooling == "max":
            summary = outputs.amax(1)
        else:  # the state after the last step; of both directions, each after its own last
            h = last[0] if isinstance(last, tuple) else last
            summary = torch.cat((h[-2], h[-1]), 1) if self.recurrent.bidirectional else h[-1]
        logits: Tensor = self.head(self.dropout(summary))
        return logits


def _dropout(p: float) -> nn.Module:
    return nn.Dropout(p) if p else nn.Identity()  # torch's costs a product with p = 0 too


def build_model(config: Config) -> Classifier:
    """A new network for the data's view; weights from torch's global random state."""
    input_size = as_sequence(torch.zeros(1, mnist.SIDE, mnist.SIDE), config.data.view).size(2)
    return Classifier(input_size, len(mnist.CLASSES), config.model, config.regularization)


def probabilities(model: nn.Module, images: Tensor, view: str, scaler: PixelScaler) -> Tensor:
    """Class probabilities (N, C) of uint8 images (N, 28, 28), in evaluation mode, on the CPU."""
    was_training = model.training
    model.eval()
    device = next(model.parameters()).device
    try:
        with torch.no_grad():
            logits = [
                model(as_sequence(scaler(chunk.to(device)), view))
                for chunk in torch.split(images, _EVALUATION_BATCH)
            ]
        return torch.cat(logits).softmax(1).cpu() if logits else torch.empty(0, len(mnist.CLASSES))
    finally:
        model.train(was_training)


@dataclass(frozen=True)
class StepLoss:
    """Mean loss of a batch, and how many of its examples were classified rightly."""

    loss: Tensor
    hits: Tensor
    count: int


class ImageParts:
    """Training, validation and test images. The test file is not opened before it is asked for."""

    def __init__(self, data: DataConfig) -> None:
        full = mnist.load_train()
        train, validation = hold_out(len(full), data.validation, data.split_seed)
        if data.train_limit:
            train = train[: data.train_limit]
        self.train = full.take(train)
        self.validation = full.take(validation)

    @cached_property
    def test(self) -> mnist.Images:
        return mnist.load_test()


class ClassifyTask:
    """Everything the training loop asks of this mapping."""

    classes = mnist.CLASSES

    def __init__(self, config: Config, seed: int) -> None:
        self.config = config
        self.parts = ImageParts(config.data)
        self.scaler = PixelScaler.fit(self.parts.train.images, config.data.scaling)
        self._batches = ShuffledBatches(
            self.parts.train, config.training.batch_size, seed, config.data.shift
        )

    @property
    def batches_per_epoch(self) -> int:
        return len(self._batches)

    def build_model(self) -> Classifier:
        return build_model(self.config)

    def train_batches(self, epoch: int, start: int) -> Iterator[Batch]:
        return self._batches.epoch(epoch, start)

    def loss(self, model: nn.Module, batch: Batch) -> StepLoss:
        images, labels = batch
        logits = model(as_sequence(self.scaler(images), self.config.data.view))
        hits = (logits.detach().argmax(1) == labels).sum()
        return StepLoss(F.cross_entropy(logits, labels), hits, len(labels))

    def validate(self, model: nn.Module) -> dict[str, float]:
        """Loss and accuracy on the validation part."""
        return self._score(model, self.parts.validation)

    def test(self, model: nn.Module) -> dict[str, Any]:
        """Every metric on the test part, which nothing before has looked at."""
        part, data = self.parts.test, self.config.data
        chances = probabilities(model, part.images, data.view, self.scaler)
        return metrics.report(part.labels, chances, self.classes, head=data.test_head)

    def baselines(self) -> dict[str, dict[str, float]]:
        """Test accuracy of models that are not recurrent, fitted on the same training part."""
        return baselines.fit_and_score(self.parts.train, self.parts.test)

    def _score(self, model: nn.Module, part: mnist.Images) -> dict[str, float]:
        device = next(model.parameters()).device
        loss = hits = 0.0
        was_training = model.training
        model.eval()
        with torch.no_grad():
            for images, labels in in_order(part, _EVALUATION_BATCH):
                step = self.loss(model, (images.to(device), labels.to(device)))
                loss += float(step.loss) * step.count
                hits += float(step.hits)
        model.train(was_training)
        return {"loss": loss / len(part), "accuracy": hits / len(part)}
