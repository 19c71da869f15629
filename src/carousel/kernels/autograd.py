"""Derivatives of a layer's call: the compiled backward pass, and the oracle where that ends."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from carousel.kernels import native
from carousel.kernels.layer_call import LayerCall
from carousel.kernels.layer_spec import Lengths
from carousel.kernels.oracle import by_cells
from carousel.kernels.products import in_float32
from carousel.kernels.watch import apart

Gradients = tuple[Tensor | None, Sequence[Tensor], Sequence[Tensor]]
# The backward pass: see `by_kernels`.
Backward = Callable[..., Gradients]
# The output and the final states of a call, by operations that torch differentiates.
Oracle = Callable[[LayerCall], tuple[Tensor, tuple[Tensor, ...]]]


class _Layer(torch.autograd.Function):
    """Counterpart of the operator for calls that nobody traces.

    Applied to the call, and to its floating tensors once more, one by one: autograd looks at those.
    """

    @staticmethod
    def forward(ctx: Any, call: LayerCall, *_: Tensor) -> tuple[Tensor, ...]:
        spec, x, state, weights, rows, seed = call
        y, final, saved = native.forward(spec, x, rows, state, weights, True, seed)
        # The caller may change what he got, as with torch's layers.
        keep(ctx, call, apart(y), saved)
        return y, *final

    @staticmethod
    def backward(ctx: Any, dy: Tensor | None, *d_final: Tensor | None) -> tuple[Any, ...]:
        dx, d_state, d_weights = gradients(
            ctx, dy, d_final, ctx.needs_input_grad[1], by_kernels, by_cells
        )
        return None, dx, *d_state, *d_weights


# To be called with what `_Layer.forward` takes. The operator serves who traces; elsewhere what
# torch.library does around an operator takes as long as a small layer.
differentiable: Any = _Layer.apply


def by_kernels(
    call: LayerCall,
    y: Tensor,
    saved: Tensor,
    dy: Tensor | None,
    dhn: Tensor | None,
    dcn: Tensor | None,
    want_dx: bool,
    dnn: Tensor | None = None,
    dmn: Tensor | None = None,
) -> Gradients:
    """The compiled backward pass, from the gradients of y and of the final states.

    saved: what the forward pass saved. want_dx: whether the gradient of x is wanted.
    """
    with in_float32():  # the kernels read what products of torch leave in memory
        return native.backward(
            call.spec,
            call.x,
            call.rows,
            call.state,
            call.weights,
            y,
            saved,
            dy,
            (dhn, dcn, dnn, dmn),
            want_dx,
            call.seed,
        )


def keep(ctx: Any, call: LayerCall, y: Tensor, saved: Tensor | None) -> None:
    """Keep in a context of torch's what the backward pass reads."""
    order, lengths, steps = (None, None, None) if call.rows is None else call.rows
    # Tensors by torch's own means, which see when one is changed, or would rather store it away.
    ctx.save_for_backward(
        y, saved, call.x, call.seed, order, lengths, steps, *call.state, *call.weights
    )
    ctx.spec, ctx.states = call.spec, len(call.state)
    ctx.set_materialize_grads(False)


def _kept(ctx: Any) -> tuple[LayerCall, Tensor, Tensor]:
    """The call, its output, and what the forward pass saved."""
    y, saved, x, seed, order, lengths, steps, *rest = ctx.saved_tensors
    rows = None if order is None else Lengths(order, lengths, steps)
    call = LayerCall(ctx.spec, x, rest[: ctx.states], rest[ctx.states :], rows, seed)
    return call, y, saved


def gradients(
    ctx: Any,
    dy: Tensor | None,
    d_final: Sequence[Tensor | None],
    want_dx: bool,
    backward: Backward,
    oracle: Oracle,
) -> tuple[Tensor | None, Sequence[Tensor | None], Sequence[Tensor | None]]:
    """Gradients of x, the states and the weights of the call that `keep` has kept."""
    call, y, saved = _kept(ctx)
    # Somebody wants to differentiate once more; or gradients come in batches, as torch.vmap makes
    # them, which have rules for torch's operators.
    if torch.is_grad_enabled() or any(map(_is_batched, (dy, *d_final))):
        found = _through(oracle, call, (dy, *d_final))
        return found[0], found[1 : 1 + ctx.states], found[1 + ctx.states :]
    dhn, dcn, *others = (*d_final, None)[: max(2, len(d_final))]
    dx, d_state, d_weights = backward(call, y, saved, dy, dhn, dcn, want_dx, *others)
    return dx if want_dx else None, d_state, d_weights


def _is_batched(gradient: Tensor | None) -> bool:
    asked = torch._C._functorch
    return gradient is not None and (
        asked.is_batchedtensor(gradient) or asked.is_legacy_batchedtensor(gradient)
    )


def _through(
    oracle: Oracle, call: LayerCall, d_results: tuple[Tensor | None, ...]
) -> tuple[Tensor | None, ...]:
    """Gradients of x, the states and the weights by the oracle, differentiable themselves."""
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
    found = iter(
        torch.autograd.grad(
            [result for result, _ in pairs],
            wanted,
            [gradient for _, gradient in pairs],
            create_graph=again,
            allow_unused=True,
        )
    )
    return tuple(next(found) if tensor.requires_grad else None for tensor in inputs)
