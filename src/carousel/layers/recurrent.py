"""`RNN`, `LSTM` and `GRU`: the modules of `torch.nn` with the same names, and more.

Each is a subclass of the torch module, so that parameter names, shapes, gate order, `state_dict`,
`isinstance` and pickling are torch's own; only `forward` is ours.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor, fx, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import PackedSequence

from carousel import kernels
from carousel.cells.lstm import gates_of
from carousel.layers.options import (
    Rates,
    check_activation,
    check_gate_activation,
    check_gates,
    check_reset,
    probabilities,
    probability,
)

if TYPE_CHECKING:
    _Base = nn.RNNBase
else:
    _Base = object


class Recurrent(_Base):
    """The forward pass that the three modules share. Mixed in before the torch class."""

    # Of the class too, for layers that were made, or pickled, without them.
    checkpoint_every: int = 0
    activation: str | None = "tanh"
    gate_activation: str = "sigmoid"
    zoneout: float | tuple[float, ...] = 0.0
    recurrent_dropout: float = 0.0
    variational: tuple[float, ...] = (0.0, 0.0, 0.0)
    naive_recurrent_dropout: float = 0.0
    weight_dropout: float = 0.0
    layer_norm: bool = False

    def __init__(
        self,
        *args: Any,
        checkpoint_every: int = 0,
        variational: Rates = 0.0,
        naive_recurrent_dropout: float = 0.0,
        weight_dropout: float = 0.0,
        layer_norm: bool = False,
        **kwargs: Any,
    ) -> None:
        args, kwargs, vain = _without_vain_dropout(self._torch_arguments, args, kwargs)
        super().__init__(*args, **kwargs)
        if vain is not None:
            self.dropout = vain
        if checkpoint_every < 0:
            raise ValueError(f"checkpoint_every must be 0 or more steps, got {checkpoint_every}")
        self.checkpoint_every = checkpoint_every
        self.variational = probabilities("variational", variational, ("input", "state", "output"))
        self.naive_recurrent_dropout = probability(
            "naive_recurrent_dropout", naive_recurrent_dropout
        )
        self.weight_dropout = probability("weight_dropout", weight_dropout)
        self.layer_norm = layer_norm
        if self.naive_recurrent_dropout and self.variational[1]:
            raise ValueError(
                "variational (of the state) and naive_recurrent_dropout both drop h before the "
                "recurrent product: choose one"
            )

    def forward(
        self,
        input: Tensor | PackedSequence | fx.Proxy,
        hx: Any = None,
        lengths: Tensor | Sequence[int] | None = None,
    ) -> tuple[Any, Any]:
        """Run the stack; shapes as in the class's docstring."""
        if isinstance(input, fx.Proxy):
            return self._fx_node(input, hx, lengths)
        weights = self._dropped(self.weights())
        if isinstance(input, PackedSequence):
            if lengths is not None:
                raise ValueError("a PackedSequence carries its own lengths: leave lengths= out")
            return self._forward_packed(input, hx, weights)
        if input.dim() not in (2, 3):
            raise ValueError(
                f"{type(self).__name__}: Expected input to be 2D or 3D, got {input.dim()}D instead"
            )
        batched = input.dim() == 3
        batch_dim = 0 if self.batch_first else 1
        if not batched:
            if lengths is not None:
                raise ValueError("lengths= needs a batch: input is 2-D (unbatched)")
            input = input.unsqueeze(batch_dim)
        state = self._initial_state(input, input.size(batch_dim), hx, batched)
        self.check_forward_args(input, self._as_hx(state), None)
        checked = None if lengths is None else self._checked_lengths(lengths, input)
        output, state = kernels.run(
            self.stack(), input, state, weights, training=self.training, lengths=checked
        )
        if not batched:
            output = output.squeeze(batch_dim)
            state = tuple(part.squeeze(1) for part in state)
        return output, self._as_hx(state)

    def _fx_node(self, input: fx.Proxy, hx: Any, lengths: Any) -> tuple[Any, Any]:
        from carousel.layers import tools  # which needs the layers

        node: tuple[Any, Any] = tools.fx_node(self, input, {"hx": hx, "lengths": lengths})
        return node

    def __prepare_scriptable__(self) -> nn.Module:  # what torch.jit.script asks for
        from carousel.layers import tools

        return tools.scriptable(self)

    @property
    def qconfig(self) -> Any:
        """How torch.ao.quantization would quantise the layer; it sets this, and leaves it so."""
        if "qconfig" not in vars(self):
            raise AttributeError("qconfig")
        return vars(self)["qconfig"]

    @qconfig.setter
    def qconfig(self, value: Any) -> None:
        from carousel.layers import tools

        if "qconfig" not in vars(self):
            tools.left_by_quantization(self)
        vars(self)["qconfig"] = value

    @qconfig.deleter
    def qconfig(self) -> None:
        vars(self).pop("qconfig", None)

    def step(self, x_t: Tensor, hx: Any = None) -> tuple[Tensor, Any]:
        """One step from state `hx`: x_t (B, I) or (I,) to the output (B, P) or (P,), and the state.

        The same as `forward` on a sequence of one step; differentiable. For live data see
        `carousel.Stream`, which keeps the state and is faster. Raises ValueError if bidirectional.
        """
        if self.bidirectional:
            raise ValueError("a bidirectional layer reads from the end: it has no next step")
        time = 1 if self.batch_first and x_t.dim() == 2 else 0
        y, hx = self(x_t.unsqueeze(time), hx)
        return y.squeeze(time), hx

    def path(self, input: Tensor, *, ragged: bool = False) -> kernels.Path:
        """Which path a call with this input takes, and why."""
        return kernels.choose(self.stack(), input, self.weights(), ragged=ragged)

    def explain(self, input: Tensor | PackedSequence, lengths: Tensor | None = None) -> str:
        """The same in words."""
        packed = isinstance(input, PackedSequence)
        data = input.data if isinstance(input, PackedSequence) else input
        return str(self.path(data, ragged=packed or lengths is not None))

    def checked_state(self, x: Tensor, hx: Any) -> tuple[Tensor, ...]:
        """The initial state of a batch as a tuple; raises what torch raises if it does not fit."""
        state = self._initial_state(x, x.size(0 if self.batch_first else 1), hx, batched=True)
        self.check_forward_args(x, self._as_hx(state), None)
        return state

    def _forward_packed(
        self, packed: PackedSequence, hx: Any, weights: list[Tensor]
    ) -> tuple[PackedSequence, Any]:
        rows: Any = packed.batch_sizes[0]  # stays a tensor where torch.jit traces: any number
        if not kernels.is_tracing():
            rows = int(rows)
        state = self._initial_state(packed.data, rows, hx, batched=True)
        self.check_forward_args(packed.data, self._as_hx(state), packed.batch_sizes)
        output, state = kernels.run_packed(
            self.stack(), packed, state, weights, training=self.training
        )
        return output, self._as_hx(state)

    def stack(self) -> kernels.Stack:
        return kernels.Stack(
            self.mode,
            self.num_layers,
            self.bias,
            self.batch_first,
            self.dropout,
            self.bidirectional,
            self.proj_size,
            self.checkpoint_every,
            self.options(),
        )

    def options(self) -> kernels.Options:
        """What the cell does differently from torch's in a call now: in evaluation, no masks."""
        training = self.training
        zoneout = self.zoneout
        cell, state = zoneout if isinstance(zoneout, tuple) else (0.0, zoneout)
        inputs, product, outputs = self.variational
        naive = self.naive_recurrent_dropout
        return kernels.Options(
            activation=self._own_activation(),
            gate_activation="" if self.gate_activation == "sigmoid" else self.gate_activation,
            zoneout_cell=cell,
            zoneout_state=state,
            recurrent_dropout=self.recurrent_dropout if training else 0.0,
            state_dropout=(naive or product) if training else 0.0,
            each_step=training and naive > 0,
            draws=training and cell + state > 0,
            input_dropout=inputs if training else 0.0,
            output_dropout=outputs if training else 0.0,
            layer_norm=self.layer_norm,
            **self._structure(),
        )

    _torch_arguments: tuple[str, ...] = (
        "input_size",
        "hidden_size",
        "num_layers",
        "bias",
        "batch_first",
        "dropout",
    )

    def _own_activation(self) -> str:
        return "" if self.activation == "tanh" else self.activation or ""

    def _structure(self) -> dict[str, Any]:
        return {}

    def _dropped(self, weights: list[Tensor]) -> list[Tensor]:
        """The weights of a call: with `weight_dropout` in training, W_hh with a new mask."""
        if not (self.weight_dropout and self.training):
            return weights
        each = len(weights) // (self.num_layers * (2 if self.bidirectional else 1))
        return [
            F.dropout(weight, self.weight_dropout) if index % each == 1 else weight
            for index, weight in enumerate(weights)
        ]

    def extra_repr(self) -> str:
        """torch's, and what else is not at its default."""
        return ", ".join([super().extra_repr(), *self.own_options()])

    def own_options(self) -> list[str]:
        """The options that torch's layer lacks and that are not at their defaults: name=value."""
        return [
            f"{name}={getattr(self, name)!r}"
            for name, default in self._defaults().items()
            if getattr(self, name) != default
        ]

    def _defaults(self) -> dict[str, Any]:
        names = (
            "activation",
            "gate_activation",
            "zoneout",
            "recurrent_dropout",
            "variational",
            "naive_recurrent_dropout",
            "weight_dropout",
            "layer_norm",
        )
        return {name: getattr(type(self), name) for name in names}

    def _add_gains(self) -> None:
        """The parameters of layer normalisation, last of each direction; called at the end."""
        if not self.layer_norm:
            return
        for group in self._all_weights:
            like, suffix = getattr(self, group[0]), group[0].removeprefix("weight_ih")
            for name, rows in self._gains(len(like)).items():
                self.register_parameter(name + suffix, nn.Parameter(like.new_empty(rows)))
                group.append(name + suffix)
        self._flat_weights_names = [name for group in self._all_weights for name in group]
        self._init_flat_weights()
        self._reset_gains()

    def _gains(self, rows: int) -> dict[str, int]:
        return {"weight_ln_ih": rows, "weight_ln_hh": rows}

    @torch.no_grad()
    def _reset_gains(self) -> None:
        for name, parameter in self.named_parameters():
            if name.startswith(("weight_ln", "bias_ln")):
                parameter.fill_(1.0 if name.startswith("weight") else 0.0)

    def reset_parameters(self) -> None:
        """torch's U(-1/√H, 1/√H); gains of layer normalisation one, its bias zero."""
        super().reset_parameters()
        self._reset_gains()

    def flatten_parameters(self) -> None:
        """torch's, which knows torch's weights only."""
        if not self.layer_norm:
            super().flatten_parameters()

    def weights(self) -> list[Tensor]:
        # functional_call and parametrisations change them behind torch's list: it looks again.
        # torch.export puts others in their place for a while: a list kept of those would be wrong.
        if kernels.is_exporting():
            return [cast(Tensor, getattr(self, name)) for name in self._flat_weights_names]
        self._update_flat_weights()
        return cast(list[Tensor], self._flat_weights)

    def weight_names(self) -> list[str]:
        """The attributes that `weights` reads, in its order."""
        return list(self._flat_weights_names)

    def _state_sizes(self) -> tuple[int, ...]:
        return (self.hidden_size,)

    def _as_hx(self, state: tuple[Tensor, ...]) -> Any:
        return state[0]

    def _as_state(self, hx: Any) -> tuple[Tensor, ...]:
        if not isinstance(hx, Tensor):
            raise TypeError(f"{type(self).__name__}: hx must be a tensor, got {type(hx).__name__}")
        return (hx,)

    def _initial_state(self, x: Tensor, rows: int, hx: Any, batched: bool) -> tuple[Tensor, ...]:
        if hx is None:
            depth = self.num_layers * (2 if self.bidirectional else 1)
            return tuple(x.new_zeros(depth, rows, size) for size in self._state_sizes())
        state = self._as_state(hx)
        wanted = 3 if batched else 2
        if any(part.dim() != wanted for part in state):
            kind = "batched 3-D" if batched else "unbatched 2-D"
            dims = ", ".join(f"{part.dim()}-D" for part in state)
            raise RuntimeError(
                f"For {kind} input, hx should also be {wanted}-D but got {dims} tensor"
            )
        return state if batched else tuple(part.unsqueeze(1) for part in state)

    def _checked_lengths(self, lengths: Tensor | Sequence[int], x: Tensor) -> Tensor:
        rows, steps = (x.size(0), x.size(1)) if self.batch_first else (x.size(1), x.size(0))
        if not isinstance(lengths, Tensor):
            lengths = torch.as_tensor(lengths)
        kind = lengths.dtype
        if kind.is_floating_point or kind.is_complex or kind == torch.bool:
            raise ValueError(f"lengths must be integers, got {lengths.dtype}")
        if lengths.shape != (rows,):
            raise ValueError(
                f"lengths must have one entry per row, shape ({rows},); got {tuple(lengths.shape)}"
            )
        # A traced program has no values yet to look at: the operator looks when it runs.
        traced = torch.compiler.is_compiling() or kernels.is_tracing()
        if not traced and steps == 0:  # as torch.nn's layers say it, not its packing
            raise RuntimeError("Expected sequence length to be larger than 0 in RNN, got 0 steps")
        if rows and not traced and (int(lengths.min()) < 0 or int(lengths.max()) > steps):
            raise ValueError(
                f"lengths must lie between 0 and the {steps} steps of the input; got "
                f"{int(lengths.min())} to {int(lengths.max())}"
            )
        return lengths


