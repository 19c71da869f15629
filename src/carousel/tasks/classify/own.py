"""Custom images that a trained classifier is given: arrays, files, folders."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from carousel.data.files import image_arrays
from carousel.data.files.image_classes import Entry, entries_in, gather
from carousel.data.files.image_fit import fitted, open_picture, picture_of_array
from carousel.data.files.judged_images import in_words
from carousel.data.labelled_images import ImageNotes, Shape
from carousel.errors import DataError
from carousel.tasks.shared.task import Given, Notice


def pixels_of(inputs: Any, shape: Shape, fit: str) -> Tensor:
    """Images as a network of this shape takes them, (N, *shape) uint8: of an array of images, or
    of the names of files. Raises `DataError`."""
    if isinstance(inputs, str | Path):
        inputs = [inputs]
    if isinstance(inputs, Tensor) and inputs.dtype == torch.uint8 and inputs.shape[1:] == shape:
        return inputs
    named = not isinstance(inputs, np.ndarray | Tensor) and isinstance(inputs, Iterable)
    inputs = [*inputs] if named else inputs
    if named and inputs and all(isinstance(one, str | Path) for one in inputs):
        pictures = [_opened(Path(one)) for one in inputs]
    else:
        array = np.asarray(inputs)
        if not array.size:
            return torch.empty(0, *shape, dtype=torch.uint8)
        pictures = [picture_of_array(one) for one in image_arrays.pixels_of(array, "images")]
    made = [fitted(picture, shape, fit) for picture in pictures]
    return torch.from_numpy(np.stack(made))


def _opened(path: Path) -> Any:
    if not path.is_file():
        raise DataError(f"there is no file {path}")
    return open_picture(path.read_bytes(), str(path))


def given_of(path: Path, shape: Shape, fit: str) -> Given:
    """The images in a picture, an array file, or a folder, in the shape of training. Of a folder,
    what cannot be read is left out and named. Raises `DataError`."""
    if path.is_dir() or image_arrays.is_array_file(path):
        found, words = entries_in(path, labelled=False)
    elif path.is_file():
        found, words = [Entry(str(path), file=path)], []
    else:
        raise DataError(f"there is no file or folder {path}")
    notes = ImageNotes()
    part = gather("", found, (), shape, fit, notes)
    said = tuple(Notice(line) for line in (*words, *in_words(notes, shape)))
    if not path.is_dir() and not found[0].file:
        return Given(part.images, notes=said, noun="image")
    facts = tuple({"image": name} for name in part.names)
    names = tuple(Path(name).name for name in part.names) if path.is_file() else part.names
    return Given(part.images, facts, names, said, noun="image")
