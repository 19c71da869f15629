"""`Model`: a saved model that predicts and streams without torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from carousel.errors import ConfigError, DataError
from carousel.runtime.answers import Linear, Pool
from carousel.runtime.files import Array
from carousel.runtime.inputs import Reader
from carousel.runtime.stack import Feed, Stack

Numbers = NDArray[Any]


class Model:
    """A saved model: predicts whole sequences, and streams, without torch; `load` makes one.

    Attributes:
        task: what it does, as `task` in its configuration.
        names: of its outputs in their order: classes, labels, targets, or the tokens of its
            vocabulary; empty where there is one without a name.
    """

    def __init__(
        self,
        task: str,
        names: tuple[str, ...],
        reader: Reader,
        stack: Stack,
        pool: Pool | None,
        head: Linear,
        tell: Callable[[Array], Numbers],
    ) -> None:
        self.task, self.names = task, names
        self.reader, self.stack, self.pool = reader, stack, pool
        self._head, self._tell = head, tell
        self._feed: Feed | None = None
        self._state: dict[str, Numbers] = {}

    def __repr__(self) -> str:
        spec = self.stack.cell.spec
        return f"<carousel.runtime.Model: {self.task}, {spec.layer}, {len(self.names)} outputs>"

    def predict(self, x: ArrayLike, lengths: ArrayLike | None = None) -> Numbers:
        """Answers to whole sequences, or to one.

        x: as the model was trained on, unscaled: values (B, T, F), tokens (B, T) as numbers, words'
            features (B, T, F) as numbers, images (B, ...); or one without B.
        lengths (B,): steps of each row; what stands behind them is not read.

        Returns probabilities (B, C), or (B, T, C) of a model that answers at every step; numbers of
        a regression, on their own scale. The state of a stream stays as it is. Raises `DataError`
        for what does not fit.
        """
        checked = None if lengths is None else _checked(lengths, x)
        sequences, alone = self.reader.whole(x, checked)
        y, last = self.stack.run(sequences, checked)
        features = y if self.pool is None else self.pool.whole(y, last, checked)
        told = self.answer(features)
        return told[0] if alone else told

    def step(self, x: ArrayLike) -> Numbers:
        """The answer after one more step; the first step fixes the number of streams B.

        x: a step of what `predict` takes: values (B, F), tokens (B,), pixels 0 to 255 (B, I).
        Returns (B, C): what `predict` says of the steps so far, or at this step. Raises
        `ConfigError`, by name, for a model that cannot be streamed, and `DataError` for what does
        not fit.
        """
        given = np.asarray(x)
        if self._feed is None:
            self._start(len(given) if given.ndim else 0)
        feed = self._feed
        assert feed is not None
        if not given.ndim or len(given) != len(feed.x):
            raise DataError(
                f"a step of these streams has {len(feed.x)} rows, got shape {given.shape}: reset() "
                "begins with another number"
            )
        read, after = self.reader.one(given, self._state.get("before"))
        if read.shape != feed.x.shape:
            raise DataError(f"a step has {feed.x.shape[1]} features, got {read.shape[1:]}")
        feed.x[...] = read
        feed.step()
        if after is not None:
            self._state["before"] = after
        features = feed.y if self.pool is None else self.pool.add(self._state, feed.y)
        return self.answer(features)

    def answer(self, features: Array) -> Numbers:
        """Answers (..., C) for the last layer's states, or for what pooling made of them."""
        return self._tell(self._head(features))

    def reset(self) -> None:
        """Forget: the next step is the first one, with any number of rows."""
        self._feed, self._state = None, {}

    @property
    def state(self) -> dict[str, Numbers]:
        """A copy of all that the next step depends on, by name; empty before the first step.

        h (and c) is (L, B, H). Set it to go on from there: with this model, or with another of the
        same bundle.
        """
        return {name: part.copy() for name, part in self._state.items()}

    @state.setter
    def state(self, state: Mapping[str, ArrayLike]) -> None:
        self.reset()
        if not state:
            return
        given = {name: np.array(part) for name, part in state.items()}
        first = given.get(self.stack.cell.spec.states[0])
        self._start(first.shape[1] if first is not None and first.ndim == 3 else 0)
        wanted = {name: part.shape for name, part in self._state.items()}
        got = {name: part.shape for name, part in given.items() if name != "before"}
        before = given.get("before")
        rows = self._state[self.stack.cell.spec.states[0]].shape[1]
        fits = before is None or before.shape[:1] == (rows,)
        if wanted != got or not fits:
            self.reset()
            raise DataError(f"the state of this model is {wanted}, got {got}")
        for name, part in given.items():
            if name in self._state:
                self._state[name][...] = part
            else:
                self._state[name] = part

    def save_state(self, path: str | Path) -> None:
        """Write the state to a file of NumPy (.npz)."""
        with Path(path).open("wb") as file:
            np.savez(file, **self._state)  # type: ignore[arg-type]

    def load_state(self, path: str | Path) -> None:
        """Go on from a state that was saved. Raises `DataError` for one of another model."""
        with np.load(path, allow_pickle=False) as found:
            self.state = {name: found[name] for name in found.files}

    def _start(self, rows: int) -> None:
        if self.stack.both:
            raise ConfigError(
                "model.bidirectional: this model reads from the end too, so it cannot be streamed: "
                "predict whole sequences"
            )
        if rows < 1:
            raise DataError("a step has a row for each stream: (B, F), with B at least 1")
        known = {} if self.pool is None else self.pool.start(rows, self.stack.outputs)
        parts = self.stack.zeros(rows)
        self._feed = self.stack.feed(parts)
        self._state = {**parts, **known}


def _checked(lengths: ArrayLike, x: ArrayLike) -> NDArray[np.int64]:
    found, shape = np.asarray(lengths), np.shape(x)
    if found.dtype.kind not in "iu" or len(shape) < 2 or found.shape != shape[:1]:
        raise DataError(
            f"lengths are integers, one for each of the rows of a batch; got {found.dtype} of "
            f"shape {found.shape} for a batch of shape {shape}"
        )
    if found.size and not 0 <= found.min() <= found.max() <= shape[1]:
        raise DataError(f"lengths lie between 0 and {shape[1]}, got {found.min()} to {found.max()}")
    return found.astype(np.int64)
