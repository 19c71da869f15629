"""The functions that a cell may use for its candidate and its output, and for its gates."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

Function = Callable[[Tensor], Tensor]

# tanh; x / (1 + |x|); max(x, 0); min(max(x, -1), 1)
ACTIVATIONS: dict[str, Function] = {
    "tanh": torch.tanh,
    "softsign": F.softsign,
    "relu": torch.relu,
    "hard_tanh": F.hardtanh,
}


def hard_sigmoid(x: Tensor) -> Tensor:
    """min(max(x + 3, 0), 6) / 6, as `torch.nn.Hardsigmoid`, which has no second derivative."""
    return F.relu6(x + 3) / 6


GATE_ACTIVATIONS: dict[str, Function] = {"sigmoid": torch.sigmoid, "hard_sigmoid": hard_sigmoid}
