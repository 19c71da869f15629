"""The compiled kernels as operators of torch: `torch.ops.carousel.layer` and its backward.

Operators, so that `torch.compile`, `torch.export` and whatever else traces torch see one node with
known shapes. A second derivative is taken through the oracle (`carousel.cells`), whose operations
are differentiable any number of times.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd import profiler

from carousel.kernels import native
from carousel.kernels.native import Layer, Lengths
from carousel.kernels.options import Options
from carousel.kernels.watch import apart

# torch leaves these functions untyped.
_library: Any = torch.library.Library("carousel", "DEF")  # type: ignore[no-untyped-call]
_CONTIGUOUS = torch.contiguous_format  # of all results, whatever the strides of the operands
_CALL = (
    "Tensor x, Tensor[] state, Tensor[] weights, Tensor? order, Tensor? lengths, Tensor? steps, "
    "Tensor? seed, str mode, str layout, bool bidirectional, int checkpoint_every, "
    "str options, float[] rates"
)
_library.define(f"layer({_CALL}, bool save) -> (Tensor y, Tensor[] final, Tensor saved)")
_library.define(
    f"layer_backward({_CALL}, Tensor y, Tensor saved, "
    "Tensor? dy, Tensor? dhn, Tensor? dcn, bool want_dx) "
    "-> (Tensor dx, Tensor[] d_state, Tensor[] d_weights)"
)


class Call(NamedTuple):
    """What both operators are given: one layer, all its directions, on a batch.

    order, lengths, steps: see `Lengths`; None where all rows are of one length. seed: (D,) int64,
    of the masks, or None. options, rates: `text` and `rates` of `Options`; "" and [] where plain.
    """

    x: Tensor
    state: list[Tensor]
    weights: list[Tensor]
    order: Tensor | None
    lengths: Tensor | None
    steps: Tensor | None
    seed: Tensor | None
    mode: str
    layout: str
    bidirectional: bool
    checkpoint_every: int
    options: str
    rates: list[float]

    @property
    def layer(self) -> Layer:
        return Layer.of(
            self.mode,
            self.layout,
            self.bidirectional,
            self.weights,
            self.checkpoint_every,
            Options.parse(self.options, self.rates),
        )

    @property
    def rows(self) -> Lengths | None:
        if self.order is None or self.lengths is None:
            return None
        return Lengths(self.order, self.lengths, self.steps)


ARGUMENTS = len(Call._fields)
_PLAIN = (Tensor, torch.nn.Parameter)

# The same layer by the oracle: the output and the final state; set by
# carousel.kernels.native_path, which knows how to run it.
Oracle = Callable[[Call], tuple[Tensor, tuple[Tensor, ...]]]
oracle: Oracle | None = None


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
def _layer(*arguments: Any) -> tuple[Tensor, list[Tensor], Tensor]:
    call, (save,) = Call(*arguments[:ARGUMENTS]), arguments[ARGUMENTS:]
    layer, rows = call.layer, call.rows
    _check(layer, call.x, rows)
    y, final, saved = native.forward(
        layer, call.x, rows, tuple(call.state), call.weights, save, call.seed
    )
    return y, list(final), saved


@torch.library.impl(_library, "layer_backward", "CPU")
def _layer_backward(*arguments: Any) -> tuple[Tensor, list[Tensor], list[Tensor]]:
    call, (y, saved, dy, dhn, dcn, want_dx) = Call(*arguments[:ARGUMENTS]), arguments[ARGUMENTS:]
    dx, d_state, d_weights = native.backward(
        call.layer,
        call.x,
        call.rows,
        tuple(call.state),
        call.weights,
        y,
        saved,
        dy,
        (dhn, dcn)[: len(call.state)],
        want_dx,
        call.seed,
    )
    return call.x.new_empty(0) if dx is None else dx, list(d_state), d_weights


@torch.library.register_fake("carousel::layer", lib=_library)  # type: ignore[untyped-decorator]
def _layer_fake(*arguments: Any) -> tuple[Tensor, list[Tensor], Tensor]:
    call, (save,) = Call(*arguments[:ARGUMENTS]), arguments[ARGUMENTS:]
    layer, x = call.layer, call.x
    y = x.new_empty((*x.shape[:-1], layer.directions * layer.outputs))
    saved = x.new_empty(0)
    if save:
        T, B = layer.steps_and_rows(x, call.rows)
        saved = x.new_empty((layer.directions, native.saved_floats(layer, T, B)))
    final = [torch.empty_like(part, memory_format=_CONTIGUOUS) for part in call.state]
    return y, final, saved


@torch.library.register_fake("carousel::layer_backward", lib=_library)  # type: ignore[untyped-decorator]
def _layer_backward_fake(*arguments: Any) -> tuple[Tensor, list[Tensor], list[Tensor]]:
    call, want_dx = Call(*arguments[:ARGUMENTS]), arguments[-1]
    dx = call.x.new_empty(call.x.shape if want_dx else 0)
    d_state = [torch.empty_like(part, memory_format=_CONTIGUOUS) for part in call.state]
    return dx, d_state, [torch.empty_like(w, memory_format=_CONTIGUOUS) for w in call.weights]


class _Layer(torch.autograd.Function):
    """The same as the operator, for calls that nobody traces.

    Applied to the call, and to its floating tensors once more, one by one: autograd looks at those.
    """

    @staticmethod
    def forward(ctx: Any, call: Call, *_: Tensor) -> tuple[Tensor, ...]:
        layer, rows = call.layer, call.rows
        _check(layer, call.x, rows)
        y, final, saved = native.forward(
            layer, call.x, rows, tuple(call.state), call.weights, True, call.seed
        )
        # The caller may change what he got, as with torch's layers.
        _keep(ctx, call, apart(y), saved)
        return y, *final

    @staticmethod
    def backward(ctx: Any, dy: Tensor | None, *d_final: Tensor | None) -> tuple[Any, ...]:
        return None, *_gradients(ctx, dy, d_final, ctx.needs_input_grad[1], _layer_backward)


# To be called with what `_Layer.forward` takes. The operator serves who traces; elsewhere what
# torch.library does around an operator takes as long as a small layer.
differentiable: Any = _Layer.apply


def infer(call: Call) -> tuple[Tensor, tuple[Tensor, ...]]:
    """The output and final states of one layer, in calls nobody traces or differentiates."""
    layer, rows, state = call.layer, call.rows, tuple(call.state)
    _check(layer, call.x, rows)
    if profiler._is_profiler_enabled:
        with profiler.record_function(f"carousel::layer {call.mode}"):
            return native.forward(layer, call.x, rows, state, call.weights, False, call.seed)[:2]
    return native.forward(layer, call.x, rows, state, call.weights, False, call.seed)[:2]


def is_traced(call: Call) -> bool:
    """Whether somebody looks at the call's operators, so that it has to be one."""
    return (
        torch.compiler.is_compiling()
        or torch._C._len_torch_dispatch_stack() > 0
        or torch._C._get_tracing_state() is not None
        or any(type(part) not in _PLAIN for part in (call.x, *call.state, *call.weights))
    )


