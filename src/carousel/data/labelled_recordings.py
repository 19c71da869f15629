"""Whole recordings with one label each, in parts.

A speaker, or another group that recordings come in, can be held out as a whole: what is measured
otherwise is how well the network knows people whom it was trained on.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from carousel.config import Config
from carousel.data.class_targets import counts_of, targets_of
from carousel.data.files.recordings import Frames, recognised
from carousel.data.parts import NAMES, Parts, contents
from carousel.data.ragged import Ragged
from carousel.data.shares import Share, of_rest, shares
from carousel.data.splits import split
from carousel.errors import ConfigError, DataError


class Example(NamedTuple):
    """A recording: its name, values (T, F), label or labels, and the group that it belongs to.

    filled: values that were missing and were taken from the step before. columns: the names of its
    values, where they have any. notes: what was recognised in its file.
    """

    name: str
    values: Tensor
    label: str | tuple[str, ...]
    group: str = ""
    filled: int = 0
    columns: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @classmethod
    def of(
        cls, name: str, frames: Frames, label: str | tuple[str, ...], group: str = ""
    ) -> Example:
        """A recording as it was read."""
        values = torch.from_numpy(frames.values)
        return cls(name, values, label, group, frames.filled, frames.columns, frames.notes)


class WholeRecordingsPart:
    """Part of whole recordings: their names, values (N, F), and the group of each, if any."""

    names: tuple[str, ...]
    values: Ragged
    groups: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.names)

    @property
    def counts(self) -> dict[str, int]:
        """Counts of the part's contents."""
        groups = len(set(self.groups) - {""})
        known = {"groups": groups} if groups else {}
        return {"recordings": len(self), **known, "steps": len(self.values.values)}

    def contents(self) -> Iterable[Hashable]:
        """The values of each recording."""
        return contents(self.values[i] for i in range(len(self)))


@dataclass(frozen=True)
class Labelled(WholeRecordingsPart):
    """Several recordings: names, values (N, F), the class of each (n,), or 0 and 1 of its labels
    (n, C), and its group."""

    names: tuple[str, ...]
    values: Ragged
    labels: Tensor
    groups: tuple[str, ...] = ()


class LabelledRecordings(Parts[Labelled]):
    """The parts of a set of recordings, and the names of their classes.

    sound: whether they are sounds. columns: the names of the values, where they have any. notes:
    what was recognised in the files, and in how many. filled: missing values in the parts that are
    open. Raises `DataError` if the training part lacks a class, or there are not two.
    """

    task = "classify_recordings"

    def __init__(
        self,
        train: Labelled,
        validation: Labelled,
        test: Labelled | Callable[[], Labelled],
        classes: Sequence[str],
        columns: Sequence[str] = (),
        sound: bool = False,
        filled: int = 0,
        notes: Mapping[str, int] | None = None,
    ) -> None:
        super().__init__(train, validation, test)
        self.classes, self.columns, self.sound = tuple(classes), tuple(columns), sound
        self.filled, self.notes = filled, dict(notes or {})
        if len(self.classes) < 2 and not self.several:
            raise DataError(f"recordings need at least two classes, got {len(self.classes)}")
        counts = counts_of(train.labels, len(self.classes))
        for name, count in zip(self.classes, counts, strict=True):
            if not count:
                raise DataError(f"no recording of the training part has the label '{name}'")

    @property
    def several(self) -> bool:
        """True if recordings have several labels, not one class."""
        return self.train.labels.dim() == 2

    @classmethod
    def of(
        cls,
        found: Mapping[str, Callable[[], Sequence[Example]]],
        classes: Sequence[str],
        *,
        sound: bool = False,
        columns: Sequence[str] = (),
        notes: Mapping[str, int] | None = None,
    ) -> LabelledRecordings:
        """Make labelled recordings from the examples of each part."""
        train, validation = found["train"](), found["validation"]()

        def open_test() -> Labelled:
            examples = found["test"]()
            made.filled += filled_in(examples)
            return together(examples, classes)

        made = cls(
            together(train, classes),
            together(validation, classes),
            open_test,
            classes,
            columns,
            sound,
            filled_in(train) + filled_in(validation),
            notes,
        )
        return made

    @classmethod
    def whole(
        cls,
        found: Sequence[Example],
        classes: Sequence[str],
        parts: Mapping[str, Sequence[Example]],
        *,
        sound: bool = False,
    ) -> LabelledRecordings:
        """Make labelled recordings from examples that were all read, and the indices of each
        part."""
        notes = recognised(example.notes for example in found)
        opened = {name: lambda some=some: some for name, some in parts.items()}
        return cls.of(opened, classes, sound=sound, columns=found[0].columns, notes=notes)

    def account(self) -> dict[str, Any]:
        """Sizes and steps of the parts, and recordings that the training part has too.

        Opens the test part.
        """
        parts = {name: self.part(name) for name in NAMES}
        steps = {name: part.values.lengths for name, part in parts.items()}
        return {
            "sizes": {name: len(part) for name, part in parts.items()},
            "steps": {n: [int(t.min()), int(t.max())] for n, t in steps.items() if len(t)},
            "also_in_training": self.doubles(),
            "missing_values_filled": self.filled,
            "columns": list(self.columns),
            "recognised": self.notes,
        }


