"""Cells that the kernels have in another form: all states of a unit of work as one state.

The LMU is linear but for its units' φ, so that one step is that of an RNN whose units are those of
h and the coefficients of m, with weights that follow from the LMU's: `CellSpec.joined` makes them,
by operations that torch differentiates.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from carousel.cells.table import SPECS
from carousel.kernels.options import Options
from carousel.kernels.paths import StackSpec, State

# What computes a stack of one layer: x, its state, weights, whether it trains, lengths.
Inner = Callable[..., tuple[Tensor, State]]

_JOINING = {spec.name: spec.function(spec.joined) for spec in SPECS if spec.joined}


def run(
    inner: Inner,
    stack: StackSpec,
    x: Tensor,
    state: State,
    weights: list[Tensor],
    training: bool,
    lengths: Any,
) -> tuple[Tensor, State]:
    """The stack, layer by layer: as `native_path.run`, which is `inner`."""
    one, joined = _single(stack), _JOINING[stack.cell.name]
    x, state = x.float(), tuple(part.float() for part in state)
    D, sizes = stack.directions, [part.size(-1) for part in state]
    each = len(weights) // (stack.num_layers * D)
    last: list[State] = []
    for index in range(stack.num_layers):
        if index > 0 and stack.dropout:
            x = F.dropout(x, stack.dropout, training)
        matrices = [
            matrix
            for d in range(index * D, (index + 1) * D)
            for matrix in joined(*[part.float() for part in weights[d * each : (d + 1) * each]])
        ]
        start = torch.cat([part[index * D : (index + 1) * D] for part in state], -1)
        y, (final,) = inner(one, x, (start,), matrices, training, lengths)
        by_direction = y.reshape(*y.shape[:-1], D, -1)[..., : sizes[0]]
        x = by_direction.flatten(-2).contiguous()
        last.append(tuple(part.contiguous() for part in torch.split(final, sizes, -1)))
    return x, tuple(torch.cat(parts) for parts in zip(*last, strict=True))


def _single(stack: StackSpec) -> StackSpec:
    """One layer of the cell that the kernels have."""
    mode = f"{stack.mode}_JOINED"
    described = (mode, stack.batch_first, stack.bidirectional, stack.options)
    if torch.compiler.is_compiling():  # which warns of what is remembered
        return _described(*described)
    return _remembered(*described)


def _described(mode: str, batch_first: bool, bidirectional: bool, options: Options) -> StackSpec:
    return StackSpec(mode, 1, True, batch_first, 0.0, bidirectional, 0, 0, options)


_remembered = functools.lru_cache(256)(_described)