def _keep(ctx: Any, call: Call, y: Tensor, saved: Tensor) -> None:
    tensors = (call.order, call.lengths, call.steps, call.seed, y, saved)
    ctx.save_for_backward(call.x, *call.state, *call.weights, *tensors)
    ctx.kind = call[7:]
    ctx.states = len(call.state)
    ctx.set_materialize_grads(False)


def _gradients(
    ctx: Any,
    dy: Tensor | None,
    d_final: Sequence[Tensor | None],
    want_dx: bool,
    backward: Callable[..., Any],
) -> tuple[Tensor | None, ...]:
    """Of x, the states and the weights. backward: the operator, or what implements it."""
    x, *rest, order, lengths, steps, seed, y, saved = ctx.saved_tensors
    state, weights = rest[: ctx.states], rest[ctx.states :]
    call = Call(x, state, weights, order, lengths, steps, seed, *ctx.kind)
    # Somebody wants to differentiate once more; or gradients come in batches, as torch.vmap makes
    # them, which have rules for torch's operators.
    if torch.is_grad_enabled() or any(map(_is_batched, (dy, *d_final))):
        return _differentiable(call, (dy, *d_final))
    dhn, dcn = (*d_final, None)[:2]
    dx, d_state, d_weights = backward(*call, y, saved, dy, dhn, dcn, want_dx)
    return dx if want_dx else None, *d_state, *d_weights


def _is_batched(gradient: Tensor | None) -> bool:
    asked = torch._C._functorch
    return gradient is not None and (
        asked.is_batchedtensor(gradient) or asked.is_legacy_batchedtensor(gradient)
    )


def _setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Any, ...]) -> None:
    y, _, saved = output
    _keep(ctx, Call(*inputs[:ARGUMENTS]), y.clone(), saved)  # tracers know no `apart`


def _backward(
    ctx: Any, dy: Tensor | None, d_final: list[Tensor | None], _: Tensor | None
) -> tuple[Any, ...]:
    operator = torch.ops.carousel.layer_backward
    dx, *d = _gradients(ctx, dy, d_final, ctx.needs_input_grad[0], operator)
    # torch takes an empty list for one of tensors, and wants its gradients as a list.
    rates = ctx.kind[-1]
    unused: tuple[Any, ...] = (*(None,) * (ARGUMENTS - 4), None if rates else [], None)
    return dx, d[: ctx.states], d[ctx.states :], *unused


def _differentiable(call: Call, d_results: tuple[Tensor | None, ...]) -> tuple[Tensor | None, ...]:
    assert oracle is not None
    again = torch.is_grad_enabled()
    with torch.enable_grad():
        y, final = oracle(call)
    pairs = [
        (result, gradient)
        for result, gradient in zip((y, *final), d_results, strict=True)
        if gradient is not None
    ]
    inputs = [call.x, *call.state, *call.weights]
    wanted = [tensor for tensor in inputs if tensor.requires_grad]
    gradients = iter(
        torch.autograd.grad(
            [result for result, _ in pairs],
            wanted,
            [gradient for _, gradient in pairs],
            create_graph=again,
            allow_unused=True,
        )
    )
    return tuple(next(gradients) if tensor.requires_grad else None for tensor in inputs)


torch.library.register_autograd(
    "carousel::layer", _backward, setup_context=_setup_context, lib=_library
)
