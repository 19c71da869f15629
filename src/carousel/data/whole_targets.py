"""Whole recordings with one number each, or several, in parts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from carousel.data.labelled_recordings import WholeRecordingsPart
from carousel.data.parts import NAMES, Parts
from carousel.data.ragged import Ragged
from carousel.errors import DataError


@dataclass(frozen=True)
class WholeTargets(WholeRecordingsPart):
    """Several recordings: names, values (N, F), targets (n, K), NaN where there is none, and the
    group that each belongs to."""

    names: tuple[str, ...]
    values: Ragged
    targets: Tensor
    groups: tuple[str, ...] = ()

    def take(self, index: Tensor) -> WholeTargets:
        """Select recordings by their numbers."""
        numbers = index.tolist()
        groups = tuple(self.groups[i] for i in numbers) if self.groups else ()
        names = tuple(self.names[i] for i in numbers)
        return WholeTargets(names, self.values.take(index), self.targets[index], groups)


class WholeRecordings(Parts[WholeTargets]):
    """The parts of a set of recordings, and the names of the numbers to be found.

    columns: the names of the values of a step, where they have any. filled: missing values that
    were taken from the step before. notes: what was recognised in the files, and in how many.
    Raises `DataError` if a target has no number in the training part.

    >>> part = WholeTargets(("a",), Ragged.of([Tensor(5, 2)]), Tensor([[3.0]]))
    >>> WholeRecordings(part, part, part, ["age"]).train.counts
    {'recordings': 1, 'steps': 5}
    """

    task = "regress"

    def __init__(
        self,
        train: WholeTargets,
        validation: WholeTargets,
        test: WholeTargets | Callable[[], WholeTargets],
        targets: Sequence[str] = ("number",),
        columns: Sequence[str] = (),
        filled: int = 0,
        notes: Mapping[str, int] | None = None,
    ) -> None:
        super().__init__(train, validation, test)
        self.targets, self.columns = tuple(targets), tuple(columns)
        self.filled, self.notes = filled, dict(notes or {})
        for name, lacking in zip(self.targets, train.targets.isnan().all(0).tolist(), strict=True):
            if lacking:
                raise DataError(
                    f"no recording of the training part has a number for '{name}', which is what "
                    "is to be learnt"
                )

    def account(self) -> dict[str, Any]:
        """Sizes and steps of the parts, how many recordings have each target, and recordings that
        the training part has too. Opens the test part."""
        parts = {name: self.part(name) for name in NAMES}
        steps = {name: part.values.lengths for name, part in parts.items()}
        return {
            "sizes": {name: len(part) for name, part in parts.items()},
            "steps": {n: [int(t.min()), int(t.max())] for n, t in steps.items() if len(t)},
            "targets": {
                n: dict(zip(self.targets, (~p.targets.isnan()).sum(0).tolist(), strict=True))
                for n, p in parts.items()
            },
            "also_in_training": self.doubles(),
            "missing_values_filled": self.filled,
            "columns": list(self.columns),
            "recognised": self.notes,
        }
