"""A network that forecasts any of many series."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from carousel.cells.states import states_of
from carousel.config import Config
from carousel.layers.categories import category_input
from carousel.tasks.forecast_many.dilated import DilatedStack, dilations_of
from carousel.tasks.forecast_many.smoothing import Smoothing
from carousel.tasks.shared.distributions import PARAMETERS
from carousel.tasks.shared.network import make_dropout, make_recurrent, start

_FARTHEST = 5.0
"""Spreads from the level beyond which the recurrent layers see no difference."""
_LEFT = 0.5
"""Share of what a smoothing leaves that is repeated at first."""
_SLOW = 0.1
"""How much slower a linear map learns than what is beside it: it starts near its end."""


class ManyForecaster(nn.Module):
    """All steps to come of a window: z (B, T) with what is read beside it, to (B, K, P).

    h = the last state of recurrent(z_t, z_t - z_(t-m) of each season m, …), and the static columns
    y_k = U relu(W h + V c_k + e_k) + b,  and the first of the P numbers has Σ_e g_e Σ_t L_etk z_t,
    g = softmax(G h), added

    c_k is what is known of step k beforehand, e_k an embedding of k. Each of the `many.mixtures`
    linear maps L_e starts at repeating a season, which h chooses among: one network forecasts
    series with a day and series with a week (mixtures of experts: Jacobs et al. 1991). U starts at
    zero, so that training begins at the seasonal naive forecasts.
    """

    def __init__(
        self,
        features: int,
        known: int,
        static: int,
        config: Config,
        levels: Sequence[Mapping[int, int]] = ({}, {}, {}),
        series: int = 0,
    ) -> None:
        """features: numbers of x, the target and whether it was measured first; known: numbers
        known beforehand; static: of a series as a whole; levels: how many levels codes have, by
        their places in each of the three; series: how many training has."""
        super().__init__()
        model, settings, many = config.model, config.forecast, config.many
        self.seasons, self.given = seasons_of(config), static
        self.inputs, self.known, self.statics = (
            category_input(count, found)
            for count, found in zip((features, known, static), levels, strict=True)
        )
        features, known, static = (
            count if layer is None else layer.width
            for count, layer in (
                (features, self.inputs),
                (known, self.known),
                (static, self.statics),
            )
        )
        size = model.hidden_size
        width, dilations = features + len(self.seasons), dilations_of(config)
        self.recurrent = (
            DilatedStack(width, dilations, config)
            if dilations
            else make_recurrent(width, model, config.regularization, batch_first=True)
        )
        self.input_dropout = make_dropout(config.regularization.input_dropout)
        self.dropout = make_dropout(config.regularization.dropout)
        self.state = nn.Linear(size + static, size)
        self.coming = nn.Linear(known, size, bias=False) if known else None
        self.step = nn.Parameter(torch.zeros(settings.horizon, size))
        nn.init.normal_(self.step, std=size**-0.5)
        self.head = nn.Linear(size, PARAMETERS[settings.distribution])
        self.lines: Tensor
        self.change: nn.Parameter | None = None
        if many.mixtures:
            lines = repeating(many.mixtures, self.seasons, settings.context, settings.horizon)
            if many.smoothing != "none":  # what the season has not learnt of it yet
                lines = _LEFT * lines
            self.register_buffer("lines", lines, persistent=False)
            self.change = nn.Parameter(torch.zeros_like(lines))
            self.gate = nn.Linear(size + static, many.mixtures)
        start(self, config)
        self.smoothing = (
            Smoothing(series, smoothed_seasons(config), settings.horizon)
            if many.smoothing != "none"
            else None
        )
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def forward(self, x: Tensor, after: Tensor, static: Tensor) -> Tensor:
        """x (B, T, F), after (B, K, C), static (B, G), behind which stand the facts that a
        smoothing needs. Returns (B, K, P)."""
        z, coming = x[:, :, 0], None
        if self.smoothing is not None:
            static, facts = static[:, : self.given], static[:, self.given :]
            _, z, coming = self.smoothing(z, x[:, :, 1], facts)
        seen = z.clamp(-_FARTHEST, _FARTHEST).unsqueeze(2)
        x = torch.cat((seen, x[:, :, 1:]), 2)
        if self.inputs is not None:
            x = self.inputs(x)
        if self.known is not None:
            after = self.known(after)
        if self.statics is not None:
            static = self.statics(static)
        changes = [_change(z, season) for season in self.seasons]
        _, last = self.recurrent(torch.cat((self.input_dropout(x), torch.stack(changes, 2)), 2))
        h = self.dropout(torch.cat((states_of(last)[0][-1], static), 1))
        hidden = self.state(h).unsqueeze(1) + self.step
        if self.coming is not None:
            hidden = hidden + self.coming(after)
        out: Tensor = self.head(self.dropout(torch.relu(hidden)))
        parts = [] if coming is None else [coming]
        if self.change is not None:
            lines = self.lines + _SLOW * self.change
            gate = self.gate(h).softmax(1)
            parts.append(torch.einsum("be,bek->bk", gate, torch.einsum("bt,etk->bek", z, lines)))
        if not parts:
            return out
        return torch.cat((out[..., :1] + sum(parts).unsqueeze(2), out[..., 1:]), 2)


def _change(z: Tensor, season: int) -> Tensor:
    """z_t - z_(t - season) (B, T), 0 where there is nothing so long before."""
    found = torch.zeros_like(z)
    if season < z.size(1):
        found[:, season:] = (z[:, season:] - z[:, :-season]).clamp(-_FARTHEST, _FARTHEST)
    return found


def seasons_of(config: Config) -> list[int]:
    """`forecast.season`, and further ones of `many.seasons`."""
    more = [int(part) for part in config.many.seasons.split(",") if part.strip()]
    return [config.forecast.season, *more]


def smoothed_seasons(config: Config) -> list[int]:
    """Seasons that a smoothing has: `forecast.season`, or all of them."""
    found = seasons_of(config)
    return found if config.many.smoothing == "es-all" else found[:1]


def repeating(maps: int, seasons: Sequence[int], context: int, horizon: int) -> Tensor:
    """Linear maps (E, T, K) that repeat the end of a window, a season each, in turn; a season
    longer than the window repeats the window.

    >>> repeating(1, [2], 3, 3)[0].T.tolist()
    [[0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [0.0, 1.0, 0.0]]
    """
    found = torch.zeros(maps, context, horizon)
    for number in range(maps):
        season = min(seasons[number % len(seasons)], context)
        for step in range(horizon):
            found[number, context - season + step % season, step] = 1.0
    return found
