"""Images with captions: scenes of digits, a published set, and folders of one's own."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from carousel.config import Config, PicturesConfig
from carousel.data import digit_scenes, sources
from carousel.data.files.delimited import csv_table
from carousel.data.files.file_kind import require_file
from carousel.data.files.image_features import read_features
from carousel.data.files.images import shown
from carousel.data.files.text import decode, read_text
from carousel.data.set_names import unknown_set
from carousel.data.splits import hold_out
from carousel.errors import ConfigError, DataError

CAPTIONS = "captions.csv"
SETS = ("digit-scenes", "flickr8k-1k", "images")
_LISTS = {"train": "trainImages.txt", "validation": "devImages.txt", "test": "testImages.txt"}


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
        """How many of what there are."""
        return {"images": len(self), "captions": sum(map(len, self.captions))}


class CaptionedImages:
    """The parts of a set of images with captions; the test part is made when it is asked for.

    data.name: "digit-scenes" (made with `data.split_seed`), "flickr8k-1k" (its official parts), or
    "images": a folder of your own, data.path, with captions.csv; `text.test` and `text.validation`
    are drawn. An image that cannot be read is left out and counted. Raises `ConfigError` or
    `DataError`.
    """

    def __init__(self, config: Config) -> None:
        name, self._parts = config.data.name, dict[str, Captioned]()
        self._unreadable: dict[str, int] = {}
        self._in_no_part = 0
        self._read: Callable[[str], Captioned]
        if name == "digit-scenes":
            self._read = partial(_scenes, config)
        elif name == "flickr8k-1k":
            self._read = self._flickr(config)
        elif name == "images":
            if not config.data.path:
                raise ConfigError(f"data.name = 'images' needs data.path, a folder with {CAPTIONS}")
            self._read = self._folder(config)
        else:
            raise unknown_set(name, SETS)
        self.train, self.validation = self.part("train"), self.part("validation")

    @property
    def test(self) -> Captioned:
        """The part that judges."""
        return self.part("test")

    def part(self, name: str) -> Captioned:
        """ "train", "validation" or "test"."""
        if name not in self._parts:
            self._parts[name] = self._read(name)
        return self._parts[name]

    def account(self) -> dict[str, Any]:
        """Sizes of the parts, images that the training part has too, and what was left out.

        Looks at the test part.
        """
        parts = {name: self.part(name) for name in _LISTS}
        known = {image.numpy().tobytes() for image in parts["train"].images}
        held = {name: part for name, part in parts.items() if name != "train"}
        return {
            "sizes": {name: len(part) for name, part in parts.items()},
            "captions": {n: sum(map(len, part.captions)) for n, part in parts.items()},
            "also_in_training": {
                n: sum(image.numpy().tobytes() in known for image in part.images)
                for n, part in held.items()
            },
            "unreadable": self._unreadable,
            "in_no_part": self._in_no_part,
        }

    def _flickr(self, config: Config) -> Callable[[str], Captioned]:
        def text(file: str) -> str:
            return decode(sources.read("flickr8k-1k", file), file)

        captions = read_captions(text("captions.txt"), "captions.txt")
        split = {part: text(file).split() for part, file in _LISTS.items()}
        self._in_no_part = len(set(captions) - {name for names in split.values() for name in names})

        def read(part: str) -> Captioned:
            contents = sources.read_all("flickr8k-1k")
            wanted = {name: captions[name] for name in split[part] if name in contents}
            return self._gather(part, wanted, contents.__getitem__, config.pictures)

        return read

    def _folder(self, config: Config) -> Callable[[str], Captioned]:
        root = Path(config.data.path)
        captions = read_captions(read_text(root / CAPTIONS), str(root / CAPTIONS))
        names, text = list(captions), config.text
        if len(names) < 3:
            raise DataError(
                f"{root / CAPTIONS} must name at least three images, to train on, to validate and "
                f"to judge; it names {len(names)}"
            )
        test = max(1, round(text.test * len(names)))
        validation = max(1, round(text.validation * len(names)))
        rest, held = hold_out(
            len(names), min(test + validation, len(names) - 1), config.data.split_seed
        )
        drawn = {"train": rest, "validation": held[test:], "test": held[:test]}

        features = config.pictures.features
        known = read_features(root / features) if features else {}

        def read(part: str) -> Captioned:
            wanted = {names[i]: captions[names[i]] for i in sorted(drawn[part].tolist())}
            if features:
                return self._look_up(part, wanted, known, features)
            return self._gather(part, wanted, lambda n: (root / n).read_bytes(), config.pictures)

        return read

    def _look_up(
        self, part: str, captions: Mapping[str, list[str]], known: dict[str, Tensor], file: str
    ) -> Captioned:
        names = [name for name in captions if name in known]
        if not names:
            raise DataError(
                f"{file} has no features for any image of the {part} part, such as "
                f"'{next(iter(captions))}': its arrays must have the names of {CAPTIONS}"
            )
        if len(names) < len(captions):
            self._unreadable[part] = len(captions) - len(names)
        images = torch.stack([known[name] for name in names])
        return Captioned(names, images, [captions[name] for name in names])

    def _gather(
        self,
        part: str,
        captions: Mapping[str, list[str]],
        content: Callable[[str], bytes],
        config: PicturesConfig,
    ) -> Captioned:
        names, images = [], []
        for name in captions:
            try:
                images.append(picture_of(content(name), config, name))
                names.append(name)
            except (DataError, OSError):
                self._unreadable[part] = self._unreadable.get(part, 0) + 1
        if not names:
            raise DataError(f"no image of the {part} part can be read")
        return Captioned(names, torch.stack(images), [captions[name] for name in names])


def read_captions(text: str, source: str) -> dict[str, list[str]]:
    """By image its captions, from CSV with the header image,caption; several rows for one image.

    Raises `DataError` that names the line for another header, a row of another length, an empty
    cell, a quotation mark that is not closed, and a caption that goes over another row.
    """
    header, rows = csv_table(text, source)
    if header != ["image", "caption"]:
        raise DataError(f"{source} must begin with the header image,caption; got {header}")
    captions: dict[str, list[str]] = {}
    for line, (image, caption) in rows:
        if not image.strip() or not caption.strip():
            raise DataError(
                f"{source} line {line} must be an image and a caption, got '{image}' and "
                f"'{caption[:40]}'"
            )
        captions.setdefault(image.strip(), []).append(" ".join(caption.split()))
    starts = tuple(f"{image}," for image in captions)
    for line, (_, caption) in rows:
        if any(inner.startswith(starts) for inner in caption.split("\n")[1:]):
            raise DataError(
                f"{source} line {line}: the caption goes on over a row of its own: close the "
                f"quotation mark"
            )
    return captions


def picture_of(source: bytes | Path, config: PicturesConfig, name: str = "") -> Tensor:
    """An image file as (C, side, side) uint8: turned as its camera says, fitted, black beside.

    What is transparent is white; 16 bits a pixel become 8. Raises `DataError`.
    """
    from PIL import Image, ImageOps, UnidentifiedImageError  # few commands need it

    name = name or str(source)
    if isinstance(source, Path):
        require_file(source)
    try:
        with Image.open(io.BytesIO(source) if isinstance(source, bytes) else source) as file:
            picture = shown(file, "RGB" if config.color else "L")
            fitted = ImageOps.pad(picture, (config.side, config.side))
    except (
        UnidentifiedImageError,
        Image.DecompressionBombError,
        OSError,
        SyntaxError,
        ValueError,
    ) as error:
        raise DataError(f"{name} is not an image that can be read: {error}") from None
    pixels = np.array(fitted)
    return torch.from_numpy(pixels if pixels.ndim == 3 else pixels[:, :, None]).permute(2, 0, 1)


def _scenes(config: Config, part: str) -> Captioned:
    pictures, captions = digit_scenes.scenes(config.data, config.scenes, part)
    names = [f"{part}-{number:05}" for number in range(len(captions))]
    return Captioned(names, digit_scenes.as_tensor(pictures), [[c] for c in captions])
