"""A network that reads an image step by step and tells its class."""

from __future__ import annotations

from functools import cache

import numpy as np
import torch
from torch import Tensor, nn

from carousel.config import Config, ModelConfig, RegularizationConfig
from carousel.data import mnist
from carousel.layers.pooling import Pooling
from carousel.tasks.shared.network import make_dropout, make_recurrent, start

EVALUATION_BATCH = 1000


def as_sequence(images: Tensor, view: str, permutation: int = 0) -> Tensor:
    """Images (B, 28, 28) as sequences (B, T, I): "rows", "pixels" or the whole "image" at once.

    permutation: first shuffle the pixels, all images alike (see `carousel.config.DataConfig`).

    >>> [tuple(as_sequence(torch.zeros(2, 28, 28), v).shape) for v in ("rows", "pixels", "image")]
    [(2, 28, 28), (2, 784, 1), (2, 1, 784)]
    """
    if permutation:
        images = images.flatten(1)[:, _order(permutation)].view_as(images)
    if view == "rows":
        return images
    return images.flatten(1).unsqueeze(2 if view == "pixels" else 1)


@cache
def _order(seed: int) -> Tensor:
    # The legacy generator, whose numbers NumPy promises never to change.
    return torch.from_numpy(np.random.RandomState(seed).permutation(mnist.SIDE**2))


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


def build_model(config: Config) -> Classifier:
    """A new network for the data's view; weights from torch's global random state."""
    input_size = as_sequence(torch.zeros(1, mnist.SIDE, mnist.SIDE), config.data.view).size(2)
    classifier = Classifier(input_size, len(mnist.CLASSES), config.model, config.regularization)
    start(classifier, config)
    return classifier
