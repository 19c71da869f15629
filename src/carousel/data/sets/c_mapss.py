"""NASA turbofan degradation FD001: a share `frames.validation` of the engines that ran to failure
validates; those of the published test part are judged at their last cycle.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from carousel.data import sources
from carousel.data.source import Source

if TYPE_CHECKING:
    from carousel.config import Config
    from carousel.data.measured import Measured, MeasuredRecordings

SOURCE = Source(
    "NASA turbofan degradation, FD001: 100 engines to failure, 100 cut before",
    "public domain (US government work)",
    "Saxena et al. 2008",
    "https://data.nasa.gov/docs/legacy/",
    archives=("CMAPSSData.zip",),
    packed={
        "train_FD001.txt": "963b5e22825b34d8b21c69e1aeb4af3e647050eb672ee8834ba4b5d91d2de0f8",
        "test_FD001.txt": "3cda7109ce17bafb5443f2ac926cfcf88154b941b8c4cf95eb55d1ddd6f52851",
        "RUL_FD001.txt": "a19c8ec94931949d0485bdc35118206e9c81c4547b422efb9cf86f4ceddbceca",
    },
)


def read(config: Config) -> MeasuredRecordings:
    """The parts."""
    from carousel.data.measured import MeasuredRecordings
    from carousel.data.splits import split

    whole, held = _engines("train"), {"validation": config.frames.validation}
    index = split(len(whole), held, config.data.split_seed)
    train, validation = whole.take(index["train"]), whole.take(index["validation"])
    return MeasuredRecordings(train, validation, partial(_engines, "test"))


def _engines(part: str) -> Measured:
    """Settings and sensors of each engine, cycle by cycle, and the cycles that it has left."""
    import torch

    from carousel.data.measured import Measured
    from carousel.data.ragged import Ragged

    file = f"{part}_FD001.txt"
    table = _table(file)
    engines = [table[table[:, 0] == number] for number in np.unique(table[:, 0])]
    if part == "train":
        left: Iterable[NDArray[np.float64]] = (rows[-1, 1] - rows[:, 1] for rows in engines)
    else:  # what is published is the life that was left at the last cycle
        ends = _table("RUL_FD001.txt")[:, 0]
        left = (
            np.append(np.full(len(rows) - 1, np.nan), end)
            for rows, end in zip(engines, ends, strict=True)
        )
    values = Ragged.of(torch.from_numpy(rows[:, 2:].copy()) for rows in engines)
    names = tuple(f"{part}-{int(rows[0, 0]):03}" for rows in engines)
    return Measured(names, values, torch.from_numpy(np.concatenate(list(left))))


def _table(file: str) -> NDArray[np.float64]:
    text = sources.text("c-mapss", file)
    return np.array([[float(cell) for cell in line.split()] for line in text.splitlines() if line])


READERS = {"regress": {"c-mapss": read}}
