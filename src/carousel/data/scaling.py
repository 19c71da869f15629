"""Scaling of inputs: statistics come from the training part only, and travel with the model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

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


@dataclass(frozen=True)
class FeatureScaler:
    """(x - mean) / std for each feature, the last dimension. A constant feature becomes 0."""

    mean: Tensor
    std: Tensor

    @classmethod
    def fit(cls, values: Tensor) -> FeatureScaler:
        """values (N, F): the training part.

        >>> FeatureScaler.fit(torch.tensor([[1.0, 5.0], [3.0, 5.0]]))(torch.tensor([4.0, 6.0]))
        tensor([2., 1.])
        """
        wide = values.double()
        mean, std = wide.mean(0), wide.std(0, correction=0)
        # Rounding leaves a constant column a deviation of about 1e-16 of its size.
        flat = std <= 1e-9 * mean.abs().clamp(min=1e-3)
        return cls(mean.float(), std.masked_fill(flat, 1.0).float())

    @classmethod
    def restore(cls, facts: dict[str, Any]) -> FeatureScaler:
        """What `facts` described."""
        return cls(torch.tensor(facts["mean"]), torch.tensor(facts["std"]))

    def facts(self) -> dict[str, Any]:
        """Everything that `restore` needs, as JSON can hold it."""
        return {"mean": self.mean.tolist(), "std": self.std.tolist()}

    def __call__(self, values: Tensor) -> Tensor:
        """Float32 of the same shape."""
        return (values.float() - self.mean) / self.std
