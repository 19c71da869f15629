"""Layers in a row, step by step: what `Stream` does of a `torch.nn.Sequential` of layers."""

from __future__ import annotations

from collections.abc import Callable
from itertools import groupby
from typing import Any

import torch
from torch import Tensor, nn

from carousel.layers.base import Recurrent
from carousel.layers.few_rows import FewRows
from carousel.layers.frames import Frames
from carousel.layers.parts import parts_of, sequentials_of
from carousel.layers.pooling import Pooling


def is_row(model: nn.Module) -> bool:
    """True for a Sequential with a recurrent layer of Carousel's among its parts: torch cannot run
    it, since that layer returns its state beside its outputs."""
    return isinstance(model, nn.Sequential) and any(
        isinstance(part, Recurrent) for part in parts_of(model)
    )


class Row:
    """Parts of a `Sequential`, of which a recurrent one hands on its outputs.

    stream_of: makes the stream of a recurrent layer, from the layer and what it will read of the
    calibration (None without one). Raises ValueError for a part that reads several steps at once.
    """

    def __init__(
        self, model: nn.Module, stream_of: Callable[[Recurrent, Any], Any], calibration: Any = None
    ) -> None:
        self.streams: list[Any] = []
        self._steps: list[Callable[[Tensor], Tensor]] = []
        x, around = calibration, [*sequentials_of(model)]
        for kind, group in groupby(parts_of(model), _kind):
            parts = [*group]
            if kind is FewRows:
                whole = nn.Sequential(*parts).eval()  # as its parts are: a new one trains
                self._steps.append(FewRows(whole, around).step)
                x = x if x is None else whole(x)
                continue
            for part in parts:
                if isinstance(part, Recurrent):
                    self.streams.append(stream_of(part, x))
                    self._steps.append(self.streams[-1].step)
                    x = x if x is None else part(x)[0]
                elif isinstance(part, Frames):
                    self._steps.append(FewRows(part, around).step)
                    x = x if x is None else part(x)

    @torch.no_grad()
    def feed(self, x_t: Tensor, out: Tensor | None) -> Tensor:
        """The output for the next input (B, …), in `out` where that is given."""
        x = x_t
        for step in self._steps:
            x = step(x)
        return x if out is None else out.copy_(x)


def _kind(part: nn.Module) -> type:
    """Class by which a part is taken: FewRows for what looks at one step alone. Raises ValueError
    for a part that looks at several."""
    if isinstance(part, Recurrent | Frames):
        return Recurrent if isinstance(part, Recurrent) else Frames
    if isinstance(part, nn.RNNBase):
        raise ValueError(
            f"{type(part).__name__} of torch has no steps: carousel.accelerate makes a layer of it "
            "that has"
        )
    if isinstance(part, nn.Conv1d) or (isinstance(part, Pooling) and part.how != "last"):
        how = f"({part.how})" if isinstance(part, Pooling) else ""
        raise ValueError(
            f"{type(part).__name__}{how} looks at several steps at once: it cannot be streamed"
        )
    return Pooling if isinstance(part, Pooling) else FewRows  # the last state is the output
