"""Initial weights of a network, by the name of the scheme.

H: hidden units; I: inputs of a layer; a kernel holds the gates one below the other, as torch's.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from carousel.cells.spec import CellSpec
from carousel.cells.table import SPECS, spec_of
from carousel.errors import ConfigError
from carousel.layers.base import Recurrent

NAMES = ("torch", "uniform", "orthogonal", "identity", "chrono")
_LEFT = tuple({w.name for spec in SPECS for w in spec.weights if w.is_gain or w.own_start})


def initialize(
    network: nn.Module,
    name: str,
    *,
    range: float = 0.1,
    steps: int = 100,
    forget_bias: float = 0.0,
) -> None:
    """Draw every weight of a network anew, from torch's global random state.

    name:
        "torch": leave what torch drew.
        "uniform": every weight and bias from U(-range, range) (Zaremba et al. 2014).
        "orthogonal": Keras's defaults. Input kernels and linear layers from Glorot's
            U(±√(6 / (fan in + fan out))), recurrent kernels (gates * H, H) orthonormal in their
            columns (of each head; Saxe et al. 2014), embeddings from U(-0.05, 0.05), biases zero.
        "identity": each recurrent H x H block the identity, or each block of a head. In a vanilla
            RNN the other weights from N(0, 0.001²): the IRNN of Le et al. 2015 (arXiv:1504.00941),
            meant for nonlinearity "relu"; under gates each other block orthogonal, as in Cooijmans
            et al. 2016 (arXiv:1603.09025). Linear layers and embeddings as in "orthogonal", biases
            zero.
        "chrono": torch's, and biases such that the memory lasts from 1 to `steps` steps: of the
            LSTM, b_f = log U(1, steps - 1) and b_i = -b_f; of the GRU, b_z = log U(1, steps - 1)
            (Tallec and Ollivier 2018, arXiv:1804.11188).
    forget_bias: added to the forget gate of LSTM, minLSTM and sLSTM, or taken from the input gate
        that is coupled to it, but for "chrono", which sets it.

    Peepholes are zero in "orthogonal" and "identity".

    minGRU, minLSTM, IndRNN, SRU, RG-LRU and QRNN have no recurrent matrix: "orthogonal" sets their
    input kernels and biases alone, and SRU's v to zero; "identity" sets IndRNN's recurrent weights
    to one, the rest as in a vanilla RNN. RG-LRU's Λ and LRU's ν, θ and γ start in their own way
    under all of them. Under "chrono", minLSTM and sLSTM start as the LSTM does, and minGRU, whose z
    means new, with the GRU's b_z negated.

    Raises `ConfigError` for an unknown name, for "chrono" on a network without gates, and for
    "identity" on one without recurrent weights.

    >>> layer = nn.GRU(3, 4)
    >>> initialize(layer, "identity")
    >>> bool((layer.weight_hh_l0 == torch.eye(4).repeat(3, 1)).all())
    True
    """
    if name not in NAMES:
        raise ConfigError(f"initialization.name must be one of {', '.join(NAMES)}; got '{name}'")
    with torch.no_grad():
        if name == "uniform":
            for part, parameter in network.named_parameters():
                if not _is_gain(part):
                    parameter.uniform_(-range, range)
        for module in network.modules():
            if isinstance(module, nn.RNNBase | Recurrent):
                _recurrent(module, name, steps, forget_bias)
            elif name in ("orthogonal", "identity"):
                _other(module)


def _recurrent(layer: Any, name: str, steps: int, forget_bias: float) -> None:
    spec = spec_of(layer.mode)
    if name == "chrono" and not spec.lasting:
        raise ConfigError(f"initialization.name = 'chrono' sets gates: {spec.layer} has none")
    if name == "identity" and spec.recurrent is None:
        raise ConfigError(
            f"initialization.name = 'identity' sets recurrent weights: {spec.layer} has none"
        )
    for part, parameter in layer.named_parameters():
        if _is_gain(part):
            continue
        if name in ("orthogonal", "identity"):
            _weight(layer, spec, name, part, parameter)
        if part.startswith("bias_ih"):
            twin = getattr(layer, part.replace("bias_ih", "bias_hh"), None)
            _bias(layer, spec, name, parameter, twin, steps, forget_bias)


def _is_gain(name: str) -> bool:
    """True for a weight that starts as its layer has it: of layer normalisation, at one, its bias
    at zero; and those of which the cell says so."""
    return name.rsplit(".", 1)[-1].startswith(_LEFT)


def _weight(layer: Any, spec: CellSpec, name: str, part: str, parameter: Tensor) -> None:
    hidden = layer.hidden_size
    is_recurrent = part.startswith("weight_hh")
    if part.startswith(("bias", "weight_c_l")):
        parameter.zero_()
    elif is_recurrent and parameter.dim() == 1:
        if name == "identity":
            parameter.fill_(1.0)
    elif name == "orthogonal":
        draw = nn.init.orthogonal_ if is_recurrent else nn.init.xavier_uniform_
        if is_recurrent and spec.has_heads:
            for block in _of_heads(parameter, hidden):  # (G, ·, ·), which stands apart in memory
                block.copy_(draw(parameter.new_empty(block.shape).flatten(0, 1)).view_as(block))
        else:
            draw(parameter)
    elif is_recurrent and (parameter.size(1) == hidden or spec.has_heads):
        columns = parameter.size(1)
        parameter.copy_(torch.eye(columns).repeat(len(parameter) // columns, 1))
    elif not spec.gates:
        parameter.normal_(0, 0.001)
    else:
        for block in torch.split(parameter, hidden):
            nn.init.orthogonal_(block)


def _of_heads(weight: Tensor, hidden: int) -> Iterator[Tensor]:
    """Recurrent weights of each head (G, H / heads, H / heads): views of all, (G H, H / heads)."""
    columns = weight.size(1)
    yield from weight.view(-1, hidden // columns, columns, columns).transpose(0, 1)


def _bias(
    layer: Any,
    spec: CellSpec,
    name: str,
    bias: Tensor,
    twin: Tensor | None,
    steps: int,
    forget_bias: float,
) -> None:
    """bias, twin: b_ih and b_hh if there is one, which add up in every gate of `spec.lasting`."""

    def given(option: str) -> Any:
        return getattr(layer, option, None)

    gates, H = spec.gates_with(given), layer.hidden_size
    rows = {gate: slice(k * H, (k + 1) * H) for k, gate in enumerate(gates)}
    forget = spec.forget_gate(given)
    if name == "chrono":
        drawn = torch.empty(H).uniform_(1, steps - 1).log()
        for gate, sign in spec.lasting.items():
            if gate in rows:
                bias[rows[gate]] = sign * drawn
                if twin is not None:
                    twin[rows[gate]] = 0.0
    elif "forget_bias" in spec.options and name != "torch" and forget is not None:
        gate, sign = forget
        bias[rows[gate]] += sign * forget_bias


def _other(module: nn.Module) -> None:
    if isinstance(module, nn.Embedding):
        nn.init.uniform_(module.weight, -0.05, 0.05)
    elif isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
