"""Inputs of networks, made of what was measured: scaled values, pixels, embedded tokens.

Each has `whole`, of sequences (B, T, ...), and `one`, of a step (B, ...), which may look at the
step before; they give float32 (B, T, I) and (B, I).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from carousel.errors import ConfigError, DataError
from carousel.runtime.files import Array

_FARTHEST = 1e15  # as in training: deviations whose square a float32 still holds
Wide = NDArray[np.float64]


class Reader(Protocol):
    """Inputs to what the recurrent layers read. remembers: how many numbers of a step the next one
    wants to know; None if it wants none."""

    @property
    def remembers(self) -> int | None: ...

    def whole(self, given: ArrayLike, lengths: Any) -> tuple[Array, bool]:
        """Sequences (B, T, I) of what was given; and whether that was one alone."""

    def one(self, given: ArrayLike, before: Array | None) -> tuple[Array, Array | None]:
        """A step (B, I), and what the next step wants to know of this one."""


def scaled(values: Wide, mean: Wide, std: Wide) -> Array:
    """(values - mean) / std, each (..., F), as float32. Raises `DataError` for a NaN, and for a
    value that is too far off to compute with."""
    found = (values - mean) / std
    inside = np.abs(found) <= _FARTHEST
    if not inside.all():
        place = tuple(np.argwhere(~inside)[0])
        middle, apart = (np.broadcast_to(part, found.shape)[place] for part in (mean, std))
        raise DataError(
            f"feature {place[-1] + 1} has the value {values[place]:g}, where the training "
            f"part has {middle:g} ± {apart:g}: the runtime fills "
            "nothing in, and computes with nothing that is so far off"
        )
    return found.astype(np.float32)


def embedded(x: Array, levels: Mapping[int, int], tables: Sequence[Array]) -> Array:
    """Numbers (..., F) with rows of embeddings behind them in place of the columns of codes.
    levels: how many levels those have, by their places."""
    if not levels:
        return x
    parts = [x[..., [place for place in range(x.shape[-1]) if place not in levels]]]
    for table, (place, count) in zip(tables, levels.items(), strict=True):
        codes = x[..., place]
        known = (codes >= 1) & (codes <= count)
        parts.append(table[np.where(known, codes, 0).astype(np.int64)])
    return np.concatenate(parts, -1)


class Scale:
    """(x - mean) / std of each feature, computed in float64 and rounded once."""

    def __init__(self, facts: Mapping[str, Any]) -> None:
        self.mean = np.array(facts["mean"], np.float64)
        self.std = np.array(facts["std"], np.float64)

    def __call__(self, values: Wide) -> Array:
        """Raises `DataError` for a NaN, and for a value that is too far off to compute with."""
        return scaled(values, self.mean, self.std)


class Values:
    """Measured features, unscaled, in the order of training.

    differences: each feature's change since the step before stands beside it. levels: how many
    levels the codes of a column have, by its place; a row of an embedding stands for a code.
    """

    def __init__(
        self,
        scaler: Mapping[str, Any],
        differences: bool,
        levels: Mapping[int, int],
        embeddings: Sequence[Array],
    ) -> None:
        self.scale, self.differences, self.levels = Scale(scaler), differences, dict(levels)
        self.embeddings = embeddings
        self.width = len(self.scale.mean) // (1 + differences)
        self.remembers = self.width if differences else None

    def whole(self, given: ArrayLike, lengths: Any = None) -> tuple[Array, bool]:
        """given: (T, F) or (B, T, F)."""
        values, alone = sequences(given, np.float64, 3)
        self._check(values)
        if lengths is not None:  # whatever stands behind the end of a row: it is not read
            values[np.arange(values.shape[1]) >= np.asarray(lengths)[:, None]] = self.scale.mean[
                : self.width
            ]
        if self.differences:
            change = np.diff(values, axis=1, prepend=values[:, :1])
            values = np.concatenate((values, self._plain(change)), 2)
        return self._numbers(self.scale(values)), alone

    def one(self, given: ArrayLike, before: Array | None) -> tuple[Array, Array | None]:
        """given: (B, F)."""
        values = np.array(given, np.float64)
        self._check(values)
        if not self.differences:
            return self._numbers(self.scale(values)), None
        change = values - (values if before is None else before)
        wide = np.concatenate((values, self._plain(change)), 1)
        return self._numbers(self.scale(wide)), values  # type: ignore[return-value]

    def _check(self, values: Wide) -> None:
        if values.shape[-1] != self.width:
            raise DataError(f"a step has {self.width} features, got {values.shape[-1]}")

    def _plain(self, change: Wide) -> Wide:
        change[..., [*self.levels]] = 0.0
        return change

    def _numbers(self, x: Array) -> Array:
        return embedded(x, self.levels, self.embeddings)


class Tokens:
    """Numbers of tokens, or of each word's features, as rows of embeddings."""

    remembers = None

    def __init__(self, embeddings: Sequence[Array], features: bool) -> None:
        """features: whether a step has several numbers, one for each embedding."""
        self.embeddings, self.features = embeddings, features

    def whole(self, given: ArrayLike, lengths: Any = None) -> tuple[Array, bool]:
        """given: (T,) or (B, T); of features (T, F) or (B, T, F)."""
        numbers, alone = sequences(given, np.int64, 3 if self.features else 2)
        if lengths is not None:
            numbers[np.arange(numbers.shape[1]) >= np.asarray(lengths)[:, None]] = 0
        return self._embedded(numbers), alone

    def one(self, given: ArrayLike, before: Array | None) -> tuple[Array, Array | None]:
        """given: (B,); of features (B, F)."""
        return self._embedded(np.asarray(given, np.int64)), None

    def _embedded(self, numbers: NDArray[np.int64]) -> Array:
        columns = np.moveaxis(numbers, -1, 0) if self.features else [numbers]
        if len(columns) != len(self.embeddings):
            raise DataError(f"a step has {len(self.embeddings)} numbers, got {len(columns)}")
        for column, table in zip(columns, self.embeddings, strict=True):
            if column.size and not 0 <= column.min() <= column.max() < len(table):
                raise DataError(
                    f"tokens are numbers of 0 to {len(table) - 1}, got {column.min()} to "
                    f"{column.max()}"
                )
        return np.concatenate(
            [table[column] for column, table in zip(columns, self.embeddings, strict=True)], -1
        )


