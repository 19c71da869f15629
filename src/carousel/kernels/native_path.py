"""A recurrent stack by the compiled kernels, layer by layer."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd import profiler
from torch.nn import functional as F
from torch.nn.utils.rnn import PackedSequence

from carousel.kernels import autocast, autograd, flops, joined, library, native, recording
from carousel.kernels.kept import Keeper
from carousel.kernels.layer_call import LayerCall
from carousel.kernels.layer_spec import Lengths
from carousel.kernels.noise import draw_seeds, drop_features
from carousel.kernels.paths import StackSpec, State
from carousel.kernels.stepper import Stepper
from carousel.kernels.watch import Watch


def run(
    stack: StackSpec,
    x: Tensor,
    state: State,
    weights: list[Tensor],
    training: bool,
    lengths: Tensor | Lengths | None,
    plain: bool = False,
    keeper: Keeper | None = None,
) -> tuple[Tensor, State]:
    """The stack over a padded batch, shapes as in `carousel.kernels.ops.Runner`; or over the data
    of a `PackedSequence`, where `lengths` say so.

    plain: whether `paths.is_plain` has found the call so. Then the state may be (), for zeros.
    keeper: of a plain call, what keeps the packed weights of its layer.
    """
    if stack.joined:
        return joined.run(run, stack, x, state, weights, training, lengths)
    rows = _sorted(lengths) if isinstance(lengths, Tensor) else lengths
    layout = "BTI" if stack.batch_first else "TBI"
    if rows is not None and rows.steps is not None:
        layout = "packed"
    given = state
    traced = not plain and library.is_traced(x, state, weights)
    if not plain:  # what autocast has lowered is raised again: all but the products is float32
        x, state = x.float(), tuple(part.float() for part in state)
        weights = [weight.float() for weight in weights]
    L, D = stack.num_layers, stack.directions
    per_layer = len(weights) // L
    options = stack.options
    seeds = draw_seeds(stack, x.device) if options.seeded else None
    # A graph of torch.jit serves training and inference: what is saved may not depend on how it
    # was traced.
    saving, tracing = torch.is_grad_enabled(), traced and recording.is_tracing()
    if keeper is not None and not (
        saving and any(tensor.requires_grad for tensor in (x, *state, *weights))
    ):
        kept = None if stack.draws(training) else keeper.find(stack, weights)
        if kept is not None:
            if not profiler._is_profiler_enabled:
                return kept.forward(layout, x, rows, state)
            with profiler.record_function(f"carousel::stack {stack.mode}"):
                return kept.forward(layout, x, rows, state)
    elif keeper is not None:
        keeper.drop()
    start, matrices = list(state), weights
    last: list[State] = []
    # The kernels are called from here, without a function of our own in between: a small layer
    # feels every frame.
    for index in range(L):
        if L > 1:
            start = [part[index * D : (index + 1) * D] for part in state]
            matrices = weights[index * per_layer : (index + 1) * per_layer]
            if index > 0 and stack.dropout:
                x = F.dropout(x, stack.dropout, training)
        if options.input_dropout:
            x = drop_features(x, options.input_dropout, layout, rows)
        save = tracing or (
            saving and any(tensor.requires_grad for tensor in (x, *start, *matrices))
        )
        if save:
            x, start = _kept(x, start, turned=index == 0 and layout == "BTI")
        seed = None if seeds is None else seeds[index]
        if traced:
            x, final = library.layer(stack, layout, x, start, matrices, rows, seed, save)
            last.append(tuple(final))
            continue
        spec = stack.layer(layout, x.size(-1), matrices)
        call = LayerCall(spec, x, start, matrices, rows, seed)
        if start or rows is not None:
            call.check()
        if save:
            x, *final = autograd.differentiable(call, x, *start, *matrices)
        elif profiler._is_profiler_enabled:
            with profiler.record_function(f"carousel::layer {stack.mode}"):
                x, final, _ = native.forward(spec, x, rows, start, matrices, False, seed)
        else:
            x, final, _ = native.forward(spec, x, rows, start, matrices, False, seed)
        last.append(tuple(final))
    if options.output_dropout:
        x = drop_features(x, options.output_dropout, layout, rows)
    final_state = last[0]
    if L > 1:
        final_state = tuple(torch.cat(parts) for parts in zip(*last, strict=True))
    if plain:
        return x, final_state
    return autocast.lowered(stack, rows is None, given, x, final_state)


def run_packed(
    stack: StackSpec, packed: PackedSequence, state: State, weights: list[Tensor], training: bool
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


def make_stepper(stack: StackSpec, watch: Watch, state: State) -> Stepper:
    """The stack fed one step at a time, from a state (copied); float32 tensors on the CPU."""
    weights = watch.weights
    per_layer = len(weights) // stack.num_layers
    parts = [weights[index * per_layer :][:per_layer] for index in range(stack.num_layers)]
    layers = [stack.layer("TBI", part[0].size(1), part) for part in parts]
    return Stepper(layers, watch, state)


def _sorted(lengths: Tensor) -> Lengths:
    sorted_lengths, order = torch.sort(lengths.to("cpu", torch.int64), descending=True, stable=True)
    return Lengths(order, sorted_lengths)


def _kept(x: Tensor, state: list[Tensor], *, turned: bool) -> tuple[Tensor, list[Tensor]]:
    """Tensors of the caller's that backward reads: copies where torch's layers make some.

    turned: whether torch would turn x around, batch first, and so mind no change of the caller's.
    """
    if turned:
        x = x.clone()
    if torch.compiler.is_compiling():  # it traces with tensors of its own
        return x, state
    # Tensors made in inference mode cannot be kept as they are.
    x, *state = (part.clone() if part.is_inference() else part for part in (x, *state))
    return x, state


flops.register()
