"""`accelerate` swaps Carousel's layers into a model built with torch's; `restore` undoes it.

A layer is swapped by changing its class (`layer.__class__ = carousel.LSTM`), not by putting a new
object in its place. The object stays the one that it was, and with it everything that hangs on it:
parameters and whoever holds them (optimizers, tied layers, DDP), hooks, pruning and weight norm,
the mode, attributes that the user added, and references from outside the module tree. Nothing has
to be copied, so nothing can be forgotten. This works because Carousel's layers are subclasses of
torch's, with the same parameters and the same storage, and differ in methods only. What their
constructors would have set is set at its default (`forget_bias`, for one, at None).

A subclass of torch's layers gets a class of its own, derived from it and from Carousel's layer: by
the order of inheritance its own methods still come first, and where they end in `super().forward`,
or where there are none, Carousel's come before torch's.
"""

from __future__ import annotations

import logging
from typing import TypeVar

from torch import nn

from carousel.layers.acceleration import accelerated, recurrent_layers, why_not
from carousel.layers.swap import is_swapped, swap, swap_back

M = TypeVar("M", bound=nn.Module)

logger = logging.getLogger("carousel")


def accelerate(model: M, *, subclasses: bool = False) -> M:
    """Let every `torch.nn.RNN`, `GRU` and `LSTM` in a model run as Carousel's; numbers as before.

    The model is changed in place and returned. Layers keep their identity, parameters, hooks,
    parametrizations, mode, dtype, device and attributes; optimizers made before keep working, and
    a second call changes nothing. Works on models inside DDP or `torch.compile`, too.

    Left as they are, with a warning in the log that says why: subclasses of torch's layers unless
    asked for, layers whose `forward` was replaced, cells of one step, layers compiled by
    TorchScript or quantised. `accelerated(model)` lists all of them. Layers that stand outside the
    module tree, as in a plain list, cannot be found.

    The swapped layers pickle as Carousel's. Tools that go by the exact type, such as
    `torch.ao.quantization.quantize_dynamic` and `torch.jit.script`, want `restore(model)` first.

    Args:
        model: any module, a recurrent layer included.
        subclasses: swap classes derived from torch's layers, too. What they define stays in force;
            only what they inherit from torch's layer comes from Carousel's. Safe unless such a
            class rests on how torch's `forward` does its work.

    Returns: the same model.

    Raises TypeError if `model` is not a module.

    >>> model = nn.Sequential(nn.Linear(3, 4), nn.GRU(4, 5))
    >>> print(accelerated(accelerate(model)))
    Sequential: 1 recurrent layer accelerated
      1  GRU(4, 5)  accelerated
    """
    swapped = [layer for _, layer in recurrent_layers(model) if not why_not(layer, subclasses)]
    for layer in swapped:
        swap(layer)
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
    for _, layer in recurrent_layers(model):
        if is_swapped(layer):
            swap_back(layer)
    return model
