"""`accelerate` swaps Carousel's layers into a model built with torch's; `restore` undoes it.

A layer is swapped by changing its class (`layer.__class__ = carousel.LSTM`), not by putting a new
object in its place. The object stays the one that it was, and with it everything that hangs on it:
parameters and whoever holds them (optimizers, tied layers, DDP), hooks, pruning and weight norm,
the mode, attributes that the user added, and references from outside the module tree. Nothing has
to be copied, so nothing can be forgotten. This works because Carousel's layers are subclasses of
torch's, with the same parameters and the same storage, and differ in methods only. Their options
are those of the class, at their defaults (`forget_bias`, for one, is None).

A subclass of torch's layers gets a class of its own, derived from it and from Carousel's layer: by
the order of inheritance its own methods still come first, and where they end in `super().forward`,
or where there are none, Carousel's come before torch's.
"""

from __future__ import annotations

import logging
from typing import TypeVar

from torch import nn

from carousel.layers.acceleration import accelerated, recurrent_layers, why_not, why_not_back
from carousel.layers.base import Recurrent
from carousel.layers.swap import swap, swap_back

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
    `torch.ao.quantization.quantize_dynamic`, want `restore(model)` first.

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
    """Make every layer of Carousel's torch's, with its parameters as they are; undo `accelerate`.

    The model is changed in place and returned. Layers that were built as Carousel's are made
    torch's, too; `accelerate` makes them Carousel's again, without two options that change no
    result: `forget_bias`, which says how weights start, and `checkpoint_every`, which the log
    mentions, for torch keeps everything.

    Left as they are, with a warning in the log that says why: layers with options that torch's lack
    (`carousel.LSTM(…, peephole=True)`), cells that torch lacks, subclasses of Carousel's layers.

    Raises TypeError if `model` is not a module.

    >>> type(restore(accelerate(nn.LSTM(3, 4))))
    <class 'torch.nn.modules.rnn.LSTM'>
    """
    ours = [(name, m) for name, m in recurrent_layers(model) if isinstance(m, Recurrent)]
    stay = [(name, layer, reason) for name, layer in ours if (reason := why_not_back(layer))]
    staying = {layer for _, layer, _ in stay}
    for name, layer in ours:
        if layer in staying:
            continue
        if layer.checkpoint_every:
            logger.info(
                "restore: %s keeps everything for the backward pass: torch has no "
                "checkpoint_every=%d",
                name or type(layer).__name__,
                layer.checkpoint_every,
            )
        swap_back(layer)
    if stay:
        reasons = [f"{name or type(layer).__name__}: {reason}" for name, layer, reason in stay]
        logger.warning(
            "restore: %d of %d layers stay Carousel's: %s", len(stay), len(ours), "; ".join(reasons)
        )
    return model
