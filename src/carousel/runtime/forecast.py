"""A forecaster without torch: the steps to come, from a window of the steps before."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from carousel.errors import ConfigError, DataError
from carousel.runtime.answers import Linear, sigmoid
from carousel.runtime.files import Array, Bundle
from carousel.runtime.inputs import Scale, sequences
from carousel.runtime.stack import Stack

Numbers = NDArray[np.float64]

_Z90 = 1.2815515655446004


class Forecaster:
    """A saved forecaster: `predict` reads windows; the equations are those of
    `carousel.tasks.forecast.network`.

    Attributes:
        names: of the columns that are forecast, in the order of the answer.
        columns: of a row of a window, in their order.
    """

    task = "forecast"

    def __init__(self, bundle: Bundle, stack: Stack) -> None:
        """Raises `ConfigError`, by name, for a network that reads more than numbers."""
        settings, facts, weights = bundle.config.forecast, bundle.facts, bundle.weights
        if facts["known"] or facts.get("levels"):
            raise ConfigError(
                "forecast.calendar, columns.known and categories: the runtime without torch has no "
                "forecaster that reads them: load the model with carousel.load, which needs torch"
            )
        self._settings, self._stack, self._sigmoid = settings, stack, facts["sigmoid"]
        self.columns = tuple(facts["columns"])
        wanted = (settings.targets or bundle.config.columns.target).split(",")
        self.names = tuple(name.strip() for name in wanted if name.strip()) or self.columns
        self._targets = [self.columns.index(name) for name in self.names]
        self._scale = Scale(facts["scaler"])
        stretch = facts.get("stretch")
        self._stretch = 1.0 if stretch is None else np.array(stretch, np.float32)
        self._hidden = Linear(weights["state.weight"], weights["state.bias"])
        self._head = Linear(weights["head.weight"], weights["head.bias"])
        self._steps, self._line = weights["step"], weights.get("line")
        self._offset = weights.get("offset")

    def predict(self, x: ArrayLike) -> Numbers:
        """(low, forecast, high), each (B, K, targets), of the K steps after windows.

        x (B, T, F): windows of the columns of training, unscaled, of at least `forecast.context`
            steps, of which the last are read; or one (T, F), whose answer is (3, K, targets).
            Without a distribution, all three are the same. Raises `DataError` for what does not
            fit.
        """
        values, alone = sequences(x, np.float64, 3)
        context, features = self._settings.context, len(self.columns)
        if values.shape[1] < context or values.shape[2] != features:
            raise DataError(
                f"a window has {context} steps of {features} columns, got {values.shape[1]} of "
                f"{values.shape[2]}"
            )
        scaled = self._scale(values[:, -context:])
        level = np.zeros_like(scaled[:, -1:, self._targets])
        if self._settings.relative and not self._sigmoid:
            level = scaled[:, -1:, self._targets]
            scaled[:, :, self._targets] -= level
        found = self._restored(self._told(self._network(scaled), level))
        return found[:, 0] if alone else found

    def step(self, x: ArrayLike) -> Numbers:
        """Refused: raises `ConfigError`."""
        raise ConfigError(
            "a forecaster reads windows from their first step on, so it cannot be streamed: "
            "predict the last window"
        )

    def _network(self, x: Array) -> Array:
        own, rows = x[:, :, self._targets], len(x)
        independent = self._settings.independent
        if independent:
            x = own.transpose(0, 2, 1).reshape(-1, x.shape[1], 1)
        _, last = self._stack.run(x)
        z = self._hidden(last)[:, None] + self._steps
        out = self._head(np.maximum(z, 0))
        if independent:
            out = out.reshape(rows, len(self._targets), *out.shape[1:]).transpose(0, 2, 1, 3)
        else:
            out = out.reshape(*out.shape[:2], len(self._targets), -1)
        if self._line is not None:
            assert self._offset is not None
            out[..., 0] += np.einsum("btc,ctk->bkc", own, self._line) + self._offset.T
        return out

    def _told(self, raw: Array, level: Array) -> Array:
        """(low, forecast, high), on the scale of the network: see `carousel.tasks.forecast`."""
        if self._sigmoid:
            return np.stack([sigmoid(raw[..., 0])] * 3)
        value = raw[..., 0] + level
        if raw.shape[-1] == 1:
            return np.stack([value] * 3)
        apart = (np.logaddexp(0, raw[..., 1:]) + 1e-3) * np.expand_dims(self._stretch, -1)
        below, above = apart[..., 0], apart[..., -1]
        if raw.shape[-1] == 2:  # a deviation
            below = above = _Z90 * below
        return np.stack((value - below, value, value + above))

    def _restored(self, values: Any) -> Numbers:
        if self._sigmoid:
            return np.asarray(values, np.float64)
        mean, std = self._scale.mean[self._targets], self._scale.std[self._targets]
        return np.asarray(values.astype(np.float64) * std + mean)
