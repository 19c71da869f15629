"""Images with a class each, in parts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from carousel.data.parts import NAMES, Parts

Shape = tuple[int, ...]
"""(height, width) of grey images, (3, height, width) of coloured ones."""


@dataclass(frozen=True)
class Images:
    """Images (N, H, W), grey, or (N, 3, H, W), uint8, and numbers of their classes (N,), int64."""

    images: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def counts(self) -> dict[str, int]:
        """Counts of the part's contents."""
        return {"images": len(self)}

    def contents(self) -> Iterator[bytes]:
        """The pixels of each image."""
        return (image.numpy().tobytes() for image in self.images)

    def take(self, index: Tensor | slice) -> Images:
        """The images of these numbers."""
        return Images(self.images[index], self.labels[index])


@dataclass(frozen=True)
class NamedImages(Images):
    """Custom images, and the names of the files, or of their places in one, that they stood in."""

    names: tuple[str, ...] = ()

    def take(self, index: Tensor | slice) -> NamedImages:
        """The images of these numbers."""
        numbers = range(len(self))[index] if isinstance(index, slice) else index.tolist()
        names = tuple(self.names[i] for i in numbers)
        return NamedImages(self.images[index], self.labels[index], names)


@dataclass
class ImageNotes:
    """Counts of custom images, by the name of a part: how many were made another size, lost their
    colours, or could not be read (left out), and why of a few of those. words: on the whole."""

    resized: dict[str, int] = field(default_factory=dict)
    recoloured: dict[str, int] = field(default_factory=dict)
    unreadable: dict[str, int] = field(default_factory=dict)
    named: list[str] = field(default_factory=list)
    words: list[str] = field(default_factory=list)


class ImageParts(Parts[Images]):
    """Images to train on, to validate and to judge.

    classes: their names; None for the ten digits. notes: of custom images, what became of them.
    """

    task = "classify"

    def __init__(
        self,
        train: Images,
        validation: Images,
        test: Images | Callable[[], Images],
        classes: Sequence[str] | None = None,
        notes: ImageNotes | None = None,
    ) -> None:
        super().__init__(train, validation, test)
        self.classes = tuple(map(str, range(10))) if classes is None else tuple(classes)
        self.notes = notes

    @property
    def shape(self) -> Shape:
        """Shape of an image."""
        return tuple(self.train.images.shape[1:])

    def account(self) -> dict[str, Any]:
        """Sizes of the parts, doubles, and what became of images while they were read; nothing of a
        published set. Opens the test part."""
        if self.notes is None:
            return {}
        parts = {name: self.part(name) for name in NAMES}
        return {
            "sizes": {name: len(part) for name, part in parts.items()},
            "classes": list(self.classes),
            "shape": list(self.shape),
            "also_in_training": self.doubles(),
            "resized": self.notes.resized,
            "recoloured": self.notes.recoloured,
            "unreadable": self.notes.unreadable,
            "unreadable_files": self.notes.named,
            "recognised": dict.fromkeys(self.notes.words, 0),
        }
