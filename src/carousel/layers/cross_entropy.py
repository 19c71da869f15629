"""Linear layer, softmax and cross-entropy in one, in bounded memory.

Over a vocabulary of V words, N tokens have N * V logits: for 700 tokens and 10,000 words 28 MB, and
autograd keeps them, their log-softmax and their gradient. Here rows are done a few at a time: the
logits of some rows, their losses, and at once what they add to the gradients. No more than 16 MB of
logits exist at once, or 16 rows of them; few logits are left to torch.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

# 16 MB of float32 logits: best where it was measured, from 400 to 4,096 rows, 200 to 650 units and
# 10,000 words. Smaller pieces read the weight, and add to its gradient, too often.
_CHUNK_ELEMENTS = 1 << 22
_FEW = 1 << 21


def linear_cross_entropy(
    x: Tensor, weight: Tensor, bias: Tensor | None, targets: Tensor, chunk: int = 0
) -> Tensor:
    r"""The summed loss of N tokens, Σ_n -log softmax(W x_n + b)[t_n], differentiable once.

    The gradients are computed with the loss: with d_n = softmax(W x_n + b) - onehot(t_n),
    dx_n = Wᵀ d_n, dW = Σ d_n x_nᵀ, db = Σ d_n.

    Shapes: x (..., H); weight (V, H); bias (V,) or None; targets (...), int64, of which negative
    ones are passed over. chunk: rows at a time; 0 chooses.
    Returns a scalar: divide it by the number of targets for the mean.

    >>> x, w, t = torch.randn(5, 3), torch.randn(7, 3), torch.tensor([0, 6, 2, -1, 1])
    >>> loss = linear_cross_entropy(x, w, None, t)
    >>> bool(torch.isclose(loss, torch.nn.functional.cross_entropy(
    ...     x @ w.T, t, reduction="sum", ignore_index=-1)))
    True
    """
    return smoothed_cross_entropy(x, weight, bias, targets, 0.0, chunk)[0]


def smoothed_cross_entropy(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    targets: Tensor,
    smoothing: float,
    chunk: int = 0,
) -> tuple[Tensor, Tensor]:
    r"""Cross entropy with a share ε of each target spread over all V words, and that without.

    With log p_n = log softmax(W x_n + b): Σ_n -(1 - ε) log p_n[t_n] - ε/V Σ_v log p_n[v], and
    Σ_n -log p_n[t_n], which has no gradient. d_n = p_n - (1 - ε) onehot(t_n) - ε/V. Source:
    Szegedy et al. 2016 (arXiv:1512.00567).

    Shapes as for `linear_cross_entropy`; smoothing: ε, at least 0 and below 1.

    >>> x, w, t = torch.randn(5, 3), torch.randn(7, 3), torch.tensor([0, 6, 2, -1, 1])
    >>> loss, plain = smoothed_cross_entropy(x, w, None, t, 0.1)
    >>> bool(torch.isclose(loss, torch.nn.functional.cross_entropy(
    ...     x @ w.T, t, reduction="sum", ignore_index=-1, label_smoothing=0.1)))
    True
    """
    rows, picked = _rows(x, weight, targets)
    if not chunk and len(rows) * len(weight) <= _FEW:
        logits = F.linear(rows, weight, bias)
        loss = F.cross_entropy(logits, picked, reduction="sum", label_smoothing=smoothing)
        if not smoothing:
            return loss, loss.detach()
        return loss, F.cross_entropy(logits.detach(), picked, reduction="sum")
    both: tuple[Tensor, Tensor] = _LinearCrossEntropy.apply(  # type: ignore[no-untyped-call]
        rows, weight, bias, picked, smoothing, chunk
    )
    return both


@torch.no_grad()
def token_losses(
    x: Tensor, weight: Tensor, bias: Tensor | None, targets: Tensor, chunk: int = 0
) -> Tensor:
    """The loss of each token whose target is not negative, in their order (n,); no gradient.

    Arguments as for `linear_cross_entropy`.
    """
    rows, picked = _rows(x, weight, targets)
    losses = rows.new_empty(len(rows))
    for part, logits in _chunks(rows, weight, bias, chunk):
        losses[part] = _softmax(logits, picked[part])
    return losses


def _rows(x: Tensor, weight: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    if x.shape[:-1] != targets.shape or x.size(-1) != weight.size(1):
        raise ValueError(
            f"x (..., H), weight (V, H) and targets (...) must agree; got {tuple(x.shape)}, "
            f"{tuple(weight.shape)} and {tuple(targets.shape)}"
        )
    rows, picked = x.reshape(-1, x.size(-1)).to(weight.dtype), targets.reshape(-1)
    keep = picked >= 0
    return (rows, picked) if bool(keep.all()) else (rows[keep], picked[keep])


def _chunks(rows: Tensor, weight: Tensor, bias: Tensor | None, chunk: int) -> Any:
    """(slice, logits of those rows); the logits share one buffer, valid until the next."""
    size = min(len(rows), chunk or _rows_at_a_time(len(rows), len(weight)))
    buffer = rows.new_empty(size, len(weight))
    for start in range(0, len(rows), size or 1):
        part = slice(start, min(start + size, len(rows)))
        logits = buffer[: part.stop - start]
        if bias is None:
            torch.mm(rows[part], weight.t(), out=logits)
        else:
            torch.addmm(bias, rows[part], weight.t(), out=logits)
        yield part, logits


def _rows_at_a_time(rows: int, size: int) -> int:
    """Number of rows in each of the fewest pieces that are small enough, all alike."""
    pieces = math.ceil(rows / max(16, _CHUNK_ELEMENTS // size))
    return math.ceil(rows / max(1, pieces))


def _softmax(logits: Tensor, targets: Tensor) -> Tensor:
    """Turn logits into probabilities in place; returns -log of the targets' ones, (n,)."""
    picked = logits.gather(1, targets[:, None])
    top = logits.amax(1, keepdim=True)
    total = logits.sub_(top).exp_().sum(1, keepdim=True)
    logits.div_(total)
    return (total.log() + top - picked).squeeze(1)


class _LinearCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        rows: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        targets: Tensor,
        smoothing: float,
        chunk: int,
    ) -> tuple[Tensor, Tensor]:
        wanted = ctx.needs_input_grad
        dx = torch.empty_like(rows) if wanted[0] else None
        dw = torch.zeros_like(weight) if wanted[1] else None
        db = torch.zeros_like(bias) if bias is not None and wanted[2] else None
        loss, plain = rows.new_zeros(()), rows.new_zeros(())
        for part, logits in _chunks(rows, weight, bias, chunk):
            above = None
            if smoothing:
                # -log p of a word, averaged over the words: that of the target and this much more.
                above = logits.gather(1, targets[part, None]).squeeze(1) - logits.mean(1)
            losses = _softmax(logits, targets[part])
            plain += losses.sum()
            loss += losses.sum() if above is None else (losses + smoothing * above).sum()
            if not any(wanted):
                continue
            logits[torch.arange(len(logits), device=logits.device), targets[part]] -= 1 - smoothing
            if smoothing:
                logits -= smoothing / len(weight)
            if dx is not None:
                torch.mm(logits, weight, out=dx[part])
            if dw is not None:
                dw.addmm_(logits.t(), rows[part])
            if db is not None:
                db += logits.sum(0)
        ctx.save_for_backward(dx, dw, db)
        ctx.mark_non_differentiable(plain)
        return loss, plain

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor, _: Tensor) -> tuple[Tensor | None, ...]:
        dx, dw, db = (None if d is None else d * grad for d in ctx.saved_tensors)
        return dx, dw, db, None, None, None
