"""Layer normalisation of the sums inside a cell."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F


def normalized(
    a: Tensor, gain: Tensor, bias: Tensor | None = None, parts: Sequence[int] = ()
) -> Tensor:
    """LN(a; γ) + b = γ ⊙ (a - mean) / √(variance + 1e-5) + b, row by row.

    Shapes: a (B, N); gain γ (N,); bias b (N,) or None. parts: widths that add up to N, each
    normalised by itself; all N together if not given.
    Source: Ba et al. 2016, "Layer normalization" (arXiv:1607.06450).

    >>> normalized(torch.tensor([[1.0, 3.0, 4.0, 4.0]]), torch.ones(4), parts=(2, 2))
    tensor([[-1.0000,  1.0000,  0.0000,  0.0000]])
    """
    widths = list(parts) or [a.size(-1)]
    pieces = [F.layer_norm(part, part.shape[-1:], eps=1e-5) for part in torch.split(a, widths, -1)]
    y = gain * torch.cat(pieces, -1)
    return y if bias is None else y + bias
