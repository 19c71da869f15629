"""Head for classes that are ranks: thresholds on one line."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import logsigmoid, softplus

_SPEED = 4.0
"""Adam moves all parameters alike, and sharpness must grow many times: chosen by trial."""


class CumulativeLogits(nn.Module):
    """Proportional odds: features (B, H) to log-probabilities (B, C) of ranks 0, …, C - 1.

    P(rank <= k) = sigmoid(s (t_k - w x)), with thresholds t_0 < t_1 < … and s > 0 that are learnt:
    one number says how high an input ranks, and neighbours on the line are neighbours in rank. The
    logarithms are logits too: their softmax is the probabilities. Source: McCullagh 1980
    (Regression models for ordinal data); CORAL (Cao, Mirjalili and Raschka 2020,
    arXiv:1901.07884) has the same thresholds with another loss, a sum of binary ones.

    >>> CumulativeLogits(3, 5)(torch.zeros(1, 3)).exp().sum(1).item()
    1.0
    """

    def __init__(self, features: int, classes: int) -> None:
        super().__init__()
        self.in_features, self.out_features = features, classes
        self.score = nn.Linear(features, 1, bias=False)
        even = [math.log(k / (classes - k)) for k in range(1, classes)]
        gaps = torch.tensor(even).diff()
        self.first = nn.Parameter(torch.tensor(even[:1]))
        self.sharpness = nn.Parameter(torch.zeros(1))
        self.gaps = nn.Parameter(gaps.expm1().log())  # softplus of these are the gaps

    @property
    def thresholds(self) -> Tensor:
        """The thresholds (C - 1,), in rising order."""
        return torch.cat((self.first, self.first + softplus(self.gaps).cumsum(0)))

    @property
    def steepness(self) -> Tensor:
        """The factor s (1,)."""
        return (_SPEED * self.sharpness).exp()

    def forward(self, x: Tensor) -> Tensor:
        """x (..., H). Returns log-probabilities (..., C)."""
        sharpness = self.steepness
        below = sharpness * (self.thresholds - self.score(x))  # (..., C - 1), rising
        low, high = below[..., :-1], below[..., 1:]
        # sigmoid(high) - sigmoid(low), in logarithms
        apart = torch.log(-torch.expm1(-sharpness * softplus(self.gaps)))
        middle = logsigmoid(high) + logsigmoid(-low) + apart
        return torch.cat((logsigmoid(below[..., :1]), middle, logsigmoid(-below[..., -1:])), -1)
