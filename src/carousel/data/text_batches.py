"""Batches of token numbers, time first: (T, B) inputs and the tokens that follow them.

Nothing here remembers where an epoch stands (as in `batches.py`).
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from carousel.data.order import generator_of
from carousel.data.text import Part
from carousel.errors import DataError

IGNORED = -1
"""The target of a place that is padding."""


class StreamWindows:
    """A running text as `rows` streams side by side, cut into windows of `steps` tokens.

    Row b of one window goes on where row b of the window before ended, so a state carried from
    window to window has read its stream from the start. As Zaremba et al. 2014 have it, tokens
    that fill no whole row or window at the end are left out.

    >>> windows = StreamWindows(Part(torch.arange(11)), rows=2, steps=2)
    >>> [(x.T.tolist(), y.T.tolist()) for x, y in windows.epoch(0)]
    [([[0, 1], [5, 6]], [[1, 2], [6, 7]]), ([[2, 3], [7, 8]], [[3, 4], [8, 9]])]
    """

    def __init__(self, part: Part, rows: int, steps: int) -> None:
        length = len(part.ids) // rows
        self.steps = steps
        self._windows = (length - 1) // steps
        if self._windows < 1:
            raise DataError(
                f"the training part has {len(part.ids):,} tokens, too few for training.batch_size "
                f"= {rows} streams of text.bptt + 1 = {steps + 1} tokens: make one of them smaller"
            )
        self._streams = part.ids[: rows * length].view(rows, length).t().contiguous()

    def __len__(self) -> int:
        return self._windows

    def epoch(self, epoch: int, start: int = 0) -> Iterator[tuple[Tensor, Tensor]]:
        """(inputs, targets), each (T, B) int64, from window `start` on. Every epoch is the same."""
        for window in range(start, len(self)):
            first = window * self.steps
            tokens = self._streams[first : first + self.steps + 1].long()
            yield tokens[:-1], tokens[1:]


class LineBatches:
    """Lines in batches of `rows`, reshuffled each epoch, each padded to the longest of its batch.

    The first token of a line is not a target. Padded targets are `IGNORED`.
    """

    def __init__(self, part: Part, rows: int, seed: int) -> None:
        assert part.offsets is not None
        if len(part.offsets) < 2:
            raise DataError("the training part has no lines")
        self._part, self._rows, self._seed = part, rows, seed

    def __len__(self) -> int:
        """Batches in an epoch; the last may be smaller."""
        return -(-self._lines // self._rows)

    @property
    def _lines(self) -> int:
        assert self._part.offsets is not None
        return len(self._part.offsets) - 1

    def epoch(self, epoch: int, start: int = 0) -> Iterator[tuple[Tensor, Tensor]]:
        """(inputs, targets), each (T, B) int64, of an epoch, from batch `start` on."""
        generator = generator_of(self._seed, epoch)
        order = torch.randperm(self._lines, generator=generator)
        for batch in range(start, len(self)):
            index = order[batch * self._rows : (batch + 1) * self._rows]
            yield _pad(self._part, index)

    def in_order(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Batches in the order of the data set, for evaluation."""
        indices = torch.split(torch.arange(self._lines), self._rows)
        yield from (_pad(self._part, index) for index in indices)


def all_of(part: Part, rows: int, steps: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Windows of a running text of which every token but the first is a target, for evaluation.

    rows: streams read side by side, each from a state of its own; the last may be padded.
    steps: of a window.
    """
    count = len(part.ids) - 1
    length = -(-count // rows)
    padded = torch.full((rows * length + 1,), IGNORED, dtype=torch.int64)
    padded[: count + 1] = part.ids
    x = padded[:-1].clamp(min=0).view(rows, length).t()
    y = padded[1:].view(rows, length).t()
    yield from zip(torch.split(x, steps), torch.split(y, steps), strict=True)


def _pad(part: Part, index: Tensor) -> tuple[Tensor, Tensor]:
    assert part.offsets is not None
    starts, lengths = part.offsets[index], part.offsets[index + 1] - part.offsets[index]
    place = torch.arange(int(lengths.max()))[:, None]
    inside = place < lengths
    tokens = part.ids[torch.where(inside, starts + place, 0)].long()
    targets = torch.where(inside, tokens, IGNORED)
    return tokens[:-1], targets[1:]
