"""`explain`: the path that a call of a layer takes, and why."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from carousel.layers.base import Recurrent


def explain(layer: nn.Module, x: Tensor | PackedSequence, lengths: Tensor | None = None) -> str:
    """Say which path `layer(x, lengths=lengths)` takes and why, without running it.

    Raises TypeError if `layer` is not one of Carousel's; of a model, it names those inside.

    >>> import carousel, torch
    >>> with carousel.kernels.use("cells"):
    ...     print(carousel.explain(carousel.GRU(3, 4), torch.zeros(5, 2, 3)))
    cells: asked for by use('cells')
    """
    if isinstance(layer, Recurrent):
        return layer.explain(x, lengths)
    kind = type(layer).__name__
    message = f"explain wants a recurrent layer of Carousel's, got {kind}"
    if isinstance(layer, nn.RNNBase):
        message += " of torch's: carousel.accelerate makes it one"
    elif isinstance(layer, nn.Module):
        inside = [name for name, part in layer.named_modules() if isinstance(part, Recurrent)]
        torchs = any(isinstance(part, nn.RNNBase) for part in layer.modules())
        if inside:
            message += f": give one of its layers, and what that layer reads: {', '.join(inside)}"
        elif torchs:
            message += ", whose recurrent layers are torch's: carousel.accelerate swaps them"
    raise TypeError(message)
