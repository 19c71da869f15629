"""Whole recordings with one label each: published sets, and folders of one's own.

A speaker, or another group that recordings come in, can be held out as a whole: what is measured
otherwise is how well the network knows people whom it was trained on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from carousel.config import Config, SoundConfig
from carousel.data import sources
from carousel.data.files.recordings import (
    TABLES,
    Frames,
    alike,
    fill_missing,
    read_frames,
    recognised,
    say_large,
)
from carousel.data.files.sounds import SUFFIXES, log_mel, read_sound
from carousel.data.files.text import decode, read_text
from carousel.data.ragged import Ragged
from carousel.data.set_names import unknown_set
from carousel.data.splits import hold_out
from carousel.errors import ConfigError, DataError

DIGITS = tuple("0123456789")
MOVES = ("stays", "leaves")
SETS = ("japanese-vowels", "basic-motions", "indoor-movement", "fsdd", "recordings")
_VALIDATION_TAKES = range(5, 10)


class Example(NamedTuple):
    """A recording: its name, values (T, F), label, and the group that it belongs to.

    filled: values that were missing and were taken from the step before. columns: the names of its
    values, where they have any. notes: what was recognised in its file.
    """

    name: str
    values: Tensor
    label: str
    group: str = ""
    filled: int = 0
    columns: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Labelled:
    """Several recordings: names, values (N, F), the class of each (n,), and its group."""

    names: tuple[str, ...]
    values: Ragged
    labels: Tensor
    groups: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.names)

    @property
    def counts(self) -> dict[str, int]:
        """How many of what there are."""
        groups = len(set(self.groups) - {""})
        known = {"groups": groups} if groups else {}
        return {"recordings": len(self), **known, "steps": len(self.values.values)}


class LabelledRecordings:
    """The parts of a set of recordings; a published test part is read when it is asked for.

    data.name: "japanese-vowels", "basic-motions" (their own test parts; of each class a share
    `frames.validation` of the training part validates), "fsdd" (takes 0 to 4 of each digit and
    speaker judge, 5 to 9 validate), "indoor-movement" (no published split), or "recordings": a
    folder of your own, data.path. Of the last two, `frames.test` and `frames.validation` are drawn.
    `sound` says whether they are sounds, `columns` how the values are called that have names.

    data.hold_out: a group (a speaker of fsdd, a pair of rooms of indoor-movement) that judges
    instead, while the group before it validates. Raises `ConfigError` or `DataError`.
    """

    def __init__(self, config: Config) -> None:
        data = config.data
        self._config, self.filled = config, 0
        self._parts: dict[str, Labelled] = {}
        self.classes: tuple[str, ...]
        self.sound = data.name == "fsdd"
        self.columns: tuple[str, ...] = ()
        self.notes: dict[str, int] = {}
        held = data.hold_out
        if data.name in ("japanese-vowels", "basic-motions"):
            if held:
                raise ConfigError(f"data.hold_out: the recordings of {data.name} have no groups")
            read = partial(_uea, data.name)
            train, self.classes = read("TRAIN")
            rest, validation = _draw(train, config.frames.validation, data.split_seed)
            parts: dict[str, Callable[[], list[Example]]] = {
                "train": lambda: rest,
                "validation": lambda: validation,
                "test": lambda: read("TEST")[0],
            }
        elif data.name in ("fsdd", "indoor-movement", "recordings"):
            found, self.classes = self._whole()
            self.columns = found[0].columns
            self.notes = recognised(example.notes for example in found)
            split = self._by_group(found, held) if held else self._usual(found)
            parts = {name: partial(list, examples) for name, examples in split.items()}
        else:
            raise unknown_set(data.name, SETS)
        self._read = parts
        self.train, self.validation = self.part("train"), self.part("validation")
        self._check()

    def part(self, name: str) -> Labelled:
        """ "train", "validation" or "test"."""
        if name not in self._parts:
            examples = self._read[name]()
            number = {label: i for i, label in enumerate(self.classes)}
            self._parts[name] = Labelled(
                tuple(e.name for e in examples),
                Ragged.of(e.values for e in examples),
                torch.tensor([number[e.label] for e in examples]),
                tuple(e.group for e in examples),
            )
            self.filled += sum(example.filled for example in examples)
        return self._parts[name]

    def account(self) -> dict[str, Any]:
        """Sizes and steps of the parts, and recordings that the training part has too.

        Looks at the test part.
        """
        parts = {name: self.part(name) for name in self._read}
        known = set(_contents(parts["train"]))
        held = {name: part for name, part in parts.items() if name != "train"}
        steps = {name: part.values.lengths for name, part in parts.items()}
        return {
            "sizes": {name: len(part) for name, part in parts.items()},
            "steps": {n: [int(t.min()), int(t.max())] for n, t in steps.items()},
            "also_in_training": {n: sum(c in known for c in _contents(p)) for n, p in held.items()},
            "missing_values_filled": self.filled,
            "columns": list(self.columns),
            "recognised": self.notes,
        }

    def _whole(self) -> tuple[list[Example], tuple[str, ...]]:
        data = self._config.data
        if data.name == "fsdd":
            return list(_spoken_digits(self._config.sound)), DIGITS
        if data.name == "indoor-movement":
            return list(_movements()), MOVES
        if not data.path:
            raise ConfigError(
                "data.name = 'recordings' needs data.path, a folder with a folder for each class"
            )
        examples, classes = read_classes(data.path, self._config.sound)
        self.sound = not examples[0].columns
        return examples, classes

    def _usual(self, found: list[Example]) -> dict[str, list[Example]]:
        if self._config.data.name == "fsdd":
            parts: dict[str, list[Example]] = {"train": [], "validation": [], "test": []}
            for example in found:
                take = int(example.name.rpartition("_")[2])
                late = "validation" if take in _VALIDATION_TAKES else "train"
                parts["test" if take < _VALIDATION_TAKES.start else late].append(example)
            return parts
        frames, seed = self._config.frames, self._config.data.split_seed
        share = frames.validation / (1 - frames.test)
        own = self._config.data.name == "recordings"
        draw = _draw_groups if own and any(e.group for e in found) else _draw
        rest, test = draw(found, frames.test, seed)
        train, validation = draw(rest, share, seed)
        return {"train": train, "validation": validation, "test": test}

    @staticmethod
    def _by_group(found: list[Example], held: str) -> dict[str, list[Example]]:
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

    def _check(self) -> None:
        if len(self.classes) < 2:
            raise DataError(f"recordings need at least two classes, got {len(self.classes)}")
        counts = torch.bincount(self.train.labels, minlength=len(self.classes))
        for name, count in zip(self.classes, counts.tolist(), strict=True):
            if not count:
                raise DataError(f"no recording of the training part has the label '{name}'")


def _contents(part: Labelled) -> list[bytes]:
    return [part.values[i].numpy().tobytes() for i in range(len(part))]


def _draw(
    examples: Sequence[Example], share: float, seed: int
) -> tuple[list[Example], list[Example]]:
    """The rest, and of each class a share drawn at random, at least one; in their own order."""
    held: set[int] = set()
    for label in sorted({example.label for example in examples}):
        places = [i for i, example in enumerate(examples) if example.label == label]
        if len(places) < 2:
            raise DataError(
                f"the class '{label}' has too few recordings to be split: three are the least"
            )
        count = min(max(1, round(share * len(places))), len(places) - 1)
        held |= {places[i] for i in hold_out(len(places), count, seed)[1].tolist()}
    return _sides(examples, held)


def _draw_groups(
    examples: Sequence[Example], share: float, seed: int
) -> tuple[list[Example], list[Example]]:
    """The rest, and a share of the groups, at least one, with all that they recorded."""
    groups = sorted({example.group for example in examples})
    if len(groups) < 2:
        raise DataError("groups of recordings cannot be split: three groups are the least")
    count = min(max(1, round(share * len(groups))), len(groups) - 1)
    chosen = {groups[i] for i in hold_out(len(groups), count, seed)[1].tolist()}
    return _sides(examples, {i for i, e in enumerate(examples) if e.group in chosen})


def _sides(examples: Sequence[Example], held: set[int]) -> tuple[list[Example], list[Example]]:
    return (
        [example for i, example in enumerate(examples) if i not in held],
        [example for i, example in enumerate(examples) if i in held],
    )


# ---- files


def read_recording(path: Path, sound: SoundConfig) -> Frames:
    """A recording of one's own: a sound file, or a .csv of numbers with a header, a row per step.

    Raises `DataError`.
    """
    if path.suffix.lower() in SUFFIXES:
        values = log_mel(read_sound(path, sound.rate), sound).numpy()
        return Frames(values, [""] * len(values))
    return read_frames(read_text(path), str(path))


def read_classes(path: str | Path, sound: SoundConfig) -> tuple[list[Example], tuple[str, ...]]:
    """The recordings of a folder CLASS/FILE, or CLASS/GROUP/FILE, and the names of the classes.

    Files are .csv or sound, of one kind; hidden ones are no recordings. Raises `DataError`.
    """
    root = Path(path)
    if not root.is_dir():
        raise DataError(f"there is no folder {root}")
    kinds = {*TABLES, *SUFFIXES}
    files = [file for file in sorted(root.rglob("*")) if file.suffix.lower() in kinds]
    files = [file for file in files if not file.name.startswith(".")]
    sounds = [file for file in files if file.suffix.lower() in SUFFIXES]
    if not files or 0 < len(sounds) < len(files):
        found = f"{sounds[0]} and {len(files) - len(sounds)} .csv files" if files else "no files"
        raise DataError(
            f"{root} must hold .csv files of the same columns, or sound files, in a folder for "
            f"each class; it has {found}"
        )
    say_large(files)
    read, places = {}, {}
    for file in files:
        label, *groups = file.relative_to(root).parts[:-1] or ("",)
        if not label or len(groups) > 1:
            raise DataError(f"{file} must stand in {root}/CLASS/ or {root}/CLASS/GROUP/")
        read[str(file)] = read_recording(file, sound)
        places[str(file)] = (str(file.relative_to(root).with_suffix("")), label, "".join(groups))
    examples = [
        _example(name, frames, label, group)
        for frames, (name, label, group) in zip(alike(read).values(), places.values(), strict=True)
    ]
    return examples, tuple(sorted({example.label for example in examples}))


def _example(name: str, frames: Frames, label: str, group: str) -> Example:
    values = torch.from_numpy(frames.values)
    return Example(name, values, label, group, frames.filled, frames.columns, frames.notes)


def read_ts(text: str, source: str) -> tuple[list[Example], tuple[str, ...]]:
    """The recordings of a .ts file of the UEA archive, and the names of its classes.

    A line is a recording: dimensions with colons between, at the end the class. "?" is a missing
    value. Raises `DataError`.
    """
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


# ---- published sets


def _uea(name: str, part: str) -> tuple[list[Example], tuple[str, ...]]:
    title = "".join(word.capitalize() for word in name.split("-"))
    file = f"{title}_{part}.ts"
    return read_ts(decode(sources.read(name, file), file), file)


def _spoken_digits(sound: SoundConfig) -> Iterable[Example]:
    for file, content in sources.read_all("fsdd").items():
        digit, speaker, _ = file.split("_")
        features = log_mel(read_sound(content, sound.rate, file), sound)
        yield Example(Path(file).stem, features, digit, speaker)


def _movements() -> Iterable[Example]:
    files = sources.read_all("indoor-movement")

    def table(file: str) -> dict[str, str]:
        rows = decode(files[file], file).split()[2:]  # the header has a space in it
        return dict(row.split(",") for row in rows)

    places = table("MovementAAL_DatasetGroup.csv")
    for number, target in table("MovementAAL_target.csv").items():
        file = f"MovementAAL_RSS_{number}.csv"
        frames = read_frames(decode(files[file], file), file)
        label = MOVES[int(target) > 0]
        name, group = f"walk-{int(number):03}", f"rooms-{places[number]}"
        yield _example(name, frames, label, group)
