"""Batches from memory: one gather each, in an order that depends on (seed, epoch) alone.

Nothing here remembers where an epoch stands, so a resumed run asks for the same epoch from batch k
on and receives exactly what the interrupted one would have.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from numpy.lib.stride_tricks import sliding_window_view
from torch import Tensor

from carousel.data.labelled_images import Images
from carousel.data.order import generator_of


class ShuffledBatches:
    """Training batches of uint8 images, reshuffled each epoch, moved by up to `shift` pixels.

    A move by (dy, dx), each uniform in [-shift, shift], fills with black, or, with `edges`, with
    what stands at the edge. It costs no pass of its own: the images are padded once, and the gather
    reads each row of a batch at its own offset.
    """

    def __init__(
        self, part: Images, batch_size: int, seed: int, shift: int = 0, edges: bool = False
    ) -> None:
        self.part = part
        self.batch_size = batch_size
        self.seed = seed
        self.shift = shift
        pixels = part.images.numpy()
        margins = ((0, 0),) * (pixels.ndim - 2) + ((shift, shift),) * 2
        padded = np.pad(pixels, margins, mode="edge" if edges else "constant")
        # (N, 2 shift + 1, 2 shift + 1, 28, 28): a view of every image at every offset (of coloured
        # ones with the colours behind N). NumPy's gather copies the runs of 28 bytes at a quarter
        # of the time that torch's takes.
        self._windows = sliding_window_view(padded, pixels.shape[-2:], axis=(-2, -1))

    def __len__(self) -> int:
        """Batches in an epoch; the last may be smaller."""
        return -(-len(self.part) // self.batch_size)

    def epoch(self, epoch: int, start: int = 0) -> Iterator[tuple[Tensor, Tensor]]:
        """(images (B, …) uint8, labels (B,)) of an epoch, from batch `start` on."""
        generator = generator_of(self.seed, epoch)
        order = torch.randperm(len(self.part), generator=generator)
        offsets = torch.randint(0, 2 * self.shift + 1, (2, len(order)), generator=generator)
        for batch in range(start, len(self)):
            rows = slice(batch * self.batch_size, (batch + 1) * self.batch_size)
            index, (dy, dx) = order[rows], offsets[:, rows].numpy()
            images = torch.from_numpy(self._windows[index.numpy(), ..., dy, dx, :, :])
            yield images, self.part.labels[index]


def in_order(part: Images, batch_size: int) -> Iterator[tuple[Tensor, Tensor]]:
    """(images, labels) in the order of the data set, for evaluation."""
    for start in range(0, len(part), batch_size):
        rows = slice(start, start + batch_size)
        yield part.images[rows], part.labels[rows]
