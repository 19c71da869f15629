"""A recurrent stack by the compiled kernels, layer by layer."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.nn.utils.rnn import PackedSequence

from carousel.kernels import autocast, cells_path, flops, library, recording
from carousel.kernels.library import Call
from carousel.kernels.native import Layer, Lengths, Stepper
from carousel.kernels.noise import draw_seeds, drop_features
from carousel.kernels.paths import Stack, State
from carousel.kernels.watch import Watch


def run(
    stack: Stack,
    x: Tensor,
    state: State,
    weights: list[Tensor],
    training: bool,
    lengths: Tensor | Lengths | None,
) -> tuple[Tensor, State]:
    """The stack over a padded batch, shapes as in `carousel.kernels.ops.Runner`; or over the data
    of a `PackedSequence`, where `lengths` say so."""
    rows = _sorted(lengths) if isinstance(lengths, Tensor) else lengths
    layout = "BTI" if stack.batch_first else "TBI"
    if rows is not None and rows.steps is not None:
        layout = "packed"
    # What autocast has lowered is raised again: the kernels compute in float32.
    given, x, state = state, x.float(), tuple(part.float() for part in state)
    weights = [weight.float() for weight in weights]
    per_layer = len(weights) // stack.num_layers
    order = sorted_lengths = steps = None
    if rows is not None:
        order, sorted_lengths, steps = rows.order, rows.sorted, rows.steps
    options = stack.options
    seeds = draw_seeds(stack, x.device)
    last: list[State] = []
    for index in range(stack.num_layers):
        if index > 0 and stack.dropout:
            x = F.dropout(x, stack.dropout, training)
        x = drop_features(x, options.input_dropout, layout, rows)
        own = slice(index * stack.directions, (index + 1) * stack.directions)
        start = [part[own] for part in state]
        matrices = weights[index * per_layer : (index + 1) * per_layer]
        # A graph of torch.jit serves training and inference: what is saved may not depend on how
        # it was traced.
        save = recording.is_tracing() or (
            torch.is_grad_enabled()
            and any(tensor.requires_grad for tensor in (x, *start, *matrices))
        )
        if save:
            x, start = _kept(x, start, turned=index == 0 and layout == "BTI")
        seed = None if seeds is None else seeds[index]
        call = Call(
            x,
            start,
            matrices,
            order,
            sorted_lengths,
            steps,
            seed,
            stack.mode,
            layout,
            stack.bidirectional,
            stack.checkpoint_every,
            options.text,
            options.rates,
        )
        # Called from here, all three: a small layer feels every frame.
        if library.is_traced(call):
            x, final, _ = torch.ops.carousel.layer(*call, save)
        elif save:
            x, *final = library.differentiable(call, x, *start, *matrices)
        else:
            x, final = library.infer(call)
        last.append(tuple(final))
    x = drop_features(x, options.output_dropout, layout, rows)
    final_state = last[0]
    if stack.num_layers > 1:
        final_state = tuple(torch.cat(parts) for parts in zip(*last, strict=True))
    return autocast.lowered(stack, rows is None, given, x, final_state)


def run_packed(
    stack: Stack, packed: PackedSequence, state: State, weights: list[Tensor], training: bool
) -> tuple[PackedSequence, State]:
    """The stack over a `PackedSequence`; the state's rows stand in the caller's order."""
    batch_sizes = packed.batch_sizes
    rows: Any = batch_sizes[0] if recording.is_tracing() else int(batch_sizes[0])
    order = torch.arange(rows)
    lengths = (batch_sizes > order[:, None]).sum(1)
    sizes = Lengths(order, lengths, batch_sizes.cumsum(0) - batch_sizes)
    if packed.sorted_indices is not None:
        state = tuple(part.index_select(1, packed.sorted_indices) for part in state)
    data, state = run(stack, packed.data, state, weights, training, sizes)
    if packed.unsorted_indices is not None:
        state = tuple(part.index_select(1, packed.unsorted_indices) for part in state)
    y = PackedSequence(data, batch_sizes, packed.sorted_indices, packed.unsorted_indices)
    return y, state


def make_stepper(stack: Stack, watch: Watch, state: State) -> Stepper:
    """The stack fed one step at a time, from a state (copied); float32 tensors on the CPU."""
    weights = watch.weights
    per_layer = len(weights) // stack.num_layers
    layers = [
        Layer.of(
            stack.mode,
            "TBI",
            False,
            weights[index * per_layer :][:per_layer],
            options=stack.options,
        )
        for index in range(stack.num_layers)
    ]
    return Stepper(layers, watch, state)


def _sorted(lengths: Tensor) -> Lengths:
    sorted_lengths, order = torch.sort(lengths.to("cpu", torch.int64), descending=True, stable=True)
    return Lengths(order, sorted_lengths)


def _kept(x: Tensor, state: list[Tensor], *, turned: bool) -> tuple[Tensor, list[Tensor]]:
    """What backward reads of the caller's tensors: copies where torch's layers make some.

    turned: whether torch would turn x around, batch first, and so mind no change of the caller's.
    """
    if turned:
        x = x.clone()
    if torch.compiler.is_compiling():  # it traces with tensors of its own
        return x, state
    # Tensors made in inference mode cannot be kept as they are.
    x, *state = (part.clone() if part.is_inference() else part for part in (x, *state))
    return x, state


def _by_cells(call: Call) -> tuple[Tensor, State]:
    """One layer by the oracle, from what the operator `layer` was given."""
    layer, rows, state = call.layer, call.rows, tuple(call.state)
    stack = Stack(
        call.mode,
        1,
        layer.bias,
        call.layout == "BTI",
        0.0,
        call.bidirectional,
        layer.outputs if layer.projected else 0,
        options=layer.options,
    )
    seeds = None if call.seed is None else call.seed[None]
    if call.layout == "packed":
        assert rows is not None
        positions = torch.arange(int(rows.sorted[0]))
        batch_sizes = (rows.sorted > positions[:, None]).sum(1)
        packed = PackedSequence(call.x, batch_sizes)
        y, final = cells_path.run_packed(stack, packed, state, call.weights, True, seeds)
        return y.data, final
    lengths = (
        None if rows is None else torch.empty_like(rows.sorted).scatter_(0, rows.order, rows.sorted)
    )
    return cells_path.run(stack, call.x, state, call.weights, True, lengths, seeds)


library.oracle = _by_cells
flops.register()
