"""`RNN`: the module of `torch.nn` with the same name, and more."""

from __future__ import annotations

import torch
from torch import nn
from torch.types import Device

from carousel.layers.base import Recurrent
from carousel.layers.options import Rates, RNNOptions, between_layers, check_activation


class RNN(Recurrent, nn.RNN):
    r"""A stack of vanilla (Elman) RNN layers: `torch.nn.RNN` with `lengths=`.

    h_t = φ(W_ih x_t + b_ih + W_hh h_{t-1} + b_hh), φ = tanh or relu (Elman 1990).

    Args:
        input_size: features I of the input.
        hidden_size: units H.
        num_layers: layers L, each reading the outputs of the one below.
        nonlinearity: "tanh" or "relu".
        bias: whether b_ih and b_hh exist.
        batch_first: input and output are (B, T, ·) instead of (T, B, ·); states never are.
        dropout: on the outputs of every layer but the last, in training.
        bidirectional: a second set of weights reads from the end (D = 2 directions).
        device, dtype: of the parameters.
        checkpoint_every: keep for the backward pass only every so many steps (0: all of them) and
            compute the rest again: long sequences in bounded memory, the same gradients, a tenth
            to a third more time. Native kernels only.
        precision: "bf16" rounds what the products multiply to bfloat16, where that is faster here;
            all else is float32 (see docs/precision.md). Native kernels only.
        activation: φ: "tanh", "softsign", "relu" or "hard_tanh"; None: that of `nonlinearity`.
        zoneout: in training, each unit of h keeps its old value with this probability at each step;
            in evaluation, the expectation (Krueger et al. 2017, arXiv:1606.01305).
        weight_dropout: share of W_hh that is zero, one mask for each forward call in training
            (DropConnect; Merity et al. 2018, arXiv:1708.02182).
        variational: probability to drop features, one mask for all steps of a call: of each layer's
            input, of h_{t-1} in the recurrent product, and of the last layer's output; one number
            or the three (Gal and Ghahramani 2016, arXiv:1512.05287).
        naive_recurrent_dropout: a new mask of h_{t-1} in the product at each step. For comparison:
            it hurts (Zaremba et al. 2014, arXiv:1409.2329).
        layer_norm: h_t = φ(LN(W_ih x_t + W_hh h_{t-1}; γ) + b_ih + b_hh), normalised over the
            units of a row, with a gain γ, weight_ln_l[k] (H,) (Ba et al. 2016, arXiv:1607.06450).

    Inputs:
        input: (T, B, I), (B, T, I) if `batch_first`, (T, I) unbatched, or a `PackedSequence`.
        hx: h_0 (L * D, B, H), or (L * D, H) unbatched; zeros when None.
        lengths: steps of each row (B,), integers from 0 to T in any order, on any device; or a
            list of them.
            Outputs past the end are zero; h_n is the state after the last real step; the backward
            direction starts at the row's own last step. What stands in the padding never matters.

    Outputs:
        output: (T, B, D * H) or as the input's layout; a `PackedSequence` if the input was one.
        h_n: (L * D, B, H), or (L * D, H) unbatched.

    Parameters are torch's: weight_ih_l[k] (H, I), (H, D * H) for k > 0; weight_hh_l[k] (H, H);
    bias_ih_l[k], bias_hh_l[k] (H,); `_reverse` appended for the second direction; all drawn from
    U(-1/√H, 1/√H).

    Raises what `torch.nn.RNN` raises, and ValueError for lengths that do not fit and for options
    that are out of range or exclude each other. A `dropout` with one layer warns: it does nothing.

    >>> layer = RNN(3, 5)
    >>> y, h = layer(torch.randn(7, 2, 3), lengths=torch.tensor([7, 4]))
    >>> y.shape, h.shape, bool((y[4:, 1] == 0).all())
    (torch.Size([7, 2, 5]), torch.Size([1, 2, 5]), True)
    """

    layer_options: RNNOptions = RNNOptions()
    zoneout: float

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        nonlinearity: str = "tanh",
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: Device = None,
        dtype: torch.dtype | None = None,
        *,
        activation: str | None = None,
        zoneout: float = 0.0,
        variational: Rates = 0.0,
        naive_recurrent_dropout: float = 0.0,
        weight_dropout: float = 0.0,
        layer_norm: bool = False,
        checkpoint_every: int = 0,
        precision: str = "float32",
    ) -> None:
        super().__init__(
            input_size,
            hidden_size,
            num_layers,
            nonlinearity=_agreed(nonlinearity, activation),
            bias=bias,
            batch_first=batch_first,
            dropout=between_layers(dropout, num_layers),
            bidirectional=bidirectional,
            device=device,
            dtype=dtype,
        )
        options = RNNOptions(
            activation=None if activation == self.nonlinearity else activation,
            zoneout=zoneout,
            variational=variational,
            naive_recurrent_dropout=naive_recurrent_dropout,
            weight_dropout=weight_dropout,
            layer_norm=layer_norm,
            checkpoint_every=checkpoint_every,
            precision=precision,
        )
        self._take(dropout, options)
        self._add_gains()


def _agreed(nonlinearity: str, activation: str | None) -> str:
    """The nonlinearity that torch is told; raises ValueError where both are given and differ."""
    if activation is None:
        return nonlinearity
    check_activation(activation)
    if nonlinearity not in ("tanh", activation):
        raise ValueError(
            f"activation={activation!r} and nonlinearity={nonlinearity!r} contradict each other: "
            "give one"
        )
    return activation if activation in ("tanh", "relu") else nonlinearity
