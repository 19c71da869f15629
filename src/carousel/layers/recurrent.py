"""`RNN`, `LSTM` and `GRU`: the modules of `torch.nn` with the same names, and more.

Each is a subclass of the torch module, so that parameter names, shapes, gate order, `state_dict`,
`isinstance` and pickling are torch's own; only `forward` is ours.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from carousel import kernels

if TYPE_CHECKING:
    _Base = nn.RNNBase
else:
    _Base = object


class Recurrent(_Base):
    """The forward pass that the three modules share. Mixed in before the torch class."""

    checkpoint_every: int = 0

    def __init__(self, *args: Any, checkpoint_every: int = 0, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if checkpoint_every < 0:
            raise ValueError(f"checkpoint_every must be 0 or more steps, got {checkpoint_every}")
        self.checkpoint_every = checkpoint_every

    def forward(
        self,
        input: Tensor | PackedSequence,
        hx: Any = None,
        lengths: Tensor | Sequence[int] | None = None,
    ) -> tuple[Any, Any]:
        """Run the stack; shapes as in the class's docstring."""
        weights = self.weights()
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
        rows = int(packed.batch_sizes[0])
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
        )

    def weights(self) -> list[Tensor]:
        # functional_call and parametrisations change them behind torch's list: it looks again.
        self._update_flat_weights()
        return cast(list[Tensor], self._flat_weights)

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
        if rows and (int(lengths.min()) < 0 or int(lengths.max()) > steps):
            raise ValueError(
                f"lengths must lie between 0 and the {steps} steps of the input; got "
                f"{int(lengths.min())} to {int(lengths.max())}"
            )
        return lengths


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

    Raises what `torch.nn.RNN` raises, and ValueError for lengths that do not fit.

    >>> layer = RNN(3, 5)
    >>> y, h = layer(torch.randn(7, 2, 3), lengths=torch.tensor([7, 4]))
    >>> y.shape, h.shape, bool((y[4:, 1] == 0).all())
    (torch.Size([7, 2, 5]), torch.Size([1, 2, 5]), True)
    """


class GRU(Recurrent, nn.GRU):
    r"""A stack of GRU layers: `torch.nn.GRU` with `lengths=`.

    r_t = σ(W_ir x_t + b_ir + W_hr h_{t-1} + b_hr)
    z_t = σ(W_iz x_t + b_iz + W_hz h_{t-1} + b_hz)
    n_t = tanh(W_in x_t + b_in + r_t ⊙ (W_hn h_{t-1} + b_hn))
    h_t = (1 - z_t) ⊙ n_t + z_t ⊙ h_{t-1}

    Source: Cho et al. 2014 (arXiv:1406.1078), with r after the product as in cuDNN.

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

    Inputs, outputs and errors: as `RNN`.

    Parameters are torch's, gates in the order r, z, n: weight_ih_l[k] (3H, I), (3H, D * H) for
    k > 0; weight_hh_l[k] (3H, H); bias_ih_l[k], bias_hh_l[k] (3H,); all from U(-1/√H, 1/√H).

    >>> y, h = GRU(3, 5, batch_first=True)(torch.randn(2, 7, 3))
    >>> y.shape, h.shape
    (torch.Size([2, 7, 5]), torch.Size([1, 2, 5]))
    """


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
            initialisation. 1.0 lets gradients through time from the first step on.
        checkpoint_every: as `RNN`.

    Inputs:
        input, lengths: as `RNN`.
        hx: (h_0, c_0), shaped (L * D, B, P) and (L * D, B, H); zeros when None.

    Outputs:
        output: (T, B, D * P) or as the input's layout; a `PackedSequence` if the input was one.
        (h_n, c_n): shaped like (h_0, c_0).

    Parameters are torch's, gates in the order i, f, g, o: weight_ih_l[k] (4H, I), (4H, D * P) for
    k > 0; weight_hh_l[k] (4H, P); bias_ih_l[k], bias_hh_l[k] (4H,); weight_hr_l[k] (P, H); all
    from U(-1/√H, 1/√H).

    Raises what `torch.nn.LSTM` raises, ValueError for lengths that do not fit, and for a
    `forget_bias` without biases.

    >>> layer = LSTM(3, 5, forget_bias=1.0)
    >>> y, (h, c) = layer(torch.randn(7, 2, 3))
    >>> y.shape, h.shape, c.shape
    (torch.Size([7, 2, 5]), torch.Size([1, 2, 5]), torch.Size([1, 2, 5]))
    >>> (layer.bias_ih_l0 + layer.bias_hh_l0)[5:10].tolist()
    [1.0, 1.0, 1.0, 1.0, 1.0]
    """

    forget_bias: float | None = None

    def __init__(self, *args: Any, forget_bias: float | None = None, **kwargs: Any) -> None:
        self.forget_bias = forget_bias  # read by reset_parameters, which torch's __init__ calls
        super().__init__(*args, **kwargs)

    def reset_parameters(self) -> None:
        """torch's U(-1/√H, 1/√H); then the forget gate's biases, if `forget_bias` is set."""
        super().reset_parameters()
        if self.forget_bias is None:
            return
        if not self.bias:
            raise ValueError("forget_bias needs biases: leave it out, or set bias=True")
        forget = slice(self.hidden_size, 2 * self.hidden_size)
        with torch.no_grad():
            for name, parameter in self.named_parameters():
                if name.startswith("bias_ih"):
                    parameter[forget] = self.forget_bias
                elif name.startswith("bias_hh"):
                    parameter[forget] = 0.0

    def extra_repr(self) -> str:
        text = super().extra_repr()
        return text if self.forget_bias is None else f"{text}, forget_bias={self.forget_bias}"

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