def together(examples: Sequence[Example], classes: Sequence[str]) -> Labelled:
    """Examples as one part."""
    return Labelled(
        tuple(e.name for e in examples),
        Ragged.of(e.values for e in examples),
        targets_of([e.label for e in examples], classes),
        tuple(e.group for e in examples),
    )


def filled_in(examples: Iterable[Example]) -> int:
    """Number of their values that were missing."""
    return sum(example.filled for example in examples)


def usual(
    found: Sequence[Example], config: Config, in_groups: bool = False
) -> dict[str, list[Example]]:
    """The parts that `frames.test` and `frames.validation` draw of each class, or of groups."""
    held, seed = shares(config, config.frames), config.data.split_seed
    rest, test = draw(found, "test", held["test"], seed, in_groups)
    train, validation = draw(rest, "validation", of_rest(held), seed, in_groups)
    return {"train": train, "validation": validation, "test": test}


def draw(
    found: Sequence[Example], held: str, share: Share, seed: int, in_groups: bool = False
) -> tuple[list[Example], list[Example]]:
    """The rest, and of each class a share that is to be the part `held`, at least one; or a share
    of the groups, with all that they recorded."""
    if share is None:
        return list(found), []
    by = [example.group if in_groups else str(example.label) for example in found]
    if in_groups and len(set(by)) < 2:
        raise DataError("groups of recordings cannot be split: three groups are the least")
    for label in () if in_groups else sorted(set(by)):
        if by.count(label) < 2:
            raise DataError(
                f"the class '{label}' has too few recordings to be split: three are the least"
            )
    how: dict[str, Any] = {"groups": by} if in_groups else {"classes": by}
    index = split(len(found), {held: share}, seed, **how)
    rest, drawn = ([found[i] for i in index[name].tolist()] for name in ("train", held))
    return rest, drawn


def by_group(found: Sequence[Example], held: str) -> dict[str, list[Example]]:
    """Group `held` judges, the one before it validates. Raises `ConfigError`."""
    groups = sorted({example.group for example in found} - {""})
    if held not in groups or len(groups) < 3:
        known = ", ".join(groups) or "none"
        raise ConfigError(
            f"data.hold_out must name one of at least three groups; got '{held}' of {known}"
        )
    before = groups[groups.index(held) - 1]
    kind = {held: "test", before: "validation"}
    parts: dict[str, list[Example]] = {"train": [], "validation": [], "test": []}
    for example in found:
        parts[kind.get(example.group, "train")].append(example)
    return parts