class Pixels:
    """Images as sequences, as `data.view` says; a step is a row, a pixel or a patch of one."""

    remembers = None

    def __init__(
        self, scaler: Mapping[str, float], shape: Sequence[int], view: str, patch: int, order: int
    ) -> None:
        """order: the seed by which pixels were shuffled; 0: they were not."""
        self.mean, self.std = scaler["mean"], scaler["std"]
        self.shape, self.view, self.patch, self.order = tuple(shape), view, patch, order

    def whole(self, given: ArrayLike, lengths: Any = None) -> tuple[Array, bool]:
        """given: images (N, ...) of the shape of training, or one: integers 0 to 255, or floats in
        [0, 1]."""
        if lengths is not None:
            raise ConfigError("images have no lengths: leave them out")
        images = np.asarray(given)
        alone = images.ndim == len(self.shape)
        images = images[None] if alone else images
        if images.shape[1:] != self.shape:
            size = "x".join(map(str, self.shape))
            raise DataError(f"the model reads images of {size}, got {images.shape[1:]}")
        if images.dtype.kind == "f":
            images = _within(images, 1) * 255
        pixels = np.rint(_within(images, 255)).astype(np.float32)
        scaled = (pixels - np.float32(self.mean)) / np.float32(self.std)
        return self._sequences(scaled), alone

    def one(self, given: ArrayLike, before: Array | None) -> tuple[Array, Array | None]:
        """given: (B, I), the pixels of a step, 0 to 255."""
        pixels = _within(np.asarray(given, np.float32), 255)
        return (pixels - np.float32(self.mean)) / np.float32(self.std), None

    def _sequences(self, images: Array) -> Array:
        rows, (height, width) = len(images), images.shape[-2:]
        planes = images.reshape(rows, -1, height, width)
        if self.order:
            chosen = np.random.RandomState(self.order).permutation(height * width)
            planes = planes.reshape(rows, -1, height * width)[..., chosen].reshape(planes.shape)
        if self.view == "rows":
            return planes.transpose(0, 2, 1, 3).reshape(rows, height, -1)
        if self.view == "pixels":
            return planes.reshape(rows, -1, height * width).transpose(0, 2, 1)
        if self.view == "image":
            return planes.reshape(rows, 1, -1)
        side = self.patch
        edges = ((0, 0), (0, 0), (0, -height % side), (0, -width % side))
        padded = np.pad(planes, edges)
        down, across = padded.shape[2] // side, padded.shape[3] // side
        cut = padded.reshape(rows, -1, down, side, across, side).transpose(0, 2, 4, 1, 3, 5)
        return cut.reshape(rows, down * across, -1)


def sequences(given: ArrayLike, kind: Any, dimensions: int) -> tuple[NDArray[Any], bool]:
    """A copy of sequences with so many dimensions, (B, T, ...), and whether one came alone."""
    values = np.array(given)
    if kind is np.int64 and values.dtype.kind not in "iu":
        raise DataError(f"tokens are integers, got {values.dtype}")
    alone = values.ndim == dimensions - 1
    values = values[None] if alone else values
    if values.ndim != dimensions or not values.shape[1]:
        raise DataError(
            f"sequences are arrays of {dimensions} dimensions, one alone of {dimensions - 1}, with "
            f"at least one step; got shape {np.shape(given)}"
        )
    return values.astype(kind), alone


def _within(pixels: NDArray[Any], most: int) -> NDArray[Any]:
    if pixels.size and not (pixels.min() >= 0 and pixels.max() <= most):
        raise DataError(
            f"pixels lie between 0 and {most}, as they are integers or floats; got "
            f"{pixels.min():g} to {pixels.max():g}"
        )
    return pixels
