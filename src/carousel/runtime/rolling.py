"""`ForecasterStreams`: forecasts of thousands of series that go on, from windows that are kept."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from carousel.errors import DataError
from carousel.runtime.calendar import NONE
from carousel.runtime.files import Array
from carousel.runtime.forecast import Forecaster
from carousel.runtime.pool import Numbers, Slots, StatePool


class ForecasterStreams(StatePool):
    """The last windows of many series; see `Streams`.

    A step is (1 + F): its time in seconds since 1970 (NaN: a step after the one before), and the
    values, NaN where nothing was measured, which is read as the value before. An answer is
    (3 K targets + 2,): low, forecast and high of the K steps to come, NaN until a window is whole;
    the time of the step, NaN if nobody said; and how many steps are wanting until the first
    forecast. A forecast reads its window from the first step on, so that each costs as much as a
    window.
    """

    def __init__(self, forecaster: Forecaster, capacity: int = 64) -> None:
        self.forecaster = forecaster
        features, context = len(forecaster.columns), forecaster.settings.context
        kinds = {
            "time": np.int64(NONE),
            "last": np.full(features, np.nan),
            "count": np.int64(0),
            "window": np.zeros((context, features), np.float32),
        }
        self.filled = 0
        super().__init__(kinds, capacity)

    @property
    def cost(self) -> int:
        """Steps of the network for a step of a stream."""
        return self.forecaster.settings.context

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the numbers of an answer."""
        ahead = range(1, self.forecaster.settings.horizon + 1)
        told = [
            f"{kind} of {name} +{k}"
            for kind in ("low", "forecast", "high")
            for k in ahead
            for name in self.forecaster.names
        ]
        return (*told, "time", "wanting")

    def read(self, slots: Slots, x: ArrayLike) -> NDArray[np.float64]:
        """Counts of time and scaled values (B, T, 1 + F) of steps x (B, T, 1 + F) of these slots.
        Raises `DataError` for what does not fit; then nothing is remembered."""
        given, features = np.array(x, np.float64), len(self.forecaster.columns)
        if given.ndim != 3 or given.shape[0] != len(slots) or given.shape[2] != 1 + features:
            raise DataError(f"steps of {len(slots)} streams are (B, T, {1 + features}); got "
                            f"{given.shape}")  # fmt: skip
        times = self._times(slots, given[:, :, 0])
        values, gaps = given[:, :, 1:], np.isnan(given[:, :, 1:])
        before = self._pool["last"][slots]
        lost = np.isnan(before) & gaps[:, 0]
        if lost.any():
            name = self.forecaster.columns[int(np.argwhere(lost)[0][1])]
            raise DataError(
                f"column {name!r} of the first step was not measured, and there is no value before "
                "it: begin with a step that has one"
            )
        for t in range(values.shape[1]):
            before = np.where(gaps[:, t], before, values[:, t])
            values[:, t] = before
        found = self.forecaster.scaled(values)
        self._pool["last"][slots], self._pool["time"][slots] = before, times[:, -1]
        self.filled += int(gaps.sum())
        return np.concatenate((times[:, :, None].astype(np.float64), found), 2)

    def step(self, slots: Slots, x: NDArray[np.float64], lengths: Slots | None = None) -> Numbers:
        """Answers after each of these steps, stream after stream; see `Streams.step`."""
        steps = np.full(len(slots), x.shape[1]) if lengths is None else lengths
        told = np.arange(x.shape[1]) < steps[:, None]
        return self._answers(slots, x, steps, told)

    def whole(self, x: NDArray[np.float64], lengths: Slots | None = None) -> Numbers:
        """Answers (B, C) after the last steps of series x (B, T, 1 + F)."""
        rows, longest = x.shape[:2]
        self.clear(np.arange(self.capacity))
        self.grow(rows)
        slots = np.arange(rows)
        steps = np.full(rows, longest) if lengths is None else lengths
        given = x.copy()
        for row, count in enumerate(steps.tolist()):  # what stands behind goes on evenly
            given[row, count:, 0], given[row, count:, 1:] = np.nan, x[row, count - 1, 1:]
        inputs = self.read(slots, given)
        return self._answers(slots, inputs, steps, np.arange(longest) == steps[:, None] - 1)

    def _answers(
        self, slots: Slots, x: NDArray[np.float64], steps: Slots, told: NDArray[np.bool_]
    ) -> Numbers:
        """Answers after the steps that are `told` (B, T), in their order."""
        context, clock = self.forecaster.settings.context, self.forecaster.clock
        rows, times = np.nonzero(told)
        wanting = np.maximum(0, context - self._pool["count"][slots][rows] - times - 1)
        found = np.full((len(rows), len(self.names)), np.nan)
        found[:, -1] = wanting
        counts = x[rows, times, 0].astype(np.int64)
        if clock is not None:
            found[:, -2] = clock.seconds(counts)
        whole = np.concatenate((self._pool["window"][slots], x[:, :, 1:].astype(np.float32)), 1)
        ready = np.flatnonzero(wanting == 0)
        places = times[ready, None] + 1 + np.arange(context)
        if len(ready):
            windows: Array = whole[rows[ready, None], places]
            found[ready, :-2] = self._told(windows, counts[ready])
        ends = steps[:, None] + np.arange(context)
        self._pool["window"][slots] = whole[np.arange(len(slots))[:, None], ends]
        self._pool["count"][slots] += steps
        return found

    def _told(self, windows: Array, counts: NDArray[np.int64]) -> Numbers:
        given = counts if self.forecaster.turns else None
        return self.forecaster.told(windows, given).swapaxes(0, 1).reshape(len(windows), -1)

    def _times(self, slots: Slots, given: NDArray[np.float64]) -> NDArray[np.int64]:
        """Counts (B, T) of the clock, of times in seconds, NaN where they go on evenly."""
        clock, before = self.forecaster.clock, self._pool["time"][slots]
        if clock is None:
            return np.full(given.shape, NONE)
        counts, found = clock.count(given), []
        for t in range(given.shape[1]):
            here, expected = counts[:, t], before + clock.step
            wrong = (here != NONE) & (before != NONE) & (here != expected)
            if wrong.any():
                row = int(np.flatnonzero(wrong)[0])
                raise DataError(
                    f"the step of {clock.text(int(expected[row]))} was expected, got that of "
                    f"{clock.text(int(here[row]))}: steps are even; send those between, null where "
                    "nothing was measured"
                )
            before = np.where(here != NONE, here, np.where(before == NONE, NONE, expected))
            found.append(before)
        result = np.stack(found, 1)
        if self.forecaster.turns and (result == NONE).any():
            raise DataError(
                "forecast.calendar: the model reads the calendar, so the first step of a stream "
                "needs its time"
            )
        return result
