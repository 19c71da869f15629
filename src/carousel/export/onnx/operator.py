"""A recurrent layer as ONNX's own operator: LSTM, GRU or RNN.

Gates stand in another order there, i o f c and z r h; the GRU of torch is the one with
linear_before_reset = 1, and the other one is a silent default. Layout 0 alone is read by every
runtime. What the operators have no attribute for is written by `scan`.

T steps, B rows, I inputs, H units, D directions, G gates.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from carousel.cells.table import named
from carousel.export.description import Array, Recurrent, Weights
from carousel.export.onnx.graph import Graph

_ACTIVATIONS = {"tanh": "Tanh", "softsign": "Softsign", "relu": "Relu", "linear": "Affine"}
_GATES = {"sigmoid": "Sigmoid", "hard_sigmoid": "HardSigmoid"}
_SCALES = {"HardSigmoid": (1 / 6, 0.5), "Affine": (1.0, 0.0)}
_OPEN = 64.0
"""Bias of a gate that is always open: the sigmoid of it is one, and so is the hard one."""


def fits(stack: Recurrent) -> bool:
    """True if ONNX's operator of the cell computes this stack."""
    weights, options = stack.layers[0][0], stack.options
    return (
        named(stack.cell).onnx is not None
        and not any(stack.zoneout)
        and not any(name.startswith(("weight_ln", "weight_hr")) for name in weights)
        and options.get("activation", options.get("nonlinearity")) in _ACTIVATIONS
    )


def write(
    graph: Graph,
    stack: Recurrent,
    layer: Sequence[Weights],
    x: str,
    lengths: str,
    states: Sequence[str],
) -> tuple[str, list[str]]:
    """Write one layer: x (T, B, I) to (T, B, D H) and its states (D, B, H).

    lengths (B,) int32, or "". states: (D, B, H) each, or none for zeros.
    """
    H, directions = stack.hidden, len(layer)
    spec = named(stack.cell)
    parts = [_in_order(stack, weights) for weights in layer]
    W, R, B, P = (np.stack([part[i] for part in parts]) for i in range(4))
    inputs = [x, graph.constant(W), graph.constant(R), graph.constant(B), lengths]
    inputs += list(states) or [""] * len(stack.state_names)
    if "weight_c" in layer[0]:
        inputs.append(graph.constant(P))
    while inputs[-1] == "":
        inputs.pop()
    y, *final = graph.add(
        spec.layer,
        *inputs,
        outputs=1 + len(stack.state_names),
        hidden_size=H,
        direction="bidirectional" if directions == 2 else "forward",
        **_attributes(stack, directions),
    )
    if directions == 1:
        return graph.add("Squeeze", y, graph.integers(1)), final
    y = graph.add("Transpose", y, perm=[0, 2, 1, 3])  # (T, D, B, H) to (T, B, D, H)
    return graph.add("Reshape", y, graph.integers(0, 0, directions * H)), final


def _attributes(stack: Recurrent, directions: int) -> dict[str, Any]:
    options, found = stack.options, dict[str, Any]()
    kind = _ACTIVATIONS[str(options.get("activation", options.get("nonlinearity")))]
    names = [kind]
    if "gate_activation" in options:
        names = [_GATES[str(options["gate_activation"])], kind]
    if len(stack.state_names) == 2:  # the LSTM's candidate and output have one each
        variant = options["variant"]
        names = [names[0], *("Affine" if variant == v else kind for v in ("NIAF", "NOAF"))]
    if names not in (["Sigmoid", "Tanh", "Tanh"], ["Sigmoid", "Tanh"], ["Tanh"]):
        found["activations"] = names * directions
        scales = [_SCALES[name] for name in found["activations"] if name in _SCALES]
        if scales:
            found["activation_alpha"] = [alpha for alpha, _ in scales]
            found["activation_beta"] = [beta for _, beta in scales]
    if options.get("coupled"):
        found["input_forget"] = 1
    if "reset_after" in options:
        found["linear_before_reset"] = int(options["reset_after"])
    return found


def _in_order(stack: Recurrent, weights: Weights) -> tuple[Array, Array, Array, Array]:
    """W (G H, I), R (G H, H), B (2 G H,) and P (3 H,) of one direction, in ONNX's order."""
    spec, H = named(stack.cell), stack.hidden
    order = spec.onnx or "h"
    there = spec.gates_with(stack.options.get) or "h"
    rows = len(order) * H
    W = np.zeros((rows, weights["weight_ih"].shape[1]), np.float32)
    R = np.zeros((rows, H), np.float32)
    B, P = np.zeros(2 * rows, np.float32), np.zeros(3 * H, np.float32)
    seen = there.replace("g", "")  # gates with a peephole
    for place, gate in enumerate(order):
        into = slice(place * H, (place + 1) * H)
        if gate not in there:  # a gate that is left out is open; a coupled one is not read
            B[into] = _OPEN
            continue
        number = there.index(gate)
        own = slice(number * H, (number + 1) * H)
        W[into], R[into] = weights["weight_ih"][own], weights["weight_hh"][own]
        if "bias_ih" in weights:
            B[into] = weights["bias_ih"][own]
            B[rows + place * H : rows + (place + 1) * H] = weights["bias_hh"][own]
        if "weight_c" in weights and gate in seen:
            number = seen.index(gate)
            P[into.start : into.stop] = weights["weight_c"][number * H : (number + 1) * H]
    return W, R, B, P
