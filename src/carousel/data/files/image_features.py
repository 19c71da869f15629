"""Features of images that somebody else has computed: an array for each image, in one file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from carousel.data.files.file_kind import require_file
from carousel.errors import DataError

KINDS = (".npz", ".npy", ".safetensors")


def read_features(path: Path) -> dict[str, Tensor]:
    """Features (h, w, F), float32, by name; those of a single .npy by the file's name.

    (F,) is one place, (S, F) a row of S. Raises `DataError` for a file that cannot be read, for
    arrays of different shapes, and for what is not finite.
    """
    require_file(path)
    found = {name: _map(values, f"{path}: {name}") for name, values in _arrays(path).items()}
    shapes = {tuple(values.shape) for values in found.values()}
    if len(shapes) != 1:
        raise DataError(
            f"{path} must have an array for each image, all of one shape; it has "
            f"{len(found)} arrays of {len(shapes)} shapes"
        )
    return found


def _arrays(path: Path) -> dict[str, Any]:
    kind = path.suffix.lower()
    try:
        if kind == ".safetensors":
            from safetensors.numpy import load_file

            return dict(load_file(path))
        if kind == ".npz":
            with np.load(path, allow_pickle=False) as file:
                return {name: file[name] for name in file.files}
        if kind == ".npy":
            return {path.name: np.load(path, allow_pickle=False)}
    except Exception as error:  # whatever is wrong with a file of somebody else's
        raise DataError(f"{path} cannot be read as {kind}: {error}") from None
    raise DataError(f"features must be a file of {', '.join(KINDS)}; got {path}")


def _map(values: Any, where: str) -> Tensor:
    try:
        array = np.asarray(values, dtype=np.float32)
    except (TypeError, ValueError):
        raise DataError(f"{where} must be numbers, got {values.dtype}") from None
    if array.ndim not in (1, 2, 3) or not array.size:
        raise DataError(f"{where} must have the shape (F,), (S, F) or (h, w, F), got {array.shape}")
    if not np.isfinite(array).all():
        raise DataError(f"{where} has a NaN or an infinity")
    lead = (1,) * (3 - array.ndim)
    return torch.from_numpy(np.ascontiguousarray(array.reshape(*lead, *array.shape)))
