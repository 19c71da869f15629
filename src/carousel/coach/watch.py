"""Looks over the shoulder of a model: what its recurrent layers read and gave in one call."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pad_packed_sequence

from carousel.cells.states import states_of
from carousel.coach.traces import recurrent_layers


@dataclass
class Call:
    """One call of a recurrent layer: what it read, and the gradients of what it gave.

    x in the layer's layout; lengths (B,) or None. y: dL/d(output), states: dL/d(final states),
    None as long as no gradient has come or where the loss does not depend on them.
    """

    name: str
    layer: nn.Module
    x: Tensor
    hx: Any
    lengths: Tensor | None
    outputs: tuple[Tensor, ...] = ()
    gradients: dict[int, Tensor] = field(default_factory=dict)

    @property
    def steps(self) -> int:
        return self.x.size(1 if self.layer.batch_first else 0) if self.x.dim() == 3 else len(self.x)


@contextmanager
def in_evaluation(model: nn.Module) -> Iterator[None]:
    """Put a model into evaluation mode, and each of its modules back into its own at the end."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training


@contextmanager
def watch(model: nn.Module) -> Iterator[list[Call]]:
    """The calls of recurrent layers inside the block, in order, with their gradients as they come.

    The model computes what it would have computed, on the path that it would have taken.

    >>> layer = nn.LSTM(3, 5)
    >>> with watch(layer) as calls:
    ...     layer(torch.randn(7, 2, 3))[0].sum().backward()
    >>> calls[0].steps, tuple(calls[0].gradients[0].shape)
    (7, (7, 2, 5))
    """
    calls: list[Call] = []
    handles = [
        layer.register_forward_hook(_note(calls, name), with_kwargs=True)
        for name, layer in recurrent_layers(model)
    ]
    try:
        yield calls
    finally:
        for handle in handles:
            handle.remove()


def _note(calls: list[Call], name: str) -> Any:
    def note(layer: nn.Module, args: Any, kwargs: dict[str, Any], result: Any) -> None:
        given = dict(zip(("input", "hx", "lengths"), args, strict=False)) | kwargs
        x, lengths = given["input"], given.get("lengths")
        if lengths is not None:
            lengths = torch.as_tensor(lengths)
        if isinstance(x, PackedSequence):
            x, lengths = pad_packed_sequence(x, batch_first=bool(layer.batch_first))
        hx = given.get("hx")
        call = Call(name, layer, x.detach(), _detached(hx), lengths)
        y, state = result
        call.outputs = (y.data if isinstance(y, PackedSequence) else y, *states_of(state))
        for index, tensor in enumerate(call.outputs):
            if tensor.requires_grad:
                hook = _keep(call.gradients, index, y, bool(layer.batch_first))
                tensor.register_hook(hook)  # type: ignore[no-untyped-call]
        calls.append(call)

    return note


def _keep(
    gradients: dict[int, Tensor], index: int, y: Tensor | PackedSequence, batch_first: bool
) -> Any:
    # A hook that held the output, or the call that does, would keep the graph of the whole forward
    # pass for ever: autograd's part of that circle is hidden from Python's collector.
    packing = y[1:] if index == 0 and isinstance(y, PackedSequence) else None

    def hook(gradient: Tensor | None) -> None:
        if gradient is None:  # the loss does not depend on it
            return
        if packing is not None:
            packed = PackedSequence(gradient, *packing)
            gradient, _ = pad_packed_sequence(packed, batch_first=batch_first)
        gradients[index] = gradient.detach()

    return hook


def _detached(hx: Any) -> Any:
    if hx is None:
        return None
    return tuple(part.detach() for part in states_of(hx))
