"""A recurrent stack as nodes of an ONNX model: one RNN, GRU or LSTM for each layer.

What torch makes of its own layers has a fixed number of steps (`torch.lstm` is written down step by
step before it is translated) and no lengths; these nodes have neither limit. They stand for
themselves in the graph that torch.onnx.export writes and compute nothing in torch.

Letters as in `carousel.kernels.ops`; G gates.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from carousel.cells.table import mode_of
from carousel.kernels.paths import StackSpec, State


def run(
    stack: StackSpec,
    x: Tensor,
    state: State,
    weights: list[Tensor],
    training: bool,
    lengths: Tensor | None,
) -> tuple[Tensor, State]:
    """The stack over a padded batch; shapes as in `carousel.kernels.ops.Runner`."""
    if stack.batch_first:
        x = x.transpose(0, 1)
    D, per_layer = stack.directions, len(weights) // stack.num_layers
    last = []
    for index in range(stack.num_layers):
        if index > 0 and stack.dropout:
            x = F.dropout(x, stack.dropout, training)
        start = tuple(part[index * D : (index + 1) * D] for part in state)
        matrices = weights[index * per_layer : (index + 1) * per_layer]
        x, final = _layer(stack, x, start, matrices, lengths)
        last.append(final)
    y = x.transpose(0, 1) if stack.batch_first else x
    return y, tuple(torch.cat(parts) for parts in zip(*last, strict=True))


def _layer(
    stack: StackSpec, x: Tensor, start: State, matrices: list[Tensor], lengths: Tensor | None
) -> tuple[Tensor, State]:
    T, B, H = x.size(0), x.size(1), start[0].size(2)
    # The runtimes refuse rows without a step: those run one, and its result is replaced.
    given = None if lengths is None else lengths.clamp(min=1).to(torch.int32)
    y, *final = torch.onnx.ops.symbolic_multi_out(
        stack.cell.layer,
        (x, *_weights(stack, matrices), given, *start),
        _attributes(stack, H),
        dtypes=[x.dtype] * (1 + len(start)),
        shapes=[(T, stack.directions, B, H), *((stack.directions, B, H) for _ in start)],
    )
    y = y.transpose(1, 2).flatten(2)  # (T, D, B, H) to (T, B, D * H)
    if lengths is None:
        return y, tuple(final)
    empty = (lengths == 0)[:, None]
    pairs = zip(start, final, strict=True)
    return y.masked_fill(empty, 0), tuple(torch.where(empty, *pair) for pair in pairs)


def _attributes(stack: StackSpec, hidden: int) -> dict[str, Any]:
    attributes: dict[str, Any] = {"hidden_size": hidden}
    if stack.bidirectional:
        attributes["direction"] = "bidirectional"
    if "reset_after" in stack.cell.options:
        attributes["linear_before_reset"] = 0 if stack.options.reset_first else 1
    if mode_of(stack.mode).nonlinearity == "relu":
        attributes["activations"] = ["Relu"] * stack.directions
    return attributes


def _weights(stack: StackSpec, matrices: list[Tensor]) -> tuple[Tensor, Tensor, Tensor | None]:
    """W (D, G * H, I), R (D, G * H, H) and B (D, 2 * G * H) of ONNX, the gates in its order."""
    each = len(matrices) // stack.directions
    parts = [
        [_in_order(stack, weight) for weight in matrices[index * each : (index + 1) * each]]
        for index in range(stack.directions)
    ]
    biases = [torch.cat(direction[2:4]) for direction in parts] if stack.bias else []
    return (
        torch.stack([direction[0] for direction in parts]),
        torch.stack([direction[1] for direction in parts]),
        torch.stack(biases) if biases else None,
    )


def _in_order(stack: StackSpec, weight: Tensor) -> Tensor:
    """The rows of a weight with the gates where ONNX has them."""
    order = stack.cell.onnx
    if not order:
        return weight
    gates = dict(zip(stack.cell.gates, weight.chunk(len(order)), strict=True))
    return torch.cat([gates[gate] for gate in order])
