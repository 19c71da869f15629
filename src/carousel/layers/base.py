"""`Recurrent`: the forward pass that `RNN`, `GRU` and `LSTM` share.

Each of them is a subclass of the torch module with its name, so that parameter names, shapes, gate
order, `state_dict`, `isinstance` and pickling are torch's own; only `forward` is ours.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self, cast

import torch
from torch import Tensor, fx, nn
from torch.autograd import profiler
from torch.nn import functional as F
from torch.nn.utils.rnn import PackedSequence

from carousel import kernels
from carousel.cells.spec import CellSpec, Weight
from carousel.cells.table import spec_of
from carousel.layers.inputs import checked_lengths
from carousel.layers.options import LayerOptions, option
from carousel.layers.plain import answer_directly, plain_call, stack_of

if TYPE_CHECKING:
    _Base = nn.RNNBase
else:
    _Base = object


# Of what keeps a layer's packed weights, among its attributes.
_KEEPER = "_keeper_of_packed_weights"


class Recurrent(_Base):
    """The forward pass that the three modules share. Mixed in before the torch class."""

    # What a layer has that was made, or pickled, or is torch's own, without them.
    layer_options: LayerOptions = LayerOptions()

    # Attributes that read them.
    activation: str | None
    gate_activation: str
    zoneout: float | tuple[float, ...]
    recurrent_dropout: float
    variational: tuple[float, ...]
    naive_recurrent_dropout: float
    weight_dropout: float
    layer_norm: bool
    checkpoint_every: int
    precision: str

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if "layer_options" in vars(cls):
            for name in cls.layer_options.values():
                setattr(cls, name, option(name))

    def _take(self, dropout: float, options: LayerOptions) -> None:
        """Take what a constructor was given beyond what torch's was told."""
        self.dropout = float(dropout)  # as given, though torch was told of none for one layer
        self.layer_options = options

    def forward(
        self,
        input: Tensor | PackedSequence | fx.Proxy,
        hx: Any = None,
        lengths: Tensor | Sequence[int] | None = None,
    ) -> tuple[Any, Any]:
        """Run the stack; shapes as in the class's docstring."""
        # Most calls are plain ones: a small layer takes less time than a close look at them.
        if type(input) is Tensor and not torch.compiler.is_compiling():
            keeper: kernels.Keeper | None = vars(self).get(_KEEPER)
            if keeper is not None and keeper.kept is not None and lengths is None:
                answer = self._answer(keeper.kept, input, hx)
                if answer is not None:
                    return answer
            plain = plain_call(self, input, hx)
            if plain is not None:
                stack, weights, state = plain
                rows = (
                    None if lengths is None else checked_lengths(lengths, input, self.batch_first)
                )
                keeper = self._keeper()
                output, state = kernels.run_native(
                    stack, input, state, weights, self.training, rows, True, keeper
                )
                kept = keeper.kept
                if kept is not None and kept.direct is None and not stack.draws(self.training):
                    answer_directly(self, kept)
                return output, self._as_hx(state)
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
        checked = None if lengths is None else checked_lengths(lengths, input, self.batch_first)
        stack = self.stack()
        run = kernels.runner(stack, input, state, weights, checked)
        output, state = run(stack, input, state, weights, self.training, checked)
        if not batched:
            output = output.squeeze(batch_dim)
            state = tuple(part.squeeze(1) for part in state)
        return output, self._as_hx(state)

    def _answer(self, kept: kernels.Kept, input: Tensor, hx: Any) -> tuple[Any, Any] | None:
        """The answer of packed weights to a call that is like the one before; None of any other."""
        if (
            kept.direct is None
            or type(self) is not kept.kind
            or torch.is_grad_enabled()
            or profiler._is_profiler_enabled
            or not kernels.is_quiet()
            or (kept.product is not None and not kept.multiplies_so())
        ):
            return None
        answer: tuple[Any, Any] | None = kept.direct(
            kept.kind, self.__dict__, input, hx, torch.get_num_threads()
        )
        return answer

    def _keeper(self) -> kernels.Keeper:
        """Keeper of its packed weights: no part of its copies, pickles and parameters."""
        own = vars(self)
        keeper: kernels.Keeper | None = own.get(_KEEPER)
        if keeper is None:
            keeper = own[_KEEPER] = kernels.Keeper()
        return keeper

    def train(self, mode: bool = True) -> Self:
        """torch's; training lets go of packed weights."""
        if mode:
            vars(self).pop(_KEEPER, None)
        return super().train(mode)

    def _fx_node(self, input: fx.Proxy, hx: Any, lengths: Any) -> tuple[Any, Any]:
        from carousel.layers import tools  # which needs the layers

        node: tuple[Any, Any] = tools.fx_node(self, input, {"hx": hx, "lengths": lengths})
        return node

    def __prepare_scriptable__(self) -> nn.Module:  # what torch.jit.script asks for
        from carousel.layers import tools

        return tools.scriptable(self)

    @property
    def qconfig(self) -> Any:
        """Configuration of torch.ao.quantization, which sets this, and leaves it so."""
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
        """Path that a call with this input takes, and why."""
        return kernels.choose(self.stack(), input, self.weights(), ragged=ragged)

    def explain(self, input: Tensor | PackedSequence, lengths: Tensor | None = None) -> str:
        """Path of a call with this input, in words."""
        packed = isinstance(input, PackedSequence)
        data = input.data if isinstance(input, PackedSequence) else input
        path = str(self.path(data, ragged=packed or lengths is not None))
        keeper: kernels.Keeper | None = vars(self).get(_KEEPER)
        said = keeper.words if keeper is not None and path.startswith("native") else ""
        return f"{path}; {said}" if said else path

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

    def stack(self) -> kernels.StackSpec:
        """Description of the layer for the kernels, as it is now: all but its weights."""
        return stack_of(self)

    def options(self) -> kernels.Options:
        """Options of the cell in a call now: in evaluation, no masks."""
        return self.stack().options

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
        return self.layer_options.changed()

    def __getstate__(self) -> dict[str, Any]:
        """Pickled state: each option by its name, as layers have had them from the first on."""
        state: dict[str, Any] = dict(super().__getstate__())  # type: ignore[no-untyped-call]
        options = state.pop("layer_options", None)
        state.pop(_KEEPER, None)
        return state if options is None else state | options.values()

    def __setstate__(self, state: dict[str, Any]) -> None:
        names = self.layer_options.values()
        given = {name: value for name, value in state.items() if name in names}
        state = {name: value for name, value in state.items() if name not in names}
        if given:
            state["layer_options"] = dataclasses.replace(type(self).layer_options, **given)
        super().__setstate__(state)  # type: ignore[no-untyped-call]

    def _add_gains(self) -> None:
        """The parameters of layer normalisation, last of each direction; called at the end."""
        if not self.layer_norm:
            return
        for group in self._all_weights:
            like, suffix = getattr(self, group[0]), group[0].removeprefix("weight_ih")
            for weight in self.cell_spec.weights:
                if weight.is_gain:
                    gain = like.new_empty(self._shape_of(weight, like))
                    self.register_parameter(weight.name + suffix, nn.Parameter(gain))
                    group.append(weight.name + suffix)
        self._flat_weights_names = [name for group in self._all_weights for name in group]
        self._init_flat_weights()
        self._reset_gains()

    def _shape_of(self, weight: Weight, weight_ih: Tensor) -> tuple[int, ...]:
        """Rows and columns of a parameter beside the `weight_ih` of the same layer."""
        H = self.hidden_size
        blocks = self.cell_spec.blocks_with(self._given)
        return self.cell_spec.shape_of(weight, weight_ih.size(1), H, self.proj_size or H, blocks)

    def _given(self, option: str) -> Any:
        return getattr(self, option, None)

    @property
    def cell_spec(self) -> CellSpec:
        """Description of its cell: gates, states, weights, options."""
        return spec_of(self.mode)

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
        """The attributes that `weights` reads, in its order: to be read alone."""
        names: list[str] = self._flat_weights_names
        return names

    def _state_sizes(self) -> tuple[int, ...]:
        H, memory = self.hidden_size, getattr(self, "order", 0)
        return self.cell_spec.state_sizes(H, self.proj_size or H, memory)

    def _as_hx(self, state: tuple[Tensor, ...]) -> Any:
        return state[0] if len(state) == 1 else state

    def _as_state(self, hx: Any) -> tuple[Tensor, ...]:
        names = self.cell_spec.states
        if len(names) == 1 and isinstance(hx, Tensor):
            return (hx,)
        if len(names) > 1 and isinstance(hx, tuple | list) and len(hx) == len(names):
            return tuple(hx)
        several = "pair" if len(names) == 2 else "tuple"
        wanted = f"the {several} ({', '.join(f'{name}_0' for name in names)})"
        raise TypeError(
            f"{type(self).__name__}: hx must be {'a tensor' if len(names) == 1 else wanted}, got "
            f"{type(hx).__name__}"
        )

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
