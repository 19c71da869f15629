"""Drawing tokens from a model's next-token distribution."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from carousel.errors import ConfigError
from carousel.tasks.generate.network import LanguageModel


@dataclass(frozen=True)
class Sampling:
    """Settings for drawing the next token.

    temperature: logits are divided by it; 0 takes the most probable token.
    top_k: draw among the k most probable tokens only (0: all; Fan et al. 2018).
    top_p: draw among the fewest most probable tokens that together have probability p (1: all;
        Holtzman et al. 2020). Applied after top_k.

    Raises `ConfigError` for a value outside its range.
    """

    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0

    def __post_init__(self) -> None:
        if not 0 <= self.temperature < float("inf"):
            raise ConfigError(
                f"temperature must be at least 0, got {self.temperature}", "temperature"
            )
        if self.top_k < 0:
            raise ConfigError(f"top_k must be at least 0, got {self.top_k}", "top_k")
        if not 0 < self.top_p <= 1:
            raise ConfigError(f"top_p must be above 0 and at most 1, got {self.top_p}", "top_p")

    def probabilities(self, logits: Tensor) -> Tensor:
        """The distribution (..., V) to draw from.

        >>> Sampling(top_k=2).probabilities(torch.tensor([0.0, 3.0, 3.0])).tolist()
        [0.0, 0.5, 0.5]
        """
        logits = logits.double()
        if self.temperature == 0:
            best = logits.argmax(-1, keepdim=True)
            return torch.zeros_like(logits).scatter_(-1, best, 1.0)
        scaled = (logits - logits.amax(-1, keepdim=True)) / self.temperature
        ordered, index = scaled.sort(dim=-1, descending=True, stable=True)
        chances = ordered.softmax(-1)
        if self.top_k:
            chances[..., self.top_k :] = 0.0
            chances /= chances.sum(-1, keepdim=True)
        if self.top_p < 1:
            before = chances.cumsum(-1) - chances
            chances = chances.masked_fill(before >= self.top_p, 0.0)
            chances /= chances.sum(-1, keepdim=True)
        return torch.zeros_like(chances).scatter_(-1, index, chances)


def generate(
    model: LanguageModel, prompt: Tensor, sampling: Sampling, banned: list[int], seed: int
) -> Iterator[int]:
    """Token after token that follows a prompt (T,) of at least one; never one of `banned`.

    Endless: the caller stops. The model must be in evaluation mode. The same seed draws the same
    tokens.
    """
    generator = torch.Generator().manual_seed(seed)
    logits, state = model.next_logits(prompt[:, None].long())
    while True:
        logits[:, banned] = -torch.inf
        chances = sampling.probabilities(logits[0].cpu())
        token = int(torch.multinomial(chances, 1, generator=generator))
        yield token
        step = torch.tensor([[token]], device=logits.device)
        logits, state = model.next_logits(step, state)
