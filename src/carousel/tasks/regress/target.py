"""The number that is found at each step: its scale, its cap, its loss."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from carousel.config import RegressConfig
from carousel.data.scaling import FeatureScaler
from carousel.errors import DataError
from carousel.tasks.shared.average import mean_of_chances


@dataclass(frozen=True)
class Target:
    """Scaling between a number and a network's output.

    sigmoid: the output is the logit of a number in [0, 1], the loss is binary cross-entropy;
    otherwise the output is (number - mean) / std, the loss its squared error. cap: numbers above
    it count as it (0: none).
    """

    mean: float
    std: float
    sigmoid: bool
    cap: float = 0.0

    @classmethod
    def fit(cls, numbers: Tensor, config: RegressConfig) -> Target:
        """numbers: of the training part, without NaN. Raises `DataError` for a sigmoid of numbers
        outside [0, 1]."""
        if config.cap:
            if float(numbers.min()) >= config.cap:
                raise DataError(
                    f"regress.cap = {config.cap:g} makes all numbers the same: the least of the "
                    f"training part is {float(numbers.min()):g}; take another cap, or 0 for none"
                )
            numbers = numbers.clamp(max=config.cap)
        low, high = float(numbers.min()), float(numbers.max())
        bounded = low >= 0 and high <= 1
        if config.output == "sigmoid" and not bounded:
            raise DataError(
                f"regress.output = 'sigmoid' needs numbers in [0, 1]; these lie between {low:g} "
                f"and {high:g}"
            )
        sigmoid = config.output == "sigmoid" or (config.output == "auto" and bounded)
        scaler = FeatureScaler.fit(numbers.unsqueeze(1))  # which knows rounding from a deviation
        return cls(float(scaler.mean), float(scaler.std), sigmoid, config.cap)

    def capped(self, numbers: Tensor) -> Tensor:
        """Numbers no larger than the cap."""
        return numbers.clamp(max=self.cap) if self.cap else numbers

    def losses(self, raw: Tensor, numbers: Tensor) -> Tensor:
        """The loss of each output."""
        wanted = self.scaled(numbers).to(raw.dtype)
        if self.sigmoid:
            return F.binary_cross_entropy_with_logits(raw, wanted, reduction="none")
        return (raw - wanted).square()

    def scaled(self, numbers: Tensor) -> Tensor:
        """Outputs wanted for those numbers, float64: of large ones that differ little, float32
        holds no difference."""
        numbers = self.capped(numbers.double())
        return numbers if self.sigmoid else (numbers - self.mean) / self.std

    def averaged(self, raw: Tensor) -> Tensor:
        """One network's outputs, from those of several (M, …), for the mean of their numbers."""
        return mean_of_chances(raw) if self.sigmoid else raw.mean(0)

    def number(self, raw: Tensor) -> Tensor:
        """Numbers that outputs mean, on their own scale, float64."""
        return raw.sigmoid().double() if self.sigmoid else raw.double() * self.std + self.mean


def guesses(targets: Sequence[Target], raw: Tensor) -> Tensor:
    """Numbers that outputs (n, K) say of K targets, on the scale of each, float64."""
    columns = [target.number(column) for target, column in zip(targets, raw.T, strict=True)]
    return torch.stack(columns, 1)
