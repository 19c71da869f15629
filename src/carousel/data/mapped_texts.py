"""Texts of an imported table, and their tokens, which may be larger than memory.

The texts of a part are written end to end in its order, so that they are read without a jump; so
are their tokens. What stays in memory is a few numbers for each text.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from carousel.data.mapped import MappedRagged, on_disk
from carousel.data.ragged import Ragged
from carousel.data.store.texts import LongTexts, MappedTexts
from carousel.data.tokens import Tokens

_AT_ONCE = 4096


class PartTexts(LongTexts):
    """The texts of a part, end to end in a file without a name. folder: where there is room."""

    def __init__(self, texts: MappedTexts, rows: NDArray[np.int64], folder: Path) -> None:
        """Take some of the texts, in the order of their numbers."""
        sizes = [np.zeros(0, np.int64)]

        def blocks() -> Iterator[NDArray[Any]]:
            for first in range(0, len(rows), _AT_ONCE):
                some = [text.encode() for text in texts.some(rows[first : first + _AT_ONCE])]
                sizes.append(np.array([len(one) for one in some], np.int64))
                yield np.frombuffer(b"".join(some), np.uint8)

        letters = on_disk(blocks(), 1, folder).reshape(-1)
        super().__init__(letters, np.concatenate(sizes).cumsum())
        self.folder = folder

    def take(self, rows: NDArray[np.int64]) -> PartTexts:
        """The texts of these numbers."""
        return PartTexts(self, rows, self.folder)


def encoded(tokens: Tokens, texts: Sequence[str]) -> Ragged:
    """The token numbers of each text (`Tokens.encode`); those of texts on the disk stay there."""
    if not isinstance(texts, PartTexts) or not len(texts):
        return tokens.encode(texts)
    lengths = [torch.zeros(1, dtype=torch.int64)]

    def blocks() -> Iterator[NDArray[Any]]:
        for some in texts.blocks():
            made = tokens.encode(some)
            lengths.append(made.lengths)
            yield made.values.numpy()

    made = blocks()
    first = next(made)
    width = 1 if first.ndim == 1 else first.shape[1]
    values = on_disk(chain([first], made), width, texts.folder)
    values = values.reshape(-1) if first.ndim == 1 else values
    return MappedRagged(values, torch.cat(lengths).cumsum(0), texts.folder)
