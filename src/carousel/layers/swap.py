"""The class of a layer, changed: from torch's to Carousel's and back, on the very same object."""

from __future__ import annotations

import functools
from typing import Any

from torch import nn
from torch.nn.utils import parametrize

from carousel.layers.gru import GRU
from carousel.layers.lstm import LSTM
from carousel.layers.rnn import RNN

OURS: dict[type, Any] = {nn.RNN: RNN, nn.GRU: GRU, nn.LSTM: LSTM}
_TORCHS = {ours: torchs for torchs, ours in OURS.items()}
_MARK = "_accelerated"  # in the layer's own attributes, so that copies and pickles carry it


def is_swapped(layer: nn.Module) -> bool:
    """True if `swap` changed the layer, or the one that it is a copy of."""
    return _MARK in vars(layer)


def swap(layer: nn.Module) -> None:
    """Make a layer of torch's, or of a class derived from one that has a `mixture`, Carousel's."""
    kind = parametrize.type_before_parametrizations(layer)
    _set_class(layer, OURS.get(kind) or mixture(kind))
    vars(layer).update(layer_options=ours_for(kind).layer_options, **{_MARK: True})


def swap_back(layer: nn.Module) -> None:
    """Undo `swap`, or make a layer that was built as Carousel's torch's."""
    kind: Any = parametrize.type_before_parametrizations(layer)
    plain = _TORCHS.get(kind) or kind.plain
    _set_class(layer, plain)
    for name in (_MARK, "layer_options"):
        vars(layer).pop(name, None)


def ours_for(kind: type) -> Any:
    """Carousel's class for a class that is, or derives from, torch's RNN, GRU or LSTM; or None."""
    return next((ours for torchs, ours in OURS.items() if issubclass(kind, torchs)), None)


@functools.cache
def mixture(kind: Any) -> Any:
    """A class that is `kind`, derived from one of torch's, with Carousel's methods before torch's.

    None if Python has no order of inheritance for it.
    """
    ours = ours_for(kind)
    members = {
        "__module__": kind.__module__,
        "__qualname__": kind.__qualname__,
        "__doc__": kind.__doc__,
        "__reduce_ex__": _reduce_mixture,
        "plain": kind,
    }
    try:
        return type(kind.__name__, (kind, ours), members)
    except TypeError:
        return None


def _reduce_mixture(layer: Any, _protocol: int) -> tuple[Any, ...]:
    # pickle finds classes by name, and this one goes by the name of the class it derives from.
    kind = parametrize.type_before_parametrizations(layer)
    return _new_of_mixture, (kind.plain,), layer.__getstate__()  # type: ignore[attr-defined]


def _new_of_mixture(kind: Any) -> Any:
    mixed = mixture(kind)
    return mixed.__new__(mixed)


def _set_class(layer: nn.Module, kind: Any) -> None:
    if parametrize.is_parametrized(layer):
        # torch made a class for this layer alone, with a property for each parametrized weight.
        given = type(layer)
        members = {k: v for k, v in vars(given).items() if k not in ("__dict__", "__weakref__")}
        layer.__class__ = type(given.__name__, (kind,), members)
    else:
        layer.__class__ = kind
