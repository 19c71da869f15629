"""Images of any size and kind, made images of one shape."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from carousel.data.files.images import shown, unreadable, why_unreadable
from carousel.data.labelled_images import Shape
from carousel.errors import ConfigError, DataError

if TYPE_CHECKING:
    from PIL import Image

_MOST = 64
"""Pixels of the longer side, at most, where nobody says a size."""
SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".pgm", ".ppm")


class Look(NamedTuple):
    """Look of a picture: pixels up and across, and whether it has colours."""

    height: int
    width: int
    color: bool


def open_picture(content: bytes, name: str) -> Image.Image:
    """A picture as viewers show it, "RGB" where it has colours, else "L"; of several frames the
    first. Raises `DataError`."""
    from PIL import Image  # few commands need it

    try:
        with Image.open(io.BytesIO(content)) as file:
            plain = file.mode in ("1", "L", "LA") or file.mode.startswith("I")
            return shown(file, "L" if plain else "RGB")
    except unreadable() as error:
        why = f"is no picture that can be read{why_unreadable(error)}"
        what = why if content else "is empty"
        raise DataError(f"{name} {what}") from None


def look_of(picture: Image.Image) -> Look:
    """Look of a picture; grey in three channels is grey."""
    color = False
    if picture.mode == "RGB":
        pixels = np.asarray(picture)
        color = bool((pixels != pixels[..., :1]).any())
    return Look(picture.height, picture.width, color)


def picture_of_array(pixels: NDArray[np.uint8]) -> Image.Image:
    """The picture of an array (H, W) or (H, W, 3)."""
    from PIL import Image

    return Image.fromarray(np.ascontiguousarray(pixels))


def fitted(picture: Image.Image, shape: Shape, fit: str) -> NDArray[np.uint8]:
    """A picture as (H, W), or (3, H, W), of the size and the channels of `shape`."""
    from PIL import Image, ImageOps

    height, width = shape[-2:]
    size = (width, height)
    picture = picture.convert("RGB" if len(shape) == 3 else "L")
    if picture.size != size:
        resample = Image.Resampling.LANCZOS
        if fit == "pad":
            picture = ImageOps.pad(picture, size, resample)
        elif fit == "crop":
            picture = ImageOps.fit(picture, size, resample)
        else:
            picture = picture.resize(size, resample)
    pixels = np.array(picture, dtype=np.uint8)
    return pixels if pixels.ndim == 2 else np.moveaxis(pixels, -1, 0)


def shape_of(looks: Iterable[Look], size: str, channels: str) -> tuple[Shape, str]:
    """Shape that images with these looks get, and why, in words. Raises `ConfigError`.

    >>> shape_of([Look(28, 28, False)] * 3 + [Look(30, 28, False)], "auto", "auto")
    ((28, 28), '28 x 28 (up x across, as 3 of 4 are), grey')
    """
    looks = list(looks)
    color = channels == "color" or (channels == "auto" and any(look.color for look in looks))
    if size == "auto":
        (height, width), why = _usual_size(looks)
    else:
        (height, width), why = _asked_size(size), ""
    shape = (3, height, width) if color else (height, width)
    return shape, f"{height} x {width}{why}, {'in color' if color else 'grey'}"


def _usual_size(looks: list[Look]) -> tuple[tuple[int, int], str]:
    counts = Counter((look.height, look.width) for look in looks)
    (height, width), count = counts.most_common(1)[0]
    why = f" (up x across, as {count:,} of {len(looks):,} are)"
    if 2 * count < len(looks):
        height, width = (int(np.median([look[i] for look in looks])) for i in (0, 1))
        why = f" (up x across, the median of {len(counts):,} sizes)"
    longer = max(height, width)
    if longer > _MOST:
        why = f" (up x across, from {height} x {width}: at most {_MOST})"
        height, width = (max(1, round(side * _MOST / longer)) for side in (height, width))
    return (height, width), why


def _asked_size(size: str) -> tuple[int, int]:
    sides = size.lower().split("x")
    if not all(side.strip().isdigit() for side in sides) or len(sides) > 2:
        raise ConfigError(
            f"pictures.size must be 'auto', a number of pixels such as '28', or up x across such "
            f"as '32x100'; got '{size}'"
        )
    height, width = int(sides[0]), int(sides[-1])
    if not (1 <= height <= 512 and 1 <= width <= 512):
        raise ConfigError(f"pictures.size must lie between 1 and 512 pixels; got '{size}'")
    return height, width


def is_picture(path: Path) -> bool:
    """Tell from a file's name that it is a picture."""
    return path.suffix.lower() in SUFFIXES
