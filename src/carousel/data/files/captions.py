"""Folders of images with captions.csv, and of features in their place."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from carousel.config import Config, PicturesConfig
from carousel.data.files.delimited import csv_table
from carousel.data.files.file_kind import require_file
from carousel.data.files.image_features import read_features
from carousel.data.files.images import shown, unreadable, why_unreadable
from carousel.data.files.text import packed, read_text
from carousel.errors import ConfigError, DataError

if TYPE_CHECKING:
    from carousel.data.captioned import Captioned, CaptionedImages

CAPTIONS = "captions.csv"


def read_captions(text: str, source: str) -> dict[str, list[str]]:
    """Captions by image, from CSV with the header image,caption; several rows for one image.

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
    from PIL import Image, ImageOps  # few commands need it

    name = name or str(source)
    if isinstance(source, Path):
        require_file(source)
    try:
        with Image.open(io.BytesIO(source) if isinstance(source, bytes) else source) as file:
            picture = shown(file, "RGB" if config.color else "L")
            fitted = ImageOps.pad(picture, (config.side, config.side))
    except unreadable() as error:
        raise DataError(f"{name} is not an image that can be read{why_unreadable(error)}") from None
    pixels = np.array(fitted)
    return torch.from_numpy(pixels if pixels.ndim == 3 else pixels[:, :, None]).permute(2, 0, 1)


def read_parts(config: Config) -> CaptionedImages:
    """The parts of `data.path`; `text.test` and `text.validation` are drawn. The images of the test
    part are read when it is asked for. Raises `ConfigError` or `DataError`."""
    from carousel.data.captioned import Captioned, CaptionedImages, gather
    from carousel.data.shares import Fewest, shares
    from carousel.data.splits import split

    if not config.data.path:
        raise ConfigError(f"data.name = 'images' needs data.path, a folder with {CAPTIONS}")
    root = Path(config.data.path)
    source = packed(root / CAPTIONS)
    captions = read_captions(read_text(source), str(source))
    names = list(captions)
    least = Fewest.of(config)
    if len(names) < least.count:
        raise DataError(
            f"{source} must name at least {least} images, to train on, to validate and "
            f"to judge; it names {len(names)}"
        )
    drawn = split(len(names), shares(config, config.text), config.data.split_seed)
    features, unreadable = config.pictures.features, dict[str, int]()
    known = read_features(root / features) if features else {}

    def part(name: str) -> Captioned:
        wanted = {names[i]: captions[names[i]] for i in drawn[name].tolist()}
        if features:
            return _look_up(name, wanted, known, features, unreadable)
        return gather(name, wanted, lambda n: (root / n).read_bytes(), config.pictures, unreadable)

    def drawn_part(name: str) -> Captioned:
        if len(drawn[name]):
            return part(name)
        return Captioned([], torch.empty(0), [])

    return CaptionedImages(
        drawn_part("train"), drawn_part("validation"), lambda: drawn_part("test"), unreadable
    )


def captioned_in(root: Path, config: Config, part: str) -> tuple[Captioned, int]:
    """All images with captions of a folder, and how many cannot be read. Raises `DataError`."""
    from carousel.data.captioned import gather

    source = packed(root / CAPTIONS)
    captions = read_captions(read_text(source), str(source))
    unreadable: dict[str, int] = {}
    features = config.pictures.features
    if features:
        known = read_features(root / features)
        found = _look_up(part, captions, known, features, unreadable)
    else:
        found = gather(
            part, captions, lambda name: (root / name).read_bytes(), config.pictures, unreadable
        )
    return found, unreadable.get(part, 0)


def read_all(path: Path, config: Config) -> tuple[Captioned, int]:
    """Every image of a folder with captions.csv, or the features of images in its place, and how
    many images cannot be read. Raises `DataError` if none can."""
    from carousel.data.captioned import gather

    root = path.parent if path.name in (CAPTIONS, f"{CAPTIONS}.gz") else path
    if not (packed(root / CAPTIONS)).is_file():
        raise DataError(f"{path} must be a folder with {CAPTIONS} (image,caption) and its images")
    source = packed(root / CAPTIONS)
    captions = read_captions(read_text(source), str(source))
    unreadable: dict[str, int] = {}
    if features := config.pictures.features:
        known = read_features(root / features)
        found = _look_up("new", captions, known, features, unreadable)
    else:
        found = gather(
            "new", captions, lambda n: (root / n).read_bytes(), config.pictures, unreadable
        )
    return found, unreadable.get("new", 0)


def _look_up(
    part: str,
    captions: Mapping[str, list[str]],
    known: dict[str, Tensor],
    file: str,
    unreadable: dict[str, int],
) -> Captioned:
    from carousel.data.captioned import Captioned

    names = [name for name in captions if name in known]
    if not names:
        raise DataError(
            f"{file} has no features for any image of the {part} part, such as "
            f"'{next(iter(captions))}': its arrays must have the names of {CAPTIONS}"
        )
    if len(names) < len(captions):
        unreadable[part] = len(captions) - len(names)
    images = torch.stack([known[name] for name in names])
    return Captioned(names, images, [captions[name] for name in names])


READERS = {"caption": {"images": read_parts}}
