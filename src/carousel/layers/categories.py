"""Categories among numbers: codes become rows of numbers that are learnt."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from carousel.config.columns import embedding_size


class CategoryInput(nn.Module):
    """Numbers with codes among them (B, ..., F) to numbers alone (B, ..., width).

    Columns of codes are taken out, and a row of an embedding stands for each behind the numbers:
    row k for code k = 1 … n, and row 0, which is learnt too, for whatever is no such number. In
    training, each column of each example has the code 0 with probability `unknown`, at all of its
    steps: so the network learns what to say without the category.

    >>> layer = CategoryInput(3, {1: 9}).eval()
    >>> layer(torch.tensor([[0.5, 9.0, 0.1], [0.5, 10.0, 0.1]])).shape
    torch.Size([2, 8])
    """

    def __init__(self, features: int, levels: Mapping[int, int], unknown: float = 0.05) -> None:
        """features: F. levels: how many levels the codes of a column have, by its place."""
        super().__init__()
        self.levels, self.unknown = dict(levels), unknown
        self.numbers = [place for place in range(features) if place not in self.levels]
        sizes = {place: embedding_size(n) for place, n in self.levels.items()}
        self.embeddings = nn.ModuleList(
            nn.Embedding(n + 1, sizes[place]) for place, n in self.levels.items()
        )
        with torch.no_grad():  # a vector of the length of one standardised number
            for embedding in self.embeddings:
                assert isinstance(embedding, nn.Embedding)
                embedding.weight.mul_(embedding.embedding_dim**-0.5)
        self.width = len(self.numbers) + sum(sizes.values())

    def forward(self, x: Tensor) -> Tensor:
        """x (B, ..., F), codes as floating-point numbers. Returns (B, ..., width)."""
        parts = [x[..., self.numbers]]
        for embedding, (place, count) in zip(self.embeddings, self.levels.items(), strict=True):
            codes = x[..., place]
            known = (codes >= 1) & (codes <= count)
            if self.training and self.unknown:
                kept = torch.rand(len(x), *[1] * (codes.dim() - 1), device=x.device) >= self.unknown
                known = known & kept
            parts.append(embedding(torch.where(known, codes, 0.0).long()))
        return torch.cat(parts, -1)


def category_input(features: int, levels: Mapping[int, int]) -> CategoryInput | None:
    """The layer for these columns of codes; None where there are none."""
    return CategoryInput(features, levels) if levels else None


def noisy(values: Tensor, deviation: float, levels: Mapping[int, int]) -> Tensor:
    """Values (..., F) with normal noise on all but the codes.

    >>> noisy(torch.tensor([[1.0, 3.0]]), 0.1, {1: 4})[0, 1].item()
    3.0
    """
    noise = deviation * torch.randn_like(values)
    if levels:
        noise[..., [*levels]] = 0.0
    return values + noise
