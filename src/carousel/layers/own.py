"""`Own`: the base of layers that torch lacks, with torch's arguments, errors and parameters."""

from __future__ import annotations

import functools
import warnings
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.types import Device

from carousel.cells.spec import Weight
from carousel.cells.states import states_of
from carousel.cells.table import named, spec_of
from carousel.layers.base import Recurrent
from carousel.layers.options import LayerOptions


class Own(Recurrent, nn.Module):
    """Base of layers that torch lacks; called as `carousel.RNN` is, with its shapes and errors.

    A layer names its cell, whose description says the rest.
    """

    layer_options: LayerOptions = LayerOptions()
    proj_size: int = 0
    heads: int = 1
    order: int = 0
    forget_bias: float | None = None
    _cell: str = ""

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        nonlinearity: str | None = None,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: Device = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        nn.Module.__init__(self)
        self.input_size, self.hidden_size, self.num_layers = input_size, hidden_size, num_layers
        modes = {mode.nonlinearity: mode.name for mode in named(self._cell).modes}
        self.nonlinearity = next(iter(modes)) if nonlinearity is None else nonlinearity
        self.bias, self.batch_first, self.dropout = bias, batch_first, float(dropout)
        self.bidirectional = bidirectional
        self._check_arguments()
        if self.dropout and num_layers == 1:
            warnings.warn(
                f"{type(self).__name__}: dropout={self.dropout} acts between layers, and there is "
                "one: it has no effect. Put a torch.nn.Dropout before or after the layer instead",
                UserWarning,
                stacklevel=2 if type(self).__init__ is Own.__init__ else 3,
            )
        self.mode = modes[self.nonlinearity]
        spec, H, blocks = self.cell_spec, hidden_size, self.cell_spec.blocks_with(self._given)
        for layer in range(num_layers):
            features = input_size if layer == 0 else hidden_size * (1 + bidirectional)
            for direction in range(1 + bidirectional):
                for weight, name in _names(self.mode, self.bias, layer, direction):
                    shape = spec.shape_of(weight, features, H, H, blocks, self.heads, self.order)
                    empty = torch.empty(shape, device=device, dtype=dtype)
                    if weight.fixed:
                        self.register_buffer(name, empty)
                    else:
                        setattr(self, name, nn.Parameter(empty))
        self.reset_parameters()

    def _check_arguments(self) -> None:
        name = type(self).__name__
        for argument in ("input_size", "hidden_size", "num_layers"):
            value, low = getattr(self, argument), 0 if argument == "input_size" else 1
            if value < low:
                raise ValueError(f"{name}: {argument} must be {low} or more, got {value}")
        choices = [mode.nonlinearity for mode in named(self._cell).modes]
        if self.nonlinearity not in choices:
            known = " or ".join(map(repr, choices))
            raise ValueError(f"{name}: nonlinearity must be {known}, got {self.nonlinearity!r}")
        if not 0 <= self.dropout <= 1:
            raise ValueError(f"{name}: dropout must lie between 0 and 1, got {self.dropout}")

    def _check_forget_bias(self) -> None:
        if self.forget_bias is not None and not self.bias:
            raise ValueError("forget_bias needs biases: leave it out, or set bias=True")

    def reset_parameters(self) -> None:
        """Input weights and biases from U(-1/√F, 1/√F), F their inputs, as `torch.nn.Linear`."""
        for layer in range(self.num_layers):
            for direction in range(1 + self.bidirectional):
                own = {
                    weight.name: getattr(self, name)
                    for weight, name in _names(self.mode, self.bias, layer, direction)
                }
                features = own["weight_ih"].size(1)
                bound = features**-0.5 if features else 0.0
                with torch.no_grad():
                    for name, weight in own.items():
                        self._draw(name, weight, bound)

    def _draw(self, name: str, weight: Tensor, bound: float) -> None:
        weight.uniform_(-bound, bound)

    def weights(self) -> list[Tensor]:
        return [cast(Tensor, getattr(self, name)) for name in self.weight_names()]

    def weight_names(self) -> list[str]:
        return _weight_names(self.mode, self.bias, self.num_layers, self.bidirectional)

    def check_forward_args(self, input: Tensor, hidden: Any, batch_sizes: Tensor | None) -> None:
        """Raise what `torch.nn.RNN` raises for input and state that do not fit."""
        name, weight = type(self).__name__, cast(Tensor, self.weight_ih_l0)
        if input.dtype != weight.dtype and not torch.is_autocast_enabled(input.device.type):
            raise ValueError(
                f"{name}: input dtype must be that of the weights, {weight.dtype}; got "
                f"{input.dtype}: convert one of them with .to()"
            )
        if input.size(-1) != self.input_size:
            raise RuntimeError(
                f"{name}: input must have {self.input_size} features, got {input.size(-1)}"
            )
        batch_dim = 0 if self.batch_first else 1
        rows = input.size(batch_dim) if batch_sizes is None else int(batch_sizes[0])
        if batch_sizes is None and input.size(1 - batch_dim) == 0:
            raise RuntimeError(f"{name}: input must have at least one step, got none")
        depth = self.num_layers * (1 + self.bidirectional)
        for state, size in zip(states_of(hidden), self._state_sizes(), strict=True):
            expected = (depth, rows, size)
            if state.shape != expected:
                raise RuntimeError(
                    f"{name}: hx must have shape {expected}, got {tuple(state.shape)}"
                )
            if state.dtype != input.dtype and not torch.is_autocast_enabled(input.device.type):
                raise ValueError(
                    f"{name}: hx must be {input.dtype} as the input, got {state.dtype}"
                )

    def extra_repr(self) -> str:
        text = f"{self.input_size}, {self.hidden_size}"
        defaults = {
            "num_layers": 1,
            "nonlinearity": self.cell_spec.modes[0].nonlinearity,
            "bias": True,
            "batch_first": False,
            "dropout": 0.0,
            "bidirectional": False,
        }
        for name, default in defaults.items():
            value = getattr(self, name)
            if value != default:
                text += f", {name}={value}"
        return text


def _names(mode: str, bias: bool, layer: int, direction: int) -> list[tuple[Weight, str]]:
    """The parameters of one direction, and their names in the layer."""
    suffix = f"_l{layer}" + ("_reverse" if direction else "")
    weights = spec_of(mode).weights_with(lambda needed: bias and needed == "bias")
    return [(weight, weight.name + suffix) for weight in weights]


def _listed_names(mode: str, bias: bool, num_layers: int, bidirectional: bool) -> list[str]:
    return [
        name
        for layer in range(num_layers)
        for direction in range(1 + bidirectional)
        for _, name in _names(mode, bias, layer, direction)
    ]


_remembered_names = functools.cache(_listed_names)  # of every call


def _weight_names(mode: str, bias: bool, num_layers: int, bidirectional: bool) -> list[str]:
    if torch.compiler.is_compiling():  # which warns of what is remembered
        return _listed_names(mode, bias, num_layers, bidirectional)
    return _remembered_names(mode, bias, num_layers, bidirectional)
