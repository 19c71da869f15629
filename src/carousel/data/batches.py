"""Batches from memory: one gather each, in an order that depends on (seed, epoch) alone.

Nothing here remembers where an epoch stands, so a resumed run asks for the same epoch from batch k
on and receives exactly what the interrupted one would have.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn import functional as F

from carousel.data.mnist import Images


class ShuffledBatches:
    """Training batches of uint8 images, reshuffled each epoch, moved by up to `shift` pixels.

    A move by (dy, dx), each uniform in [-shift, shift], fills with black. It is done inside the
    gather: the images are padded once, and each row of a batch reads its own window.
    """

    def __init__(self, part: Images, batch_size: int, seed: int, shift: int = 0) -> None:
        self.part = part
        self.batch_size = batch_size
        self.seed = seed
        self.shift = shift
        height, width = part.images.shape[1:]
        self._padded = F.pad(part.images, (shift,) * 4).flatten() if shift else part.images
        self._wide = width + 2 * shift
        self._area = (height + 2 * shift) * self._wide
        # Position of every pixel of a window whose corner is at 0 in the flat padded image.
        self._window = torch.arange(height)[:, None] * self._wide + torch.arange(width)

    def __len__(self) -> int:
        """Batches in an epoch; the last may be smaller."""
        return -(-len(self.part) // self.batch_size)

    def epoch(self, epoch: int, start: int = 0) -> Iterator[tuple[Tensor, Tensor]]:
        """(images (B, 28, 28) uint8, labels (B,)) of an epoch, from batch `start` on."""
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + epoch)
        order = torch.randperm(len(self.part), generator=generator)
        reach = 2 * self.shift + 1
        moves = (
            torch.randint(0, reach, (len(order), 2), generator=generator) if self.shift else None
        )
        for batch in range(start, len(self)):
            rows = slice(batch * self.batch_size, (batch + 1) * self.batch_size)
            index = order[rows]
            if moves is None:
                images = self.part.images[index]
            else:
                dy, dx = moves[rows].unbind(1)
                corner = index * self._area + dy * self._wide + dx
                images = torch.take(self._padded, corner[:, None, None] + self._window)
            yield images, self.part.labels[index]


def in_order(part: Images, batch_size: int) -> Iterator[tuple[Tensor, Tensor]]:
    """(images, labels) in the order of the data set, for evaluation."""
    for start in range(0, len(part), batch_size):
        rows = slice(start, start + batch_size)
        yield part.images[rows], part.labels[rows]
