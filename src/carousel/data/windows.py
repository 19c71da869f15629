"""Windows of long recordings for training, drawn anew each epoch.

Nothing here remembers where an epoch stands (as in `batches.py`).
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from carousel.data.order import Pools, generator_of
from carousel.data.ragged import Ragged
from carousel.errors import DataError


def is_labelled(labels: Tensor) -> Tensor:
    """Mask of the steps with a label: a class from 0 on, or a number.

    >>> is_labelled(torch.tensor([2, -1])).tolist(), is_labelled(torch.tensor([-2.0, torch.nan]))
    ([True, False], tensor([ True, False]))
    """
    return ~labels.isnan() if labels.is_floating_point() else labels >= 0


class LabelledWindows:
    """Batches of windows from recordings with a label per frame: a class, -1 for none, or a
    number, NaN for none.

    Each epoch draws, from every recording of T frames, passes * ceil(T / steps) windows around a
    labelled frame chosen at random; a recording shorter than a window is read whole. So every
    window has something to learn from, and none begins where another did. The draw depends on
    (seed, epoch) alone. pools: of recordings that are not shuffled at once. steps: frames of a
    window (0: whole recordings). weights (n,): how much each recording counts, which then come
    with every batch.
    """

    def __init__(
        self,
        values: Ragged,
        labels: Tensor,
        steps: int,
        batch_size: int,
        seed: int,
        passes: int = 1,
        weights: Tensor | None = None,
        pools: Pools | None = None,
    ) -> None:
        self._weights, self._pools = weights, pools
        self._values, self._labels = values, Ragged(labels, values.offsets)
        self._rows, self._seed = batch_size, seed
        self._steps = steps or int(values.lengths.max())
        self._missing = torch.nan if labels.is_floating_point() else -1
        self._labelled = [
            is_labelled(row).nonzero().flatten()
            for row in map(self._labels.__getitem__, range(len(values)))
        ]
        # A recording without any label has no window.
        self._counts = [
            passes * -(-length // self._steps) if len(labelled) else 0
            for length, labelled in zip(values.lengths.tolist(), self._labelled, strict=True)
        ]
        if not sum(self._counts):
            raise DataError("no frame of the training part has a label")

    def __len__(self) -> int:
        """Batches in an epoch; the last may be smaller."""
        return -(-sum(self._counts) // self._rows)

    def epoch(self, epoch: int, start: int = 0) -> Iterator[tuple[Tensor, ...]]:
        """(values (B, T, F), lengths (B,), labels (B, T)) from batch `start` on; in the
        padding -1 or NaN. Weights (B,), where there are any, stand before the labels."""
        generator = generator_of(self._seed, epoch)
        windows = []
        for number, count in enumerate(self._counts):
            for _ in range(count):
                windows.append((number, self._first(number, generator)))
        order = self._order(windows, generator)
        for first in range(start * self._rows, len(windows), self._rows):
            batch = [windows[i] for i in order[first : first + self._rows]]
            values = Ragged.of(self._values[n][a : a + self._steps] for n, a in batch)
            labels = Ragged.of(self._labels[n][a : a + self._steps] for n, a in batch)
            everything = torch.arange(len(batch))
            padded, lengths = values.pad(everything)
            numbers = [n for n, _ in batch]
            rows = () if self._weights is None else (self._weights[numbers].float(),)
            yield padded, lengths, *rows, labels.pad(everything, fill=self._missing)[0]

    def _order(self, windows: list[tuple[int, int]], generator: torch.Generator) -> list[int]:
        """Numbers of the windows in the order in which they are read."""
        if self._pools is None:
            return torch.randperm(len(windows), generator=generator).tolist()
        ends = torch.tensor([0, *self._counts]).cumsum(0).tolist()
        found: list[int] = []
        for pool in self._pools.order(generator):
            inside = [w for n in pool.tolist() for w in range(ends[n], ends[n + 1])]
            some = torch.randperm(len(inside), generator=generator).tolist()
            found += [inside[i] for i in some]
        return found

    def _first(self, number: int, generator: torch.Generator) -> int:
        labelled = self._labelled[number]
        frame = int(labelled[int(torch.randint(len(labelled), (1,), generator=generator))])
        before = int(torch.randint(self._steps, (1,), generator=generator))
        last = max(0, int(self._values.lengths[number]) - self._steps)
        return min(max(0, frame - before), last)
