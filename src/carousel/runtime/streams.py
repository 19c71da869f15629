"""`Streams`: states of thousands of streams in one pool, stepped in batches of any of them."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from carousel.errors import ConfigError, DataError
from carousel.runtime.compiled import _native
from carousel.runtime.files import Array
from carousel.runtime.int8 import Int8Steps, largest_of
from carousel.runtime.model import Model
from carousel.runtime.pool import Numbers, Slots, StatePool
from carousel.runtime.stack import Stack


class Streams(StatePool):
    """States of many streams of one model; each step advances the streams that it names.

    A stream is a slot: a row of every array of the pool. The answers of a stream are the same bits
    whatever other streams are stepped with it, in whatever blocks, and those of `Model.step` for
    it alone. Not for several threads at once.

    capacity: how many slots there are; `grow` adds some. calibration (N, ...): steps like those to
    come, as `Model.step` takes them: then the recurrent layers run in eight bits (docs/int8.md),
    with ranges from those steps. Raises `ConfigError`, by name, for a model that cannot be
    streamed, and for one that has no form in eight bits.
    """

    def __init__(
        self, model: Model, capacity: int = 64, calibration: ArrayLike | None = None
    ) -> None:
        self.model = model
        stack, pool = model.stack, model.pool
        if stack.both:
            raise ConfigError(
                "model.bidirectional: this model reads from the end too, so it cannot be streamed: "
                "predict whole sequences"
            )
        self._steps: Steps | Int8Steps = Steps(stack)
        kinds = {name: part[:, 0] for name, part in stack.zeros(1).items()}
        summary = {} if pool is None else pool.start(1, stack.outputs)
        self._summary = tuple(summary)
        kinds |= {name: part[0] for name, part in summary.items()}
        if (width := model.reader.remembers) is not None:
            kinds["before"] = np.full(width, np.nan)
        super().__init__(kinds, capacity)
        if calibration is not None:
            steps = np.asarray(calibration)[None]
            ranges = largest_of(self.read(np.zeros(1, np.int64), steps))
            self.clear(np.zeros(1, np.int64))
            self._steps = Int8Steps(stack, ranges)

    @property
    def saturated(self) -> int:
        """Inputs so far beyond the range of calibration; 0 of streams in float32."""
        return self._steps.saturated if isinstance(self._steps, Int8Steps) else 0

    def read(self, slots: Slots, x: ArrayLike) -> Array:
        """Inputs of the network (B, T, I) for steps x (B, T, ...), T for each of these slots.

        x: as `Model.step` takes it, with the axis T after B. Each step of a slot is read once, in
        its order: of a model that reads differences, the last step is remembered. Raises
        `DataError` for what does not fit; then nothing is remembered.
        """
        given = np.asarray(x)
        if given.ndim < 2 or len(given) != len(slots) or not given.shape[1]:
            raise DataError(
                f"steps of {len(slots)} streams are (B, T, ...), T at least 1; got {given.shape}"
            )
        reader, rows, steps = self.model.reader, len(slots), given.shape[1]
        if "before" not in self._pool:
            read, _ = reader.one(given.reshape(rows * steps, *given.shape[2:]), None)
            return read.reshape(rows, steps, -1)
        before, parts = self._pool["before"][slots], []
        for step in np.moveaxis(given, 1, 0):
            if step.shape != before.shape:
                raise DataError(f"a step has {before.shape[1]} features, got {step.shape[1:]}")
            first = np.isnan(before)
            known = np.where(first, step, before) if first.any() else before
            read, after = reader.one(step, known)
            assert after is not None
            parts.append(read)
            before = after
        self._pool["before"][slots] = before
        return np.stack(parts, 1)

    def step(self, slots: Slots, x: Array, lengths: Slots | None = None) -> Numbers:
        """Answers after each of these steps, stream after stream: (sum of lengths, C).

        slots (B,): each once. x (B, T, I), as `read` gives them. lengths (B,): steps of each, T if
        not given; what stands behind them is not read.
        """
        state = {name: self._pool[name][slots] for name in self._steps.names}
        y = self._steps.run(x, state, lengths)
        for name, part in state.items():
            self._pool[name][slots] = part
        if self.model.pool is not None:
            y = self._pooled(slots, y, lengths)
        if lengths is None:
            flat = y.reshape(-1, y.shape[-1])
        else:
            flat = y[np.arange(y.shape[1]) < lengths[:, None]]
        return self.model.answer(flat)

    def _pooled(self, slots: Slots, y: Array, lengths: Slots | None) -> Array:
        """Steps so far as one vector, after each step: what the head reads."""
        pool = self.model.pool
        assert pool is not None
        if pool.how == "last":
            return y
        told = np.zeros_like(y)
        for t in range(y.shape[1]):
            rows = np.arange(len(slots)) if lengths is None else np.flatnonzero(lengths > t)
            here = slots[rows]
            known = {name: self._pool[name][here] for name in self._summary}
            told[rows, t] = pool.add(known, y[rows, t])
            for name, part in known.items():
                self._pool[name][here] = part
        return told


class Steps:
    """Layers of one direction, their weights packed once, for batches of any size."""

    def __init__(self, stack: Stack) -> None:
        layers = [directions[0] for directions in stack.layers]
        self._kept, self.names = layers, stack.cell.spec.states  # whose addresses are packed
        problems = [stack.cell.problem(weights, 1, 1) for weights in layers]
        self._packed = _native.Packed(problems, 1, stack.threads)
        self._threads, self._hidden, self._own = stack.threads, stack.cell.hidden, stack.own

    def run(self, x: Array, state: dict[str, Array], lengths: Slots | None) -> Array:
        """Outputs (B, T, H) of x (B, T, I), not set behind lengths (B,). state: parts (B, L, H),
        which are put where the rows end."""
        rows, steps, inputs = x.shape
        x = np.ascontiguousarray(x)
        y = np.zeros((rows, steps, self._hidden), np.float32)
        if not rows:
            return self._own(y)
        by_layer = [np.ascontiguousarray(state[name].swapaxes(0, 1)) for name in self.names]
        last = [np.empty_like(part) for part in by_layer]
        ranked = (0, 0)
        if lengths is not None:
            order = np.argsort(-lengths, kind="stable").astype(np.int64)
            sizes = np.ascontiguousarray(lengths[order], np.int64)
            ranked = (order.ctypes.data, sizes.ctypes.data)
        self._packed.forward(
            steps,
            rows,
            rows * steps,
            True,
            (x.ctypes.data, inputs, steps * inputs, 0),
            (y.ctypes.data, self._hidden, steps * self._hidden),
            ranked,
            [part.ctypes.data for part in by_layer],
            [part.ctypes.data for part in last],
            self._threads,
        )
        for name, part in zip(self.names, last, strict=True):
            state[name] = part.swapaxes(0, 1)
        return self._own(y)
