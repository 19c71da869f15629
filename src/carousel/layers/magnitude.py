"""Magnitudes of complex numbers whose parts are channels."""

from __future__ import annotations

from torch import Tensor, nn


class Magnitude(nn.Module):
    """√(re² + im²) over channels: (N, 2 C, n) to (N, C, n), real parts first.

    A convolution with cosines and sines as its weights, and this after it, is the short-time
    Fourier transform.

    >>> import torch
    >>> Magnitude()(torch.tensor([[[3.0], [4.0]]])).tolist()
    [[[5.0]]]
    """

    def forward(self, x: Tensor) -> Tensor:
        real, imaginary = x.chunk(2, 1)
        return (real.square() + imaginary.square()).sqrt()
