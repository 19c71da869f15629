"""A detector of anomalies without torch: networks whose error says how unusual a step is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from carousel.errors import ConfigError, DataError
from carousel.runtime.alarms import Alarms, Limit
from carousel.runtime.answers import Linear
from carousel.runtime.files import Array, Bundle
from carousel.runtime.inputs import Scale, sequences
from carousel.runtime.stack import Stack
from carousel.runtime.unusual import judge, warm_up

Numbers = NDArray[np.float64]


class Normal(NamedTuple):
    """Norm of a series: its scale, its usual errors (D,) and the inverse of their
    covariance (D, D), None where each column is judged by itself, and its threshold."""

    scale: Scale
    mean: Numbers
    std: Numbers
    precision: Numbers | None
    limit: Limit

    def judge(self, errors: Numbers) -> tuple[float, Numbers]:
        """Raw score and shares (F,) of the errors (K, F) of one step."""
        (raw,), (share,) = judge(errors[None], self.mean, self.std, self.precision)
        return float(raw), share


class Detector:
    """A saved detector: the equations are those of `carousel.tasks.anomaly`.

    Attributes:
        names: of the numbers of an answer: "score" (1 is the threshold, NaN where there is none),
            "anomaly" (0 or 1), the share of each column in the error, and "wanting", the steps
            until the first score.
        columns: of a step, in their order.
        series: with a scale or a threshold of their own; those of a stream come from one of them.
    """

    task = "anomaly"

    def __init__(self, bundle: Bundle, stack: Stack) -> None:
        """Raises `ConfigError`, by name, for a network that reads from the end."""
        config, facts, weights = bundle.config, bundle.facts, bundle.weights
        if stack.both:
            raise ConfigError(
                "model.bidirectional: the runtime without torch has no detector that reads from "
                "the end"
            )
        self.settings, self.stack = config.anomaly, stack
        self.forecasts = self.settings.error == "forecast"
        self.columns = tuple(facts["columns"])
        self.names = ("score", "anomaly", *(f"share of {name}" for name in self.columns), "wanting")
        self.head = Linear(weights["head.weight"], weights["head.bias"])
        self.decoder = None
        if not self.forecasts:
            self.decoder = Stack(stack.cell, weights, False, stack.threads, "decoder")
        self._usual: Mapping[str, Any] = facts["usual"]
        self._limits = {name: Limit(**each) for name, each in facts["limits"].items()}
        self.series = tuple(name for name in {**self._usual, **self._limits} if name)
        self.normals = [self._normal(name) for name in self.series]
        self.alone = self._normal("") if "" in self._usual or len(self._usual) == 1 else None

    @property
    def cold(self) -> int:
        """Steps at the beginning of a series that have no score."""
        return warm_up(self.settings)

    def normal_of(self, code: int) -> Normal:
        """Norm of the series of this number, from 1; 0: of one without a name. Raises
        `DataError` where that has none."""
        if code:
            return self.normals[code - 1]
        if self.alone is None:
            known = ", ".join(self.series)
            raise DataError(
                f"the model was trained on {known}, each with a scale of its own: name the series "
                "of a stream with its first step"
            )
        return self.alone

    def alarms_of(self, normal: Normal) -> Alarms:
        """Alarms before the first score."""
        return Alarms(normal.limit, self.settings.smooth, self.settings.follow)

    def _normal(self, name: str) -> Normal:
        usual = self._usual
        found = usual.get("") or usual.get(name) or next(iter(usual.values()))
        if not name and len(usual) == 1:
            name = next(iter(usual))
        precision = found["precision"]
        return Normal(
            Scale(found["scaler"]),
            np.array(found["mean"]),
            np.array(found["std"]),
            None if precision is None else np.array(precision),
            self._limits.get(name) or self._limits[""],
        )

    def predict(self, x: ArrayLike, series: str = "") -> Numbers:
        """Answers (T, len(names)) to a series (T, F), or (B, T, ...) to several of one name.

        x: unscaled, NaN where nothing was measured: then the value before is read, and not judged.
            series: its name, of `series`. Raises `DataError` for what does not fit.
        """
        from carousel.runtime.watching import DetectorStreams  # which reads this file

        values, alone = sequences(x, np.float64, 3)
        code = self.series.index(series) + 1 if series in self.series else 0
        lead = np.full((*values.shape[:2], 1), float(code))
        found = DetectorStreams(self).whole(np.concatenate((lead, values), 2))
        return found[0] if alone else found

    def errors_of_windows(self, windows: Array) -> Array:
        """Error (N, K, F) of the last steps of windows (N, L, F), the newest first."""
        assert self.decoder is not None
        _, last = self.stack.run(windows)
        code = np.repeat(last[:, None], windows.shape[1], 1)
        made, _ = self.decoder.run(code)
        found = windows - self.head(made)[:, ::-1]  # the decoder begins at the end
        kept = min(self.settings.horizon, self.settings.window)
        return found[:, -kept:][:, ::-1]

    def forecasts_of(self, x: Array, y: Array) -> Array:
        """Forecasts (B, T, K, F) made after each step: x (B, T, F), y (B, T, H) of the layers."""
        made = self.head(y).reshape(*x.shape[:2], self.settings.horizon, x.shape[2])
        return made + x[:, :, None] if self.settings.relative else made
