"""Scaling of inputs: statistics come from the training part only, and travel with the model."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class PixelScaler:
    """(pixel - mean) / std, with mean and std on the scale 0 … 255."""

    mean: float
    std: float

    @classmethod
    def fit(cls, images: Tensor, scaling: str) -> PixelScaler:
        """images: the training part, uint8. scaling: "standard", or "unit" for [0, 1].

        >>> PixelScaler.fit(torch.tensor([0, 255], dtype=torch.uint8), "standard")
        PixelScaler(mean=127.5, std=127.5)
        """
        if scaling == "unit":
            return cls(0.0, 255.0)
        # From the counts of the 256 values: exact, and no float copy of the data set.
        counts = torch.bincount(images.flatten(), minlength=256).double()
        values = torch.arange(256, dtype=torch.float64)
        mean = float((counts * values).sum() / counts.sum())
        variance = float((counts * (values - mean) ** 2).sum() / counts.sum())
        return cls(mean, max(variance, 1e-12) ** 0.5)

    def __call__(self, images: Tensor) -> Tensor:
        """Float32 of the same shape."""
        return images.float().sub_(self.mean).div_(self.std)
