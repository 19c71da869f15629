"""Recurrence over segments of a window, and segments to come that are decoded at once (SegRNN)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from carousel.cells.states import hx_of, states_of
from carousel.layers import GRU
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

    A GRU of one layer without options is not called for h_j: what s_n adds to its gates is the same
    for all m, and without c_j what d_j adds is the same for all windows, so each is computed once
    (in float32, whatever the layer's precision). Every other recurrence is called on all N m rows.

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
        states = states_of(last)
        if self.count > 1 and _is_plain(recurrent):
            h = self._shared(recurrent, states[0][0], after)
        else:
            starts = [state.repeat_interleave(self.count, 1) for state in states]
            places = self._places(rows, after).expand(rows // self._channels, -1, -1, -1)
            given = places.reshape(rows * self.count, 1, -1)
            h, _ = recurrent(given, hx_of((*starts,)))
        steps: Tensor = self.head(self.dropout(h)).view(rows, -1, self.outputs)
        return steps[:, : self.horizon]

    def _shared(self, recurrent: Recurrent, h: Tensor, after: Tensor) -> Tensor:
        """h_j (B, C, m, H) of a GRU from the states h (N, H) that it is in, N = B C."""
        size, (w_ih, w_hh, *biases) = h.size(1), recurrent.all_weights[0]
        b_ih, b_hh = biases or (None, None)
        a = F.linear(self._places(len(h), after), w_ih, b_ih)
        b = F.linear(h, w_hh, b_hh).view(-1, self._channels, 1, 3 * size)
        gates = torch.sigmoid(a[..., : 2 * size] + b[..., : 2 * size])
        r, z = gates.chunk(2, -1)
        n = torch.tanh(torch.addcmul(a[..., 2 * size :], r, b[..., 2 * size :]))
        return torch.lerp(n, h.view(-1, self._channels, 1, size), z)

    @property
    def _channels(self) -> int:
        return 1 if self.channel is None else len(self.channel)

    def _places(self, rows: int, after: Tensor) -> Tensor:
        """d (B or 1, C, m, H), what the recurrence reads of each segment to come: 1 where it is
        the same for all windows."""
        found = self.place.view(1, 1, *self.place.shape)
        if self.channel is not None:
            found = found + self.channel.unsqueeze(1)
        if self.coming is not None:
            lacking = self.count * self.length - self.horizon
            known = F.pad(after, (0, 0, 0, lacking)).reshape(rows, self.count, -1)
            found = found + self.coming(known).view(-1, self._channels, *self.place.shape)
        return found


def _is_plain(recurrent: Recurrent) -> bool:
    """True of a GRU as torch has it, of one layer that reads in one direction."""
    options = recurrent.layer_options.changed() if type(recurrent) is GRU else ["another layer"]
    return (
        all(option.startswith("precision=") for option in options)
        and recurrent.num_layers == 1
        and not recurrent.bidirectional
    )
