"""A forecaster without torch: the steps to come, from a window of the steps before."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from carousel.errors import ConfigError, DataError
from carousel.runtime.answers import Linear, sigmoid
from carousel.runtime.calendar import Clock, waves
from carousel.runtime.files import Array, Bundle
from carousel.runtime.inputs import Scale, embedded, sequences
from carousel.runtime.segments import Reversible, Segments
from carousel.runtime.stack import Stack

Numbers = NDArray[np.float64]

_Z90 = 1.2815515655446004
_AT_ONCE = 1 << 15  # steps of windows in one call of the network


class Forecaster:
    """A saved forecaster: `predict` reads windows; the equations are those of
    `carousel.tasks.forecast.network`.

    Attributes:
        names: of the columns that are forecast, in the order of the answer.
        columns: of a row of a window, in their order.
        turns: how many turns of the calendar it reads; 0: none.
        clock: the steps of time; None of a model that does not know them.
    """

    task = "forecast"

    def __init__(self, bundle: Bundle, stack: Stack) -> None:
        """Raises `ConfigError`, by name, for a network that reads more than its window and the
        calendar."""
        config, facts, weights = bundle.config, bundle.facts, bundle.weights
        if config.columns.known:
            raise ConfigError(
                "columns.known: the runtime without torch has no forecaster that is told columns "
                "of the steps to come: load the model with carousel.load, which needs torch"
            )
        if config.forecast.distribution == "negative-binomial":
            raise ConfigError(
                "forecast.distribution = 'negative-binomial': the runtime without torch has no "
                "quantiles of counts: load the model with carousel.load, which needs torch"
            )
        self.settings, self._stack, self._sigmoid = config.forecast, stack, facts["sigmoid"]
        self.columns = tuple(facts["columns"])
        self._read_columns(bundle)
        self._scale = Scale(facts["scaler"])
        self.turns, step = facts["known"] // 2, facts.get("step")
        self.clock = self._clock(step)
        stretch = facts.get("stretch")
        self._stretch = 1.0 if stretch is None else np.array(stretch, np.float32)
        self._segments = None
        if self.settings.segment:
            self._segments = Segments(weights, stack, self.settings.horizon)
        else:
            self._read_head(weights)
        self._lines = list[Linear]()
        if "line" in weights:
            pairs = zip(weights["line"], weights["offset"], strict=True)
            self._lines = [Linear(line.T, offset) for line, offset in pairs]

    def _read_head(self, weights: Mapping[str, Array]) -> None:
        self._hidden = Linear(weights["state.weight"], weights["state.bias"])
        self._head = Linear(weights["head.weight"], weights["head.bias"])
        self._steps, self._calendar = weights["step"], None
        if self.turns:
            table = weights["calendar.weight"]
            self._calendar = Linear(table, np.zeros(len(table), np.float32))

    def _read_columns(self, bundle: Bundle) -> None:
        levels = bundle.facts.get("levels", {})
        places = {name: place for place, name in enumerate(self.columns)}
        self._levels = {places[name]: len(known) for name, known in levels.items()}
        count = len(levels) if "categories.embeddings.0.weight" in bundle.weights else 0
        self._tables = [bundle.weights[f"categories.embeddings.{n}.weight"] for n in range(count)]
        given = (self.settings.targets or bundle.config.columns.target).split(",")
        wanted = [name.strip() for name in given if name.strip()]
        self.names = tuple(wanted or [name for name in self.columns if name not in levels])
        self._targets = [places[name] for name in self.names]

    def _clock(self, step: Any) -> Clock | None:
        try:
            return Clock(*step) if step and step[1] else None
        except ValueError as error:
            if self.turns:
                raise ConfigError(f"forecast.calendar: {error}") from None
            return None

    def predict(self, x: ArrayLike, times: ArrayLike | None = None) -> Numbers:
        """(low, forecast, high), each (B, K, targets), of the K steps after windows.

        x (B, T, F): windows of the columns of training, unscaled, of at least `forecast.context`
            steps, of which the last are read; or one (T, F), whose answer is (3, K, targets).
        times (B,): of the last step of each window, datetime64, or one: of a model that reads the
            calendar. As in training: in UTC, where its stamps had a zone.

        Without a distribution, all three are the same. Raises `DataError` for what does not fit.
        """
        values, alone = sequences(x, np.float64, 3)
        context, features = self.settings.context, len(self.columns)
        if values.shape[1] < context or values.shape[2] != features:
            raise DataError(
                f"a window has {context} steps of {features} columns, got {values.shape[1]} of "
                f"{values.shape[2]}"
            )
        counts = self._counts(times, len(values))
        found = self.told(self._scale(values[:, -context:]), counts)
        return found[:, 0] if alone else found

    def step(self, x: ArrayLike) -> Numbers:
        """Refused: raises `ConfigError`."""
        raise ConfigError(
            "a forecaster reads windows from their first step on, so it cannot be streamed as a "
            "state: predict the last window, or let ForecasterStreams keep it"
        )

    def scaled(self, values: Numbers) -> Array:
        """Values (..., F) as the network reads them. Raises `DataError`."""
        return self._scale(values)

    def told(self, windows: Array, counts: NDArray[np.int64] | None) -> Numbers:
        """(low, forecast, high), (3, B, K, targets), of scaled windows (B, context, F), whose last
        steps are at `counts` (B,) of the clock."""
        most = max(1, _AT_ONCE // self.settings.context)
        parts = [
            self._some(windows[at : at + most], None if counts is None else counts[at : at + most])
            for at in range(0, len(windows), most)
        ]
        if not parts:
            return np.zeros((3, 0, self.settings.horizon, len(self.names)))
        return parts[0] if len(parts) == 1 else np.concatenate(parts, 1)

    def _some(self, windows: Array, counts: NDArray[np.int64] | None) -> Numbers:
        x = windows.copy()
        level = np.zeros_like(x[:, -1:, self._targets])
        if self.settings.relative and not self._sigmoid:
            level = x[:, -1:, self._targets]
            x[:, :, self._targets] -= level
        return self._restored(self._intervals(self._network(x, counts), level))

    def _counts(self, times: ArrayLike | None, rows: int) -> NDArray[np.int64] | None:
        if not self.turns:
            return None
        if times is None or self.clock is None:
            raise DataError(
                "forecast.calendar: this model reads the calendar: hand in the time of the last "
                "step of each window"
                if self.clock is not None
                else "forecast.calendar: this model does not know the step of time that it was "
                "trained on: train it again, with this version"
            )
        stamps = np.broadcast_to(np.asarray(times, "datetime64[us]"), (rows,))
        if np.isnat(stamps).any():
            raise DataError(
                f"forecast.calendar: the time of window {int(np.isnat(stamps).argmax())} is not "
                "known (NaT): hand in the time of the last step of each window"
            )
        return self.clock.count(stamps.astype(np.int64) / 1e6)

    def _known(self, counts: NDArray[np.int64]) -> tuple[Array, Array]:
        """Numbers of the calendar for the steps of windows (B, T, C), and of those to come."""
        assert self.clock is not None
        context, horizon = self.settings.context, self.settings.horizon
        places = np.arange(1 - context, 1 + horizon)
        stamps = self.clock.stamps(counts[:, None] + places * self.clock.step)
        found = waves(stamps.astype("datetime64[us]"), self.turns)
        return found[:, :context], found[:, context:]

    def _network(self, x: Array, counts: NDArray[np.int64] | None) -> Array:
        own, rows, each = x[:, :, self._targets], len(x), len(self._targets)
        how = self.settings.normalize
        window = None if how == "none" else Reversible.of(own, how)
        if window is not None:
            x[:, :, self._targets] = window.apply(own)
        out = self._recurred(x, counts)
        if self.settings.independent:
            out = out.reshape(rows, each, *out.shape[1:]).transpose(0, 2, 1, 3)
        else:
            out = out.reshape(*out.shape[:2], each, -1)
        if window is not None:
            out = window.restore(out, centred=not self._lines)
        if self._lines:
            lines = [line(own[:, :, place]) for place, line in enumerate(self._lines)]
            out = out.copy()
            out[..., 0] += np.stack(lines, -1)
        return out

    def _recurred(self, x: Array, counts: NDArray[np.int64] | None) -> Array:
        each, independent = len(self._targets), self.settings.independent
        if independent:
            x = x[:, :, self._targets].transpose(0, 2, 1).reshape(-1, x.shape[1], 1)
        else:
            x = embedded(x, self._levels, self._tables)
        before = after = None
        if counts is not None:
            before, after = self._known(counts)
            if independent:
                before, after = np.repeat(before, each, 0), np.repeat(after, each, 0)
            x = np.concatenate((x, before), 2)
        x = np.ascontiguousarray(x)
        if self._segments is not None:
            return self._segments(x, after)
        _, last = self._stack.run(x)
        z = self._hidden(last)[:, None] + self._steps
        if self._calendar is not None and after is not None:
            z = z + self._calendar(after)
        return self._head(np.maximum(z, 0))

    def _intervals(self, raw: Array, level: Array) -> Array:
        """(low, forecast, high), on the scale of the network: see `carousel.tasks.forecast`."""
        if self._sigmoid:
            return np.stack([sigmoid(raw[..., 0])] * 3)
        value = raw[..., 0] + level
        if self.settings.distribution == "conformal":  # as wide as errors were
            return np.stack((value - self._stretch, value, value + self._stretch))
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
