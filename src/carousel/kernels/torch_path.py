"""A recurrent stack by torch's own kernels."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.utils.rnn import (
    PackedSequence,
    pack_padded_sequence,
    pad_packed_sequence,
)

from carousel.cells.states import hx_of
from carousel.kernels import recording
from carousel.kernels.paths import StackSpec, State


def _torch_function(mode: str) -> Callable[..., tuple[Tensor, ...]]:
    function: Callable[..., tuple[Tensor, ...]] = getattr(torch, mode.lower())
    return function


def run(
    stack: StackSpec,
    x: Tensor,
    state: State,
    weights: list[Tensor],
    training: bool,
    lengths: Tensor | None,
) -> tuple[Tensor, State]:
    if lengths is not None and len(lengths):  # no rows cannot be packed
        return run_ragged(stack, x, state, weights, training, lengths)
    y, *last = _torch_function(stack.mode)(
        x,
        hx_of(state),
        weights,
        stack.bias,
        stack.num_layers,
        stack.dropout,
        training,
        stack.bidirectional,
        stack.batch_first,
    )
    return y, tuple(last)


def run_ragged(
    stack: StackSpec,
    x: Tensor,
    state: State,
    weights: list[Tensor],
    training: bool,
    lengths: Tensor,
) -> tuple[Tensor, State]:
    """Through a PackedSequence, which has no rows of length zero: those run one step of zeros,
    and their result is replaced by what an empty row gives: no output, the state it came with."""
    batch_dim, time_dim = (0, 1) if stack.batch_first else (1, 0)
    lengths = lengths.to("cpu", torch.int64)
    empty = (lengths == 0).to(x.device)
    any_empty = recording.is_tracing() or bool(empty.any())  # a graph is for any lengths
    if any_empty:
        x = torch.where(empty[:, None, None] if stack.batch_first else empty[:, None], 0, x)
    packed = pack_padded_sequence(
        x, lengths.clamp(min=1), batch_first=stack.batch_first, enforce_sorted=False
    )
    packed_y, last = run_packed(stack, packed, state, weights, training)
    y, _ = pad_packed_sequence(
        packed_y, batch_first=stack.batch_first, total_length=x.size(time_dim)
    )
    if any_empty:
        shape = [1, 1, 1]
        shape[batch_dim] = -1
        y = torch.where(empty.view(shape), 0, y)
        last = tuple(
            torch.where(empty[:, None], before.to(after.dtype), after)
            for before, after in zip(state, last, strict=True)
        )
    return y, last


def run_packed(
    stack: StackSpec, packed: PackedSequence, state: State, weights: list[Tensor], training: bool
) -> tuple[PackedSequence, State]:
    """The stack over a `PackedSequence`; the state's rows stand in the caller's order."""
    state = _permute(state, packed.sorted_indices)
    function = _torch_function(stack.mode)
    hx = hx_of(state)
    data, *last = function(
        packed.data,
        packed.batch_sizes,
        hx,
        weights,
        stack.bias,
        stack.num_layers,
        stack.dropout,
        training,
        stack.bidirectional,
    )
    state = _permute(tuple(last), packed.unsorted_indices)
    y = PackedSequence(data, packed.batch_sizes, packed.sorted_indices, packed.unsorted_indices)
    return y, state


def _permute(state: State, order: Tensor | None) -> State:
    return state if order is None else tuple(part.index_select(1, order) for part in state)
