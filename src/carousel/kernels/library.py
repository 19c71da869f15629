"""The compiled kernels as operators of torch: `torch.ops.carousel.layer` and its backward.

Operators, so that `torch.compile`, `torch.export` and whatever else traces torch see one node with
known shapes. A second derivative is taken through the oracle (`carousel.cells`), whose operations
are differentiable any number of times.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from carousel.kernels import native
from carousel.kernels.native import Layer, Lengths

# torch leaves these functions untyped.
_library: Any = torch.library.Library("carousel", "DEF")  # type: ignore[no-untyped-call]
_CONTIGUOUS = torch.contiguous_format  # of all results, whatever the strides of the operands
_LENGTHS = "Tensor? order, Tensor? lengths, Tensor? steps"
_KIND = "str mode, str layout, bool bidirectional, int checkpoint_every"
_library.define(
    f"layer(Tensor x, Tensor[] state, Tensor[] weights, {_LENGTHS}, {_KIND}, bool save) "
    "-> (Tensor y, Tensor[] final, Tensor saved)"
)
_library.define(
    f"layer_backward(Tensor x, Tensor[] state, Tensor[] weights, {_LENGTHS}, {_KIND}, "
    "Tensor y, Tensor saved, Tensor? dy, Tensor? dhn, Tensor? dcn, bool want_dx) "
    "-> (Tensor dx, Tensor[] d_state, Tensor[] d_weights)"
)

# Given x, state, weights, lengths and what says the kind, the same layer by the oracle; set by
# carousel.kernels.native_path, which knows how to run it.
Oracle = Callable[..., tuple[Tensor, tuple[Tensor, ...]]]
oracle: Oracle | None = None


def _lengths(order: Tensor | None, sorted: Tensor | None, steps: Tensor | None) -> Lengths | None:
    return None if order is None or sorted is None else Lengths(order, sorted, steps)


def _check(layer: Layer, x: Tensor, lengths: Lengths | None) -> None:
    """Memory is at stake: nobody else has looked at lengths from a compiled program, or at what a
    `PackedSequence` says of itself."""
    if lengths is None or x.numel() == 0:
        return
    if layer.layout == "packed":
        _check_packed(x, lengths)
        return
    steps, rows = layer.steps_and_rows(x, lengths)
    if len(lengths.sorted) != rows:
        raise ValueError(f"lengths must be {rows} numbers, got {len(lengths.sorted)}")
    longest, shortest = int(lengths.sorted[0]), int(lengths.sorted[-1])
    if shortest < 0 or longest > steps:
        raise ValueError(
            f"lengths must lie between 0 and the {steps} steps of the input; got "
            f"{shortest} to {longest}"
        )


def _check_packed(x: Tensor, lengths: Lengths) -> None:
    assert lengths.steps is not None
    steps, rows = len(lengths.steps), len(lengths.sorted)
    if rows and steps == int(lengths.sorted[0]) and int(lengths.sorted[-1]) > 0:
        ended = torch.bincount(lengths.sorted, minlength=steps + 1).cumsum(0)
        batch_sizes = rows - ended[:steps]
        before = batch_sizes.cumsum(0) - batch_sizes
        if torch.equal(before, lengths.steps) and int(lengths.sorted.sum()) == x.size(0):
            return
    raise RuntimeError(
        "PackedSequence: batch_sizes must be positive, must not grow, and must add up to the "
        f"{x.size(0)} rows of data"
    )


@torch.library.impl(_library, "layer", "CPU")
def _layer(
    x: Tensor,
    state: list[Tensor],
    weights: list[Tensor],
    order: Tensor | None,
    lengths: Tensor | None,
    steps: Tensor | None,
    mode: str,
    layout: str,
    bidirectional: bool,
    checkpoint_every: int,
    save: bool,
) -> tuple[Tensor, list[Tensor], Tensor]:
    layer = Layer.of(mode, layout, bidirectional, weights, checkpoint_every)
    rows = _lengths(order, lengths, steps)
    _check(layer, x, rows)
    y, final, saved = native.forward(layer, x, rows, tuple(state), weights, save)
    return y, list(final), saved


@torch.library.impl(_library, "layer_backward", "CPU")
def _layer_backward(
    x: Tensor,
    state: list[Tensor],
    weights: list[Tensor],
    order: Tensor | None,
    lengths: Tensor | None,
    steps: Tensor | None,
    mode: str,
    layout: str,
    bidirectional: bool,
    checkpoint_every: int,
    y: Tensor,
    saved: Tensor,
    dy: Tensor | None,
    dhn: Tensor | None,
    dcn: Tensor | None,
    want_dx: bool,
) -> tuple[Tensor, list[Tensor], list[Tensor]]:
    layer = Layer.of(mode, layout, bidirectional, weights, checkpoint_every)
    dx, d_state, d_weights = native.backward(
        layer,
        x,
        _lengths(order, lengths, steps),
        tuple(state),
        weights,
        y,
        saved,
        dy,
        (dhn, dcn)[: len(state)],
        want_dx,
    )
    return x.new_empty(0) if dx is None else dx, list(d_state), d_weights


@torch.library.register_fake("carousel::layer", lib=_library)  # type: ignore[untyped-decorator]
def _layer_fake(
    x: Tensor,
    state: list[Tensor],
    weights: list[Tensor],
    order: Tensor | None,
    lengths: Tensor | None,
    steps: Tensor | None,
    mode: str,
    layout: str,
    bidirectional: bool,
    checkpoint_every: int,
    save: bool,
) -> tuple[Tensor, list[Tensor], Tensor]:
    layer = Layer.of(mode, layout, bidirectional, weights, checkpoint_every)
    y = x.new_empty((*x.shape[:-1], layer.directions * layer.outputs))
    saved = x.new_empty(0)
    if save:
        T, B = layer.steps_and_rows(x, _lengths(order, lengths, steps))
        saved = x.new_empty((layer.directions, native.saved_floats(layer, T, B)))
    return y, [torch.empty_like(part, memory_format=_CONTIGUOUS) for part in state], saved


@torch.library.register_fake("carousel::layer_backward", lib=_library)  # type: ignore[untyped-decorator]
def _layer_backward_fake(
    x: Tensor, state: list[Tensor], weights: list[Tensor], *rest: Any
) -> tuple[Tensor, list[Tensor], list[Tensor]]:
    dx = x.new_empty(x.shape if rest[-1] else 0)
    d_state = [torch.empty_like(part, memory_format=_CONTIGUOUS) for part in state]
    return dx, d_state, [torch.empty_like(w, memory_format=_CONTIGUOUS) for w in weights]


def _setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Any, ...]) -> None:
    x, state, weights, order, lengths, steps, *kind, _ = inputs
    y, _, saved = output
    ctx.save_for_backward(x, *state, *weights, order, lengths, steps, y, saved)
    ctx.kind = tuple(kind)
    ctx.states = len(state)
    ctx.set_materialize_grads(False)


def _backward(
    ctx: Any, dy: Tensor | None, d_final: list[Tensor | None], _: Tensor | None
) -> tuple[Any, ...]:
    x, *rest, order, lengths, steps, y, saved = ctx.saved_tensors
    state, weights = rest[: ctx.states], rest[ctx.states :]
    want_dx = ctx.needs_input_grad[0]
    unused = (None,) * 8
    if torch.is_grad_enabled():  # somebody wants to differentiate once more
        d = _differentiable(ctx, x, state, weights, order, lengths, steps, dy, d_final)
        return d[0], list(d[1 : 1 + ctx.states]), list(d[1 + ctx.states :]), *unused
    dhn, dcn = (*d_final, None)[:2]
    dx, d_state, d_weights = torch.ops.carousel.layer_backward(
        x, state, weights, order, lengths, steps, *ctx.kind, y, saved, dy, dhn, dcn, want_dx
    )
    return dx if want_dx else None, d_state, d_weights, *unused


def _differentiable(
    ctx: Any,
    x: Tensor,
    state: list[Tensor],
    weights: list[Tensor],
    order: Tensor | None,
    lengths: Tensor | None,
    steps: Tensor | None,
    dy: Tensor | None,
    d_final: list[Tensor | None],
) -> tuple[Tensor | None, ...]:
    assert oracle is not None
    rows = _lengths(order, lengths, steps)
    y, final = oracle(x, tuple(state), weights, rows, *ctx.kind)
    pairs = [
        (result, gradient)
        for result, gradient in zip((y, *final), (dy, *d_final), strict=True)
        if gradient is not None
    ]
    inputs = [x, *state, *weights]
    wanted = [tensor for tensor in inputs if tensor.requires_grad]
    gradients = iter(
        torch.autograd.grad(
            [result for result, _ in pairs],
            wanted,
            [gradient for _, gradient in pairs],
            create_graph=True,
            allow_unused=True,
        )
    )
    return tuple(next(gradients) if tensor.requires_grad else None for tensor in inputs)


torch.library.register_autograd(
    "carousel::layer", _backward, setup_context=_setup_context, lib=_library
)
