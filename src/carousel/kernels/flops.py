"""What torch's FLOP counter is told of our operators: products, as it counts those of torch's.

Every matrix of a layer is read once for each row of each step; backward reads it once more, and
makes its gradient. Points between the products are not counted: nor are torch's.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.utils.flop_counter import register_flop_formula

from carousel.kernels.library import ARGUMENTS, Call


def of_layer(*arguments: Any, **_: Any) -> int:
    """The forward pass, with the arguments of the operator."""
    call = Call(*arguments[:ARGUMENTS])
    return 2 * _rows(call) * sum(_sizes(call))


def of_layer_backward(*arguments: Any, **_: Any) -> int:
    """The backward pass; without the gradient of the input where nobody wants it."""
    call, want_dx = Call(*arguments[:ARGUMENTS]), arguments[ARGUMENTS + 5]
    each = len(call.weights) // (1 + call.bidirectional)
    inputs = sum(call.weights[index].numel() for index in range(0, len(call.weights), each))
    sizes = sum(_sizes(call))
    return 2 * _rows(call) * (2 * sizes - (0 if want_dx else inputs))


def _sizes(call: Call) -> list[int]:
    return [weight.numel() for weight in call.weights if weight.dim() == 2]


def _rows(call: Call) -> int:
    """Rows of all steps that are no padding, where their number is known."""
    if call.lengths is not None and call.layout != "packed" and type(call.lengths) is Tensor:
        return int(call.lengths.sum())
    return call.x.size(0) * (1 if call.layout == "packed" else call.x.size(1))


def register() -> None:
    """Tell torch's counter of both operators."""
    register_flop_formula(torch.ops.carousel.layer, get_raw=True)(of_layer)
    register_flop_formula(torch.ops.carousel.layer_backward, get_raw=True)(of_layer_backward)
