"""Beam search: the likeliest sentences of a decoder, for many memories at once."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from carousel.config import DecoderConfig
from carousel.data.tokens import Tokens
from carousel.errors import ConfigError
from carousel.tasks.shared.answers import Alternative


class Cursor(Protocol):
    """State of decoding B sentences, each with K beginnings ("beams")."""

    def step(self, tokens: Tensor) -> Tensor:
        """Log-probabilities (B, K, V) of what follows tokens (B, K), and all before them."""
        ...

    def select(self, sentences: Tensor, beams: Tensor) -> None:
        """Go on with these sentences (B',), and of each with these of its beams (B', K')."""
        ...


@dataclass(frozen=True)
class Hypothesis:
    """A finished sentence: its tokens without the end, log P with the end's, and its score."""

    tokens: list[int]
    log_probability: float
    score: float


def alternatives_of(found: Sequence[Hypothesis], tokens: Tokens) -> tuple[Alternative, ...]:
    """Alternatives that a search found for one input, as text."""
    return tuple(
        Alternative(tokens.decode(h.tokens), h.log_probability, h.score, (*h.tokens,))
        for h in found
    )


@dataclass(frozen=True)
class Search:
    """Settings of a beam search.

    beam: K, the beginnings kept of each sentence; 1 is greedy search.
    length_penalty: α of score(Y) = log P(Y) / |Y|^α, where |Y| counts the end: 0 is log P, 1 its
        mean over the tokens.
    best: how many hypotheses are wanted of each sentence, at most K.
    """

    beam: int = 5
    length_penalty: float = 1.0
    best: int = 1

    @classmethod
    def of(cls, config: DecoderConfig, best: int = 1, beam: int | None = None) -> Search:
        """Search that a configuration asks for. beam: its own, but at least `best`, if None.

        Raises `ConfigError` for more of the best than the beam holds.
        """
        beam = beam or max(config.beam, best)
        if best > beam:
            raise ConfigError(f"best must be at most beam, got {best} and {beam}", "best", "beam")
        return cls(beam, config.length_penalty, best)

    def score(self, log_probability: float, length: int) -> float:
        """Score of a sentence of that many tokens, its end included.

        >>> Search(length_penalty=1.0).score(-6.0, 4), Search(length_penalty=0.0).score(-6.0, 4)
        (-1.5, -6.0)
        """
        return float(log_probability / length**self.length_penalty)


@torch.no_grad()
def beam_search(
    cursor: Cursor,
    limits: Tensor,
    end: int,
    banned: Sequence[int] = (),
    search: Search | None = None,
) -> list[list[Hypothesis]]:
    """The best hypotheses of each sentence, best first; at least one and at most `search.best`.

    At each step the K likeliest of all continuations of a sentence's beams are kept. One that ends
    leaves the search for good, and takes its place along, so that K sentences are found at most
    (Sutskever et al. 2014, arXiv:1409.3215). A sentence is done when its places are gone, or when
    no beam can surpass what was found: log P never rises, so the score of a beam stays at or below
    log P / limit^α. Sentences do not see each other: what is found of one does not depend on the
    others.

    Args:
        cursor: before the first token, with one beam per sentence.
        limits: (B,) int64, at least 1: the most tokens of each, its end included; the last is
            always the end.
        end: the token that ends a sentence, and stands before its first.
        banned: tokens that are never written.

    >>> class Coin:  # token 0 ends
    ...     def step(self, tokens):
    ...         return torch.tensor([0.4, 0.6]).log().expand(*tokens.shape, 2)
    ...     def select(self, sentences, beams): ...
    >>> [h.tokens for h in beam_search(Coin(), torch.tensor([3]), 0, search=Search(3, 0.0, 3))[0]]
    [[], [1], [1, 1]]
    """
    search = search or Search()
    if search.best > search.beam:
        raise ValueError(f"best ({search.best}) must be at most beam ({search.beam})")
    found: list[list[Hypothesis]] = [[] for _ in limits]
    numbers = list(range(len(limits)))  # of the sentences that the rows below belong to
    written = torch.full((len(limits), 1, 1), end, device=limits.device)
    scores = torch.zeros(len(limits), 1, device=limits.device)
    length = 0
    while numbers:
        length += 1
        chances = cursor.step(written[:, :, -1])
        chances = _allowed(chances, end, banned, last=limits == length)
        size = chances.size(2)
        total = (scores.unsqueeze(2) + chances).flatten(1)
        free = torch.tensor([search.beam - len(found[n]) for n in numbers], device=limits.device)
        top, place = total.topk(min(search.beam, total.size(1)))
        top = top.masked_fill(
            torch.arange(top.size(1), device=top.device) >= free[:, None], -math.inf
        )
        beams, tokens = place // size, place % size
        for row, k in ((tokens == end) & (top > -math.inf)).nonzero().tolist():
            before, log_p = written[row, beams[row, k], 1:].tolist(), float(top[row, k])
            found[numbers[row]].append(Hypothesis(before, log_p, search.score(log_p, length)))
        scores, order = top.masked_fill(tokens == end, -math.inf).sort(
            dim=1, descending=True, stable=True
        )
        live = [
            row
            for row, n in enumerate(numbers)
            if _goes_on(found[n], float(scores[row, 0]), int(limits[row]), search)
        ]
        width = int((scores[live] > -math.inf).sum(1).max()) if live else 0
        rows, order = (
            torch.tensor(live, device=order.device, dtype=torch.int64),
            order[live, :width],
        )
        beams, tokens = beams[rows].gather(1, order), tokens[rows].gather(1, order)
        if live:
            cursor.select(rows, beams)
        written = torch.cat((written[rows[:, None], beams], tokens.unsqueeze(2)), 2)
        scores, limits = scores[live, :width], limits[rows]
        numbers = [numbers[row] for row in live]
    return [sorted(some, key=lambda h: -h.score)[: search.best] for some in found]


def _allowed(chances: Tensor, end: int, banned: Sequence[int], last: Tensor) -> Tensor:
    """Probabilities (B, K, V) without what may not follow; where `last` (B,) holds only the end
    may."""
    closing = chances[:, :, end].clone()
    chances = chances.masked_fill(last[:, None, None], -math.inf)
    if banned:
        chances[:, :, list(banned)] = -math.inf
    chances[:, :, end] = closing
    return chances


def _goes_on(found: list[Hypothesis], best: float, limit: int, search: Search) -> bool:
    """True if something better than what was found can come of beams whose best log P is this."""
    if best == -math.inf or len(found) >= search.beam:
        return False
    if len(found) < search.best:
        return True
    reached = sorted((hypothesis.score for hypothesis in found), reverse=True)[search.best - 1]
    return search.score(best, limit) > reached
