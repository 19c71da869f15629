"""A network that reads an image step by step and tells its class."""

from __future__ import annotations

from functools import cache

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from carousel.config import Config, DataConfig, ModelConfig, RegularizationConfig
from carousel.data import mnist
from carousel.data.labelled_images import Shape
from carousel.layers.pooling import Pooling
from carousel.tasks.shared.network import make_dropout, make_recurrent, start

EVALUATION_BATCH = 1000


def as_sequence(images: Tensor, view: str, permutation: int = 0, patch: int = 4) -> Tensor:
    """Images (B, H, W), or (B, 3, H, W), as sequences (B, T, I): "rows", "pixels", "patches" of
    `patch` x `patch` row by row, or the whole "image" at once. The colours of a pixel stay
    together in a step.

    permutation: first shuffle the pixels, all images alike (see `carousel.config.DataConfig`).

    >>> views = ("rows", "pixels", "patches", "image")
    >>> [tuple(as_sequence(torch.zeros(2, 28, 28), v).shape) for v in views]
    [(2, 28, 28), (2, 784, 1), (2, 49, 16), (2, 1, 784)]
    >>> [tuple(as_sequence(torch.zeros(2, 3, 32, 20), v).shape) for v in views]
    [(2, 32, 60), (2, 640, 3), (2, 40, 48), (2, 1, 1920)]
    """
    height, width = images.shape[-2:]
    if permutation:
        order = _order(permutation, height * width)
        images = images.flatten(-2)[..., order].view_as(images)
    if images.dim() == 4 and view == "rows":
        return images.transpose(1, 2).flatten(2)
    if view == "rows":
        return images
    if view == "pixels":
        return images.reshape(len(images), -1, height * width).transpose(1, 2)
    if view == "patches":
        return _patches(images, patch)
    return images.flatten(1).unsqueeze(1)


def _patches(images: Tensor, side: int) -> Tensor:
    """Squares (B, T, C side²), row by row; zeros stand where an image ends before a square does."""
    planes = images if images.dim() == 4 else images.unsqueeze(1)
    down, across = (-size % side for size in planes.shape[-2:])
    return F.unfold(F.pad(planes, (0, across, 0, down)), side, stride=side).transpose(1, 2)


def sequences_of(images: Tensor, data: DataConfig) -> Tensor:
    """Images as sequences, as a configuration says (see `as_sequence`)."""
    return as_sequence(images, data.view, data.permutation, data.patch)


@cache
def _order(seed: int, pixels: int) -> Tensor:
    # The legacy generator, whose numbers NumPy promises never to change.
    return torch.from_numpy(np.random.RandomState(seed).permutation(pixels))


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
        dropout = regularization.dropout
        self.recurrent = make_recurrent(input_size, model, regularization, batch_first=True)
        self.input_dropout = make_dropout(regularization.input_dropout)
        self.dropout = make_dropout(dropout)
        features = model.hidden_size * (2 if model.bidirectional else 1)
        self.pooling = Pooling(model.pooling, features)
        self.head = nn.Linear(features, classes)

    def forward(self, x: Tensor) -> Tensor:
        """x: scaled sequences (B, T, I). Returns logits (B, C)."""
        outputs, last = self.recurrent(self.input_dropout(x))
        logits: Tensor = self.head(self.dropout(self.pooling(outputs, last)))
        return logits


def build_model(
    config: Config,
    shape: Shape = (mnist.SIDE, mnist.SIDE),
    classes: int = len(mnist.CLASSES),
) -> Classifier:
    """A new network for the data's view; weights from torch's global random state.

    shape: of an image. classes: how many there are.
    """
    input_size = sequences_of(torch.zeros(1, *shape), config.data).size(2)
    classifier = Classifier(input_size, classes, config.model, config.regularization)
    start(classifier, config)
    return classifier
