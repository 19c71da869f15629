"""Recordings with a label per frame, in parts.

A recording stands on one side of a split as a whole: frames next to each other are nearly the
same, and a random split of frames would only measure that.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from carousel.config import Config
from carousel.data.files.recordings import Frames
from carousel.data.parts import NAMES, Parts, contents
from carousel.data.ragged import Ragged
from carousel.data.shares import shares
from carousel.data.splits import split
from carousel.errors import DataError

UNLABELLED = -1


@dataclass(frozen=True)
class Recordings:
    """Several recordings: their names, values (N, F), and classes (N,), -1 for unlabelled."""

    names: tuple[str, ...]
    values: Ragged
    labels: Tensor

    def __len__(self) -> int:
        return len(self.names)

    @property
    def counts(self) -> dict[str, int]:
        """Counts of the part's contents."""
        return {"recordings": len(self), "frames": len(self.labels)}

    def contents(self) -> Iterable[Hashable]:
        """The values of each recording."""
        return contents(self.values[i] for i in range(len(self)))


class LabelledFrames(Parts[Recordings]):
    """The parts of a set of recordings, and the names of the classes of their frames.

    columns: the names of the values of a frame, where they have any. filled: missing values that
    were taken from the frame before. notes: what was recognised in the files, and in how many.
    Raises `DataError` if the training part lacks a class, or there are not two.
    """

    task = "label_frames"

    def __init__(
        self,
        train: Recordings,
        validation: Recordings,
        test: Recordings | Callable[[], Recordings],
        classes: Sequence[str],
        columns: Sequence[str] = (),
        filled: int = 0,
        notes: Mapping[str, int] | None = None,
    ) -> None:
        super().__init__(train, validation, test)
        self.classes, self.columns = tuple(classes), tuple(columns)
        self.filled, self.notes = filled, dict(notes or {})
        counts = torch.bincount(train.labels.clamp(min=0), minlength=len(self.classes))
        if len(self.classes) < 2:
            raise DataError(f"recordings need at least two labels, these have {len(self.classes)}")
        for name, count in zip(self.classes, counts.tolist(), strict=True):
            if not count:
                raise DataError(f"no recording of the training part has the label '{name}'")

    @classmethod
    def lazily(
        cls, read: Callable[[str], dict[str, Frames]], classes: Sequence[str]
    ) -> LabelledFrames:
        """Make labelled frames from recordings by name, read part by part."""

        def part(name: str) -> Recordings:
            return of_frames(read(name), classes)

        return cls(part("train"), part("validation"), lambda: part("test"), classes)

    def account(self) -> dict[str, Any]:
        """Recordings of each part, the number of frames, and how many of them are unlabelled.

        Opens the test part.
        """
        parts = {name: self.part(name) for name in NAMES}
        return {
            "recordings": {name: list(part.names) for name, part in parts.items()},
            "frames": {name: len(part.labels) for name, part in parts.items()},
            "unlabelled": {n: int((part.labels < 0).sum()) for n, part in parts.items()},
            "also_in_training": self.doubles(),
            "missing_values_filled": self.filled,
            "columns": list(self.columns),
            "recognised": self.notes,
        }


def of_frames(found: Mapping[str, Frames], classes: Sequence[str]) -> Recordings:
    """Recordings by name, with their labels as numbers; "" is unlabelled."""
    number = {label: i for i, label in enumerate(classes)} | {"": UNLABELLED}
    values = Ragged.of(torch.from_numpy(frames.values) for frames in found.values())
    labels = [number[label] for frames in found.values() for label in frames.labels]
    return Recordings(tuple(found), values, torch.tensor(labels, dtype=torch.int64))


def film_side(config: Config) -> int:
    """Pixels of a frame, up and across, where frames are pictures; else 0."""
    return config.scenes.side if config.data.name == "moving-digits" else 0


def draw(found: dict[str, Frames], config: Config) -> dict[str, dict[str, Frames]]:
    """The parts of recordings: whole ones, at random, at least one in each that is drawn."""
    names = list(found)
    drawn = split(len(names), shares(config, config.frames), config.data.split_seed)
    return {p: {names[i]: found[names[i]] for i in index.tolist()} for p, index in drawn.items()}
