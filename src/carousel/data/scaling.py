"""Scaling of inputs: statistics come from the training part only, and travel with the model."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, NoReturn

import torch
from torch import Tensor

from carousel.errors import DataError

_ROUNDING = 1e-13
"""Deviation, beside the size of the values, that is taken for the rounding of a constant."""
_FARTHEST = 1e15
"""Deviations from the mean whose square a float32 still holds."""


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
    """(x - mean) / std for each feature, the last dimension. A constant feature becomes 0.

    Everything is computed in float64 and rounded once, to float32, after scaling: a time in
    seconds or a place in metres has its changes in digits that float32 does not hold. Callers hand
    in what was read as float64. mean, std (F,): float64.
    """

    mean: Tensor
    std: Tensor

    @classmethod
    def fit(
        cls, values: Tensor, measured: Tensor | None = None, codes: Collection[int] = ()
    ) -> FeatureScaler:
        """values (N, F): the training part. measured (N, F): False for those that are not to count
        because they were filled in; each feature needs one that counts. codes: features that stay
        as they are, for they count nothing.

        >>> FeatureScaler.fit(torch.tensor([[1.0, 5.0], [3.0, 5.0]]))(torch.tensor([4.0, 6.0]))
        tensor([2., 1.])
        """
        wide = values.double()
        if measured is None or bool(measured.all()):
            mean, std = wide.mean(0), wide.std(0, correction=0)
        else:
            count = measured.sum(0)
            mean = wide.where(measured, 0.0).sum(0) / count
            std = ((wide - mean).where(measured, 0.0).square().sum(0) / count).sqrt()
        # Rounding may leave a constant feature a deviation of a few bits of its size.
        largest = torch.maximum(wide.amax(0), -wide.amin(0))  # no copy: there may be gigabytes
        flat = std <= _ROUNDING * largest
        std = std.masked_fill(flat, 1.0)
        mean[[*codes]], std[[*codes]] = 0.0, 1.0
        return cls(mean, std)

    @classmethod
    def restore(cls, facts: dict[str, Any]) -> FeatureScaler:
        """Rebuild from `facts`."""
        mean, std = (torch.tensor(facts[name], dtype=torch.float64) for name in ("mean", "std"))
        return cls(mean, std)

    def facts(self) -> dict[str, Any]:
        """Everything that `restore` needs, as JSON can hold it."""
        return {"mean": self.mean.tolist(), "std": self.std.tolist()}

    def __call__(self, values: Tensor) -> Tensor:
        """Float32 of the same shape. Raises `DataError` for a value so far from the training part
        that a network cannot compute with it."""
        scaled = (values.double() - self.mean).div_(self.std)
        if scaled.numel():
            low, high = torch.aminmax(scaled)
            if not (low >= -_FARTHEST and high <= _FARTHEST):  # so written, it sees a NaN too
                self._refuse(values, scaled)
        return scaled.float()

    def inverse(self, scaled: Tensor) -> Tensor:
        """The values, float64, of which `scaled` is what the scaler made."""
        return scaled.double() * self.std + self.mean

    def _refuse(self, values: Tensor, scaled: Tensor) -> NoReturn:
        place = (~(scaled.abs() <= _FARTHEST)).nonzero()[0]
        value, feature = float(values[tuple(place)]), int(place[-1])
        one = min(feature, len(self.mean) - 1)  # one scale may serve all features
        raise DataError(
            f"feature {feature + 1} has the value {value:g}, where the training part has "
            f"{float(self.mean[one]):g} ± {float(self.std[one]):g}: too far off to compute with"
        )