def _without_vain_dropout(
    names: tuple[str, ...], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any], float | None]:
    """torch's arguments, and the dropout taken from them where it can have no effect: one layer."""
    given = dict(zip(names, args, strict=False)) | kwargs
    p = given.get("dropout", 0.0)
    number = isinstance(p, int | float) and not isinstance(p, bool)
    if given.get("num_layers", 1) != 1 or not number or not 0 < p <= 1:
        return args, kwargs, None
    warnings.warn(
        f"dropout={p} has no effect with num_layers=1: it acts between layers. Put "
        "torch.nn.Dropout before or after the layer, or use variational=, zoneout= or "
        "weight_dropout= in it",
        UserWarning,
        stacklevel=4,
    )
    position = names.index("dropout")
    if len(args) > position:
        return (*args[:position], 0.0, *args[position + 1 :]), kwargs, float(p)
    return args, kwargs | {"dropout": 0.0}, float(p)


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

    _torch_arguments = (
        "input_size",
        "hidden_size",
        "num_layers",
        "nonlinearity",
        "bias",
        "batch_first",
        "dropout",
    )
    activation: str | None = None  # that of nonlinearity

    def __init__(
        self, *args: Any, activation: str | None = None, zoneout: float = 0.0, **kwargs: Any
    ) -> None:
        if activation is not None:
            check_activation(activation)
            given = args[3] if len(args) > 3 else kwargs.get("nonlinearity", "tanh")
            if given not in ("tanh", activation):
                raise ValueError(
                    f"activation={activation!r} and nonlinearity={given!r} contradict each other: "
                    "give one"
                )
            if activation in ("tanh", "relu") and len(args) <= 3:
                kwargs["nonlinearity"] = activation
        super().__init__(*args, **kwargs)
        self.activation = None if activation == self.nonlinearity else activation
        self.zoneout = probability("zoneout", zoneout)
        self._add_gains()

    def _gains(self, rows: int) -> dict[str, int]:
        return {"weight_ln": rows}

    def _own_activation(self) -> str:
        return "" if self.activation in (None, self.nonlinearity) else self.activation or ""


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

    reset_after: bool = True

    def __init__(
        self,
        *args: Any,
        activation: str = "tanh",
        gate_activation: str = "sigmoid",
        zoneout: float = 0.0,
        recurrent_dropout: float = 0.0,
        reset_after: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        check_reset(reset_after, self.layer_norm)
        self.reset_after = reset_after
        self.activation = check_activation(activation)
        self.gate_activation = check_gate_activation(gate_activation)
        self.zoneout = probability("zoneout", zoneout)
        self.recurrent_dropout = probability("recurrent_dropout", recurrent_dropout)
        self._add_gains()

    def _structure(self) -> dict[str, Any]:
        return {"reset_first": not self.reset_after}

    def _defaults(self) -> dict[str, Any]:
        return super()._defaults() | {"reset_after": GRU.reset_after}


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
        checkpoint_every, weight_dropout, variational, naive_recurrent_dropout: as `RNN`.
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

    forget_bias: float | None = None
    peephole: bool = False
    coupled: bool = False
    variant: str = ""
    zoneout: tuple[float, ...] = (0.0, 0.0)

    def __init__(
        self,
        *args: Any,
        forget_bias: float | None = None,
        activation: str = "tanh",
        gate_activation: str = "sigmoid",
        peephole: bool = False,
        coupled: bool = False,
        variant: str = "",
        zoneout: Rates = 0.0,
        recurrent_dropout: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        check_gates(variant, coupled, forget_bias, self.bias)
        self.forget_bias = forget_bias
        self.activation = check_activation(activation)
        self.gate_activation = check_gate_activation(gate_activation)
        self.peephole, self.coupled, self.variant = peephole, coupled, variant
        self.zoneout = probabilities("zoneout", zoneout, ("cell", "state"))
        self.recurrent_dropout = probability("recurrent_dropout", recurrent_dropout)
        if self.zoneout[1] and self.proj_size:
            raise ValueError(
                "zoneout of the state has no unit to keep where proj_size mixes them: "
                "use zoneout=(cell, 0)"
            )
        if peephole or self.gates != "ifgo":
            self._reshape_weights()
            self.reset_parameters()
        elif forget_bias is not None:
            self._set_forget_bias()
        self._add_gains()

    def _gains(self, rows: int) -> dict[str, int]:
        return super()._gains(rows) | dict.fromkeys(("weight_ln_c", "bias_ln_c"), self.hidden_size)

    def _reshape_weights(self) -> None:
        """Drop the rows of absent gates; add the peepholes, last of each direction."""
        gates, names = self.gates, []
        for group in self._all_weights:
            for name in group:
                if not name.startswith("weight_hr"):
                    old = getattr(self, name)
                    new = old.new_empty(len(gates) * self.hidden_size, *old.shape[1:])
                    setattr(self, name, nn.Parameter(new))
            if self.peephole:
                like, name = getattr(self, group[0]), group[0].replace("weight_ih", "weight_c")
                peepholes = like.new_empty((len(gates) - 1) * self.hidden_size)
                self.register_parameter(name, nn.Parameter(peepholes))
                group.append(name)
            names += group
        self._flat_weights_names = names
        self._init_flat_weights()

    def reset_parameters(self) -> None:
        """torch's U(-1/√H, 1/√H); then the forget gate's biases, if `forget_bias` is set."""
        super().reset_parameters()
        if self.forget_bias is not None:
            self._set_forget_bias()

    def _set_forget_bias(self) -> None:
        assert self.forget_bias is not None
        gates, H = self.gates, self.hidden_size
        gate, start = ("i", -self.forget_bias) if self.coupled else ("f", self.forget_bias)
        rows = slice(gates.index(gate) * H, (gates.index(gate) + 1) * H)
        with torch.no_grad():
            for name, parameter in self.named_parameters():
                if name.startswith("bias_ih"):
                    parameter[rows] = start
                elif name.startswith("bias_hh"):
                    parameter[rows] = 0.0

    def flatten_parameters(self) -> None:
        """torch's, which knows torch's weights only."""
        if not self.peephole and self.gates == "ifgo":
            super().flatten_parameters()

    @property
    def gates(self) -> str:
        """Which of i, f, g, o have rows in the weights, in their order."""
        return gates_of(self.variant, self.coupled)

    def _structure(self) -> dict[str, Any]:
        return {"peephole": self.peephole, "coupled": self.coupled, "variant": self.variant}

    def _defaults(self) -> dict[str, Any]:
        names = ("forget_bias", "peephole", "coupled", "variant")
        return {name: getattr(LSTM, name) for name in names} | super()._defaults()

    def _state_sizes(self) -> tuple[int, ...]:
        return (self.proj_size or self.hidden_size, self.hidden_size)

    def _as_hx(self, state: tuple[Tensor, ...]) -> Any:
        return state

    def _as_state(self, hx: Any) -> tuple[Tensor, ...]:
        if not (isinstance(hx, tuple | list) and len(hx) == 2):
            raise TypeError(f"LSTM: hx must be the pair (h_0, c_0), got {type(hx).__name__}")
        return tuple(hx)


def explain(layer: nn.Module, x: Tensor | PackedSequence, lengths: Tensor | None = None) -> str:
    """Which path `layer(x, lengths=lengths)` takes and why, without running it.

    Raises TypeError if `layer` is not one of Carousel's.

    >>> with kernels.use("cells"):
    ...     print(explain(GRU(3, 4), torch.zeros(5, 2, 3)))
    cells: asked for by use('cells')
    """
    if not isinstance(layer, Recurrent):
        raise TypeError(f"explain wants a carousel RNN, LSTM or GRU, got {type(layer).__name__}")
    return layer.explain(x, lengths)
