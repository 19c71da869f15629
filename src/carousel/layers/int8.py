"""Recurrent layers in eight bits inside a model: ranges of inputs, and calls with them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from carousel import kernels
from carousel.layers.base import Recurrent
from carousel.layers.inputs import checked_lengths

Largest = NDArray[np.float32]


def recurrent_layers(model: nn.Module) -> list[Recurrent]:
    """The layers of a model that can be computed in eight bits. Raises ValueError where there are
    none, and, with the reason, for one that has no form in eight bits."""
    layers = [module for module in model.modules() if isinstance(module, Recurrent)]
    if not layers:
        raise ValueError(f"int8: {type(model).__name__} holds no carousel layer")
    for layer in layers:
        kernels.check_int8(layer.stack())
    return layers


@contextmanager
def noting_ranges(layers: Sequence[Recurrent]) -> Iterator[list[Largest]]:
    """The largest |input| of each feature, layer by layer, over all calls made inside; they are
    complete at the end of the block."""
    found = [np.zeros(layer.input_size, np.float32) for layer in layers]

    def note(index: int) -> Any:
        def look(module: nn.Module, args: tuple[Any, ...]) -> None:
            x: Tensor = args[0]
            data = (x.data if isinstance(x, PackedSequence) else x).detach()
            if data.numel():
                largest = data.reshape(-1, data.size(-1)).abs().amax(0).float().cpu().numpy()
                np.maximum(found[index], largest, out=found[index])

        return look

    hooks = [layer.register_forward_pre_hook(note(i)) for i, layer in enumerate(layers)]
    try:
        yield found
    finally:
        for hook in hooks:
            hook.remove()


class Int8Call:
    """A layer's `forward` in eight bits, on padded batches, without gradients."""

    def __init__(self, layer: Recurrent, largest: Largest) -> None:
        self.layer, self.saturated, self.inputs = layer, 0, 0
        self.stack = kernels.Int8Stack(layer.stack(), layer.weights(), largest)

    @torch.no_grad()
    def __call__(
        self, input: Tensor, hx: Any = None, lengths: Tensor | Sequence[int] | None = None
    ) -> tuple[Tensor, Any]:
        """Outputs and state of a batch, as the layer gives them."""
        layer = self.layer
        if not isinstance(input, Tensor) or input.dim() != 3:
            raise ValueError("int8 reads padded batches of 3 dimensions, with lengths=")
        state = layer.checked_state(input, hx)
        checked = None if lengths is None else checked_lengths(lengths, input, layer.batch_first)
        x = input.transpose(0, 1) if layer.batch_first else input
        y, state, outside = self.stack.run(x, state, checked)
        self.saturated += outside
        self.inputs += x.numel()
        y = y.transpose(0, 1) if layer.batch_first else y
        return y, state if len(state) > 1 else state[0]


@contextmanager
def computing_int8(
    layers: Sequence[Recurrent], ranges: Sequence[Largest]
) -> Iterator[list[Int8Call]]:
    """Compute every call of these layers in eight bits, inside the block."""
    calls = [Int8Call(layer, largest) for layer, largest in zip(layers, ranges, strict=True)]
    with replaced(calls):
        yield calls


@contextmanager
def replaced(calls: Sequence[Int8Call]) -> Iterator[None]:
    """These calls in place of their layers' own, inside the block."""
    before = [vars(call.layer).get("forward") for call in calls]
    for call in calls:
        vars(call.layer)["forward"] = call
    try:
        yield
    finally:
        for call, own in zip(calls, before, strict=True):
            del vars(call.layer)["forward"]
            if own is not None:
                vars(call.layer)["forward"] = own
