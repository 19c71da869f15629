"""Sequences of different lengths: kept without padding, batched with those of their length.

Nothing here remembers where an epoch stands (as in `batches.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from carousel.data.order import Pools, generator_of


@dataclass(frozen=True)
class Ragged:
    """Sequences end to end: sequence i is values[offsets[i] : offsets[i + 1]].

    values (N, ...); offsets (n + 1,), int64.

    >>> sequences = Ragged.of([torch.tensor([1, 2, 3]), torch.tensor([4])])
    >>> sequences.pad(torch.tensor([1, 0]))
    (tensor([[4, 0, 0],
            [1, 2, 3]]), tensor([1, 3]))
    """

    values: Tensor
    offsets: Tensor

    @classmethod
    def of(cls, sequences: Iterable[Tensor]) -> Ragged:
        """Make a ragged array from tensors (T_i, ...) that agree in all but the first dimension."""
        parts = list(sequences)
        if not parts:
            return cls(torch.empty(0), torch.zeros(1, dtype=torch.int64))
        lengths = torch.tensor([0, *map(len, parts)])
        return cls(torch.cat(parts), lengths.cumsum(0))

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, index: int) -> Tensor:
        return self.values[int(self.offsets[index]) : int(self.offsets[index + 1])]

    @property
    def lengths(self) -> Tensor:
        """Steps of each sequence (n,)."""
        return self.offsets.diff()

    def take(self, index: Tensor) -> Ragged:
        """The sequences of these numbers."""
        lengths = self.lengths[index]
        offsets = torch.cat((torch.zeros(1, dtype=torch.int64), lengths.cumsum(0)))
        start = (self.offsets[index] - offsets[:-1]).repeat_interleave(lengths)
        return Ragged(self.values[start + torch.arange(int(offsets[-1]))], offsets)

    def pad(self, index: Tensor, fill: float = 0) -> tuple[Tensor, Tensor]:
        """The sequences of these numbers side by side, (B, T, ...), and their lengths (B,).

        T: that of the longest, at least 1. fill: what stands behind the end of the others.
        """
        lengths = self.lengths[index]
        place = torch.arange(max(1, int(lengths.max())))
        inside = place < lengths.unsqueeze(1)
        if not len(self.values):
            padded = self.values.new_zeros(*inside.shape, *self.values.shape[1:])
        else:
            padded = self.values[torch.where(inside, self.offsets[index].unsqueeze(1) + place, 0)]
        padded[~inside] = fill
        return padded, lengths


class Buckets:
    """Batches of sequences: chance decides, but the lengths in a batch are alike.

    The sequences are shuffled; each `span` batches' worth of them is sorted by length and cut into
    batches, and the batches are shuffled. So a batch holds little padding, and yet no two epochs
    are cut alike. The order depends on (seed, epoch) alone. pools: of sequences that are
    not shuffled at once, with blocks of whole batches.

    >>> batches = Buckets(torch.tensor([3, 9, 1, 4, 8, 2]), batch_size=4, seed=0)
    >>> sorted(torch.cat(list(batches.epoch(0))).tolist()), len(batches)
    ([0, 1, 2, 3, 4, 5], 2)
    """

    def __init__(
        self,
        lengths: Tensor,
        batch_size: int,
        seed: int,
        span: int = 50,
        pools: Pools | None = None,
    ) -> None:
        self._lengths, self._rows, self._seed = lengths, batch_size, seed
        self._span, self._pools = span * batch_size, pools or Pools(len(lengths))

    def __len__(self) -> int:
        """Batches in an epoch; the last one cut may be smaller."""
        return -(-len(self._lengths) // self._rows)

    def epoch(self, epoch: int, start: int = 0) -> Iterator[Tensor]:
        """The numbers of the sequences in each batch of an epoch, from batch `start` on."""
        generator = generator_of(self._seed, epoch)
        for order in self._pools.order(generator):
            batches: list[Tensor] = []
            for some in torch.split(order, self._span):
                by_length = some[self._lengths[some].argsort(stable=True)]
                batches += torch.split(by_length, self._rows)
            for number in torch.randperm(len(batches), generator=generator)[start:].tolist():
                yield batches[number]
            start = max(0, start - len(batches))


def by_length(lengths: Tensor, batch_size: int) -> Iterator[Tensor]:
    """Numbers of all sequences in batches, the shortest first, for evaluation."""
    if len(lengths):
        yield from torch.split(lengths.argsort(stable=True), batch_size)


def with_differences(values: Ragged, wanted: bool, codes: Sequence[int] = ()) -> Ragged:
    """Beside each x_t also x_t - x_{t-1}, which is 0 in the first frame of a recording, and in
    columns of codes."""
    if not wanted:
        return values
    change = values.values.diff(dim=0, prepend=values.values[:1])
    change[values.offsets[:-1]] = 0.0
    change[:, [*codes]] = 0.0
    return Ragged(torch.cat((values.values, change), 1), values.offsets)
