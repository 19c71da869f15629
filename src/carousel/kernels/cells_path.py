"""A recurrent stack by the oracle: the cells' equations, step by step in Python."""

from __future__ import annotations

import functools
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.nn.utils.rnn import (
    PackedSequence,
    pack_padded_sequence,
    pad_packed_sequence,
)

from carousel import cells
from carousel.kernels.paths import Stack, State


def _cell_step(mode: str) -> Callable[..., State]:
    steps: dict[str, Callable[..., State]] = {
        "LSTM": cells.lstm_step,
        "GRU": cells.gru_step,
        "RNN_TANH": functools.partial(cells.rnn_step, nonlinearity="tanh"),
        "RNN_RELU": functools.partial(cells.rnn_step, nonlinearity="relu"),
    }
    return steps[mode]


def run(
    stack: Stack,
    x: Tensor,
    state: State,
    weights: list[Tensor],
    training: bool,
    lengths: Tensor | None,
) -> tuple[Tensor, State]:
    if stack.batch_first:
        x = x.transpose(0, 1)
    if lengths is not None:
        lengths = lengths.to(x.device)
        # What stands in the padding must not matter, be it NaN: 0 * NaN in a gradient is NaN.
        past = torch.arange(len(x), device=x.device)[:, None] >= lengths
        x = x.masked_fill(past[..., None], 0)
    step = _cell_step(stack.mode)
    per_direction = 2 + 2 * stack.bias + bool(stack.proj_size)
    last: list[State] = []
    for layer in range(stack.num_layers):
        if layer > 0 and stack.dropout:
            x = F.dropout(x, stack.dropout, training)
        outputs = []
        for direction in range(stack.directions):
            index = layer * stack.directions + direction
            matrices = weights[index * per_direction : (index + 1) * per_direction]
            bound = _bind(step, matrices, stack)
            start = tuple(part[index] for part in state)
            y, final = cells.scan(bound, x, start, lengths, reverse=direction == 1)
            outputs.append(y)
            last.append(final)
        x = torch.cat(outputs, dim=-1)
    y = x.transpose(0, 1) if stack.batch_first else x
    return y, tuple(torch.stack(parts) for parts in zip(*last, strict=True))


def _bind(
    step: Callable[..., State], matrices: list[Tensor], stack: Stack
) -> Callable[[Tensor, State], State]:
    weight_ih, weight_hh, *rest = matrices
    named = {"bias_ih": rest.pop(0), "bias_hh": rest.pop(0)} if stack.bias else {}
    if stack.proj_size:
        named["weight_hr"] = rest.pop(0)
    return lambda x, state: step(x, state, weight_ih, weight_hh, **named)


def run_packed(
    stack: Stack, packed: PackedSequence, state: State, weights: list[Tensor], training: bool
) -> tuple[PackedSequence, State]:
    """The stack over a `PackedSequence`; the state's rows stand in the caller's order."""
    x, lengths = pad_packed_sequence(packed, batch_first=stack.batch_first)
    y, state = run(stack, x, state, weights, training, lengths.to(x.device))
    # pad_packed_sequence gave the caller's order: pack it back the way it came.
    sorted_lengths = lengths
    order = packed.sorted_indices
    if order is not None:
        batch_dim = 0 if stack.batch_first else 1
        y, sorted_lengths = y.index_select(batch_dim, order), lengths[order.cpu()]
    data = pack_padded_sequence(y, sorted_lengths, batch_first=stack.batch_first).data
    return PackedSequence(
        data, packed.batch_sizes, packed.sorted_indices, packed.unsorted_indices
    ), state
