"""The compiled kernels as operators of torch: `torch.ops.carousel.layer` and its backward.

Operators, so that `torch.compile`, `torch.export` and whatever else traces torch see one node with
known shapes. What a cell does differently from torch's goes in as text and numbers.
"""

from __future__ import annotations

import functools
from typing import Any

import torch
from torch import Tensor

from carousel.kernels import autograd, native
from carousel.kernels.layer_call import ARGUMENTS, LayerCall
from carousel.kernels.layer_spec import Lengths
from carousel.kernels.oracle import by_cells
from carousel.kernels.paths import StackSpec

# torch leaves these functions untyped.
_library: Any = torch.library.Library("carousel", "DEF")  # type: ignore[no-untyped-call]
_CONTIGUOUS = torch.contiguous_format  # of all results, whatever the strides of the operands
# order, lengths, steps: see `Lengths`; None where all rows are of one length. options, rates:
# `text` and `rates` of `Options`; "" and [] are the plain ones, too.
_CALL = (
    "Tensor x, Tensor[] state, Tensor[] weights, Tensor? order, Tensor? lengths, Tensor? steps, "
    "Tensor? seed, str mode, str layout, bool bidirectional, int checkpoint_every, "
    "str options, float[] rates"
)
_library.define(f"layer({_CALL}, bool save) -> (Tensor y, Tensor[] final, Tensor saved)")
_library.define(
    f"layer_backward({_CALL}, Tensor y, Tensor saved, "
    "Tensor? dy, Tensor? dhn, Tensor? dcn, bool want_dx, Tensor? dnn=None, Tensor? dmn=None) "
    "-> (Tensor dx, Tensor[] d_state, Tensor[] d_weights)"
)
_PLAIN = (Tensor, torch.nn.Parameter)


def is_traced(x: Tensor, state: tuple[Tensor, ...], weights: list[Tensor]) -> bool:
    """True if somebody looks at the operators of a call, so that it has to be one."""
    return (
        torch.compiler.is_compiling()
        or torch._C._len_torch_dispatch_stack() > 0
        or torch._C._get_tracing_state() is not None
        or any(type(part) not in _PLAIN for part in (x, *state, *weights))
    )


def layer(
    stack: StackSpec,
    layout: str,
    x: Tensor,
    state: list[Tensor],
    weights: list[Tensor],
    rows: Lengths | None,
    seed: Tensor | None,
    save: bool,
) -> tuple[Tensor, list[Tensor]]:
    """One layer of a stack by the operator: its output and final states."""
    order = lengths = steps = None
    if rows is not None:
        order, lengths, steps = rows.order, rows.sorted, rows.steps
    y, final, _ = torch.ops.carousel.layer(
        x,
        state,
        weights,
        order,
        lengths,
        steps,
        seed,
        stack.mode,
        layout,
        stack.bidirectional,
        stack.checkpoint_every,
        stack.options.text,
        stack.options.rates,
        save,
    )
    return y, final


@torch.library.impl(_library, "layer", "CPU")
def _layer(*arguments: Any) -> tuple[Tensor, list[Tensor], Tensor]:
    call, (save,) = LayerCall.parse(arguments[:ARGUMENTS]), arguments[ARGUMENTS:]
    call.check()
    spec, x, state, weights, rows, seed = call
    y, final, saved = native.forward(spec, x, rows, state, weights, save, seed)
    return y, final, x.new_empty(0) if saved is None else saved


@torch.library.impl(_library, "layer_backward", "CPU")
def _layer_backward(*arguments: Any) -> tuple[Tensor, list[Tensor], list[Tensor]]:
    call, rest = LayerCall.parse(arguments[:ARGUMENTS]), arguments[ARGUMENTS:]
    dx, d_state, d_weights = autograd.by_kernels(call, *rest)
    return call.x.new_empty(0) if dx is None else dx, list(d_state), list(d_weights)


@torch.library.register_fake("carousel::layer", lib=_library)  # type: ignore[untyped-decorator]
def _layer_fake(*arguments: Any) -> tuple[Tensor, list[Tensor], Tensor]:
    call, (save,) = LayerCall.parse(arguments[:ARGUMENTS], known=False), arguments[ARGUMENTS:]
    spec, x = call.spec, call.x
    y = x.new_empty((*x.shape[:-1], spec.directions * spec.outputs))
    saved = x.new_empty(0)
    if save:
        T, B = spec.steps_and_rows(x, call.rows)
        saved = x.new_empty((spec.directions, native.saved_floats(spec, T, B)))
    final = [torch.empty_like(part, memory_format=_CONTIGUOUS) for part in call.state]
    return y, final, saved


@torch.library.register_fake("carousel::layer_backward", lib=_library)  # type: ignore[untyped-decorator]
def _layer_backward_fake(*arguments: Any) -> tuple[Tensor, list[Tensor], list[Tensor]]:
    x, state, weights, want_dx = *arguments[:3], arguments[ARGUMENTS + 5]
    dx = x.new_empty(x.shape if want_dx else 0)
    d_state = [torch.empty_like(part, memory_format=_CONTIGUOUS) for part in state]
    return dx, d_state, [torch.empty_like(w, memory_format=_CONTIGUOUS) for w in weights]


def _setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Any, ...]) -> None:
    y, _, saved = output
    call = LayerCall.parse(inputs[:ARGUMENTS], known=False)
    autograd.keep(ctx, call, y.clone(), saved)  # tracers know no `apart`
    # torch takes an empty list for one of tensors, and wants its gradients as a list.
    ctx.d_rates = None if inputs[ARGUMENTS - 1] else []


def _backward(
    oracle: autograd.Oracle,
    ctx: Any,
    dy: Tensor | None,
    d_final: list[Tensor | None],
    _: Tensor | None,
) -> tuple[Any, ...]:
    dx, d_state, d_weights = autograd.gradients(
        ctx, dy, d_final, ctx.needs_input_grad[0], _by_operator, oracle
    )
    others = (None,) * (ARGUMENTS - 4)  # of x, the states, the weights and the rates there are some
    return dx, list(d_state), list(d_weights), *others, ctx.d_rates, None


def _by_operator(call: LayerCall, *rest: Any) -> autograd.Gradients:
    found: autograd.Gradients = torch.ops.carousel.layer_backward(*call.arguments(), *rest)
    return found


torch.library.register_autograd(
    "carousel::layer",
    functools.partial(_backward, by_cells),
    setup_context=_setup_context,
    lib=_library,
)
