"""A bundle's files as arrays: the facts as JSON, the weights as safetensors, read with NumPy."""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from carousel.errors import RunError
from carousel.run.names import MODEL, MODEL_FACTS, WEIGHTS

if TYPE_CHECKING:
    from carousel.config import Config

Array = NDArray[np.float32]

_FORMAT = 1


@dataclass(frozen=True)
class Bundle:
    """A saved model: its configuration, what its task kept besides, its weights by their names."""

    config: Config
    facts: Mapping[str, Any]
    weights: Mapping[str, Array]


def read(path: str | Path) -> Bundle:
    """The bundle in a folder, or of a run's folder. Raises `RunError` if there is none, and for one
    that is damaged or of a newer version."""
    from carousel.config import Config  # half as long to import as NumPy: when it is needed

    folder = Path(path)
    if (folder / MODEL / MODEL_FACTS).is_file():
        folder = folder / MODEL
    try:
        facts = json.loads((folder / MODEL_FACTS).read_bytes())
        weights = (folder / WEIGHTS).read_bytes()
    except (OSError, ValueError) as error:
        raise RunError(f"{folder} is no saved model: {error}") from None
    if facts.get("format") != _FORMAT:
        raise RunError(
            f"{folder} has the bundle format {facts.get('format')}, this version reads {_FORMAT}: "
            "upgrade with pip install -U carousel-rnn"
        )
    try:
        return Bundle(Config.from_stored(facts["config"]), facts, tensors(weights))
    except (KeyError, TypeError, ValueError, struct.error) as error:
        raise RunError(f"the bundle {folder} cannot be read: {error!r}") from None


def tensors(content: bytes) -> dict[str, Array]:
    """The tensors of a safetensors file by their names, all float32.

    Eight bytes say how long the header is; the header is JSON, and says of each tensor its type,
    its shape, and where it stands behind. Raises ValueError for what does not fit.
    """
    (length,) = struct.unpack("<Q", content[:8])
    header = json.loads(content[8 : 8 + length])
    data = memoryview(content)[8 + length :]
    found: dict[str, Array] = {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        begin, end = entry["data_offsets"]
        shape = tuple(entry["shape"])
        if entry["dtype"] != "F32":
            raise ValueError(f"{name} is {entry['dtype']}; weights must be F32")
        if not 0 <= begin <= end <= len(data) or end - begin != 4 * math.prod(shape):
            raise ValueError(f"{name} of shape {shape} has {end - begin} bytes of {len(data)}")
        found[name] = np.frombuffer(data[begin:end], "<f4").astype(np.float32).reshape(shape)
    return found
