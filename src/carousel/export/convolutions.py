"""Description of layers that look at neighbours: over time, inside a step, or in a picture.

Part of `carousel.export.description`, which says what all layers have in common.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Convolution:
    """One-dimensional convolution over time: (B, T, C) to (B, T', C'), as `torch.nn.Conv1d`.

    weight (C', C / groups, K), bias (C',) or None; zeros are padded on both sides. Where rows have
    lengths, zeros stand behind them, and their lengths become those of the outputs.
    """

    weight: Array
    bias: Array | None
    stride: int = 1
    padding: int = 0
    dilation: int = 1
    groups: int = 1

    def length(self, steps: int) -> int:
        """Steps of the output of a row of so many steps.

        >>> Convolution(np.zeros((1, 1, 3), np.float32), None, stride=2).length(7)
        3
        """
        return max(0, (steps + 2 * self.padding - self.reach) // self.stride + 1)

    @property
    def reach(self) -> int:
        """Steps from the first to the last that an output sees."""
        return self.dilation * (int(self.weight.shape[2]) - 1) + 1


@dataclass(frozen=True, eq=False)
class Activation:
    """A function of each number.

    name: "relu", "tanh", "sigmoid", "softsign", "hard_tanh", "hard_sigmoid" (relu6(x + 3) / 6),
    "leaky_relu" (slope: of negative numbers), "elu" (slope: α), "silu", or "gelu" (exact).
    """

    name: str
    slope: float = 0.0


@dataclass(frozen=True, eq=False)
class Reflection:
    """Places before and after a frame, mirrored at its first and last: … x₂ x₁ x₀ x₁ x₂ …"""

    before: int
    after: int


@dataclass(frozen=True, eq=False)
class Magnitude:
    """√(re² + im²) of the first and the second half of the channels."""


Inner = Convolution | Activation | Reflection | Magnitude


@dataclass(frozen=True, eq=False)
class Frames:
    """Layers inside each step: (B, T, n C) to (B, T, n' C'), n places of C channels.

    The C channels of a place stand together, place after place. Convolutions go over the places,
    and nothing from one step to another.
    """

    places: int
    channels: int
    layers: tuple[Inner, ...]

    def shapes(self) -> Iterator[tuple[int, int]]:
        """Places and channels that each layer reads, then those of the result.

        >>> convolution = Convolution(np.zeros((5, 1, 3), np.float32), None)
        >>> list(Frames(8, 1, (Reflection(1, 2), convolution)).shapes())
        [(8, 1), (11, 1), (9, 5)]
        """
        places, channels = self.places, self.channels
        yield places, channels
        for layer in self.layers:
            match layer:
                case Convolution():
                    places, channels = layer.length(places), len(layer.weight)
                case Reflection():
                    places += layer.before + layer.after
                case Magnitude():
                    channels //= 2
                case Activation():
                    pass
            yield places, channels

    @property
    def outputs(self) -> int:
        """n' C': features of a step afterwards."""
        *_, (places, channels) = self.shapes()
        return places * channels


@dataclass(frozen=True, eq=False)
class Pictures:
    """Frames (B, T, side²) as pictures: stages of maxpool₂(relu(conv₃ₓ₃(x))) with one pixel of
    zeros around, then all maps one after the other: (B, T, C h w), as
    `carousel.layers.convolution.ConvolutionalMap`. stages: weight (C', C, 3, 3) and bias."""

    side: int
    stages: tuple[tuple[Array, Array], ...]
