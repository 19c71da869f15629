"""FLOPs of our operators for torch's counter: products, as it counts those of torch's.

Every matrix of a layer is read once for each row of each step; backward reads it once more, and
makes its gradient. Points between the products are not counted: nor are torch's.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.utils.flop_counter import register_flop_formula

from carousel.kernels.layer_call import ARGUMENTS, LayerCall


def of_layer(*arguments: Any, **_: Any) -> int:
    """The forward pass, with the arguments of the operator."""
    call = LayerCall.parse(arguments[:ARGUMENTS], known=False)
    return 2 * _rows(call) * sum(_sizes(call))


def of_layer_backward(*arguments: Any, **_: Any) -> int:
    """The backward pass; without the gradient of the input where nobody wants it."""
    call, want_dx = LayerCall.parse(arguments[:ARGUMENTS], known=False), arguments[ARGUMENTS + 5]
    sizes, each = sum(_sizes(call)), len(call.weights) // call.spec.directions
    inputs = sizes
    if not call.spec.parallel or call.spec.cell.projects:  # whose matrices do not all multiply x
        inputs = sum(call.weights[index].numel() for index in range(0, len(call.weights), each))
    return 2 * _rows(call) * (2 * sizes - (0 if want_dx else inputs))


def _sizes(call: LayerCall) -> list[int]:
    return [weight.numel() for weight in call.weights if weight.dim() == 2]


def _rows(call: LayerCall) -> int:
    """Rows of all steps that are no padding, where their number is known."""
    packed = call.spec.layout == "packed"
    if call.rows is not None and not packed and type(call.rows.sorted) is Tensor:
        return int(call.rows.sorted.sum())
    return call.x.size(0) * (1 if packed else call.x.size(1))


def register() -> None:
    """Tell torch's counter of both operators."""
    register_flop_formula(torch.ops.carousel.layer, get_raw=True)(of_layer)
    register_flop_formula(torch.ops.carousel.layer_backward, get_raw=True)(of_layer_backward)
