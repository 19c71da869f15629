"""Level and seasons of windows by exponential smoothing whose coefficients are learnt."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

_BLOCK = 64  # steps at once, at most: a block has a matrix of their number squared
_CYCLES = 2  # of the longest season, by which the first factors are read
_FARTHEST = 30.0  # of ln y from the level of its window: a factor of 1e13
_RATE = -2.0  # logit at which coefficients start
_TRUST, _DOUBT = 2.0, 0.0  # of the share of the first season's first course, and of further ones
_QUICK = 10.0  # how much faster coefficients of a series learn: they are few, and seldom seen


class Smoothed(NamedTuple):
    """Windows, smoothed to their ends.

    levels (B, T): ln l_t. rest (B, T): (ln y_t - Σ_i ln s_(i,t) - ln l_T) / spread. coming (B, K):
    (ln l_T + Σ_i ln s_(i,T+k)) / spread, the forecast of the smoothing by itself.
    """

    levels: Tensor
    rest: Tensor
    coming: Tensor


class Smoothing(nn.Module):
    """Multiplicative Holt-Winters without trend, of each window of any of many series.

    l_t = α y_t / Π_i s_(i,t) + (1 - α) l_(t-1)
    s_(i,t+m_i) = γ_i y_t / (l_t Π_(j≠i) s_(j,t)) + (1 - γ_i) s_(i,t)

    α = σ(a + a_n) and γ_i = σ(c_i + c_(i,n)): what all series share, and what is learnt of series
    n. Where nothing was measured both stay as they are. The first level is y / Π_i s_i of the first
    measured step. The first factors are ln s_(i,j) = w_i r_(i,j) + κ_(i,j) + δ_(i,j,n): r is what
    `first_courses` finds in the window, w_i = σ(v_i + v_(i,n)) how much of it is followed, κ and δ
    are learnt for each place j in the season, of all series and of series n. A series that training
    did not have is smoothed by what all share, and so is, in training, a share `unknown` of the
    windows.

    Source: Smyl 2020, "A hybrid method of exponential smoothing and recurrent neural networks for
    time series forecasting", International Journal of Forecasting 36(1). There the smoothing begins
    with the series, and w = κ = 0; here it begins with the window.
    """

    def __init__(
        self, series: int, seasons: Sequence[int], horizon: int, unknown: float = 0.05
    ) -> None:
        """series: how many training has; seasons: their lengths, 1 for none."""
        super().__init__()
        self.places = [place for place, season in enumerate(seasons) if season > 1]
        self.seasons = [seasons[place] for place in self.places]
        self.horizon, self.unknown = horizon, unknown
        count = len(self.seasons)
        trusts = [_DOUBT if place else _TRUST for place in range(count)]
        self.shared = nn.Parameter(torch.tensor([_RATE] * (1 + count) + trusts))
        self.own = nn.Parameter(torch.zeros(series + 1, 1 + 2 * count))
        self.factors = nn.ParameterList(torch.zeros(m) for m in self.seasons)
        self.own_factors = nn.ParameterList(torch.zeros(series + 1, m) for m in self.seasons)

    def forward(self, z: Tensor, measured: Tensor, facts: Tensor) -> Smoothed:
        """z (B, T): logarithms on the scale of their window; measured (B, T): 1 or 0; facts
        (B, 2 + seasons): the spread of the window, the place in each season of the first step to
        come, and the number of the series, 0 of one that training did not have."""
        spread, code = facts[:, :1], facts[:, -1].long()
        if self.training and self.unknown:
            code = code.masked_fill(torch.rand(len(z), device=z.device) < self.unknown, 0)
        seen = measured > 0
        seen = seen | ~seen.any(1, keepdim=True)
        logs = (z * spread).clamp(-_FARTHEST, _FARTHEST)
        count = len(self.seasons)
        of_series = self.shared + _QUICK * F.embedding(code, self.own, padding_idx=0)
        trust = of_series[:, 1 + count :].sigmoid()
        starts = [
            (trust[:, i : i + 1] * course + self._learnt(i, facts, code, z.size(1))).exp()
            for i, course in enumerate(first_courses(logs, seen, self.seasons))
        ]
        values = logs.exp()
        levels, factors, ahead = holt_winters(values, seen, of_series[:, : 1 + count], starts)
        levels, last = levels.log(), levels[:, -1:].log()
        coming = last.expand(-1, self.horizon)
        for one, season in zip(ahead, self.seasons, strict=True):
            coming = coming + one[:, torch.arange(self.horizon) % season].log()
        return Smoothed(levels, (logs - factors.log() - last) / spread, coming / spread)

    def _learnt(self, i: int, facts: Tensor, code: Tensor, steps: int) -> Tensor:
        """Learnt first factors (B, m), from the first step of a window on."""
        season = self.seasons[i]
        first = facts[:, 1 + self.places[i]].long() - steps
        index = (first.unsqueeze(1) + torch.arange(season, device=code.device)).remainder(season)
        own = F.embedding(code, self.own_factors[i], padding_idx=0)
        found: Tensor = self.factors[i][index] + own.gather(1, index)
        return found


def first_courses(logs: Tensor, seen: Tensor, seasons: Sequence[int]) -> list[Tensor]:
    """Mean course (B, m) of each season in the first cycles of windows (B, T), from the first step
    that was measured on: of logarithms less the mean of their cycle, and less the courses of
    shorter seasons; 0 where nothing was measured. The first number is of the first step of T. Each
    is shrunk to the share of its mean square that is more than the chance of so few cycles.

    >>> x = torch.tensor([[1.0, 3.0, 2.0, 4.0, 9.0]])
    >>> first_courses(x, torch.ones(1, 5, dtype=torch.bool), [2])
    [tensor([[-1.,  1.]])]
    """
    found: list[Tensor] = [torch.empty(0)] * len(seasons)
    rows, steps = logs.shape
    span = min(steps, _CYCLES * max(seasons, default=0))
    begin = seen.int().argmax(1, keepdim=True)
    place = begin + torch.arange(span, device=logs.device)
    rest = logs.gather(1, place.clamp(max=steps - 1))
    seen = seen.gather(1, place.clamp(max=steps - 1)) & (place < steps)
    for i in sorted(range(len(seasons)), key=lambda i: seasons[i]):
        season = seasons[i]
        cycles = span // season
        x, known = (part[:, : cycles * season].view(rows, cycles, season) for part in (rest, seen))
        x = torch.where(known, x - _mean(x, known, 2), 0.0)
        course = _mean(x, known, 1)
        course = (course * _reliability(x, known, course)).squeeze(1)
        rest = rest - course[:, torch.arange(span) % season]
        turned = (torch.arange(season, device=logs.device) - begin).remainder(season)
        found[i] = course.gather(1, turned)
    return found


def _reliability(x: Tensor, known: Tensor, course: Tensor) -> Tensor:
    """Share (B, 1, 1) of the mean square of a course (B, 1, m) that is not chance, from 0 to 1, by
    how far its cycles (B, C, m) lie from it; 1 where none is there twice."""
    count = known.sum(1, keepdim=True)
    apart = torch.where(known, x - course, 0.0).square().sum(1, keepdim=True)
    twice = count > 1
    chance = torch.where(twice, apart / (count * (count - 1)).clamp(min=1), 0.0)
    size = torch.where(twice, course.square(), 0.0).sum(2, keepdim=True)
    noise = chance.sum(2, keepdim=True)
    return torch.where(size > 0, (1 - noise / torch.where(size > 0, size, 1.0)).clamp(min=0), 1.0)


def _mean(values: Tensor, counted: Tensor, dim: int) -> Tensor:
    total = torch.where(counted, values, 0.0).sum(dim, keepdim=True)
    return total / counted.sum(dim, keepdim=True).clamp(min=1)


def holt_winters(
    values: Tensor, seen: Tensor, rates: Tensor, starts: Sequence[Tensor]
) -> tuple[Tensor, Tensor, list[Tensor]]:
    """Levels (B, T), products of the factors of each step (B, T), and the factors (B, m) of the
    steps behind the last, of each season.

    values (B, T), above 0; seen (B, T): where they were measured; rates (B, 1 + seasons): logits of
    α and γ; starts (B, m): factors of the first steps. No step of a block has a factor that comes
    of another step of it, so that the levels of a block are one product of matrices.
    """
    block = min([_BLOCK, *(start.size(1) for start in starts)])
    level = _first(values, seen, starts)
    ahead, levels, products = list(starts), [], []
    weights = [rates[:, 1 + i : 2 + i].sigmoid() for i in range(len(starts))]
    for y, known in zip(torch.split(values, block, 1), torch.split(seen, block, 1), strict=True):
        steps = y.size(1)
        now = [factors[:, :steps] for factors in ahead]
        product = torch.stack(now).prod(0) if now else torch.ones_like(y)
        found = _levels(y / product, known, rates[:, :1], level)
        for i, (factors, weight) in enumerate(zip(now, weights, strict=True)):
            others = [one for j, one in enumerate(now) if j != i]
            wanted = y / (found * torch.stack(others).prod(0) if others else found)
            new = torch.where(known, factors + weight * (wanted - factors), factors)
            ahead[i] = torch.cat((ahead[i][:, steps:], new), 1)
        level = found[:, -1:]
        levels.append(found)
        products.append(product)
    return torch.cat(levels, 1), torch.cat(products, 1), ahead


def _first(values: Tensor, seen: Tensor, starts: Sequence[Tensor]) -> Tensor:
    """Level (B, 1) of the first step that was measured."""
    place = seen.int().argmax(1, keepdim=True)
    level = values.gather(1, place)
    for start in starts:
        level = level / start.gather(1, place.remainder(start.size(1)))
    return level


def _levels(x: Tensor, known: Tensor, rate: Tensor, level: Tensor) -> Tensor:
    """Levels (B, n) by l_t = α x_t + (1 - α) l_(t-1), l_t = l_(t-1) where nothing is known."""
    kept = torch.where(known, F.logsigmoid(-rate), 0.0).cumsum(1)  # ln of the share of the level
    apart = kept.unsqueeze(2) - kept.unsqueeze(1)
    later = torch.ones(x.size(1), x.size(1), dtype=torch.bool, device=x.device).triu(1)
    shares = apart.masked_fill(later, -torch.inf).exp()
    new = torch.where(known, rate.sigmoid() * x, 0.0)
    return kept.exp() * level + torch.bmm(shares, new.unsqueeze(2)).squeeze(2)


def wiggliness(levels: Tensor) -> Tensor:
    """Mean square of the change of the change of ln l_t, of levels (B, T), as Smyl penalises it.

    >>> wiggliness(torch.tensor([[0.0, 1.0, 2.0, 5.0]])).item()
    2.0
    """
    return (
        levels.diff(dim=1).diff(dim=1).square().mean() if levels.size(1) > 2 else levels.sum() * 0
    )
