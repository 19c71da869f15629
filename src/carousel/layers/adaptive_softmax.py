"""Softmax over a large vocabulary that spends its time on the frequent words."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from carousel.layers.cross_entropy import linear_cross_entropy, token_losses

_GROWTH = 5  # a group of rare words is four times as large as all words before it

_Part = tuple[Tensor, Tensor]


class AdaptiveSoftmax(nn.Module):
    r"""P(w | x) in two steps: a frequent word or a group of rare ones, and which of the group.

    Tokens are numbered by falling frequency. With c = `frequent` there are K groups of rare words,
    of the numbers c to 5c - 1, 5c to 25c - 1, …, up to V. With the weight W, b of an output layer,
    whose rows a full softmax would use alike, and a row U_k, d_k of each group:

        z = [W_{0 … c-1} x + b_{0 … c-1},  U x + d]
        P(w) = softmax(z)_w                                      where w < c
        P(w) = softmax(z)_{c+k} softmax(W_k x + b_k)_w           where w is in group k

    It is a distribution of its own, not an approximation of the full softmax: probabilities add up
    to 1, and perplexities compare. Logits of rare words are needed where a rare word is the
    target alone, which saves most of the time. Source: Grave et al. 2017 (arXiv:1609.04309), where
    groups have projections of falling width too; here W keeps one width, so that it may be an
    embedding (tied weights). `torch.nn.AdaptiveLogSoftmaxWithLoss` owns its weights, which cannot
    be an embedding's, has no biases outside its first step, and keeps all logits of a group.

    Raises `ValueError` unless 0 < frequent < size.

    >>> softmax = AdaptiveSoftmax(hidden_size=3, size=12, frequent=2)
    >>> softmax.groups, softmax.bounds
    (Linear(in_features=3, out_features=2, bias=True), (2, 10, 12))
    >>> x, weight, bias = torch.randn(4, 3), torch.randn(12, 3), torch.randn(12)
    >>> total = softmax.log_probabilities(x, weight, bias).exp().sum(-1)
    >>> bool(torch.allclose(total, torch.ones(4)))
    True
    """

    bounds: tuple[int, ...]

    def __init__(self, hidden_size: int, size: int, frequent: int) -> None:
        super().__init__()
        if not 0 < frequent < size:
            raise ValueError(
                f"frequent must be between 1 and size - 1 = {size - 1}, got {frequent}"
            )
        bounds = [frequent]
        while bounds[-1] < size:
            bounds.append(min(size, _GROWTH * bounds[-1]))
        self.bounds = tuple(bounds)
        self.groups = nn.Linear(hidden_size, len(bounds) - 1)

    def forward(self, x: Tensor, weight: Tensor, bias: Tensor, targets: Tensor) -> Tensor:
        """The summed loss Σ_n -log P(t_n | x_n), in bounded memory.

        Shapes: x (..., H); weight (V, H); bias (V,); targets (...), int64, of which negative ones
        are passed over.
        """
        rows, picked = x.reshape(-1, x.size(-1)), targets.reshape(-1)
        head, groups = self._parts(weight, bias)
        loss = linear_cross_entropy(rows, *head, self._first(picked))
        for (inside, within), group in zip(self._second(picked), groups, strict=True):
            loss = loss + linear_cross_entropy(rows[inside], *group, within)
        return loss

    @torch.no_grad()
    def token_losses(self, x: Tensor, weight: Tensor, bias: Tensor, targets: Tensor) -> Tensor:
        """The loss of each token whose target is not negative, in their order (n,); no gradient.

        Arguments as for `forward`.
        """
        keep = targets.reshape(-1) >= 0
        rows, picked = x.reshape(-1, x.size(-1))[keep], targets.reshape(-1)[keep]
        head, groups = self._parts(weight, bias)
        losses = token_losses(rows, *head, self._first(picked))
        for (inside, within), group in zip(self._second(picked), groups, strict=True):
            losses[inside] += token_losses(rows[inside], *group, within)
        return losses

    def log_probabilities(self, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        """log P (..., V) of every word: for few rows, all logits are made."""
        head, groups = self._parts(weight, bias)
        first = F.log_softmax(F.linear(x, *head), -1)
        words, chosen = torch.split(first, [self.bounds[0], len(groups)], -1)
        within = [F.log_softmax(F.linear(x, *group), -1) for group in groups]
        rare = [p + c for p, c in zip(within, torch.split(chosen, 1, -1), strict=True)]
        return torch.cat([words, *rare], -1)

    def _parts(self, weight: Tensor, bias: Tensor) -> tuple[_Part, list[_Part]]:
        """Weight and bias of the first step, and of the second in each group."""
        sizes = [b - a for a, b in zip((0, *self.bounds), self.bounds, strict=False)]
        (words, *rare), (base, *rest) = torch.split(weight, sizes), torch.split(bias, sizes)
        head = torch.cat([words, self.groups.weight]), torch.cat([base, self.groups.bias])
        return head, list(zip(rare, rest, strict=True))

    def _first(self, targets: Tensor) -> Tensor:
        """The targets (n,) of the first step."""
        frequent = self.bounds[0]
        group = torch.bucketize(targets, targets.new_tensor(self.bounds), right=True)
        return torch.where(group > 0, frequent + group - 1, targets)

    def _second(self, targets: Tensor) -> list[tuple[Tensor, Tensor]]:
        """For each group: which of the targets (n,) are in it, and their numbers within."""
        found = []
        for low, high in zip(self.bounds[:-1], self.bounds[1:], strict=True):
            inside = ((targets >= low) & (targets < high)).nonzero().squeeze(1)
            found.append((inside, targets[inside] - low))
        return found
