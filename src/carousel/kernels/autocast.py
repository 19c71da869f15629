"""Types of results under autocast: those of torch's layers. The kernels compute in float32, but for
their products (see `carousel.kernels.products.lowers`).

torch's types follow from which of its operators lower what: a layer in torch's order of promotion.
"""

from __future__ import annotations

import torch
from torch import Tensor

from carousel.kernels.paths import StackSpec, State


def lowered(
    stack: StackSpec, whole: bool, given: State, y: Tensor, last: State
) -> tuple[Tensor, State]:
    """The output and final state in the types that torch's layer gives them.

    whole: whether all rows are of one length, not packed. given: the initial state as it came. Of
    cells that torch lacks: as they are, float32.
    """
    if not torch.is_autocast_enabled("cpu") or not stack.cell.in_torch:
        return y, last
    low = torch.get_autocast_dtype("cpu")
    kinds: tuple[torch.dtype, ...]
    if stack.mode == "LSTM" and not (whole and not stack.proj_size):
        # The cell is a sum with the one before; h is a product with it, or lowered by W_hr.
        cell = given[1].dtype
        kinds = (low if stack.proj_size else cell, cell)
    elif stack.mode == "GRU":  # a sum with the state before
        kinds = (given[0].dtype,)
    else:  # oneDNN's LSTM, and an RNN, lower all
        kinds = (low,) * len(last)
    return y.to(kinds[0]), tuple(part.to(kind) for part, kind in zip(last, kinds, strict=True))
