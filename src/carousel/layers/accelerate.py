"""`accelerate` swaps Carousel's layers into a model built with torch's; `restore` undoes it.

A layer is swapped by changing its class (`layer.__class__ = carousel.LSTM`), not by putting a new
object in its place. The object stays the one that it was, and with it everything that hangs on it:
parameters and whoever holds them (optimizers, tied layers, DDP), hooks, pruning and weight norm,
the mode, attributes that the user added, and references from outside the module tree. Nothing has
to be copied, so nothing can be forgotten. This works because Carousel's layers are subclasses of
torch's, with the same parameters and the same storage, and differ in methods only. What their
constructors would have set is set at its default (`forget_bias`, for one, at None).
"""

from __future__ import annotations

import copy
import functools
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import torch
from torch import nn
from torch.nn.utils import parametrize

from carousel.layers.recurrent import GRU, LSTM, RNN

M = TypeVar("M", bound=nn.Module)
Kind = type[nn.RNN] | type[nn.GRU] | type[nn.LSTM]

logger = logging.getLogger("carousel")

_OURS: dict[type, Kind] = {nn.RNN: RNN, nn.GRU: GRU, nn.LSTM: LSTM}
_TORCHS: dict[type, Kind] = {RNN: nn.RNN, GRU: nn.GRU, LSTM: nn.LSTM}
_MARK = "_accelerated"  # in the layer's own attributes, so that copies and pickles carry it


def accelerate(model: M) -> M:
    """Let every `torch.nn.RNN`, `GRU` and `LSTM` in a model run as Carousel's; numbers as before.

    The model is changed in place and returned. Layers keep their identity, parameters, hooks,
    parametrizations, mode, dtype, device and attributes; optimizers made before keep working, and
    a second call changes nothing. Works on models inside DDP or `torch.compile`, too.

    Left as they are, with a warning in the log that says why: subclasses of torch's layers (they
    may compute something else), layers whose `forward` was replaced, cells of one step, layers
    compiled by TorchScript or quantised. `accelerated(model)` lists all of them. Layers that stand
    outside the module tree, as in a plain list, cannot be found.

    The swapped layers pickle as Carousel's. Tools that go by the exact type, such as
    `torch.ao.quantization.quantize_dynamic` and `torch.jit.script`, want `restore(model)` first.

    Args:
        model: any module, a recurrent layer included.

    Returns: the same model.

    Raises TypeError if `model` is not a module.

    >>> model = nn.Sequential(nn.Linear(3, 4), nn.GRU(4, 5))
    >>> print(accelerated(accelerate(model)))
    Sequential: 1 recurrent layer accelerated
      1  GRU(4, 5)  accelerated
    """
    swapped = [layer for _, layer in _layers(model) if not _why_not(layer)]
    for layer in swapped:
        ours: Any = _OURS[parametrize.type_before_parametrizations(layer)]
        _set_class(layer, ours)
        vars(layer).update(copy.deepcopy(_own_attributes(ours)), **{_MARK: True})
    report = accelerated(model)
    logger.info("accelerate: %d recurrent layers swapped", len(swapped))
    if report.left:
        logger.warning("accelerate: %s", report)
    elif not report.layers:
        logger.warning(
            "accelerate: %s has no torch.nn RNN, GRU or LSTM in its module tree",
            type(model).__name__,
        )
    return model


def restore(model: M) -> M:
    """Undo `accelerate`: the swapped layers are torch's again, with the parameters as they are now.

    The model is changed in place and returned. Layers that were built as Carousel's stay.

    Raises TypeError if `model` is not a module.

    >>> type(restore(accelerate(nn.LSTM(3, 4))))
    <class 'torch.nn.modules.rnn.LSTM'>
    """
    for _, layer in _layers(model):
        if _is_swapped(layer):
            ours = parametrize.type_before_parametrizations(layer)
            _set_class(layer, _TORCHS[ours])
            for name in (_MARK, *_own_attributes(ours)):
                vars(layer).pop(name, None)
    return model


