"""`LSTM`: the module of `torch.nn` with the same name, and more."""

from __future__ import annotations

import torch
from torch import nn
from torch.types import Device

from carousel.layers.base import Recurrent
from carousel.layers.options import LSTMOptions, Rates, between_layers


class LSTM(Recurrent, nn.LSTM):
    r"""A stack of LSTM layers: `torch.nn.LSTM` with `lengths=` and `forget_bias=`.

    i_t = σ(W_ii x_t + b_ii + W_hi h_{t-1} + b_hi)
    f_t = σ(W_if x_t + b_if + W_hf h_{t-1} + b_hf)
    g_t = tanh(W_ig x_t + b_ig + W_hg h_{t-1} + b_hg)
    o_t = σ(W_io x_t + b_io + W_ho h_{t-1} + b_ho)
    c_t = f_t ⊙ c_{t-1} + i_t ⊙ g_t
    h_t = o_t ⊙ tanh(c_t), then W_hr h_t with `proj_size`

    Source: Hochreiter and Schmidhuber 1997; forget gate: Gers et al. 2000; projection: Sak et
    al. 2014 (arXiv:1402.1128); forget bias: Jozefowicz et al. 2015.

    Args:
        input_size: features I of the input.
        hidden_size: units H.
        num_layers: layers L, each reading the outputs of the one below.
        bias: whether b_ih and b_hh exist.
        batch_first: input and output are (B, T, ·) instead of (T, B, ·); states never are.
        dropout: on the outputs of every layer but the last, in training.
        bidirectional: a second set of weights reads from the end (D = 2 directions).
        proj_size: project h to so many features P < H (0: no projection, P = H).
        device, dtype: of the parameters.
        forget_bias: what the forget gate's two biases add up to at the start; None keeps torch's
            initialisation. 1.0 lets gradients through time from the first step on. Coupled gates:
            the input gate starts at -forget_bias.
        checkpoint_every, weight_dropout, variational, naive_recurrent_dropout, precision: as `RNN`.
        activation: in place of both tanh: "softsign", "relu" or "hard_tanh".
        gate_activation: in place of σ: "hard_sigmoid", relu6(x + 3) / 6.
        peephole: the gates see the cell: weight_c_l[k] (3H,), p_i ⊙ c_{t-1} and p_f ⊙ c_{t-1} are
            added to the sums of i and f, p_o ⊙ c_t to that of o (Gers and Schmidhuber 2000).
        coupled: f = 1 - i; the weights lose the rows of f (CIFG; Greff et al. 2015,
            arXiv:1503.04069).
        variant: one part left out, as in Greff et al. 2015: "NIG", "NFG" or "NOG" (no input,
            forget or output gate: it is 1 and the weights lose its rows), "NIAF" or "NOAF" (no
            activation of the candidate, of the output).
        zoneout: probabilities of (c, h), or one for both: in training, each unit keeps its old
            value with it at each step, in evaluation the expectation; h is made from the new c
            (Krueger et al. 2017, arXiv:1606.01305).
        recurrent_dropout: probability to drop a unit of the candidate g_t at a step (Semeniuta et
            al. 2016, arXiv:1603.05118).
        layer_norm: the sums are LN(W_ih x_t; γ_x) + LN(W_hh h_{t-1}; γ_h) + b, each normalised over
            all gates of a row, and h_t = o_t ⊙ tanh(LN(c_t; γ_c) + β_c): weight_ln_ih_l[k],
            weight_ln_hh_l[k] (4H,), weight_ln_c_l[k], bias_ln_c_l[k] (H,) (Ba et al. 2016,
            arXiv:1607.06450).

    Inputs:
        input, lengths: as `RNN`.
        hx: (h_0, c_0), shaped (L * D, B, P) and (L * D, B, H); zeros when None.

    Outputs:
        output: (T, B, D * P) or as the input's layout; a `PackedSequence` if the input was one.
        (h_n, c_n): shaped like (h_0, c_0).

    Parameters are torch's, gates in the order i, f, g, o: weight_ih_l[k] (4H, I), (4H, D * P) for
    k > 0; weight_hh_l[k] (4H, P); bias_ih_l[k], bias_hh_l[k] (4H,); weight_hr_l[k] (P, H); all
    from U(-1/√H, 1/√H).

    Raises what `torch.nn.LSTM` raises, ValueError for lengths that do not fit, for a `forget_bias`
    without biases or forget gate, and for options that are out of range or exclude each other.

    >>> layer = LSTM(3, 5, forget_bias=1.0)
    >>> y, (h, c) = layer(torch.randn(7, 2, 3))
    >>> y.shape, h.shape, c.shape
    (torch.Size([7, 2, 5]), torch.Size([1, 2, 5]), torch.Size([1, 2, 5]))
    >>> (layer.bias_ih_l0 + layer.bias_hh_l0)[5:10].tolist()
    [1.0, 1.0, 1.0, 1.0, 1.0]
    """

    layer_options: LSTMOptions = LSTMOptions()
    zoneout: tuple[float, ...]
    forget_bias: float | None
    peephole: bool
    coupled: bool
    variant: str

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: Device = None,
        dtype: torch.dtype | None = None,
        *,
        forget_bias: float | None = None,
        activation: str = "tanh",
        gate_activation: str = "sigmoid",
        peephole: bool = False,
        coupled: bool = False,
        variant: str = "",
        zoneout: Rates = 0.0,
        recurrent_dropout: float = 0.0,
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
            bias=bias,
            batch_first=batch_first,
            dropout=between_layers(dropout, num_layers),
            bidirectional=bidirectional,
            proj_size=proj_size,
            device=device,
            dtype=dtype,
        )
        options = LSTMOptions(
            activation=activation,
            gate_activation=gate_activation,
            zoneout=zoneout,
            recurrent_dropout=recurrent_dropout,
            variational=variational,
            naive_recurrent_dropout=naive_recurrent_dropout,
            weight_dropout=weight_dropout,
            layer_norm=layer_norm,
            checkpoint_every=checkpoint_every,
            precision=precision,
            forget_bias=forget_bias,
            peephole=peephole,
            coupled=coupled,
            variant=variant,
        )
        self._take(dropout, options)
        if forget_bias is not None and not self.bias:
            raise ValueError("forget_bias needs biases: leave it out, or set bias=True")
        if self.zoneout[1] and self.proj_size:
            raise ValueError(
                "zoneout of the state has no unit to keep where proj_size mixes them: "
                "use zoneout=(cell, 0)"
            )
        if peephole or self.gates != self.cell_spec.gates:
            self._reshape_weights()
            self.reset_parameters()
        elif forget_bias is not None:
            self._set_forget_bias()
        self._add_gains()

    def _reshape_weights(self) -> None:
        """Drop the rows of absent gates; add the peepholes, last of each direction."""
        for group in self._all_weights:
            like, suffix = getattr(self, group[0]), group[0].removeprefix("weight_ih")
            group.clear()
            for weight in self.cell_spec.weights_with(self._given):
                if not weight.is_gain:
                    new = like.new_empty(self._shape_of(weight, like))
                    self.register_parameter(weight.name + suffix, nn.Parameter(new))
                    group.append(weight.name + suffix)
        self._flat_weights_names = [name for group in self._all_weights for name in group]
        self._init_flat_weights()

    def reset_parameters(self) -> None:
        """torch's U(-1/√H, 1/√H); then the forget gate's biases, if `forget_bias` is set."""
        super().reset_parameters()
        if self.forget_bias is not None:
            self._set_forget_bias()

    def _set_forget_bias(self) -> None:
        forget, H = self.cell_spec.forget_gate(self._given), self.hidden_size
        assert self.forget_bias is not None
        assert forget is not None  # the options see to it
        place, start = self.gates.index(forget[0]), forget[1] * self.forget_bias
        rows = slice(place * H, (place + 1) * H)
        with torch.no_grad():
            for name, parameter in self.named_parameters():
                if name.startswith("bias_ih"):
                    parameter[rows] = start
                elif name.startswith("bias_hh"):
                    parameter[rows] = 0.0

    def flatten_parameters(self) -> None:
        """torch's, which knows torch's weights only."""
        if not self.peephole and self.gates == self.cell_spec.gates:
            super().flatten_parameters()

    @property
    def gates(self) -> str:
        """Gates among i, f, g, o that have rows in the weights, in their order."""
        return self.cell_spec.gates_with(self._given)
