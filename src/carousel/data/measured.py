"""Recordings with a number to be found at each step, in parts."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from carousel.data.files.recordings import LABEL, Frames
from carousel.data.parts import NAMES, Parts, contents
from carousel.data.ragged import Ragged
from carousel.errors import DataError


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
        """Counts of the part's contents."""
        return {"recordings": len(self), "steps": len(self.targets)}

    def contents(self) -> Iterable[Hashable]:
        """The values of each recording."""
        return contents(self.values[i] for i in range(len(self)))

    def take(self, index: Tensor) -> Measured:
        """Recordings at `index`."""
        targets = Ragged(self.targets, self.values.offsets).take(index)
        names = tuple(self.names[i] for i in index.tolist())
        return Measured(names, self.values.take(index), targets.values)


class MeasuredRecordings(Parts[Measured]):
    """The parts of a set of recordings.

    columns: the names of the values of a step, where they have any. filled: missing values that
    were taken from the step before. notes: what was recognised in the files, and in how many.
    Raises `DataError` if the training part has no number to be found.
    """

    task = "regress"

    def __init__(
        self,
        train: Measured,
        validation: Measured,
        test: Measured | Callable[[], Measured],
        columns: Sequence[str] = (),
        filled: int = 0,
        notes: Mapping[str, int] | None = None,
    ) -> None:
        super().__init__(train, validation, test)
        self.columns, self.filled, self.notes = tuple(columns), filled, dict(notes or {})
        if train.targets.isnan().all():
            raise DataError(
                f"no step of the training part has a number in the column '{LABEL}', which holds "
                f"what is to be learnt; other columns: {', '.join(self.columns[:10]) or 'none'}"
            )

    def account(self) -> dict[str, Any]:
        """Recordings of each part, their steps, and how many have a target.

        Opens the test part.
        """
        parts = {name: self.part(name) for name in NAMES}
        return {
            "recordings": {name: list(part.names) for name, part in parts.items()},
            "steps": {name: len(part.targets) for name, part in parts.items()},
            "targets": {n: int((~part.targets.isnan()).sum()) for n, part in parts.items()},
            "also_in_training": self.doubles(),
            "missing_values_filled": self.filled,
            "columns": list(self.columns),
            "recognised": self.notes,
        }


def of_frames(recordings: Mapping[str, Frames]) -> Measured:
    """Recordings by name, with the numbers of their frames."""
    values = Ragged.of(torch.from_numpy(frames.values) for frames in recordings.values())
    targets = [
        np.full(len(frames.values), np.nan) if frames.targets is None else frames.targets
        for frames in recordings.values()
    ]
    every = np.concatenate(targets) if targets else np.empty(0)
    return Measured(tuple(recordings), values, torch.from_numpy(every))