def accelerated(model: nn.Module) -> Acceleration:
    """Which recurrent layers of a model run as Carousel's, and why the others do not.

    Raises TypeError if `model` is not a module.

    >>> print(accelerated(nn.ModuleDict({"rnn": nn.RNN(3, 4), "step": nn.LSTMCell(3, 4)})))
    ModuleDict: 0 recurrent layers accelerated, 2 not
      rnn   RNN(3, 4)       not: torch's layer; accelerate(model) swaps it
      step  LSTMCell(3, 4)  not: a cell of one step; only whole layers are swapped
    """
    return Acceleration(
        type(model).__name__,
        tuple(LayerReport(name, _text(layer), *_standing(layer)) for name, layer in _layers(model)),
    )


@dataclass(frozen=True)
class LayerReport:
    """One recurrent layer of a model.

    name: its path in the model, "" for the model itself. text: its repr. state: "accelerated"
    (swapped), "carousel" (built as Carousel's) or "not". reason: why not, else "".
    """

    name: str
    text: str
    state: Literal["accelerated", "carousel", "not"]
    reason: str = ""


@dataclass(frozen=True, repr=False)
class Acceleration:
    """What `accelerate` did to a model; prints as a table."""

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
            + (f"not: {layer.reason}" if layer.reason else _STATES[layer.state])
            for name, layer in zip(names, self.layers, strict=True)
        ]
        return "\n".join([head, *lines])


_STATES = {"accelerated": "accelerated", "carousel": "built as Carousel's", "not": "not"}


def _layers(model: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    if not isinstance(model, nn.Module):
        raise TypeError(f"expected a torch.nn.Module, got {type(model).__name__}")
    return ((name, layer) for name, layer in model.named_modules() if _is_recurrent(layer))


def _is_recurrent(layer: nn.Module) -> bool:
    if isinstance(layer, nn.RNNBase | nn.RNNCellBase):
        return True
    if isinstance(layer, torch.jit.ScriptModule):
        return getattr(layer, "original_name", "") in ("RNN", "GRU", "LSTM")
    return _is_quantised(layer)


def _is_quantised(layer: nn.Module) -> bool:
    kind = type(layer)
    return kind.__module__.startswith("torch.ao.nn.") and kind.__name__ in ("RNN", "GRU", "LSTM")


def _is_swapped(layer: nn.Module) -> bool:
    return _MARK in vars(layer) and parametrize.type_before_parametrizations(layer) in _TORCHS


def _standing(layer: nn.Module) -> tuple[Literal["accelerated", "carousel", "not"], str]:
    if isinstance(layer, RNN | GRU | LSTM):
        return ("accelerated" if _is_swapped(layer) else "carousel"), ""
    return "not", _why_not(layer) or "torch's layer; accelerate(model) swaps it"


def _why_not(layer: nn.Module) -> str:
    """Why `accelerate` does not swap this layer; "" if it does."""
    kind = parametrize.type_before_parametrizations(layer)
    if isinstance(layer, torch.jit.ScriptModule):
        return "compiled by TorchScript, its code is fixed"
    if _is_quantised(layer):
        return "quantised, its weights are not floats"
    if isinstance(layer, nn.RNNCellBase):
        return "a cell of one step; only whole layers are swapped"
    if kind not in _OURS:
        if isinstance(layer, RNN | GRU | LSTM):
            return "Carousel's already"
        return f"{kind.__module__}.{kind.__qualname__} is a subclass and may compute something else"
    if "forward" in vars(layer):
        return "its forward was replaced on the object"
    return ""


def _set_class(layer: nn.Module, kind: Kind) -> None:
    if parametrize.is_parametrized(layer):
        # torch made a class for this layer alone, with a property for each parametrized weight.
        given = type(layer)
        members = {k: v for k, v in vars(given).items() if k not in ("__dict__", "__weakref__")}
        layer.__class__ = type(given.__name__, (kind,), members)
    else:
        layer.__class__ = kind


@functools.cache
def _own_attributes(ours: Any) -> dict[str, Any]:
    """What the constructor of one of our layers sets beyond torch's, at the defaults."""
    theirs = vars(_TORCHS[ours](1, 1, device="meta"))
    return {k: v for k, v in vars(ours(1, 1, device="meta")).items() if k not in theirs}


def _text(layer: nn.Module) -> str:
    if isinstance(layer, torch.jit.ScriptModule):
        return f"{layer.original_name}(…)"
    name = parametrize.type_before_parametrizations(layer).__name__
    return f"{name}({layer.extra_repr()})"
