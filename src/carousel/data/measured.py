"""Recordings with a number to be found at each step: published sets, and folders of one's own."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from carousel.config import DataConfig, FramesConfig
from carousel.data import sources
from carousel.data.files.recordings import LABEL, Frames, read_folder, recognised
from carousel.data.files.text import decode
from carousel.data.ragged import Ragged
from carousel.data.recordings import doubles, draw
from carousel.data.set_names import unknown_set
from carousel.data.splits import hold_out
from carousel.errors import ConfigError, DataError


@dataclass(frozen=True)
class Measured:
    """Several recordings: names, values (N, F), and targets (N,), NaN where there is none."""

    names: tuple[str, ...]
    values: Ragged
    targets: Tensor

    def __len__(self) -> int:
        return len(self.names)

    @property
    def counts(self) -> dict[str, int]:
        """How many of what there are."""
        return {"recordings": len(self), "steps": len(self.targets)}

    def take(self, index: Tensor) -> Measured:
        """Those of these numbers."""
        targets = Ragged(self.targets, self.values.offsets).take(index)
        names = tuple(self.names[i] for i in index.tolist())
        return Measured(names, self.values.take(index), targets.values)


class MeasuredRecordings:
    """The parts of a set of recordings.

    data.name: "c-mapss" (a random share `frames.validation` of the engines that ran to failure
    validates; the engines of the published test part are judged at their last cycle), or
    "recordings": a folder of your own, data.path, whose column `label` holds the numbers.
    columns: the names of the values of a step, where they have any. Raises `ConfigError` or
    `DataError`.
    """

    def __init__(self, data: DataConfig, frames: FramesConfig) -> None:
        self.filled = 0
        self.columns: tuple[str, ...] = ()
        self.notes: dict[str, int] = {}
        self._test: Measured | None = None
        if data.name == "c-mapss":
            whole = _engines("train")
            count = max(1, round(frames.validation * len(whole)))
            rest, held = hold_out(len(whole), count, data.split_seed)
            self.train = whole.take(rest.sort().values)
            self.validation = whole.take(held.sort().values)
        elif data.name == "recordings":
            if not data.path:
                raise ConfigError(
                    "data.name = 'recordings' needs data.path, a folder of .csv files"
                )
            found = read_folder(data.path, measured=True)
            self.columns = next(iter(found.values())).columns
            self.notes = recognised(recording.notes for recording in found.values())
            self.filled = sum(recording.filled for recording in found.values())
            parts = draw(found, frames, data.split_seed)
            self.train, self.validation = _numbers(parts["train"]), _numbers(parts["validation"])
            self._test = _numbers(parts["test"])
        else:
            raise unknown_set(data.name, ("c-mapss", "recordings"))
        if self.train.targets.isnan().all():
            raise DataError(f"no step of the training part has a number in the column '{LABEL}'")

    @property
    def test(self) -> Measured:
        """The part that judges."""
        return self._test if self._test is not None else _engines("test")

    def part(self, name: str) -> Measured:
        """ "train", "validation" or "test"."""
        return {"train": self.train, "validation": self.validation}.get(name) or self.test

    def account(self) -> dict[str, Any]:
        """Which recordings are in which part, their steps, and how many have a target."""
        parts = {"train": self.train, "validation": self.validation, "test": self.test}
        return {
            "recordings": {name: list(part.names) for name, part in parts.items()},
            "steps": {name: len(part.targets) for name, part in parts.items()},
            "targets": {n: int((~part.targets.isnan()).sum()) for n, part in parts.items()},
            "also_in_training": doubles({n: part.values for n, part in parts.items()}),
            "missing_values_filled": self.filled,
            "columns": list(self.columns),
            "recognised": self.notes,
        }


def _numbers(recordings: dict[str, Frames]) -> Measured:
    values = Ragged.of(torch.from_numpy(frames.values) for frames in recordings.values())
    targets = [
        np.full(len(frames.values), np.nan) if frames.targets is None else frames.targets
        for frames in recordings.values()
    ]
    return Measured(tuple(recordings), values, torch.from_numpy(np.concatenate(targets)))


def _engines(part: str) -> Measured:
    """Settings and sensors of each engine, cycle by cycle, and the cycles that it has left."""
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
    text = decode(sources.read("c-mapss", file), file)
    return np.array([[float(cell) for cell in line.split()] for line in text.splitlines() if line])
