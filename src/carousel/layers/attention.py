"""Additive attention over the steps of padded sequences, with the padding masked exactly."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def step_mask(lengths: Tensor, steps: int) -> Tensor:
    """Mask of the real steps of padded rows, (B, T) bool, from lengths (B,).

    >>> step_mask(torch.tensor([2, 0]), 3).tolist()
    [[True, True, False], [False, False, False]]
    """
    return torch.arange(steps, device=lengths.device) < lengths.unsqueeze(1)


def masked_softmax(scores: Tensor, mask: Tensor | None) -> Tensor:
    """Softmax over the last dimension among the places where `mask` holds; zero elsewhere.

    mask: of the shape of `scores`, or None for all. A row without any place is all zeros.
    """
    if mask is None:
        return scores.softmax(-1)
    weights = scores.masked_fill(~mask, torch.finfo(scores.dtype).min).softmax(-1)
    return weights * mask


class AttentionPooling(nn.Module):
    """A weighted mean over time whose weights are learnt: (B, T, F) to (B, F).

    u_t = tanh(W h_t + b);  a_t = exp(v · u_t) / Σ_s exp(v · u_s);  out = Σ_t a_t h_t

    The sums are over the real steps of each row; a row without steps gives zeros. Source: Yang et
    al. 2016 (Hierarchical attention networks), after Bahdanau et al. 2015 (arXiv:1409.0473).

    >>> pool = AttentionPooling(4)
    >>> pooled, weights = pool(torch.randn(2, 5, 4), torch.tensor([5, 3]))
    >>> pooled.shape, weights[1, 3:].tolist()
    (torch.Size([2, 4]), [0.0, 0.0])
    """

    def __init__(self, features: int) -> None:
        super().__init__()
        self.hidden = nn.Linear(features, features)
        self.score = nn.Linear(features, 1, bias=False)

    def forward(self, outputs: Tensor, lengths: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """outputs (B, T, F); lengths (B,), or None if every step counts. Returns the pooled rows
        (B, F) and the weights (B, T)."""
        scores = self.score(torch.tanh(self.hidden(outputs))).squeeze(-1)
        mask = None if lengths is None else step_mask(lengths, outputs.size(1))
        weights = masked_softmax(scores, mask)
        return (weights.unsqueeze(1) @ outputs).squeeze(1), weights
