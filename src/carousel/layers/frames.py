"""Steps that are short signals themselves, such as frames of sound: layers inside each of them."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from carousel.layers.magnitude import Magnitude as Magnitude


class Frames(nn.Module):
    """Layers that run inside each step: (…, size) to (…, outputs), one frame like any other.

    A step holds n = size / channels places one after the other, each of so many channels:
    x[…, place · channels + channel]. The layers see frames as torch's convolutions do, (N,
    channels, n), and what they give, (N, C', n'), becomes the features of the step in the same
    order, so outputs = n' · C'. Nothing goes from frame to frame, so a model that begins with
    `Frames` can be streamed.

    Args:
        size: features of a step.
        layers: modules of (N, C, n), such as Conv1d, ReflectionPad1d, activations, `Magnitude`.
        channels: of the first of them.

    Attributes:
        outputs: features of a step afterwards.

    Raises ValueError for a size that is no multiple of channels, and for layers that give anything
    else than (N, C', n').

    >>> frames = Frames(64, nn.Conv1d(1, 5, 16, stride=8), nn.ReLU())
    >>> frames(torch.zeros(2, 10, 64)).shape, frames.outputs
    (torch.Size([2, 10, 35]), 35)
    """

    def __init__(self, size: int, *layers: nn.Module, channels: int = 1) -> None:
        super().__init__()
        if size < 1 or channels < 1 or size % channels:
            raise ValueError(f"a frame of {size} numbers cannot have {channels} channels each")
        self.size, self.channels = size, channels
        self.layers = nn.Sequential(*layers)
        with torch.no_grad():
            seen = self.layers(torch.zeros(1, channels, size // channels))
        if seen.dim() != 3:
            raise ValueError(
                f"layers of frames give (N, channels, places), these give {tuple(seen.shape)}"
            )
        self.outputs = seen.size(1) * seen.size(2)

    def extra_repr(self) -> str:
        return f"{self.size}, channels={self.channels}"

    def forward(self, x: Tensor) -> Tensor:
        if x.size(-1) != self.size:
            raise ValueError(f"a frame has {self.size} numbers, got {x.size(-1)}")
        frames = x.reshape(-1, self.size // self.channels, self.channels).transpose(1, 2)
        y: Tensor = self.layers(frames).transpose(1, 2)
        return y.reshape(*x.shape[:-1], self.outputs)


class UnitLength(nn.Module):
    """x / max(‖x‖₂, ε) over the last dimension, such as of an embedding that is compared by its
    angle.

    >>> UnitLength()(torch.tensor([3.0, 4.0])).tolist()
    [0.6000000238418579, 0.800000011920929]
    """

    def __init__(self, eps: float = 1e-12) -> None:
        super().__init__()
        self.eps = eps

    def extra_repr(self) -> str:
        return f"eps={self.eps}"

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.normalize(x, dim=-1, eps=self.eps)
