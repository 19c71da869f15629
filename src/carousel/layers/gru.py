"""`GRU`: the module of `torch.nn` with the same name, and more."""

from __future__ import annotations

import torch
from torch import nn
from torch.types import Device

from carousel.layers.base import Recurrent
from carousel.layers.options import GRUOptions, Rates, between_layers


class GRU(Recurrent, nn.GRU):
    r"""A stack of GRU layers: `torch.nn.GRU` with `lengths=`.

    r_t = σ(W_ir x_t + b_ir + W_hr h_{t-1} + b_hr)
    z_t = σ(W_iz x_t + b_iz + W_hz h_{t-1} + b_hz)
    n_t = tanh(W_in x_t + b_in + r_t ⊙ (W_hn h_{t-1} + b_hn))
    h_t = (1 - z_t) ⊙ n_t + z_t ⊙ h_{t-1}

    Source: Cho et al. 2014 (arXiv:1406.1078), with r after the product as in cuDNN; with
    `reset_after=False` before it, as in the paper:

    n_t = tanh(W_in x_t + b_in + W_hn (r_t ⊙ h_{t-1}) + b_hn)

    Args:
        input_size: features I of the input.
        hidden_size: units H.
        num_layers: layers L, each reading the outputs of the one below.
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
        activation: in place of tanh: "softsign", "relu" or "hard_tanh".
        gate_activation: in place of σ: "hard_sigmoid", relu6(x + 3) / 6.
        zoneout: in training, each unit of h keeps its old value with this probability at each step;
            in evaluation, the expectation (Krueger et al. 2017, arXiv:1606.01305).
        weight_dropout: share of W_hh that is zero, one mask for each forward call in training
            (DropConnect; Merity et al. 2018, arXiv:1708.02182).
        recurrent_dropout: probability to drop a unit of the candidate n_t at a step (Semeniuta et
            al. 2016, arXiv:1603.05118).
        variational: probability to drop features, one mask for all steps of a call: of each layer's
            input, of h_{t-1} in the recurrent product, and of the last layer's output; one number
            or the three (Gal and Ghahramani 2016, arXiv:1512.05287).
        naive_recurrent_dropout: a new mask of h_{t-1} in the product at each step. For comparison:
            it hurts (Zaremba et al. 2014, arXiv:1409.2329).
        layer_norm: normalise, in each row, r and z of W_ih x_t together, its n by itself, and so
            those of W_hh h_{t-1}, before the biases, with gains weight_ln_ih_l[k] and
            weight_ln_hh_l[k] (3H,) (Ba et al. 2016, arXiv:1607.06450).
        reset_after: False for the reset gate before the product, for weights that come from Keras
            with reset_after=False or from ONNX with linear_before_reset=0. Same parameters; a step
            has two products, one after the other, and takes longer. Not with `layer_norm`.

    Inputs, outputs and errors: as `RNN`.

    Parameters are torch's, gates in the order r, z, n: weight_ih_l[k] (3H, I), (3H, D * H) for
    k > 0; weight_hh_l[k] (3H, H); bias_ih_l[k], bias_hh_l[k] (3H,); all from U(-1/√H, 1/√H).

    >>> y, h = GRU(3, 5, batch_first=True)(torch.randn(2, 7, 3))
    >>> y.shape, h.shape
    (torch.Size([2, 7, 5]), torch.Size([1, 2, 5]))
    """

    layer_options: GRUOptions = GRUOptions()
    zoneout: float
    reset_after: bool

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: Device = None,
        dtype: torch.dtype | None = None,
        *,
        activation: str = "tanh",
        gate_activation: str = "sigmoid",
        zoneout: float = 0.0,
        recurrent_dropout: float = 0.0,
        reset_after: bool = True,
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
            device=device,
            dtype=dtype,
        )
        options = GRUOptions(
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
            reset_after=reset_after,
        )
        self._take(dropout, options)
        self._add_gains()
