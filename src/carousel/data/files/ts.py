"""Files .ts of the UEA and TSER archives: recordings with a class, or a number, each."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from carousel.config import Config
from carousel.data import sources
from carousel.data.files.recordings import fill_missing
from carousel.errors import ConfigError, DataError

if TYPE_CHECKING:
    from carousel.data.labelled_recordings import Example, LabelledRecordings
    from carousel.data.whole_targets import WholeTargets


def read_ts(text: str, source: str) -> tuple[list[Example], tuple[str, ...]]:
    """The recordings of a .ts file of the UEA archive, and the names of its classes.

    A line is a recording: dimensions with colons between, at the end the class. "?" is a missing
    value. Raises `DataError`.
    """
    import torch

    from carousel.data.labelled_recordings import Example

    facts, body = _parted(text)
    classes = tuple(facts.get("classLabel", "").split()[1:])
    if not body or not classes or facts.get("timeStamps", "false").strip() != "false":
        raise DataError(f"{source} must be a .ts file with classes and without time stamps")
    examples = []
    for name, values, filled, label in _recordings(body, source):
        if label not in classes:
            raise DataError(f"{source}: the recording {name} has the unknown class '{label}'")
        examples.append(Example(name, torch.from_numpy(values), label, "", filled))
    return examples, classes


def read_ts_numbers(text: str, source: str) -> WholeTargets:
    """The recordings of a .ts file of the TSER archive, which has a number where those of
    `read_ts` have a class. Raises `DataError`.

    >>> part = read_ts_numbers("@timestamps false\\n@targetlabel true\\n@data\\n1,2:0.5\\n", "x.ts")
    >>> part.values[0].tolist(), part.targets.tolist()
    ([[1.0], [2.0]], [[0.5]])
    """
    import torch

    from carousel.data.ragged import Ragged
    from carousel.data.whole_targets import WholeTargets

    facts, body = _parted(text)
    known = {name.lower(): value.strip() for name, value in facts.items()}
    if not body or known.get("targetlabel") != "true" or known.get("timestamps") != "false":
        raise DataError(f"{source} must be a .ts file with numbers and without time stamps")
    found = list(_recordings(body, source))
    try:
        targets = torch.tensor([[float(label)] for *_, label in found], dtype=torch.float64)
    except ValueError as error:
        raise DataError(f"{source} must end each line with a number: {error}") from None
    values = Ragged.of(torch.from_numpy(values) for _, values, _, _ in found)
    return WholeTargets(tuple(name for name, *_ in found), values, targets)


def _parted(text: str) -> tuple[dict[str, str], str]:
    """Head of a .ts file by name, and its lines of data."""
    head, _, body = text.partition("@data")
    return dict(line[1:].split(maxsplit=1) for line in head.splitlines() if line[:1] == "@"), body


def _recordings(body: str, source: str) -> Iterator[tuple[str, NDArray[np.float64], int, str]]:
    """Name, values (T, F), how many of them were missing, and what stands behind the last colon."""
    for number, line in enumerate(filter(None, map(str.strip, body.splitlines()))):
        *dimensions, label = line.split(":")
        try:
            rows = [[float(cell.replace("?", "nan")) for cell in d.split(",")] for d in dimensions]
            values, filled = fill_missing(np.array(rows).T)
        except ValueError:
            raise DataError(f"{source}: recording {number} is not rows of numbers") from None
        yield f"{Path(source).stem}-{number:03}", values, filled, label


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
