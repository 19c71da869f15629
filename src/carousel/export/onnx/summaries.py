"""Layers that make one vector of all steps as ONNX nodes."""

from __future__ import annotations

import numpy as np

from carousel.export.description import Horizon, Pooling
from carousel.export.onnx.graph import Graph

_Z90 = 1.2815515655446004


def pooled(graph: Graph, layer: Pooling, y: str, inside: str, lengths: str) -> str:
    """Mean, maximum or attention over the steps of y (B, T, F). inside (B, T, 1): True in the steps
    of each row, and lengths (B,); "" where all rows are whole."""
    if layer.how == "attention":
        return _attended(graph, layer, y, inside)
    if not inside:
        op = "ReduceMean" if layer.how == "mean" else "ReduceMax"
        return str(graph.add(op, y, axes=[1], keepdims=0))
    if layer.how == "mean":
        real = graph.add("Where", inside, y, graph.constant(0.0))
        total = graph.add("ReduceSum", real, graph.integers(1), keepdims=0)
        count = graph.add("Max", lengths, graph.constant(1, np.int64))
        count = graph.add("Unsqueeze", graph.add("Cast", count, to=1), graph.integers(1))
        return str(graph.add("Div", total, count))
    real = graph.add("Where", inside, y, graph.constant(-np.inf))
    highest = graph.add("ReduceMax", real, axes=[1], keepdims=0)
    empty = graph.add("Equal", lengths, graph.constant(0, np.int64))
    empty = graph.add("Unsqueeze", empty, graph.integers(1))
    return str(graph.add("Where", empty, graph.constant(0.0), highest))


def _attended(graph: Graph, layer: Pooling, y: str, inside: str) -> str:
    assert layer.hidden is not None
    assert layer.score is not None
    u = graph.add("Tanh", graph.dense(y, layer.hidden, layer.hidden_bias))
    return attended(graph, graph.dense(u, layer.score[None], None), y, inside)[0]


def attended(graph: Graph, scores: str, y: str, inside: str) -> tuple[str, str]:
    """The mean of y (B, T, F) with weights softmax(scores (B, T, 1)) of the places inside, and the
    weights (B, T, 1); zeros for a row without any place."""
    if inside:
        lowest = graph.constant(np.finfo(np.float32).min)
        scores = graph.add("Where", inside, scores, lowest)
    weights = graph.add("Softmax", scores, axis=1)
    if inside:
        weights = graph.add("Where", inside, weights, graph.constant(0.0))
    total = graph.add("ReduceSum", graph.add("Mul", weights, y), graph.integers(1), keepdims=0)
    return total, weights


def horizon(graph: Graph, layer: Horizon, h: str, windows: str, level: str, known: str = "") -> str:
    """Steps to come from h (B, H): (B, 3 or 1, K, C). windows (B, T, F): as the recurrent layer
    read them; level (B, C), or ""; known (B, K, N) of the steps to come, or ""."""
    z = graph.add("Unsqueeze", graph.dense(h, layer.state, layer.state_bias), graph.integers(1))
    z = graph.add("Add", z, graph.constant(layer.steps))
    if layer.known is not None:
        z = graph.add("Add", z, graph.dense(known, layer.known, None))
    z = graph.add("Relu", z)
    targets, steps = len(layer.columns), len(layer.steps)
    raw = graph.dense(z, layer.weight, layer.bias)
    raw = graph.add("Reshape", raw, graph.integers(0, steps, targets, -1))
    numbers = len(layer.bias) // targets
    parts = [_part(graph, raw, place) for place in range(numbers)]
    if layer.line is not None and layer.offset is not None:
        parts[0] = graph.add("Add", parts[0], _line(graph, layer, windows))
    if layer.distribution == "sigmoid":
        return str(graph.add("Unsqueeze", graph.add("Sigmoid", parts[0]), graph.integers(1)))
    value = parts[0]
    if level:
        value = graph.add("Add", value, graph.add("Unsqueeze", level, graph.integers(1)))
    found = [value]
    if layer.distribution != "none":
        below, above = (_apart(graph, layer, part) for part in (parts[1], parts[-1]))
        found = [graph.add("Sub", value, below), value, graph.add("Add", value, above)]
    rows = [graph.add("Unsqueeze", one, graph.integers(1)) for one in found]
    return str(graph.add("Concat", *rows, axis=1))


def _part(graph: Graph, raw: str, place: int) -> str:
    return str(graph.add("Gather", raw, graph.constant(place, np.int64), axis=3))


def _line(graph: Graph, layer: Horizon, windows: str) -> str:
    """Σ_t L_ctk x_tc + o_ck, (B, K, C)."""
    assert layer.line is not None
    assert layer.offset is not None
    own = graph.add("Gather", windows, graph.integers(*layer.columns), axis=2)
    by_target = graph.add("Transpose", own, perm=[2, 0, 1])  # (C, B, T)
    line = graph.add("MatMul", by_target, graph.constant(layer.line))  # (C, B, K)
    line = graph.add("Transpose", line, perm=[1, 2, 0])
    return str(graph.add("Add", line, graph.constant(layer.offset.T)))


def _apart(graph: Graph, layer: Horizon, raw: str) -> str:
    """Distance of an end of the interval from the value."""
    positive = graph.add("Add", graph.add("Softplus", raw), graph.constant(1e-3))
    scale = _Z90 if layer.distribution == "gaussian" else 1.0
    wider = np.float32(1.0) if layer.stretch is None else layer.stretch
    return str(graph.add("Mul", positive, graph.constant(scale * wider)))
