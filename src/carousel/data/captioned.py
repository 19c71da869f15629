"""Images with captions, in parts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from carousel.config import PicturesConfig
from carousel.data.files.captions import picture_of
from carousel.data.parts import NAMES, Parts
from carousel.errors import DataError


@dataclass(frozen=True)
class Captioned:
    """Images (N, C, side, side) uint8, their names, and the captions of each, at least one.

    Or, in place of images, their features (N, h, w, F), float32.
    """

    names: list[str]
    images: Tensor
    captions: list[list[str]]

    def __len__(self) -> int:
        return len(self.names)

    @property
    def counts(self) -> dict[str, int]:
        """Counts of the part's contents."""
        return {"images": len(self), "captions": sum(map(len, self.captions))}

    def contents(self) -> Iterator[bytes]:
        """The pixels of each image."""
        return (image.numpy().tobytes() for image in self.images)


class CaptionedImages(Parts[Captioned]):
    """The parts of a set of images with captions.

    unreadable: by part, images that were left out; filled as parts are opened. in_no_part: images
    that have captions and stand in no part.
    """

    task = "caption"

    def __init__(
        self,
        train: Captioned,
        validation: Captioned,
        test: Captioned | Callable[[], Captioned],
        unreadable: dict[str, int] | None = None,
        in_no_part: int = 0,
    ) -> None:
        super().__init__(train, validation, test)
        self.unreadable = {} if unreadable is None else unreadable
        self.in_no_part = in_no_part

    def account(self) -> dict[str, Any]:
        """Sizes of the parts, images that the training part has too, and what was left out.

        Opens the test part.
        """
        parts = {name: self.part(name) for name in NAMES}
        return {
            "sizes": {name: len(part) for name, part in parts.items()},
            "captions": {n: sum(map(len, part.captions)) for n, part in parts.items()},
            "also_in_training": self.doubles(),
            "unreadable": self.unreadable,
            "in_no_part": self.in_no_part,
        }


def gather(
    part: str,
    captions: Mapping[str, list[str]],
    content: Callable[[str], bytes],
    config: PicturesConfig,
    unreadable: dict[str, int],
) -> Captioned:
    """The images of a part. One that cannot be read is left out and counted.

    Raises `DataError` if none can.
    """
    names, images = [], []
    for name in captions:
        try:
            images.append(picture_of(content(name), config, name))
            names.append(name)
        except (DataError, OSError):
            unreadable[part] = unreadable.get(part, 0) + 1
    if not names:
        raise DataError(f"no image of the {part} part can be read")
    return Captioned(names, torch.stack(images), [captions[name] for name in names])
