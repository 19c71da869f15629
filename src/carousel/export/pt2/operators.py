"""torch's recurrent operators kept whole while `torch.export` looks at them.

torch takes `aten.lstm.input` and its like apart, step by step in Python, as soon as it traces: the
program is then for so many steps alone. Only the shapes of its results are needed there; what is
computed is the operator itself, when the program runs.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

OPERATORS: dict[tuple[str, str], Any] = {
    ("lstm", "tanh"): torch.ops.aten.lstm.input,
    ("gru", "tanh"): torch.ops.aten.gru.input,
    ("rnn", "tanh"): torch.ops.aten.rnn_tanh.input,
    ("rnn", "relu"): torch.ops.aten.rnn_relu.input,
}
"""By the cell and its nonlinearity."""


@contextmanager
def kept_whole() -> Iterator[None]:
    """Inside the block, a trace sees each of these operators as one node."""
    before = [(operator, dict(operator.py_kernels)) for operator in OPERATORS.values()]
    try:
        for operator, kernels in before:
            for key in kernels:
                operator.py_kernels[key] = _shapes
            operator._dispatch_cache.clear()
        yield
    finally:
        for operator, kernels in before:
            operator.py_kernels.clear()
            operator.py_kernels.update(kernels)
            operator._dispatch_cache.clear()


def _shapes(
    x: Tensor,
    hx: Any,
    params: Any,
    has_biases: bool,
    num_layers: int,
    dropout: float,
    train: bool,
    bidirectional: bool,
    batch_first: bool,
) -> tuple[Tensor, ...]:
    """Tensors of the shapes that such an operator gives."""
    states = list(hx) if isinstance(hx, list | tuple) else [hx]
    width = states[0].shape[2] * (2 if bidirectional else 1)
    y = x.new_empty(x.shape[0], x.shape[1], width)
    return (y, *(torch.empty_like(state) for state in states))
