"""Description of a layer, made once for all calls; and plain calls, told at first sight.

What is remembered goes by the layer's attributes, which are read in every call: whatever changes
one of them, and however, the next call finds, or makes, another description. Weights are not
remembered: they are read, and looked at, in every call.
"""

from __future__ import annotations

import functools
import logging
import operator
import re
import weakref
from typing import Any

import torch
from torch import Tensor, nn

from carousel import kernels
from carousel.layers.options import LayerOptions

logger = logging.getLogger("carousel")

# All that a StackSpec is made of.
_ATTRIBUTES = (
    "layer_options",
    "mode",
    "num_layers",
    "bias",
    "batch_first",
    "dropout",
    "bidirectional",
    "proj_size",
    "hidden_size",
    "training",
)
_attributes = operator.attrgetter(*_ATTRIBUTES)
# Of torch.nn.RNNBase: what it does with a call before its kernels. A class may have its own.
_CHECKS = ("check_forward_args", "check_input", "get_expected_hidden_size", "check_hidden_size")
_WEIGHT = re.compile(r"(weight|bias)_\w+_l\d")
_OURS_AND_TORCHS = (nn.RNNBase.__module__, "carousel.layers.own")


def stack_of(layer: Any) -> kernels.StackSpec:
    """Description of a layer for the kernels, as it is now: all but its weights."""
    lowered = kernels.lowers()
    if torch.compiler.is_compiling():  # which cannot look into either of the two below
        return _described(*[getattr(layer, name) for name in _ATTRIBUTES], *[lowered])
    return _remembered(*_attributes(layer), lowered)


def _described(
    options: LayerOptions,
    mode: str,
    num_layers: int,
    bias: bool,
    batch_first: bool,
    dropout: float,
    bidirectional: bool,
    proj_size: int,
    hidden_size: int,
    training: bool,
    lowered: bool = False,
) -> kernels.StackSpec:
    return kernels.StackSpec(
        mode,
        num_layers,
        bias,
        batch_first,
        dropout,
        bidirectional,
        proj_size,
        options.checkpoint_every,
        options.in_call(mode, training, lowered),
        hidden_size,
    )


_remembered = functools.lru_cache(1024)(_described)


def plain_call(
    layer: Any, x: Tensor, hx: Any
) -> tuple[kernels.StackSpec, list[Tensor], tuple[Tensor, ...]] | None:
    """Arguments of the native kernels for a call that needs no closer look: a padded batch that
    fits, with parameters that are the layer's own; None of any other call. Its lengths are not
    looked at.

    The state is () for zeros. Raises TypeError for an hx of another kind.
    """
    own, names, kind = vars(layer), layer.weight_names(), layer.__class__
    parameters = own["_parameters"]
    weights = [parameters.get(name) for name in names]
    if (
        x.dim() != 3
        or x.size(-1) != layer.input_size
        or not _is_usual(kind)
        or not own.keys().isdisjoint(_CHECKS)
        or not own.keys().isdisjoint(names)
        or (layer.training and layer.layer_options.weight_dropout)
    ):
        return None
    state: tuple[Tensor, ...] = ()
    if hx is not None:
        state = layer._as_state(hx)
        depth = layer.num_layers * (2 if layer.bidirectional else 1)
        rows = x.size(0 if layer.batch_first else 1)
        expected = [(depth, rows, size) for size in layer._state_sizes()]
        if [part.shape for part in state] != expected:
            return None
    if not kernels.is_plain(x, (*weights, *state)):
        return None
    stack = _remembered(*_attributes(layer))
    if not stack.has_kernels:
        return None
    if logger.isEnabledFor(logging.INFO):
        kernels.log_native(stack)
    return stack, weights, state


def answer_directly(layer: Any, kept: kernels.Kept) -> None:
    """Let the compiled module answer the next calls of a layer, as they are like the one before.

    It looks at all that `plain_call` looks at.
    """
    own, kind = vars(layer), layer.__class__
    names = tuple(layer.weight_names())
    given = [*_ATTRIBUTES, "input_size", "_flat_weights_names"]
    described = {name: own[name] for name in given if name in own}
    inherited = {
        name: getattr(kind, name) for name in given if name not in own and hasattr(kind, name)
    }
    if "_flat_weights_names" in described:
        described["_flat_weights_names"] = list(names)
    kept.answer_directly(kind, described, inherited, (*_CHECKS, *names), names)


# Weakly: torch's parametrized classes refer to their layer.
_usual: weakref.WeakKeyDictionary[type, bool] = weakref.WeakKeyDictionary()


def _is_usual(kind: type) -> bool:
    """True if a class leaves its weights to torch, and what happens to a call before it is
    computed to torch, or us."""
    known = _usual.get(kind)
    if known is None:
        known = _usual[kind] = _looks_usual(kind)
    return known


def _looks_usual(kind: type) -> bool:
    members = ((base, name) for base in kind.__mro__ for name in vars(base))
    return not any(
        _WEIGHT.match(name) or (name in _CHECKS and base.__module__ not in _OURS_AND_TORCHS)
        for base, name in members
    )
