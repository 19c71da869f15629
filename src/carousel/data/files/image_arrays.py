"""Images in arrays: .npz, .npy and IDX files, with the classes beside them."""

from __future__ import annotations

import gzip
import re
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from carousel.data.files.file_kind import require_file
from carousel.data.files.idx import parse_idx
from carousel.errors import DataError

_IMAGES = ("images", "image", "x", "data", "pixels")
_LABELS = ("labels", "label", "y", "target", "targets", "classes")
_PARTS = {
    "train": ("train", "training"),
    "validation": ("validation", "valid", "val", "dev"),
    "test": ("test", "testing", "t10k"),
}
_IDX = re.compile(r"idx\d[-.]ubyte|\.idx\d?$|ubyte$")


@dataclass(frozen=True)
class Block:
    """Images that stand in one array: pixels (N, H, W) or (N, H, W, 3), uint8, and the label of
    each; none where they are not known. part: "" where nothing says it."""

    source: str
    pixels: NDArray[np.uint8]
    labels: tuple[str, ...] | None
    part: str = ""


def is_array_file(path: Path) -> bool:
    """Tell from a file's name that it has images in arrays: .npz, .npy, or IDX."""
    name = path.name.lower().removesuffix(".gz")
    return name.endswith((".npz", ".npy")) or bool(_IDX.search(name))


def read_blocks(path: Path, labelled: bool = True) -> list[Block]:
    """The images in a file, or in the files of a folder, with their classes.

    An .npz has arrays with names such as `images` and `labels`, `x` and `y`, each perhaps with
    `train`, `val` or `test` in it; of a .npy or IDX file with images, the classes stand in the one
    beside it that has `labels` (or `y`) in its name for `images` (or `x`). labelled: they must be
    there. Raises `DataError`.
    """
    if path.is_dir():
        files = [f for f in sorted(path.iterdir()) if f.is_file() and is_array_file(f)]
        files = [f for f in files if _role(f.name) != "labels"]
        return [block for file in files for block in read_blocks(file, labelled)]
    require_file(path)
    if path.suffix.lower() == ".npz":
        return _of_npz(path, labelled)
    pixels = pixels_of(_array(path), str(path))
    other = _labels_beside(path)
    if other is None and labelled:
        raise DataError(
            f"{path} has images, and their classes must stand beside it, in a file of that name "
            f"with 'labels' for 'images'"
        )
    labels = None if other is None else _words(_array(other), len(pixels), str(other))
    return [Block(str(path), pixels, labels, part_in(path.stem))]


def pixels_of(array: NDArray[np.generic], source: str) -> NDArray[np.uint8]:
    """Images (N, H, W) or (N, H, W, 3), uint8, of an array with one or several; colours may stand
    before or behind. Raises `DataError`."""
    values = np.asarray(array)
    if values.ndim == 2:
        values = values[None]
    if values.ndim == 4 and values.shape[1] in (1, 3) and values.shape[3] not in (1, 3):
        values = np.moveaxis(values, 1, -1)
    if values.ndim == 4 and values.shape[3] == 1:
        values = values[..., 0]
    if values.ndim not in (3, 4) or (values.ndim == 4 and values.shape[3] != 3) or not values.size:
        raise DataError(
            f"{source} must have images (N, up, across), or with 3 colours; got an array of shape "
            f"{'x'.join(map(str, np.asarray(array).shape))}"
        )
    if values.dtype == np.bool_:
        return values.astype(np.uint8) * np.uint8(255)
    if not (np.issubdtype(values.dtype, np.integer) or np.issubdtype(values.dtype, np.floating)):
        raise DataError(f"{source}: pixels must be numbers, got type {values.dtype}")
    return _bytes(values, source)


