"""Report on which layers of a model `accelerate` swaps, which it leaves, and why."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import torch
from torch import nn
from torch.nn.utils import parametrize

from carousel.cells.table import SPECS
from carousel.layers.base import Recurrent
from carousel.layers.own import Own
from carousel.layers.swap import OURS, is_swapped, mixture, ours_for


@dataclass(frozen=True)
class LayerReport:
    """One recurrent layer of a model: its path there ("" is the model itself), its repr, what runs
    it ("carousel": it was built as Carousel's) and, if torch does, why."""

    name: str
    text: str
    state: Literal["accelerated", "carousel", "not"]
    reason: str = ""


@dataclass(frozen=True, repr=False)
class Acceleration:
    """Report of `accelerate` on a model; prints as a table."""

    model: str
    layers: tuple[LayerReport, ...]

    @property
    def swapped(self) -> tuple[LayerReport, ...]:
        """The layers that `accelerate` swapped."""
        return tuple(layer for layer in self.layers if layer.state == "accelerated")

    @property
    def left(self) -> tuple[LayerReport, ...]:
        """The layers that still run as they did."""
        return tuple(layer for layer in self.layers if layer.state == "not")

    def __repr__(self) -> str:
        count = len(self.swapped)
        head = f"{self.model}: {count} recurrent layer{'s' * (count != 1)} accelerated"
        if self.left:
            head += f", {len(self.left)} not"
        names = [layer.name or "(itself)" for layer in self.layers]
        wide = max(map(len, names), default=0)
        long = max((len(layer.text) for layer in self.layers), default=0)
        lines = [
            f"  {name:{wide}}  {layer.text:{long}}  "
            + {"not": f"not: {layer.reason}", "carousel": "built as Carousel's"}.get(
                layer.state, layer.state
            )
            for name, layer in zip(names, self.layers, strict=True)
        ]
        return "\n".join([head, *lines])


def accelerated(model: nn.Module) -> Acceleration:
    """List the recurrent layers of a model that run as Carousel's, and why the others do not.

    Raises TypeError if `model` is not a module.

    >>> print(accelerated(nn.ModuleDict({"rnn": nn.RNN(3, 4), "step": nn.LSTMCell(3, 4)})))
    ModuleDict: 0 recurrent layers accelerated, 2 not
      rnn   RNN(3, 4)       not: torch's layer; accelerate(model) swaps it
      step  LSTMCell(3, 4)  not: a cell of one step; only whole layers are swapped
    """
    return Acceleration(
        type(model).__name__,
        tuple(
            LayerReport(name, _text(layer), *_standing(layer))
            for name, layer in recurrent_layers(model)
        ),
    )


def recurrent_layers(model: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """Each recurrent layer of a model once, with its path in the tree."""
    if not isinstance(model, nn.Module):
        raise TypeError(f"expected a torch.nn.Module, got {type(model).__name__}")
    return ((name, layer) for name, layer in model.named_modules() if _is_recurrent(layer))


def _is_recurrent(layer: nn.Module) -> bool:
    if isinstance(layer, nn.RNNBase | nn.RNNCellBase | Recurrent):
        return True
    names = {f"{spec.layer}{cell}" for spec in SPECS if spec.in_torch for cell in ("", "Cell")}
    if isinstance(layer, torch.jit.ScriptModule):
        return getattr(layer, "original_name", "") in names
    return _is_quantised(layer) and type(layer).__name__ in names


def _is_quantised(layer: nn.Module) -> bool:
    return type(layer).__module__.startswith("torch.ao.nn.")


def _standing(layer: nn.Module) -> tuple[Literal["accelerated", "carousel", "not"], str]:
    if isinstance(layer, Recurrent):
        return ("accelerated" if is_swapped(layer) else "carousel"), ""
    return "not", why_not(layer) or "torch's layer; accelerate(model) swaps it"


def why_not(layer: nn.Module, subclasses: bool = False) -> str:
    """Why `accelerate` does not swap this layer; "" if it does."""
    kind = parametrize.type_before_parametrizations(layer)
    if isinstance(layer, torch.jit.ScriptModule):
        return "compiled by TorchScript, its code is fixed"
    if _is_quantised(layer):
        return "quantised, its weights are not floats"
    if isinstance(layer, nn.RNNCellBase):
        return "a cell of one step; only whole layers are swapped"
    if isinstance(layer, Recurrent):
        return "Carousel's already"
    name = f"{kind.__module__}.{kind.__qualname__}"
    ours = ours_for(kind)
    if ours is None:
        return f"{name} is not derived from torch.nn's RNN, GRU or LSTM"
    if "forward" in vars(layer):
        return "its forward was replaced on the object"
    if kind in OURS:
        return ""
    if mixture(kind) is None:
        return f"{name} and Carousel's {ours.__name__} cannot be bases of one class"
    if not subclasses:
        return f"{name} is a subclass; accelerate(model, subclasses=True) swaps what it inherits"
    return ""


def why_not_back(layer: nn.Module) -> str:
    """Why `restore` cannot make a layer of Carousel's torch's; "" if it does."""
    if isinstance(layer, Own):
        return f"torch has no {type(layer).__name__}"
    kind = parametrize.type_before_parametrizations(layer)
    if not is_swapped(layer) and kind not in OURS.values():
        return f"{kind.__module__}.{kind.__qualname__} is derived from Carousel's layer"
    assert isinstance(layer, Recurrent)
    lacking = [text for text in layer.own_options() if not text.startswith("forget_bias=")]
    return f"torch has no {', '.join(lacking)}" if lacking else ""


def _text(layer: nn.Module) -> str:
    if isinstance(layer, torch.jit.ScriptModule):
        return f"{layer.original_name}(…)"
    name = parametrize.type_before_parametrizations(layer).__name__
    return f"{name}({layer.extra_repr()})"
