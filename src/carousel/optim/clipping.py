"""Limits on the gradient before each step."""

from __future__ import annotations

import bisect
import math
from collections.abc import Iterable

import torch
from torch import Tensor, nn

from carousel.config import OptimizerConfig


class Clipper:
    """Clips by norm (Pascanu et al. 2013), by value, or to a percentile of the norms seen so far.

    The last is AutoClip (Seetharaman et al. 2020, arXiv:2007.14469): the gradient is shortened to
    the p-th percentile of all norms up to now, its own included, linearly interpolated.
    """

    def __init__(self, config: OptimizerConfig, parameters: Iterable[Tensor]) -> None:
        self._config, self._parameters = config, list(parameters)
        self._norms: list[float] = []  # ascending, where a percentile is asked for
        self.is_limited = bool(config.clip_norm or config.clip_value or config.clip_percentile)
        self.after = 0.0  # the norm of the last gradient, clipped

    def __call__(self) -> float:
        """Clip the gradients in place; returns their norm as it was, which may not be finite."""
        total = nn.utils.get_total_norm([p.grad for p in self._parameters if p.grad is not None])
        norm = total.item()
        self.after = norm
        if not math.isfinite(norm):
            return norm
        if self._config.clip_value:
            nn.utils.clip_grad_value_(self._parameters, self._config.clip_value)
            gradients = [p.grad for p in self._parameters if p.grad is not None]
            self.after = nn.utils.get_total_norm(gradients).item()
            return norm
        longest = self._config.clip_norm
        if self._config.clip_percentile:
            bisect.insort(self._norms, norm)
            longest = self.threshold()
        if 0 < longest < norm:
            nn.utils.clip_grads_with_norm_(self._parameters, longest, total)
            self.after = longest
        return norm

    def threshold(self) -> float:
        """The percentile of the norms seen so far."""
        place = self._config.clip_percentile / 100 * (len(self._norms) - 1)
        low = int(place)
        high = min(low + 1, len(self._norms) - 1)
        return self._norms[low] + (place - low) * (self._norms[high] - self._norms[low])

    def state_dict(self) -> dict[str, Tensor]:
        """The norms seen so far; empty where no percentile is asked for."""
        return {"norms": torch.tensor(self._norms, dtype=torch.float64)} if self._norms else {}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        self._norms = state["norms"].tolist() if state else []
