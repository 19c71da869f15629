"""Recurrent layers, each of which goes on from the state some steps before."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from carousel.config import Config
from carousel.errors import ConfigError
from carousel.layers.base import Recurrent
from carousel.tasks.shared.network import make_dropout, make_recurrent


class DilatedStack(nn.Module):
    """A layer for each dilation, with residual connections from the second layer on.

    h_t = cell(x_t, h_(t-d)) of a layer of dilation d, h = 0 before the first step; the next reads
    x_t + dropout(h_t), the second layer dropout(h_t) alone, and the last gives x_t + h_t.

    The steps of a layer are d sequences beside each other, each of every d-th step, so that a layer
    of dilation d has T / d steps one after the other.

    Source: Chang et al. 2017, "Dilated recurrent neural networks" (arXiv:1710.02224); residual
    connections as in Smyl 2020.
    """

    def __init__(self, input_size: int, dilations: Sequence[int], config: Config) -> None:
        """dilations: steps back to the state that each layer goes on from."""
        super().__init__()
        self.input_size, self.dilations = input_size, tuple(dilations)
        model, regularization = config.model, config.regularization
        sizes = [input_size] + [model.hidden_size] * (len(self.dilations) - 1)
        self.layers = nn.ModuleList(
            make_recurrent(size, model, regularization, batch_first=False) for size in sizes
        )
        self.dropout = make_dropout(regularization.dropout)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """x (B, T, F). Returns outputs (B, T, H) and the last of them (1, B, H)."""
        x = x.transpose(0, 1)
        for number, (layer, dilation) in enumerate(zip(self.layers, self.dilations, strict=True)):
            y = dilated(layer, x, dilation)
            if number + 1 < len(self.layers):
                y = self.dropout(y)
            x = x + y if number else y
        return x.transpose(0, 1), x[-1:]

    def path(self, x: Tensor) -> str:
        """Path that computes the first layer, in words: x (B, T, F)."""
        first = self.layers[0]
        assert isinstance(first, Recurrent)
        return str(first.path(x.transpose(0, 1)))


def dilated(layer: nn.Module, x: Tensor, dilation: int) -> Tensor:
    """Outputs (T, B, H) of a layer, given x (T, B, F), whose step t goes on from its step
    t - dilation.

    Of one row alone, the first of the sequences that the layer reads is the one with its last step:
    whoever looks at one of them, as the coach does, sees what the forecast comes of.
    """
    steps, rows, width = x.shape
    whole = -(-steps // dilation)
    if missing := whole * dilation - steps:
        x = nn.functional.pad(x, (0, 0, 0, 0, 0, missing))
    apart = x.reshape(whole, dilation * rows, width)
    first = (steps - 1) % dilation if rows == 1 else 0
    if first:
        apart = apart.roll(-first, 1)
    y: Tensor = layer(apart)[0]
    if first:
        y = y.roll(first, 1)
    return y.reshape(whole * dilation, rows, -1)[:steps]


def dilations_of(config: Config) -> list[int]:
    """`model.dilations` as numbers. Raises `ConfigError` for what are none, or for one as long as
    the window."""
    parts = [part.strip() for part in config.model.dilations.split(",") if part.strip()]
    if not all(part.isdecimal() and int(part) > 0 for part in parts):
        raise ConfigError(
            "model.dilations must be whole numbers from 1 on with commas, such as '1, 2, 4, 8'; "
            f"got '{config.model.dilations}'"
        )
    found, context = [int(part) for part in parts], config.forecast.context
    if found and max(found) >= context:
        raise ConfigError(
            f"model.dilations: {max(found)} must be less than forecast.context = {context}: in a "
            "shorter window no step has a step so long before it"
        )
    return found
