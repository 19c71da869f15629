"""A network that reads a whole recording and says one thing of it: its class, or numbers."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from carousel.config import Config
from carousel.data.ragged import Ragged, by_length
from carousel.layers.categories import category_input
from carousel.layers.pooling import Pooling
from carousel.tasks.shared.average import one_of
from carousel.tasks.shared.network import evaluating, make_dropout, make_head, make_recurrent, start

_EVALUATION_BATCH = 64


class PooledNetwork(nn.Module):
    """Scaled values (B, T, F) and lengths (B,) to outputs (B, C): logits of classes, or numbers.

    y = recurrent(x);  outputs = W pool(y) + b

    Dropout acts on vertical connections only: `input_dropout` on the input, `dropout` between
    layers and before the head. What stands in the padding never matters. Codes among the values
    become rows of numbers first (`CategoryInput`).
    """

    def __init__(
        self, features: int, outputs: int, config: Config, levels: Mapping[int, int] | None = None
    ) -> None:
        """levels: how many levels each column of codes has, by its place."""
        super().__init__()
        self.levels = dict(levels or {})
        self.categories = category_input(features, self.levels)
        features = features if self.categories is None else self.categories.width
        model, regularization = config.model, config.regularization
        width = model.hidden_size * (2 if model.bidirectional else 1)
        self.recurrent = make_recurrent(features, model, regularization, batch_first=True)
        self.input_dropout = make_dropout(regularization.input_dropout)
        self.pooling = Pooling(model.pooling, width)
        self.dropout = make_dropout(regularization.dropout)
        self.head = make_head(width, outputs, config)
        start(self, config)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """x (B, T, F), lengths (B,). Returns outputs (B, C)."""
        if self.categories is not None:
            x = self.categories(x)
        outputs, state = self.recurrent(self.input_dropout(x), lengths=lengths)
        found: Tensor = self.head(self.dropout(self.pooling(outputs, state, lengths)))
        return found


def outputs_of(model: PooledNetwork, values: Ragged) -> Tensor:
    """Outputs (n, C) in the order of the recordings, in evaluation mode, on the CPU."""
    result = torch.empty(len(values), one_of(model).head.out_features)
    with evaluating(model) as device:
        for index in by_length(values.lengths, _EVALUATION_BATCH):
            x, lengths = values.pad(index)
            result[index] = model(x.to(device), lengths.to(device)).cpu()
    return result
