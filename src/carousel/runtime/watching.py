"""`DetectorStreams`: thousands of series that are watched for anomalies, in one pool."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from carousel.errors import DataError
from carousel.runtime.detect import Detector, Normal
from carousel.runtime.files import Array
from carousel.runtime.inputs import scaled
from carousel.runtime.pool import Numbers, Slots, StatePool
from carousel.runtime.streams import Steps

_AT_ONCE = 1 << 15  # steps of windows in one call of the network


class DetectorStreams(StatePool):
    """States of many streams of a detector; see `Streams`.

    A step is (1 + F): the number of the stream's series, from 1 in the order of `Detector.series`
    (0: of none; NaN: as before; below 0: if it is not known yet), and the values, NaN where nothing
    was measured, which is read as the value before, at the beginning as the mean. An answer is
    (len(names),), as `Detector.predict` has it.
    """

    def __init__(self, detector: Detector, capacity: int = 64) -> None:
        self.detector, settings = detector, detector.settings
        features = len(detector.columns)
        kinds: dict[str, Any] = {
            "series": np.int64(-1),
            "last": np.full(features, np.nan),
            "count": np.int64(0),
            "recent": np.full(settings.smooth, np.nan),
            "line": np.float64(0),
        }
        self._steps = None
        if detector.forecasts:
            self._steps = Steps(detector.stack)
            kinds |= {name: part[:, 0] for name, part in detector.stack.zeros(1).items()}
            kinds["made"] = np.zeros((settings.horizon, settings.horizon, features), np.float32)
        else:
            kinds["window"] = np.zeros((settings.window, 2 * features), np.float32)
        self.filled = 0
        super().__init__(kinds, capacity)

    @property
    def cost(self) -> int:
        """Steps of the network for a step of a stream."""
        return 1 if self._steps is not None else 2 * self.detector.settings.window

    def read(self, slots: Slots, x: ArrayLike) -> Array:
        """Scaled values and where none was measured (B, T, 2 F), of steps x (B, T, 1 + F) of these
        slots. Raises `DataError` for what does not fit; then nothing is remembered."""
        given, features = np.array(x, np.float64), len(self.detector.columns)
        if given.ndim != 3 or given.shape[0] != len(slots) or given.shape[2] != 1 + features:
            raise DataError(f"steps of {len(slots)} streams are (B, T, {1 + features}); got "
                            f"{given.shape}")  # fmt: skip
        series = self._series_of(slots, given[:, :, 0])
        normals = [self.detector.normal_of(code) for code in series.tolist()]
        mean = np.array([normal.scale.mean for normal in normals])
        std = np.array([normal.scale.std for normal in normals])
        values, gaps = given[:, :, 1:], np.isnan(given[:, :, 1:])
        before = self._pool["last"][slots]
        before = np.where(np.isnan(before), mean, before)
        for t in range(values.shape[1]):
            before = np.where(gaps[:, t], before, values[:, t])
            values[:, t] = before
        found = scaled(values, mean[:, None], std[:, None])
        self._pool["last"][slots], self._pool["series"][slots] = before, series
        self.filled += int(gaps.sum())
        return np.concatenate((found, gaps.astype(np.float32)), 2)

    def step(self, slots: Slots, x: Array, lengths: Slots | None = None) -> Numbers:
        """Answers after each of these steps, stream after stream; see `Streams.step`."""
        steps = np.full(len(slots), x.shape[1]) if lengths is None else lengths
        errors = self._of_forecasts(slots, x, steps, lengths)
        if errors is None:
            errors = self._of_windows(slots, x, steps)
        counts, cold = self._pool["count"][slots], self.detector.cold
        found = np.zeros((int(steps.sum()), len(self.detector.names)))
        found[:, 0], at = np.nan, 0
        for row, slot in enumerate(slots.tolist()):
            first, count = int(counts[row]), int(steps[row])
            known = range(max(0, cold - first), count)
            self._judged(slot, errors[row], known, found[at : at + count])
            found[at : at + count, -1] = np.maximum(0, cold - first - np.arange(1, count + 1) + 1)
            at += count
        self._pool["count"][slots] += steps
        return found

    def whole(self, x: NDArray[np.float64], lengths: Slots | None = None) -> Numbers:
        """Answers (B, T, C) to whole series x (B, T, 1 + F), zeros behind their ends."""
        rows, steps = x.shape[:2]
        self.clear(np.arange(self.capacity))
        self.grow(rows)
        slots = np.arange(rows)
        found = np.zeros((rows, steps, len(self.detector.names)))
        inside = np.ones((rows, steps), bool)
        if lengths is not None:
            inside = np.arange(steps) < lengths[:, None]
        given = x.copy()
        given[~inside, 0] = np.nan  # what stands behind the end names no series
        found[inside] = self.step(slots, self.read(slots, given), lengths)
        return found

    def _series_of(self, slots: Slots, given: NDArray[np.float64]) -> Slots:
        """Number of the series of each slot (B,), of what its steps name (B, T); below 0: what it
        is if nobody says."""
        known, most = self._pool["series"][slots], len(self.detector.series)
        wrong = ~np.isnan(given) & ~((abs(given) <= most) & (given == np.floor(given)))
        if wrong.any():
            raise DataError(
                f"series is a number of 0 to {most}, got {given[wrong][0]:g}: they are "
                f"{', '.join(self.detector.series)}"
            )
        named = given >= 0
        said = np.where(named, given, -1).max(1)
        supposed = np.where(given < 0, -given, 0).max(1)
        new = np.where(said >= 0, said, supposed).astype(np.int64)
        found = np.where(known >= 0, known, new)
        other = named & (given != found[:, None])
        if other.any():
            row = int(np.argwhere(other)[0][0])
            names = ("none", *self.detector.series)
            raise DataError(
                f"a stream is of one series: this one is of {names[found[row]]}, got a step of "
                f"{names[int(given[other][0])]}; begin another stream"
            )
        return found

    def _of_forecasts(
        self, slots: Slots, x: Array, steps: Slots, lengths: Slots | None
    ) -> NDArray[np.float64] | None:
        """Errors (B, T, K, F) of forecasts of each step; None of another network."""
        if self._steps is None:
            return None
        features, horizon = x.shape[2] // 2, self.detector.settings.horizon
        values = np.ascontiguousarray(x[:, :, :features])
        state = {name: self._pool[name][slots] for name in self._steps.names}
        y = self._steps.run(values, state, lengths)
        for name, part in state.items():
            self._pool[name][slots] = part
        made = self.detector.forecasts_of(values, y)
        kept = np.concatenate((self._pool["made"][slots], made), 1)
        times, ahead = np.arange(x.shape[1])[:, None], np.arange(horizon)
        told = kept[:, horizon + times - 1 - ahead, ahead]  # made 1, …, K steps before
        errors: NDArray[np.float64] = values[:, :, None].astype(np.float64) - told
        errors[np.repeat(x[:, :, None, features:] > 0, horizon, 2)] = np.nan
        ends = steps[:, None] + ahead
        self._pool["made"][slots] = kept[np.arange(len(slots))[:, None], ends]
        return errors

    def _of_windows(self, slots: Slots, x: Array, steps: Slots) -> NDArray[np.float64]:
        """Errors (B, T, K, F) of the windows that end at each step."""
        settings, features = self.detector.settings, x.shape[2] // 2
        length, kept = settings.window, min(settings.horizon, settings.window)
        whole = np.concatenate((self._pool["window"][slots], x), 1)
        errors = np.full((*x.shape[:2], kept, features), np.nan)
        times = np.arange(x.shape[1])
        full = (self._pool["count"][slots][:, None] + times + 1 >= length) & (
            times < steps[:, None]
        )
        places, most = np.argwhere(full), max(1, _AT_ONCE // length)
        for begin in range(0, len(places), most):
            rows, ends = places[begin : begin + most].T
            windows = whole[rows[:, None], ends[:, None] + 1 + np.arange(length)]
            off = self.detector.errors_of_windows(np.ascontiguousarray(windows[..., :features]))
            gaps = windows[:, -kept:, features:][:, ::-1] > 0
            errors[rows, ends] = np.where(gaps, np.nan, off.astype(np.float64))
        ends = steps[:, None] + np.arange(length)
        self._pool["window"][slots] = whole[np.arange(len(slots))[:, None], ends]
        return errors

    def _judged(self, slot: int, errors: NDArray[np.float64], known: range, found: Numbers) -> None:
        """Put score, alarm and shares of the steps `known` of a stream into their rows."""
        if not len(known):
            return
        normal: Normal = self.detector.normal_of(int(self._pool["series"][slot]))
        alarms, recent = self.detector.alarms_of(normal), self._pool["recent"][slot]
        alarms.state = recent[~np.isnan(recent)].tolist(), float(self._pool["line"][slot])
        for t in known:
            raw, share = normal.judge(errors[t])
            score, alarm = alarms.step(raw)
            found[t, 0], found[t, 1], found[t, 2:-1] = score, alarm, share
        remembered, self._pool["line"][slot] = alarms.state
        self._pool["recent"][slot] = np.nan
        self._pool["recent"][slot, : len(remembered)] = remembered
