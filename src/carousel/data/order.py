"""Randomness of an epoch: it depends on (seed, epoch) alone, so that a run can be resumed."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

_APART = 1_000_003  # seeds of neighbouring runs share no epoch


def generator_of(seed: int, epoch: int) -> torch.Generator:
    """Generator that draws the order, and whatever else is drawn, of one epoch.

    >>> a, b = (torch.randperm(5, generator=generator_of(0, 3)).tolist() for _ in range(2))
    >>> a == b
    True
    """
    return torch.Generator().manual_seed(seed * _APART + epoch)


TOGETHER = 16
"""Blocks that are shuffled at once."""


class Pools:
    """Order of things that lie one behind the other on a disk, shuffled without reading at random.

    The things are cut into blocks that follow each other; chance puts the blocks in order, and
    what is in `together` of them at a time (16) is shuffled. Without blocks (size 0) all is one
    pool.
    expect: is told the first and the last thing (exclusive) of each block that is read next. The
    order depends on the generator alone.

    >>> order = torch.cat([*Pools(10, 2, together=2).order(generator_of(0, 0))])
    >>> sorted(order.tolist()) == list(range(10)), len({n // 2 for n in order[:4].tolist()})
    (True, 2)
    """

    def __init__(
        self,
        count: int,
        size: int = 0,
        together: int = 0,
        expect: Callable[[int, int], None] = lambda first, last: None,
    ) -> None:
        self._count, self._size, self._together, self._expect = (
            count,
            size,
            together or TOGETHER,
            expect,
        )

    def order(self, generator: torch.Generator) -> Iterator[Tensor]:
        """Numbers of the things of each pool, in their order."""
        if not self._size or self._count <= self._size * self._together:
            yield torch.randperm(self._count, generator=generator)
            return
        firsts = torch.arange(0, self._count, self._size)
        firsts = firsts[torch.randperm(len(firsts), generator=generator)]
        for some in torch.split(firsts, self._together):
            blocks = []
            for first in some.tolist():
                last = min(self._count, first + self._size)
                self._expect(first, last)
                blocks.append(torch.arange(first, last))
            pool = torch.cat(blocks)
            yield pool[torch.randperm(len(pool), generator=generator)]
