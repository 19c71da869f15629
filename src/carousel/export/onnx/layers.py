"""Layers that are not recurrent as ONNX nodes: (B, T, F), or (B, F) where there is no time."""

from __future__ import annotations

import math

import numpy as np

from carousel.export.description import (
    Activation,
    Array,
    Categories,
    Convolution,
    Differences,
    Embedding,
    GroupedSoftmax,
    Known,
    Level,
    Normalisation,
    Pictures,
    Ranks,
    Repeat,
    Squash,
    Standardise,
    UnitLength,
)
from carousel.export.onnx.graph import Graph

_OPERATORS = {
    "relu": "Relu",
    "tanh": "Tanh",
    "sigmoid": "Sigmoid",
    "softsign": "Softsign",
    "leaky_relu": "LeakyRelu",
    "elu": "Elu",
}


def standardise(graph: Graph, layer: Standardise, x: str) -> str:
    """(x - mean) / std. The mean in two parts: of large values, float32 holds no difference."""
    high = layer.mean.astype(np.float32)
    low = (layer.mean - high).astype(np.float32)
    x = graph.add("Sub", x, graph.constant(high))
    if low.any():
        x = graph.add("Sub", x, graph.constant(low))
    scaled: str = graph.add("Div", x, graph.constant(layer.std))
    return scaled


def differences(graph: Graph, layer: Differences, x: str, features: int) -> str:
    """x and its changes side by side."""
    before = graph.add("Concat", graph.slice(x, 0, 1, 1), graph.slice(x, 0, -1, 1), axis=1)
    changes = graph.add("Sub", x, before)
    if layer.codes:
        kept = np.ones(features, np.float32)
        kept[[*layer.codes]] = 0.0
        changes = graph.add("Mul", changes, graph.constant(kept))
    both: str = graph.add("Concat", x, changes, axis=-1)
    return both


def embedding(graph: Graph, layer: Embedding, tokens: str) -> str:
    """Rows of tables."""
    if not layer.further:
        return str(graph.add("Gather", graph.constant(layer.table), tokens))
    rows = []
    for place, table in enumerate((layer.table, *layer.further)):
        column = graph.add("Gather", tokens, graph.constant(place, np.int64), axis=-1)
        rows.append(graph.add("Gather", graph.constant(table), column))
    side_by_side: str = graph.add("Concat", *rows, axis=-1)
    return side_by_side


def categories(graph: Graph, layer: Categories, x: str) -> str:
    """Numbers, and rows of tables for codes."""
    parts = [graph.add("Gather", x, graph.integers(*layer.numbers), axis=-1)]
    for place, table in layer.tables:
        codes = graph.add("Gather", x, graph.constant(place, np.int64), axis=-1)
        known = graph.add(
            "And",
            graph.add("GreaterOrEqual", codes, graph.constant(1.0)),
            graph.add("LessOrEqual", codes, graph.constant(len(table) - 1.0)),
        )
        codes = graph.add("Where", known, codes, graph.constant(0.0))
        numbers = graph.add("Cast", codes, to=graph.helper.np_dtype_to_tensor_dtype(np.dtype("i8")))
        parts.append(graph.add("Gather", graph.constant(table), numbers))
    side_by_side: str = graph.add("Concat", *parts, axis=-1)
    return side_by_side


def convolution(graph: Graph, layer: Convolution, x: str, inside: str) -> str:
    """A convolution over time. inside (B, T, 1): True in the steps of each row, or ""."""
    if inside:
        x = graph.add("Where", inside, x, graph.constant(0.0))
    y = over_places(graph, layer, graph.add("Transpose", x, perm=[0, 2, 1]))
    back: str = graph.add("Transpose", y, perm=[0, 2, 1])
    return back


def over_places(graph: Graph, layer: Convolution, x: str) -> str:
    """A convolution of x (N, C, n)."""
    y: str = graph.add(
        "Conv",
        x,
        graph.constant(layer.weight),
        *([] if layer.bias is None else [graph.constant(layer.bias)]),
        strides=[layer.stride],
        pads=[layer.padding] * 2,
        dilations=[layer.dilation],
        group=layer.groups,
    )
    return y


def lengths_after(graph: Graph, layer: Convolution, lengths: str) -> str:
    """Lengths (B,) int64 after a convolution: max(0, ⌊(n + 2 p - reach) / s⌋ + 1)."""
    reach = layer.dilation * (layer.weight.shape[2] - 1) + 1
    more = 2 * layer.padding - reach + layer.stride
    steps = graph.add("Add", lengths, graph.constant(more, np.int64))
    steps = graph.add("Max", steps, graph.constant(0, np.int64))
    found: str = graph.add("Div", steps, graph.constant(layer.stride, np.int64))
    return found


def pictures(graph: Graph, layer: Pictures, x: str) -> str:
    """Maps of frames (…, side²), one after the other."""
    around = graph.slice(graph.add("Shape", x), 0, -1, 0)
    seen = graph.add("Reshape", x, graph.integers(-1, 1, layer.side, layer.side))
    side = layer.side
    for weight, bias in layer.stages:
        seen = convolved(graph, seen, weight, bias)
        side //= 2
    places = layer.stages[-1][1].size * side * side
    shape = graph.add("Concat", around, graph.integers(places), axis=0)
    flat: str = graph.add("Reshape", seen, shape)
    return flat