def _bytes(values: NDArray[np.generic], source: str) -> NDArray[np.uint8]:
    if values.dtype == np.uint8:
        return values.astype(np.uint8)
    wide = values.astype(np.float64)
    if not np.isfinite(wide).all():
        raise DataError(f"{source}: the images hold NaN or infinity")
    low, high = float(wide.min()), float(wide.max())
    fractions = np.issubdtype(values.dtype, np.floating) and high <= 1
    if low < 0 or high > 255:
        raise DataError(
            f"{source}: pixels must lie in 0 to 255, or as fractions in 0 to 1; got {low:g} to "
            f"{high:g}"
        )
    return np.rint(wide * 255 if fractions else wide).astype(np.uint8)


def part_in(name: str) -> str:
    """The part that a name speaks of, "" for none.

    >>> part_in("x_train"), part_in("t10k-images-idx3-ubyte"), part_in("values")
    ('train', 'test', '')
    """
    words = set(re.split(r"[^a-z0-9]+", name.lower()))
    return next((part for part, known in _PARTS.items() if words & {*known}), "")


def _role(name: str) -> str:
    words = re.split(r"[^a-z]+", name.lower())
    if any(word in _LABELS for word in words):
        return "labels"
    return "images" if any(word in _IMAGES for word in words) else ""


def _array(path: Path) -> NDArray[np.generic]:
    try:
        content = path.read_bytes()
        if content[:2] == b"\x1f\x8b":
            content = gzip.decompress(content)
        if content[:6] == b"\x93NUMPY":
            import io

            found: NDArray[np.generic] = np.lib.format.read_array(
                io.BytesIO(content), allow_pickle=False
            )
            return found
    except (OSError, EOFError, zlib.error, ValueError) as error:
        raise DataError(f"{path} cannot be read: {error}") from None
    return parse_idx(content, str(path))


def _of_npz(path: Path, labelled: bool) -> list[Block]:
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except Exception as error:  # whatever is wrong with a file of somebody else's
        raise DataError(f"{path} cannot be read as .npz: {error}") from None
    images = [name for name in arrays if _role(name) == "images"]
    others = [name for name in arrays if _role(name) == ""]
    images = images or (others if len(others) == 1 else [])
    blocks = []
    for name in images:
        part, source = part_in(name), f"{path}: {name}"
        beside = [n for n in arrays if _role(n) == "labels" and part_in(n) == part]
        pixels = pixels_of(arrays[name], source)
        if len(beside) != 1 and labelled:
            raise DataError(
                f"{source} has images, and their classes must stand in an array beside it, such as "
                f"'labels' or 'y'; {path} has {', '.join(arrays)}"
            )
        labels = None
        if len(beside) == 1:
            labels = _words(arrays[beside[0]], len(pixels), f"{path}: {beside[0]}")
        blocks.append(Block(source, pixels, labels, part))
    if not blocks:
        raise DataError(
            f"{path} must have an array of images, such as 'images' or 'x'; it has "
            f"{', '.join(arrays) or 'none'}"
        )
    return blocks


def _labels_beside(path: Path) -> Path | None:
    """The file with the classes of the images in another."""
    for file in sorted(path.parent.iterdir()):
        same = part_in(file.stem) == part_in(path.stem)
        if file != path and is_array_file(file) and _role(file.name) == "labels" and same:
            return file
    return None


def _words(labels: NDArray[np.generic], count: int, source: str) -> tuple[str, ...]:
    values = np.asarray(labels)
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.ndim == 2 and values.shape[0] == count and _is_one_hot(values):
        values = values.argmax(1)
    if values.shape != (count,):
        raise DataError(
            f"{source} must have one class for each of {count:,} images; it has the shape "
            f"{'x'.join(map(str, values.shape))}"
        )
    if np.issubdtype(values.dtype, np.floating):
        if not (np.isfinite(values).all() and (values == np.rint(values)).all()):
            raise DataError(f"{source} must have classes, words or whole numbers; it has fractions")
        values = values.astype(np.int64)
    return tuple(str(value) for value in values.tolist())


def _is_one_hot(values: NDArray[np.generic]) -> bool:
    numbers = values.astype(np.float64)
    return bool(np.isin(numbers, (0, 1)).all() and (numbers.sum(1) == 1).all())
