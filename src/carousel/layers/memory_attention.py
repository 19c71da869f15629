"""Attention of a decoder: which places of a memory each of its states looks at."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from carousel.layers.attention import masked_softmax


class MemoryAttention(nn.Module):
    """The mean of a memory's places as each query sees it, and the weights of the places.

    a_ts = exp(score(q_t, m_s)) / Σ_r exp(score(q_t, m_r));  c_t = Σ_s a_ts m_s

    The sums are over the places where the mask holds; the others have weight zero, and a query
    whose memory has no place gets zeros. Queries do not see each other, so that one call serves a
    whole sentence in training and all the beams of a search.
    """

    def keys(self, memory: Tensor) -> Tensor:
        """Keys that queries are compared with: of the memory (B, S, M) alone, computed once."""
        raise NotImplementedError

    def scores(self, queries: Tensor, keys: Tensor) -> Tensor:
        """score(q_t, m_s), (B, T, S), of queries (B, T, H)."""
        raise NotImplementedError

    def forward(
        self,
        queries: Tensor,
        memory: Tensor,
        mask: Tensor | None = None,
        keys: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """queries (B, T, H); memory (B, S, M); mask (B, S) bool, or None if every place counts;
        keys: what `keys` returned of the memory. Returns contexts (B, T, M), weights (B, T, S)."""
        keys = self.keys(memory) if keys is None else keys
        inside = None if mask is None else mask.unsqueeze(1)
        weights = masked_softmax(self.scores(queries, keys), inside)
        return weights @ memory, weights


class MultiplicativeAttention(MemoryAttention):
    """score(q, m) = q · W m ("general") or q · m ("dot", where H = M).

    Source: Luong, Pham and Manning 2015 (arXiv:1508.04025). Raises ValueError if "dot" meets
    unequal sizes.

    >>> attend = MultiplicativeAttention("general", 3, 5)
    >>> mask = torch.tensor([[True, True, False, False]])
    >>> context, weights = attend(torch.randn(1, 2, 3), torch.randn(1, 4, 5), mask)
    >>> context.shape, weights[0, :, 2:].abs().max().item()
    (torch.Size([1, 2, 5]), 0.0)
    """

    def __init__(self, how: str, query_size: int, memory_size: int) -> None:
        super().__init__()
        if how not in ("dot", "general"):
            raise ValueError(f"multiplicative attention must be dot or general, got '{how}'")
        if how == "dot" and query_size != memory_size:
            raise ValueError(
                f"attention by dot product needs states and memory of one size; got {query_size} "
                f"and {memory_size}: use general"
            )
        self.project = nn.Identity() if how == "dot" else nn.Linear(memory_size, query_size, False)

    def keys(self, memory: Tensor) -> Tensor:
        keys: Tensor = self.project(memory)
        return keys

    def scores(self, queries: Tensor, keys: Tensor) -> Tensor:
        return queries @ keys.transpose(1, 2)


class AdditiveAttention(MemoryAttention):
    """score(q, m) = v · tanh(W q + U m + b), of `size` hidden units.

    It holds B * T * S * size numbers for the gradient. Source: Bahdanau, Cho and Bengio 2015
    (arXiv:1409.0473).

    >>> attend = AdditiveAttention(3, 5, size=4)
    >>> context, weights = attend(torch.randn(2, 6, 3), torch.randn(2, 7, 5))
    >>> context.shape, weights.shape
    (torch.Size([2, 6, 5]), torch.Size([2, 6, 7]))
    """

    def __init__(self, query_size: int, memory_size: int, size: int) -> None:
        super().__init__()
        self.query = nn.Linear(query_size, size, bias=False)
        self.key = nn.Linear(memory_size, size)
        self.score = nn.Linear(size, 1, bias=False)

    def keys(self, memory: Tensor) -> Tensor:
        keys: Tensor = self.key(memory)
        return keys

    def scores(self, queries: Tensor, keys: Tensor) -> Tensor:
        hidden = torch.tanh(self.query(queries).unsqueeze(2) + keys.unsqueeze(1))
        scores: Tensor = self.score(hidden).squeeze(3)
        return scores


def make_attention(how: str, query_size: int, memory_size: int) -> MemoryAttention:
    """ "dot", "general" or "additive" (with as many hidden units as a query has)."""
    if how == "additive":
        return AdditiveAttention(query_size, memory_size, query_size)
    return MultiplicativeAttention(how, query_size, memory_size)
