"""Files .ts of the UEA archive: recordings with a class each."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from carousel.config import Config
from carousel.data import sources
from carousel.data.files.recordings import fill_missing
from carousel.errors import ConfigError, DataError

if TYPE_CHECKING:
    from carousel.data.labelled_recordings import Example, LabelledRecordings


def read_ts(text: str, source: str) -> tuple[list[Example], tuple[str, ...]]:
    """The recordings of a .ts file of the UEA archive, and the names of its classes.

    A line is a recording: dimensions with colons between, at the end the class. "?" is a missing
    value. Raises `DataError`.
    """
    import torch

    from carousel.data.labelled_recordings import Example

    head, mark, body = text.partition("@data")
    facts = dict(line[1:].split(maxsplit=1) for line in head.splitlines() if line[:1] == "@")
    classes = tuple(facts.get("classLabel", "").split()[1:])
    if not mark or not classes or facts.get("timeStamps", "false").strip() != "false":
        raise DataError(f"{source} must be a .ts file with classes and without time stamps")
    examples = []
    for number, line in enumerate(filter(None, map(str.strip, body.splitlines()))):
        *dimensions, label = line.split(":")
        try:
            rows = [[float(cell.replace("?", "nan")) for cell in d.split(",")] for d in dimensions]
            values, filled = fill_missing(np.array(rows).T)
        except ValueError:
            raise DataError(f"{source}: recording {number} is not rows of numbers") from None
        if label not in classes:
            raise DataError(f"{source}: recording {number} has the unknown class '{label}'")
        name = f"{Path(source).stem}-{number:03}"
        examples.append(Example(name, torch.from_numpy(values), label, "", filled))
    return examples, classes


def published_parts(name: str, config: Config) -> LabelledRecordings:
    """The parts of a set of the archive: its own test part, and of each class of the rest a share
    `frames.validation` to validate. Raises `ConfigError` for `data.hold_out`."""
    from carousel.data.labelled_recordings import LabelledRecordings, draw

    if config.data.hold_out:
        raise ConfigError(f"data.hold_out: the recordings of {name} have no groups")
    found, classes = _published(name, "TRAIN")
    share, seed = config.frames.validation, config.data.split_seed
    train, validation = draw(found, "validation", share, seed)
    parts = {
        "train": lambda: train,
        "validation": lambda: validation,
        "test": lambda: _published(name, "TEST")[0],
    }
    return LabelledRecordings.of(parts, classes)


def _published(name: str, part: str) -> tuple[list[Example], tuple[str, ...]]:
    title = "".join(word.capitalize() for word in name.split("-"))
    file = f"{title}_{part}.ts"
    return read_ts(sources.text(name, file), file)
