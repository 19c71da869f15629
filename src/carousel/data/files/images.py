"""Images that a user hands to `predict`: PNG and the like, NPZ, IDX."""

from __future__ import annotations

import gzip
import zipfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from carousel.data.files.file_kind import kind_of, require_file
from carousel.data.files.idx import parse_idx
from carousel.data.mnist import SIDE
from carousel.errors import DataError

if TYPE_CHECKING:
    from PIL import Image


_PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".pgm")

_WANTED = ".png (or another picture), .npz, .npy or IDX"


def read_images(path: str | Path) -> Tensor:
    """The images in a file as (N, 28, 28) uint8, white digits on black as in MNIST.

    A picture (PNG, …) is one grey image, as viewers show it (see `shown`). An .npz has one array,
    or one named "images", an .npy is one: (28, 28) or (N, 28, 28), integers 0 to 255 or floats in
    [0, 1]. IDX may be gzipped. What a file is, its first bytes say, whatever its name. Raises
    `DataError`, which names the kind of a file that is none of these.
    """
    path = Path(path)
    require_file(path)
    try:
        content = path.read_bytes()
        kind = kind_of(content)
        if content[:2] == b"\x1f\x8b":
            content = gzip.decompress(content)
        if kind and ".npy" in kind.name:
            array = _from_npy(path)
        elif path.suffix.lower() == ".npz" or (kind and ".npz" in kind.name):
            array = _from_npz(path)
        elif (kind and kind.is_picture) or path.suffix.lower() in _PICTURES:
            array = _from_picture(path)
        else:
            if kind is not None and "IDX" not in kind.name and "gzip" not in kind.name:
                raise DataError(f"{path} is {kind.name}: images must be a {_WANTED} file")
            array = parse_idx(content, str(path))
    except (OSError, EOFError, zlib.error, zipfile.BadZipFile) as error:
        raise DataError(f"{path} cannot be read: {error}") from None
    return check_images(array, str(path))


def read_film(path: Path, side: int) -> NDArray[np.float32]:
    """The frames of a film as (T, side²) grey values 0 to 255.

    A .gif or another picture of several frames, or .npy with (T, side, side) integers 0 to 255.
    Frames of another size are resized. Raises `DataError`.
    """
    from PIL import Image, ImageSequence  # few commands need it

    require_file(path)
    try:
        if path.suffix.lower() == ".npy":
            pictures = [Image.fromarray(frame) for frame in _bytes(_from_npy(path), path)]
        else:
            with Image.open(path) as film:
                pictures = [shown(frame) for frame in ImageSequence.Iterator(film)]
    except unreadable() as error:
        raise DataError(f"{path} is no film that can be read{why_unreadable(error)}") from None
    frames = [np.asarray(frame.resize((side, side), Image.Resampling.BOX)) for frame in pictures]
    return np.stack(frames).reshape(len(frames), -1).astype(np.float32)


def _bytes(array: NDArray[np.generic], path: Path) -> NDArray[np.uint8]:
    if array.ndim != 3 or not len(array) or array.dtype != np.uint8:
        raise DataError(
            f"{path}: a film must be an array (frames, rows, columns) of uint8, got "
            f"{'x'.join(map(str, array.shape))} of {array.dtype}"
        )
    return array.astype(np.uint8)


def check_images(array: NDArray[np.generic] | Tensor, source: str) -> Tensor:
    """(N, 28, 28) uint8 from one or more images of any real type. Raises `DataError`."""
    values = np.asarray(array)
    if values.ndim == 2:
        values = values[None]
    if values.ndim != 3 or values.shape[1:] != (SIDE, SIDE):
        raise DataError(
            f"{source}: the model reads images of {SIDE} x {SIDE} pixels, one grey value each; "
            f"got an array of shape {'x'.join(map(str, np.asarray(array).shape))}"
        )
    if np.issubdtype(values.dtype, np.floating):
        if not np.isfinite(values).all():
            raise DataError(f"{source}: the image holds NaN or infinity")
        low, high = (values.min(), values.max()) if values.size else (0, 0)
        if low < 0 or high > 1:
            raise DataError(
                f"{source}: grey values as floats must lie in [0, 1]; got {low:g} to {high:g}"
            )
        values = np.rint(values * 255)
    elif np.issubdtype(values.dtype, np.integer):
        low, high = (int(values.min()), int(values.max())) if values.size else (0, 0)
        if low < 0 or high > 255:
            raise DataError(
                f"{source}: grey values as integers must lie in 0 to 255; got {low} to {high}"
            )
    elif values.dtype != np.bool_:
        raise DataError(f"{source}: grey values must be numbers, got type {values.dtype}")
    else:
        values = values * 255
    return torch.from_numpy(values.astype(np.uint8))


def unreadable() -> tuple[type[Exception], ...]:
    """Errors by which Pillow says that a picture cannot be read, at its head or within."""
    from PIL import Image

    return OSError, SyntaxError, ValueError, Image.DecompressionBombError


def why_unreadable(error: Exception) -> str:
    """Words of such an error behind a colon; nothing where Pillow knows no more than that.

    >>> why_unreadable(OSError("truncated")), why_unreadable(OSError("cannot identify image file"))
    (': truncated', '')
    """
    return "" if str(error).startswith("cannot identify image file") else f": {error}"


def shown(picture: Image.Image, mode: str = "L") -> Image.Image:
    """A picture as viewers show it, in `mode` "L" or "RGB": turned as its EXIF orientation says,
    what is transparent white, 16 bits a pixel scaled to 8."""
    from PIL import Image, ImageOps

    turned: Image.Image = ImageOps.exif_transpose(picture)
    if turned.mode.startswith("I"):  # convert would clip 16 bits, not scale them
        wide = np.asarray(turned).astype(np.int64)
        turned = Image.fromarray((wide // 257).clip(0, 255).astype(np.uint8))
    if "A" in turned.getbands() or "transparency" in turned.info:
        white = Image.new("RGBA", turned.size, "white")
        white.alpha_composite(turned.convert("RGBA"))
        turned = white
    return turned.convert(mode)


def _from_picture(path: Path) -> NDArray[np.uint8]:
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as picture:
            if picture.size != (SIDE, SIDE):
                wide, high = picture.size
                raise DataError(
                    f"{path}: the model reads images of {SIDE} x {SIDE} pixels, this one is "
                    f"{wide} x {high}; crop it to the digit and resize it"
                )
            return np.asarray(shown(picture))
    except (UnidentifiedImageError, Image.DecompressionBombError, SyntaxError) as error:
        raise DataError(f"{path} is not an image that can be read: {error}") from None


def _from_npy(path: Path) -> NDArray[np.generic]:
    try:
        with path.open("rb") as file:
            array: NDArray[np.generic] = np.lib.format.read_array(file, allow_pickle=False)
    except (ValueError, EOFError) as error:  # an array of objects, or none at all
        raise DataError(f"{path} cannot be read: {error}") from None
    return array


def _from_npz(path: Path) -> NDArray[np.generic]:
    try:
        with np.load(path, allow_pickle=False) as arrays:
            names = list(arrays)
            if "images" in names:
                name = "images"
            elif len(names) == 1:
                name = names[0]
            else:
                raise DataError(
                    f"{path}: put the images in one array, or name it 'images'; it has "
                    f"{', '.join(names) or 'none'}"
                )
            array: NDArray[np.generic] = arrays[name]
            return array
    except ValueError as error:  # an array of objects, or no NPZ at all
        raise DataError(f"{path} cannot be read: {error}") from None
