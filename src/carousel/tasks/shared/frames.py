"""A network that says something of every frame of a recording: a label, or a number."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from carousel.config import Config
from carousel.data.ragged import Ragged, by_length
from carousel.data.recordings import film_side
from carousel.layers.attention import step_mask
from carousel.layers.categories import category_input
from carousel.layers.convolution import ConvolutionalMap
from carousel.tasks.shared.network import evaluating, make_dropout, make_recurrent, start

_EVALUATION_BATCH = 16


class FrameLabeller(nn.Module):
    """P(label of each frame | recording): scaled values (B, T, F) to logits (B, T, C).

    y = recurrent(x);  logits_t = W y_t + b

    Where frames are pictures (F = side²), x_t = relu(V map(frame_t) + c) stands for them, with the
    map of a `ConvolutionalMap`. Dropout acts on vertical connections only: `input_dropout` on x,
    `dropout` between layers and before the head. Codes among the values become rows of numbers
    first (`CategoryInput`).
    """

    def __init__(
        self, features: int, classes: int, config: Config, levels: Mapping[int, int] | None = None
    ) -> None:
        """levels: how many levels each column of codes has, by its place."""
        super().__init__()
        self.levels = dict(levels or {})
        self.categories = category_input(features, self.levels)
        features = features if self.categories is None else self.categories.width
        model, regularization = config.model, config.regularization
        side, encoder = film_side(config), config.encoder
        self.pictures: nn.Sequential | None = None
        if side:
            stages = ConvolutionalMap(1, (side, side), **dataclasses.asdict(encoder))
            places = stages.shape[0] * stages.shape[1]
            dense = nn.Linear(places * encoder.features, model.hidden_size)
            shaped = nn.Unflatten(1, (1, side, side))
            self.pictures = nn.Sequential(shaped, stages, nn.Flatten(), dense, nn.ReLU())
            features = model.hidden_size
        self.recurrent = make_recurrent(features, model, regularization, batch_first=True)
        self.input_dropout = make_dropout(regularization.input_dropout)
        self.dropout = make_dropout(regularization.dropout)
        self.head = nn.Linear(model.hidden_size * (2 if model.bidirectional else 1), classes)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """x (B, T, F), lengths (B,). Returns logits (B, T, C), in the padding too."""
        if self.pictures is not None:
            x = self._look(self.pictures, x, lengths)
        if self.categories is not None:
            x = self.categories(x)
        outputs, _ = self.recurrent(self.input_dropout(x), lengths=lengths)
        logits: Tensor = self.head(self.dropout(outputs))
        return logits

    @staticmethod
    def _look(pictures: nn.Sequential, x: Tensor, lengths: Tensor) -> Tensor:
        inside = step_mask(lengths, x.size(1))  # what stands in the padding is not looked at
        seen: Tensor = pictures(x[inside])
        frames = seen.new_zeros(*inside.shape, seen.size(1))
        frames[inside] = seen
        return frames


def build_model(
    features: int, classes: int, config: Config, levels: Mapping[int, int] | None = None
) -> FrameLabeller:
    """A new network; weights from torch's global random state. levels: of columns of codes."""
    model = FrameLabeller(features, classes, config, levels)
    start(model, config)
    return model


def logits_of(model: nn.Module, values: Ragged) -> Tensor:
    """Logits (N, C) of all frames, recording by recording, each read whole; on the CPU."""
    pieces: dict[int, Tensor] = {}
    with evaluating(model) as device:
        for index in by_length(values.lengths, _EVALUATION_BATCH):
            x, lengths = values.pad(index)
            logits = model(x.to(device), lengths.to(device)).cpu()
            for row, number in enumerate(index.tolist()):
                pieces[number] = logits[row, : lengths[row]]
    return torch.cat([pieces[number] for number in range(len(values))])
