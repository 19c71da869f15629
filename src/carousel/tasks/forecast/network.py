"""A network that forecasts a series."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from carousel.cells.states import states_of
from carousel.config import Config
from carousel.layers.categories import category_input
from carousel.tasks.shared.distributions import PARAMETERS
from carousel.tasks.shared.network import make_dropout, make_recurrent, start
from carousel.tasks.shared.reversible import Reversible
from carousel.tasks.shared.segments import Segments


class Forecaster(nn.Module):
    """All steps to come from the steps before: (B, T, F) and (B, K, C) to (B, K, targets, P).

    h = the last state of recurrent(x);  z_k = relu(W h + V c_k + e_k);  out_k = U z_k + b

    c_k is what is known of step k beforehand (the calendar), e_k an embedding of k. P numbers for
    each target: see `Output`. With `forecast.linear`, the first of them has Σ_t L_tk x_t of the
    target's own window, and an offset, added (as in LSTNet, Lai et al. 2018, arXiv:1703.07015),
    which may start as a regression: see `start_from`. With
    `forecast.independent`, the network reads one target at a time, each with the same weights (Nie
    et al. 2023, arXiv:2211.14730). With `forecast.segment`, h and z are those of `Segments`; with
    `forecast.normalize`, targets are read, and what the network says of them is told, by the level
    and the size of their own window (`Reversible`); the line reads them as they are, and brings the
    level.
    """

    def __init__(
        self,
        features: int,
        known: int,
        targets: Sequence[int],
        config: Config,
        levels: tuple[Mapping[int, int], Mapping[int, int]] = ({}, {}),
    ) -> None:
        """features: columns; known: numbers known beforehand; targets: columns to forecast; levels:
        how many levels codes have, by their places among features, and among what is known."""
        super().__init__()
        model, dropout, settings = config.model, config.regularization.dropout, config.forecast
        self.targets, self.known, self.independent = list(targets), known, settings.independent
        self.categories = None if self.independent else category_input(features, levels[0])
        self.known_categories = category_input(known, levels[1])
        if self.categories is not None:
            features = self.categories.width
        if self.known_categories is not None:
            known = self.known_categories.width
        features, outputs = (1, 1) if self.independent else (features, len(targets))
        self.parameters_each = PARAMETERS[config.forecast.distribution]
        self.normalize = settings.normalize
        self.recurrent = make_recurrent(
            model.hidden_size if settings.segment else features + known,
            model,
            config.regularization,
            batch_first=True,
        )
        self.input_dropout = make_dropout(config.regularization.input_dropout)
        self.segments: Segments | None = None
        if settings.segment:
            self.segments = Segments(
                settings.segment,
                context=settings.context,
                horizon=settings.horizon,
                features=features,
                hidden_size=model.hidden_size,
                outputs=outputs * self.parameters_each,
                known=known,
                channels=len(targets) if self.independent else 1,
                dropout=dropout,
            )
        else:
            self._make_head(known, outputs * self.parameters_each, config)
        self.line: nn.Parameter | None = None
        if settings.linear:
            shape = (len(targets), settings.context, settings.horizon)
            self.line = nn.Parameter(torch.zeros(shape))
            self.offset = nn.Parameter(torch.zeros(len(targets), settings.horizon))
        start(self, config)

    def _make_head(self, known: int, outputs: int, config: Config) -> None:
        hidden = config.model.hidden_size
        self.dropout = make_dropout(config.regularization.dropout)
        self.state = nn.Linear(hidden, hidden)
        self.calendar = nn.Linear(known, hidden, bias=False) if known else None
        self.step = nn.Parameter(torch.zeros(config.forecast.horizon, hidden))
        nn.init.normal_(self.step, std=hidden**-0.5)
        self.head = nn.Linear(hidden, outputs)

    @torch.no_grad()
    def start_from(self, weights: Tensor, offsets: Tensor) -> None:
        """Forecast what this linear map does, and nothing beside it: weights (C, T, K), offsets
        (C, K), on the scale of the network. Training goes on from there."""
        assert self.line is not None
        self.line.copy_(weights)
        self.offset.copy_(offsets)
        head = self.head if self.segments is None else self.segments.head
        nn.init.zeros_(head.weight)
        nn.init.zeros_(head.bias)

    def forward(self, x: Tensor, before: Tensor, after: Tensor) -> Tensor:
        """x (B, T, F); what is known of its steps, before (B, T, C), and of those to come, after
        (B, K, C). Returns (B, K, targets, P)."""
        own, rows = x[:, :, self.targets], len(x)
        window = None if self.normalize == "none" else Reversible.of(own, self.normalize)
        if window is not None:
            x = x.clone()
            x[:, :, self.targets] = window.apply(own)
        out = self._recurred(x, before, after)
        if self.independent:
            out = out.view(rows, len(self.targets), *out.shape[1:]).transpose(1, 2)
        else:
            out = out.view(*out.shape[:2], len(self.targets), self.parameters_each)
        if window is not None:
            out = window.restore(out, centred=self.line is None)
        if self.line is None:
            return out
        line = torch.einsum("btc,ctk->bkc", own, self.line) + self.offset.t()
        return torch.cat((out[..., :1] + line.unsqueeze(-1), out[..., 1:]), -1)

    def _recurred(self, x: Tensor, before: Tensor, after: Tensor) -> Tensor:
        """Outputs of the recurrence for the steps to come: (N, K, outputs), N = B, or B targets."""
        if self.independent:  # a row for each target of each window
            x = x[:, :, self.targets].transpose(1, 2).reshape(-1, x.size(1), 1)
        elif self.categories is not None:
            x = self.categories(x)
        if self.known_categories is not None:
            before, after = self.known_categories(before), self.known_categories(after)
        if self.independent:
            before = before.repeat_interleave(len(self.targets), 0)
            after = after.repeat_interleave(len(self.targets), 0)
        x = self.input_dropout(x)
        if self.segments is not None:
            found: Tensor = self.segments(self.recurrent, x, before, after)
            return found
        _, last = self.recurrent(torch.cat((x, before), 2))
        h = states_of(last)[0][-1]
        z = self.state(self.dropout(h)).unsqueeze(1) + self.step
        if self.calendar is not None:
            z = z + self.calendar(after)
        out: Tensor = self.head(self.dropout(torch.relu(z)))
        return out
