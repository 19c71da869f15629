"""Recurrence over segments of a window, and segments to come that are decoded at once (SegRNN)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from carousel.cells.states import hx_of, states_of
from carousel.layers.base import Recurrent
from carousel.tasks.shared.network import make_dropout


class Segments(nn.Module):
    """Steps to come of windows that are read W at a time: (N, T, F) to (N, K, O).

    The window is cut into n = T / W segments, each with what is known of its steps; the recurrence
    has one step for each of them, and one more, from its last state s_n, for each of the m = K / W
    segments to come, rounded up, all in one call:

        e_i = relu(A [x_i, c_i] + a);  s_i = cell(e_i, s_{i-1});          i = 1 … n
        d_j = p_j + q + V c_j;  h_j = cell(d_j, s_n);  y_j = U h_j + b    j = 1 … m

    x_i has W F numbers, c_i the W C that are known beforehand, y_j the W O of W steps; p_j is
    learnt for each place and q for each channel. So T steps cost n of the recurrence, and errors do
    not run on from one step to come to the next. Where W does not divide K, the last steps of the
    last segment are left out. Dropout is before U. Source: Lin et al. 2023, "SegRNN: Segment
    Recurrent Neural Network for Long-Term Time Series Forecasting" (arXiv:2308.11200), who have
    p_j and q side by side, each of half the size, where they are added here, and no c.

    >>> from carousel import layers
    >>> segments = Segments(4, context=12, horizon=6, features=1, hidden_size=8, outputs=1)
    >>> none = torch.zeros(5, 12, 0), torch.zeros(5, 6, 0)
    >>> segments(layers.GRU(8, 8, batch_first=True), torch.randn(5, 12, 1), *none).shape
    torch.Size([5, 6, 1])
    """

    def __init__(
        self,
        length: int,
        *,
        context: int,
        horizon: int,
        features: int,
        hidden_size: int,
        outputs: int,
        known: int = 0,
        channels: int = 1,
        dropout: float = 0.0,
    ) -> None:
        """length: W; context: T, a multiple of it; horizon: K; outputs: O of each step to come;
        channels: of how many series windows are, one after the other in a batch. Raises
        `ValueError` for a context that is no multiple of the length."""
        super().__init__()
        if context % length:
            raise ValueError(f"context must be a multiple of length; got {context} and {length}")
        self.length, self.horizon, self.outputs = length, horizon, outputs
        self.count = -(-horizon // length)
        self.embed = nn.Linear(length * (features + known), hidden_size)
        self.coming = nn.Linear(length * known, hidden_size, bias=False) if known else None
        self.place = nn.Parameter(torch.randn(self.count, hidden_size))
        self.channel = nn.Parameter(torch.randn(channels, hidden_size)) if channels > 1 else None
        self.dropout = make_dropout(dropout)
        self.head = nn.Linear(hidden_size, length * outputs)

    def forward(self, recurrent: Recurrent, x: Tensor, before: Tensor, after: Tensor) -> Tensor:
        """recurrent: reads (N, n, H), batch first; x (N, T, F); what is known of its steps, before
        (N, T, C), and of those to come, after (N, K, C). Returns (N, K, O)."""
        rows = len(x)
        read = torch.cat((x, before), 2).reshape(rows, -1, self.embed.in_features)
        _, last = recurrent(torch.relu(self.embed(read)))
        starts = [state.repeat_interleave(self.count, 1) for state in states_of(last)]
        h, _ = recurrent(self._places(rows, after).flatten(0, 1).unsqueeze(1), hx_of((*starts,)))
        steps: Tensor = self.head(self.dropout(h)).view(rows, -1, self.outputs)
        return steps[:, : self.horizon]

    def _places(self, rows: int, after: Tensor) -> Tensor:
        """d (N, m, H), what the recurrence reads of each segment to come."""
        found = self.place.expand(rows, -1, -1)
        if self.channel is not None:
            found = found + self.channel.repeat(rows // len(self.channel), 1).unsqueeze(1)
        if self.coming is not None:
            lacking = self.count * self.length - self.horizon
            known = F.pad(after, (0, 0, 0, lacking)).reshape(rows, self.count, -1)
            found = found + self.coming(known)
        return found
