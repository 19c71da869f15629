"""Layers inside each step in torch's operators."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor
from torch.nn import functional as F

from carousel.export.convolutions import Activation, Convolution, Frames, Magnitude, Reflection


def frames(
    layer: Frames,
    part: dict[str, Tensor],
    x: Tensor,
    activation: Callable[[Activation, Tensor], Tensor],
) -> Tensor:
    """Frames (B, T, n C) as rows of a batch of signals (N, C, n). part: weights and biases of the
    layers by their place."""
    y = x.reshape(-1, layer.places, layer.channels).transpose(1, 2)
    for place, inner in enumerate(layer.layers):
        match inner:
            case Convolution():
                weight, bias = part[f"weight_{place}"], part.get(f"bias_{place}")
                shape = (inner.stride, inner.padding, inner.dilation, inner.groups)
                y = F.conv1d(y, weight, bias, *shape)
            case Reflection():
                y = F.pad(y, (inner.before, inner.after), "reflect")
            case Magnitude():
                real, imaginary = y.chunk(2, 1)
                y = (real.square() + imaginary.square()).sqrt()
            case Activation():
                y = activation(inner, y)
    return y.transpose(1, 2).reshape(x.shape[0], x.shape[1], layer.outputs)
