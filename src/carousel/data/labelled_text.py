"""Sentences with a class each, in parts."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from carousel.data.class_targets import counts_of
from carousel.data.mapped_texts import PartTexts
from carousel.data.parts import NAMES, Parts
from carousel.data.shares import Share
from carousel.data.splits import split
from carousel.errors import DataError

_DIGEST = 16


@dataclass(frozen=True)
class Sentences:
    """Sentences, in memory or on the disk (`PartTexts`), and the number of each one's class (n,),
    int64, or 0 and 1 of its labels (n, C)."""

    texts: Sequence[str]
    labels: Tensor

    @classmethod
    def of(cls, pairs: Sequence[tuple[int, str]]) -> Sentences:
        """Make sentences from pairs of a class's number and a sentence."""
        return cls([text for _, text in pairs], torch.tensor([label for label, _ in pairs]))

    def __len__(self) -> int:
        return len(self.texts)

    @property
    def counts(self) -> dict[str, int]:
        """Counts of the part's contents."""
        return {"sentences": len(self)}

    def contents(self) -> Iterator[bytes]:
        """A digest of each sentence: a double is one whatever its class."""
        for text in self.texts:
            letters = text.encode("utf-8", "surrogatepass")
            yield hashlib.blake2b(letters, digest_size=_DIGEST).digest()

    def take(self, index: Tensor) -> Sentences:
        """Sentences at `index`. Keeps `empty`."""
        if isinstance(self.texts, PartTexts):
            return Sentences(self.texts.take(index.numpy()), self.labels[index])
        return Sentences([self.texts[i] for i in index.tolist()], self.labels[index])


class LabelledText(Parts[Sentences]):
    """The parts of a set of labelled sentences, and the names of its classes.

    read_as: what of a file was read, in words, if not all. Raises `DataError` if the training part
    has no example of a class.
    """

    task = "classify_text"

    def __init__(
        self,
        train: Sentences,
        validation: Sentences,
        test: Sentences | Callable[[], Sentences],
        classes: Sequence[str] = ("negative", "positive"),
        read_as: str = "",
    ) -> None:
        super().__init__(train, validation, test)
        self.classes, self.read_as = tuple(classes), read_as
        self._check()

    def limit(self, most: int) -> None:
        super().limit(most)
        self._check()

    @property
    def several(self) -> bool:
        """True if sentences have several labels, not one class."""
        return self.train.labels.dim() == 2

    def account(self) -> dict[str, Any]:
        """Sizes of the parts, sentences without a word, and those that the training part has too.

        Opens the test part.
        """
        parts = {name: self.part(name) for name in NAMES}
        return {
            **({"read_as": self.read_as} if self.read_as else {}),
            "sizes": {name: len(part) for name, part in parts.items()},
            "empty": {n: sum(not t.strip() for t in part.texts) for n, part in parts.items()},
            "also_in_training": self.doubles(),
        }

    def _check(self) -> None:
        counts = counts_of(self.train.labels, len(self.classes))
        for name, count in zip(self.classes, counts, strict=True):
            if not count:
                raise DataError(
                    f"the training part has no example of the class '{name}': add some, or hold "
                    f"out less (text.validation, text.test, data.train_limit)"
                )


def draw(whole: Sentences, held: str, share: Share, seed: int) -> tuple[Sentences, Sentences]:
    """The rest, and a share that is to be the part `held`."""
    index = split(len(whole), {held: share}, seed, settings="text.validation and text.test")
    return whole.take(index["train"]), whole.take(index[held])
