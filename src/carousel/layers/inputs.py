"""Checks of what a call of a layer is given beside its input."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from carousel import kernels


def checked_lengths(lengths: Tensor | Sequence[int], x: Tensor, batch_first: bool) -> Tensor:
    """The lengths of a padded batch as a tensor; raises ValueError if they do not fit."""
    rows, steps = (x.size(0), x.size(1)) if batch_first else (x.size(1), x.size(0))
    if not isinstance(lengths, Tensor):
        lengths = torch.as_tensor(lengths)
    kind = lengths.dtype
    if kind.is_floating_point or kind.is_complex or kind == torch.bool:
        raise ValueError(f"lengths must be integers, got {lengths.dtype}")
    if lengths.shape != (rows,):
        raise ValueError(
            f"lengths must have one entry per row, shape ({rows},); got {tuple(lengths.shape)}"
        )
    # A traced program has no values yet to look at: the operator looks when it runs.
    traced = torch.compiler.is_compiling() or kernels.is_tracing()
    if not traced and steps == 0:  # as torch.nn's layers say it, not its packing
        raise RuntimeError("Expected sequence length to be larger than 0 in RNN, got 0 steps")
    if rows and not traced and (int(lengths.min()) < 0 or int(lengths.max()) > steps):
        raise ValueError(
            f"lengths must lie between 0 and the {steps} steps of the input; got "
            f"{int(lengths.min())} to {int(lengths.max())}"
        )
    return lengths