def convolved(graph: Graph, x: str, weight: Array, bias: Array) -> str:
    """One stage of an encoder of pictures (B, C, h, w): maxpool₂(relu(conv₃ₓ₃(x)))."""
    x = graph.add("Conv", x, graph.constant(weight), graph.constant(bias), pads=[1, 1, 1, 1])
    x = graph.add("Relu", x)
    name: str = graph.add("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2])
    return name


def activation(graph: Graph, layer: Activation, x: str) -> str:
    """A function of each number."""
    name = layer.name
    if name == "hard_tanh":
        y = graph.add("Clip", x, graph.constant(-1.0), graph.constant(1.0))
    elif name == "hard_sigmoid":
        y = graph.add("HardSigmoid", x, alpha=1 / 6, beta=0.5)
    elif name == "silu":
        y = graph.add("Mul", x, graph.add("Sigmoid", x))
    elif name == "gelu":
        inside = graph.add("Erf", graph.add("Mul", x, graph.constant(math.sqrt(0.5))))
        half = graph.add("Mul", x, graph.constant(0.5))
        y = graph.add("Mul", half, graph.add("Add", inside, graph.constant(1.0)))
    elif name in ("leaky_relu", "elu"):
        y = graph.add(_OPERATORS[name], x, alpha=layer.slope)
    else:
        y = graph.add(_OPERATORS[name], x)
    return str(y)


def normalisation(graph: Graph, layer: Normalisation, x: str) -> str:
    """Layer normalisation over the last dimension."""
    y = graph.normalised(x, layer.eps)
    if layer.gain is not None:
        y = graph.add("Mul", y, graph.constant(layer.gain))
    if layer.bias is not None:
        y = graph.add("Add", y, graph.constant(layer.bias))
    return y


def unit_length(graph: Graph, layer: UnitLength, x: str) -> str:
    """x / max(its length, eps)."""
    length = graph.add("ReduceL2", x, axes=[-1])
    found: str = graph.add("Div", x, graph.add("Max", length, graph.constant(layer.eps)))
    return found


def grouped_softmax(graph: Graph, layer: GroupedSoftmax, x: str) -> str:
    """Probabilities of frequent words, and of the words of each group times that of the group."""
    frequent, *groups = layer.sizes
    first = graph.add("Softmax", graph.slice(x, 0, frequent + len(groups), -1), axis=-1)
    found = [graph.slice(first, 0, frequent, -1)]
    for number, start, size in layer.parts():
        inside = graph.add("Softmax", graph.slice(x, start, start + size, -1), axis=-1)
        found.append(graph.add("Mul", inside, graph.slice(first, number, number + 1, -1)))
    side_by_side: str = graph.add("Concat", *found, axis=-1)
    return side_by_side


def ranks(graph: Graph, layer: Ranks, x: str) -> str:
    """Probabilities of ranks: differences of P(rank ≤ k)."""
    score = graph.dense(x, layer.weight[None], None)
    inside = graph.add("Sub", graph.constant(layer.thresholds), score)
    below = graph.add("Sigmoid", graph.add("Mul", inside, graph.constant(layer.sharpness)))
    last = graph.add("Sub", graph.constant(1.0), graph.slice(below, -1, 2**31, -1))
    first = graph.slice(below, 0, 1, -1)
    between = graph.add("Sub", graph.slice(below, 1, 2**31, -1), graph.slice(below, 0, -1, -1))
    found: str = graph.add("Concat", first, between, last, axis=-1)
    return found


def squash(graph: Graph, layer: Squash, x: str, features: int) -> str:
    """Sigmoid of some outputs."""
    places = np.zeros(features, bool)
    places[[*layer.places]] = True
    y: str = graph.add("Where", graph.constant(places, bool), graph.add("Sigmoid", x), x)
    return y


def known(graph: Graph, layer: Known, x: str) -> tuple[str, str]:
    """Windows with what is known of their steps, and what is known of the steps to come."""
    window = graph.slice(x, 0, layer.context, 1)
    ahead = graph.slice(x, layer.context, layer.context + layer.steps, 1)
    columns = graph.integers(*layer.columns)
    before, after = (graph.add("Gather", part, columns, axis=-1) for part in (window, ahead))
    y = graph.add("Concat", graph.slice(window, 0, layer.features, -1), before, axis=-1)
    return y, after


def level(graph: Graph, layer: Level, x: str, features: int) -> tuple[str, str]:
    """Windows less their last values, and those (B, columns)."""
    last = graph.slice(x, -1, 2**31, 1)
    taken = np.zeros(features, np.float32)
    taken[[*layer.columns]] = 1.0
    y = graph.add("Sub", x, graph.add("Mul", last, graph.constant(taken)))
    flat = graph.add("Squeeze", last, graph.integers(1))
    return y, graph.add("Gather", flat, graph.integers(*layer.columns), axis=-1)


def repeat(graph: Graph, layer: Repeat, x: str, features: int) -> str:
    """A vector (B, F) in each of so many steps."""
    rows = graph.shape(x, 0, 1)
    shape = graph.add("Concat", rows, graph.integers(layer.steps, features), axis=0)
    return str(graph.add("Expand", graph.add("Unsqueeze", x, graph.integers(1)), shape))


def backwards(graph: Graph, x: str) -> str:
    """Steps from the last to the first."""
    ends = graph.integers(-1), graph.integers(-(2**62))
    return str(graph.add("Slice", x, *ends, graph.integers(1), graph.integers(-1)))
