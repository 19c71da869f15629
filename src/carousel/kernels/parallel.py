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
    from carousel.kernels.layer_spec import LayerSpec, Lengths


def products(
    spec: LayerSpec,
    lengths: Lengths | None,
    x: Tensor,
    da: Tensor,
    weights: Sequence[Tensor],
    d_weights: Sequence[Tensor],
    dx: Tensor | None,
    add_to_dx: bool,
) -> None:
    """Gradients of one direction's products with x, of b_ih and of x, into `d_weights` and `dx`.

    da: like x with the gradients of the sums W_ih x + b_ih, G * H features; where inputs skip the
        gates as they are, H of x itself; then of those with the further matrices of the inputs, one
        after the other; or the states that the outputs are a product of, 2 H. What stands there
        past the end of a row is never read.
    """
    rows, da = x.flatten(0, -2), da.flatten(0, -2)
    real = None
    if lengths is not None and spec.layout != "packed":
        real = _real_rows(spec.layout, lengths, x)
        rows, da = rows[real], da[real]
    first, rest = da[:, : len(weights[0])], da[:, len(weights[0]) :]
    torch.mm(first.T, rows, out=d_weights[0])
    skipping = spec.hidden_size if spec.direct else 0
    places, further = spec.cell.further_inputs, rest[:, skipping:]
    parts = torch.split(further, [len(weights[place]) for place in places], 1) if places else ()
    for place, part in zip(places, parts, strict=True):
        torch.mm(part.T, rows, out=d_weights[place])
    if spec.cell.projects:
        torch.mm(first[:, : spec.hidden_size].T, rest, out=d_weights[1])
        rest = rest[:, :0]
    if spec.bias:
        torch.sum(da[:, : len(d_weights[-1])], 0, out=d_weights[-1])
    if dx is None:
        return
    if places:
        rest = _to_inputs(rest[:, :skipping], [weights[place] for place in places], parts)
    flat = dx.view(-1, dx.size(-1))
    if real is not None:
        if not add_to_dx:
            flat.zero_()
        flat.index_add_(
            0, real, torch.addmm(rest, first, weights[0]) if rest.numel() else first @ weights[0]
        )
    elif add_to_dx:
        flat.addmm_(first, weights[0])
        if rest.numel():
            flat.add_(rest)
    elif rest.numel():
        torch.addmm(rest, first, weights[0], out=flat)
    else:
        torch.mm(first, weights[0], out=flat)


def _to_inputs(skipping: Tensor, matrices: Sequence[Tensor], parts: Sequence[Tensor]) -> Tensor:
    """Gradient of the inputs of further matrices, and of what skips the gates if that is there."""
    total = skipping if skipping.numel() else parts[0] @ matrices[0]
    there = 0 if skipping.numel() else 1
    for part, matrix in zip(parts[there:], matrices[there:], strict=True):
        total = torch.addmm(total, part, matrix)
    return total


def output_gradient(
    spec: LayerSpec,
    lengths: Lengths | None,
    x: Tensor,
    dy: Tensor | None,
    of_last: Tensor | None,
    direction: int,
    given: Tensor,
) -> None:
    """Gradient of what one direction gives out, into `given`, like x with H features: dy, and in
    the rows of the last steps that of the last output, which is one of those.

    of_last: (D, B, H), or None.
    """
    H = spec.hidden_size
    if dy is None:
        given.zero_()
    else:
        given.copy_(dy[..., direction * H : (direction + 1) * H])
    if of_last is None:
        return
    steps, rows = spec.steps_and_rows(x, lengths)
    if lengths is None:
        each, last = torch.arange(rows), torch.full((rows,), steps - 1)
    else:
        each, last = lengths.order[lengths.sorted > 0], lengths.sorted[lengths.sorted > 0] - 1
    if direction == 1:
        last = torch.zeros_like(last)
    if lengths is not None and lengths.steps is not None:
        place = lengths.steps[last] + each
    else:
        place = last * rows + each if spec.layout == "TBI" else each * steps + last
    given.view(-1, H).index_add_(0, place, of_last[direction][each])


def _real_rows(layout: str, lengths: Lengths, x: Tensor) -> Tensor:
    """Rows of x, flattened, that are not padding."""
    by_row = torch.empty_like(lengths.sorted).scatter_(0, lengths.order, lengths.sorted)
    steps = torch.arange(x.size(0 if layout == "TBI" else 1))
    real = steps[:, None] < by_row if layout == "TBI" else steps < by_row[:, None]
    return real.flatten().nonzero().squeeze(1)
