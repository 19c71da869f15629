"""One layer by the oracle, from what the compiled kernels are given of it.

A second derivative is taken through it: its operations are differentiable any number of times.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

from carousel.kernels import cells_path
from carousel.kernels.layer_call import LayerCall
from carousel.kernels.paths import StackSpec, State


def by_cells(call: LayerCall) -> tuple[Tensor, State]:
    """The output and final states of one layer."""
    spec, rows = call.spec, call.rows
    stack = StackSpec(
        spec.mode,
        1,
        spec.bias,
        spec.layout == "BTI",
        0.0,
        spec.directions == 2,
        spec.outputs if spec.projected else 0,
        options=spec.options,
    )
    seeds = None if call.seed is None else call.seed[None]
    state, weights = tuple(call.state), list(call.weights)
    if not state:
        _, B = spec.steps_and_rows(call.x, rows)
        state = tuple(call.x.new_zeros(spec.directions, B, size) for size in spec.state_sizes)
    if rows is None:
        return cells_path.run(stack, call.x, state, weights, True, None, seeds)
    if spec.layout == "packed":
        positions = torch.arange(int(rows.sorted[0]))
        batch_sizes = (rows.sorted > positions[:, None]).sum(1)
        packed = PackedSequence(call.x, batch_sizes)
        y, final = cells_path.run_packed(stack, packed, state, weights, True, seeds)
        return y.data, final
    lengths = torch.empty_like(rows.sorted).scatter_(0, rows.order, rows.sorted)
    return cells_path.run(stack, call.x, state, weights, True, lengths, seeds)
