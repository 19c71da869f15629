"""Answers made of states: pooling over time, the head, probabilities, numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from carousel.errors import ConfigError
from carousel.runtime.files import Array

Numbers = NDArray[Any]


class Pool:
    """A sequence as one vector: its "last" state, the "mean" or "max" over its steps, or a mean
    whose weights are learnt ("attention": see `carousel.layers.attention`)."""

    def __init__(self, how: str, weights: Mapping[str, Array]) -> None:
        self.how = how
        if how == "attention":
            names = ("hidden.weight", "hidden.bias", "score.weight")
            self._attention = [weights[f"pooling.attention.{name}"] for name in names]

    def whole(self, y: Array, last: Array, lengths: Any) -> Array:
        """y (B, T, F), last (B, F), lengths (B,) or None. A row without steps gives zeros."""
        if self.how == "last":
            return last
        steps = y.shape[1]
        count = np.full(len(y), steps) if lengths is None else np.asarray(lengths)
        inside = (np.arange(steps) < count[:, None])[..., None]
        if self.how == "mean":
            total = np.where(inside, y, 0).sum(1)
            return np.asarray(total / np.maximum(count, 1)[:, None], np.float32)
        if self.how == "max":
            highest = np.where(inside, y, -np.inf).max(1)
            return np.asarray(np.where(count[:, None] > 0, highest, 0), np.float32)
        matrix, bias, score = self._attention
        scores = np.tanh(y @ matrix.T + bias) @ score.T
        weights = softmax(np.where(inside, scores, np.finfo(np.float32).min), 1) * inside
        return np.asarray((weights * y).sum(1), np.float32)

    def start(self, rows: int, features: int) -> dict[str, Numbers]:
        """State before the first step of streams, a row for each. Raises `ConfigError` for
        attention."""
        if self.how == "attention":
            raise ConfigError(
                "model.pooling = 'attention' weighs all steps against each other, so there is no "
                "answer step by step: predict whole sequences"
            )
        if self.how == "last":
            return {}
        first = 0.0 if self.how == "mean" else -np.inf
        known = {"pooled": np.full((rows, features), first)}
        return known | ({"steps": np.zeros(1, np.int64)} if self.how == "mean" else {})

    def add(self, known: dict[str, Numbers], h: Array) -> Array:
        """Summary of the steps so far, with one more; `known` changes in place."""
        if self.how == "last":
            return h
        pooled = known["pooled"]
        if self.how == "max":
            np.maximum(pooled, h, out=pooled)
            return np.asarray(pooled, np.float32)
        pooled += h
        known["steps"] += 1
        return np.asarray(pooled / known["steps"].reshape(-1, 1), np.float32)


class Linear:
    """W x + b; the bits of a row do not depend on how many others come with it.

    A product of matrices is summed in another order for every number of rows. Here each row is a
    product of its own: of a vector and a matrix, or, of few outputs, of two vectors.
    """

    _FEW = 8  # outputs up to which products of vectors are the faster ones

    def __init__(self, weight: Array, bias: Array) -> None:
        self._few = len(weight) <= self._FEW
        self.weight = np.ascontiguousarray(weight if self._few else weight.T)
        self.bias = bias

    def __call__(self, x: Array) -> Array:
        rows = np.ascontiguousarray(x).reshape(-1, x.shape[-1])
        if self._few:
            found = np.einsum("bi,oi->bo", rows, self.weight)
        else:
            found = np.matmul(rows[:, None], self.weight)[:, 0]
        return np.asarray(found.reshape(*x.shape[:-1], -1) + self.bias, np.float32)


class Targets:
    """Numbers on their own scale, of outputs on the network's; float64."""

    def __init__(self, targets: Sequence[Mapping[str, Any]]) -> None:
        self._mean = np.array([one["mean"] for one in targets])
        self._std = np.array([one["std"] for one in targets])
        self._sigmoid = np.array([one["sigmoid"] for one in targets], bool)

    def __call__(self, x: Array) -> Numbers:
        wide = x.astype(np.float64) * self._std + self._mean
        return np.where(self._sigmoid, sigmoid(x), wide) if self._sigmoid.any() else wide


def softmax(x: Array, axis: int = -1) -> Array:
    """Probabilities of logits."""
    e = np.exp(x - x.max(axis, keepdims=True))
    return np.asarray(e / e.sum(axis, keepdims=True), np.float32)


def sigmoid(x: Array) -> Array:
    """1 / (1 + exp(-x)), without an overflow."""
    e = np.exp(-np.abs(x))
    return np.asarray(np.where(x >= 0, 1, e) / (1 + e), np.float32)
