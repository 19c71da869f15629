"""The backward products of cells without a recurrent one, such as minGRU and SRU.

The compiled backward pass leaves the gradients of the sums W_ih x + b_ih; the products with them
are torch's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from carousel.kernels.layer_spec import Lengths


def products(
    layout: str,
    lengths: Lengths | None,
    x: Tensor,
    da: Tensor,
    weight: Tensor,
    d_weights: Sequence[Tensor],
    bias: bool,
    dx: Tensor | None,
    add_to_dx: bool,
) -> None:
    """Gradients of W_ih, b_ih and x, into `d_weights` and `dx`, from `da`, those of the sums.

    da: like x with G * H features, and where inputs skip the gates as they are, their gradient;
        what stands there past the end of a row is never read.
    """
    rows, da = x.flatten(0, -2), da.flatten(0, -2)
    real = None if lengths is None or layout == "packed" else _real_rows(layout, lengths, x)
    if real is not None:
        rows, da = rows[real], da[real]
    da, skipping = da[:, : len(weight)], da[:, len(weight) :]
    torch.mm(da.T, rows, out=d_weights[0])
    if bias:
        torch.sum(da[:, : len(d_weights[-1])], 0, out=d_weights[-1])
    if dx is None:
        return
    flat = dx.view(-1, dx.size(-1))
    if real is not None:
        if not add_to_dx:
            flat.zero_()
        flat.index_add_(
            0, real, torch.addmm(skipping, da, weight) if skipping.numel() else da @ weight
        )
    elif add_to_dx:
        flat.addmm_(da, weight)
        if skipping.numel():
            flat.add_(skipping)
    elif skipping.numel():
        torch.addmm(skipping, da, weight, out=flat)
    else:
        torch.mm(da, weight, out=flat)


def _real_rows(layout: str, lengths: Lengths, x: Tensor) -> Tensor:
    """Rows of x, flattened, that are not padding."""
    by_row = torch.empty_like(lengths.sorted).scatter_(0, lengths.order, lengths.sorted)
    steps = torch.arange(x.size(0 if layout == "TBI" else 1))
    real = steps[:, None] < by_row if layout == "TBI" else steps < by_row[:, None]
    return real.flatten().nonzero().squeeze(1)
