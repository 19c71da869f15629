"""Forecasters that read segments, and windows by their own level and size, without torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from carousel.runtime.answers import Linear
from carousel.runtime.files import Array
from carousel.runtime.stack import Stack, State

_LEAST = 1e-5  # of the variance, as in training


class Segments:
    """Steps to come of windows that are read some at a time: the equations are those of
    `carousel.tasks.shared.segments`."""

    def __init__(self, weights: Mapping[str, Array], stack: Stack, horizon: int) -> None:
        """weights: of the whole bundle."""
        own = {name.removeprefix("segments."): each for name, each in weights.items()}
        self._stack, self.horizon, self._width = stack, horizon, own["embed.weight"].shape[1]
        self._embed = Linear(own["embed.weight"], own["embed.bias"])
        self._head = Linear(own["head.weight"], own["head.bias"])
        self._place, self._channel = own["place"], own.get("channel")
        coming = own.get("coming.weight")
        self._coming = None
        if coming is not None:
            self._coming = Linear(coming, np.zeros(len(coming), np.float32))

    def __call__(self, x: Array, after: Array | None) -> Array:
        """Windows with what is known of their steps (N, T, F + C), and what is known of the steps
        to come (N, K, C), to (N, K, outputs)."""
        rows, count = len(x), len(self._place)
        length = self._width // x.shape[2]
        read = np.maximum(self._embed(x.reshape(rows, -1, self._width)), 0)
        state = self._stack.zeros(rows)
        self._step(state, read)
        coming = np.broadcast_to(self._place, (rows, *self._place.shape))
        if self._channel is not None:
            coming = coming + np.tile(self._channel, (rows // len(self._channel), 1))[:, None]
        if self._coming is not None and after is not None:
            lacking = ((0, 0), (0, count * length - self.horizon), (0, 0))
            coming = coming + self._coming(np.pad(after, lacking).reshape(rows, count, -1))
        starts = {name: np.repeat(part, count, 1) for name, part in state.items()}
        h = self._step(starts, coming.reshape(rows * count, 1, -1))
        steps: Array = self._head(h).reshape(rows, count * length, -1)
        return steps[:, : self.horizon]

    def _step(self, state: State, steps: Array) -> Array:
        """Outputs of the last of these steps (N, n, H); the state changes in place."""
        feed = self._stack.feed(state)
        for number in range(steps.shape[1]):
            feed.x[:] = steps[:, number]
            feed.step()
        return feed.y.copy()


@dataclass(frozen=True)
class Reversible:
    """Centre and deviation of each window: see `carousel.tasks.shared.reversible`."""

    centre: Array
    size: Array

    @classmethod
    def of(cls, x: Array, centre: str) -> Reversible:
        """x (B, T, C); centre: "last" or "mean"."""
        middle = x[:, -1:] if centre == "last" else x.mean(1, keepdims=True)
        return cls(middle, np.sqrt(x.var(1, keepdims=True) + np.float32(_LEAST)))

    def apply(self, x: Array) -> Array:
        """Windows as the network reads them."""
        found: Array = (x - self.centre) / self.size
        return found

    def restore(self, raw: Array, *, centred: bool) -> Array:
        """Numbers (B, K, C, P) of forecasts: the first a value, the others of widths."""
        size = self.size[..., None]
        values = raw[..., :1] * size
        if centred:
            values = values + self.centre[..., None]
        wide = np.maximum(np.logaddexp(np.float32(0), raw[..., 1:]) * size, np.float32(1e-12))
        return np.concatenate((values, wide + np.log(-np.expm1(-wide))), -1)
