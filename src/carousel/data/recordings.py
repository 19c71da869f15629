"""Recordings with a label per frame: published sets, and folders of one's own.

A recording stands on one side of a split as a whole: frames next to each other are nearly the
same, and a random split of frames would only measure that.
"""

from __future__ import annotations

import csv
import hashlib
import io
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from carousel.config import Config, FramesConfig
from carousel.data import sources
from carousel.data.files.recordings import Frames, read_folder, read_frames, recognised
from carousel.data.files.text import decode
from carousel.data.ragged import Ragged
from carousel.data.set_names import unknown_set
from carousel.data.splits import hold_out
from carousel.errors import ConfigError, DataError

UNLABELLED = -1

ACTIONS = (
    "walk", "sitDown", "standUp", "pickUp", "carry",
    "throw", "push", "pull", "waveHands", "clapHands",
)  # fmt: skip
PHASES = ("Rest", "Preparation", "Stroke", "Hold", "Retraction")
_GESTURES = {
    "train": ("a1", "a2", "b1", "c1"),
    "validation": ("a3",),
    "test": ("b3", "c3"),
}
_PEOPLE = {"train": range(1, 5), "validation": range(5, 6), "test": range(6, 11)}
_HIP_LEFT, _HIP_RIGHT = 12, 16


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
        """How many of what there are."""
        return {"recordings": len(self), "frames": len(self.labels)}

    def labels_of(self, number: int) -> Tensor:
        """The classes (T,) of one recording."""
        start, end = self.values.offsets[number : number + 2].tolist()
        return self.labels[start:end]


class LabelledFrames:
    """The parts of a set of recordings.

    data.name: "utkinect" (people 1 to 4 to train, 5 to validate, 6 to 10 to judge),
    "gesture-phase" (a1, a2, b1, c1; a3; b3, c3), or "recordings": a folder of your own, data.path,
    of which `frames.test` and `frames.validation` are drawn; "moving-digits": films, for which
    `side` is that of their frames (else 0). columns: the names of the values of a frame, where they
    have any. Raises `ConfigError`, `DataError`.
    """

    def __init__(self, config: Config) -> None:
        data, frames = config.data, config.frames
        self.side = film_side(config)
        self.columns: tuple[str, ...] = ()
        self.notes: dict[str, int] = {}
        self.classes: tuple[str, ...]
        self._parts: dict[str, dict[str, Frames]]
        if data.name == "utkinect":
            self.classes, self._parts = ACTIONS, _utkinect()
        elif data.name == "gesture-phase":
            self.classes, self._parts = PHASES, _gestures()
        elif data.name == "moving-digits":
            from carousel.data import moving_digits  # which reads recordings itself

            self.classes = moving_digits.COMPARISONS
            self._parts = moving_digits.films(data, config.scenes)
        elif data.name == "recordings":
            if not data.path:
                raise ConfigError(
                    "data.name = 'recordings' needs data.path, a folder of .csv files"
                )
            found = read_folder(data.path)
            self.columns = next(iter(found.values())).columns
            self.notes = recognised(frames_.notes for frames_ in found.values())
            labels = {label for frames_ in found.values() for label in frames_.labels if label}
            self.classes = tuple(sorted(labels))
            self._parts = draw(found, frames, data.split_seed)
        else:
            known = ("utkinect", "gesture-phase", "moving-digits", "recordings")
            raise unknown_set(data.name, known)
        self.filled = sum(f.filled for part in self._parts.values() for f in part.values())
        self.train, self.validation = self.part("train"), self.part("validation")
        counts = torch.bincount(self.train.labels.clamp(min=0), minlength=len(self.classes))
        if len(self.classes) < 2:
            raise DataError(f"recordings need at least two labels, these have {len(self.classes)}")
        for name, count in zip(self.classes, counts.tolist(), strict=True):
            if not count:
                raise DataError(f"no recording of the training part has the label '{name}'")

    def part(self, name: str) -> Recordings:
        """ "train", "validation" or "test"."""
        number = {label: i for i, label in enumerate(self.classes)} | {"": UNLABELLED}
        part = self._parts[name]
        values = Ragged.of(torch.from_numpy(frames.values) for frames in part.values())
        labels = [number[label] for frames in part.values() for label in frames.labels]
        return Recordings(tuple(part), values, torch.tensor(labels))

    def account(self) -> dict[str, Any]:
        """Which recordings are in which part, how many frames, how many of them unlabelled."""
        parts = {name: self.part(name) for name in self._parts}
        return {
            "recordings": {name: list(part.names) for name, part in parts.items()},
            "frames": {name: len(part.labels) for name, part in parts.items()},
            "unlabelled": {n: int((part.labels < 0).sum()) for n, part in parts.items()},
            "also_in_training": doubles({n: part.values for n, part in parts.items()}),
            "missing_values_filled": self.filled,
            "columns": list(self.columns),
            "recognised": self.notes,
        }


def film_side(config: Config) -> int:
    """Pixels of a frame, up and across, where frames are pictures; else 0."""
    return config.scenes.side if config.data.name == "moving-digits" else 0


def doubles(parts: dict[str, Ragged]) -> dict[str, int]:
    """How many recordings of each other part are, number by number, one of "train"."""
    known = {_content(row) for row in map(parts["train"].__getitem__, range(len(parts["train"])))}
    return {
        name: sum(_content(values[i]) in known for i in range(len(values)))
        for name, values in parts.items()
        if name != "train"
    }


def _content(recording: Tensor) -> tuple[tuple[int, ...], bytes]:
    return tuple(recording.shape), hashlib.sha256(recording.numpy().tobytes()).digest()


def reader(name: str) -> Callable[[str, str], Frames]:
    """What reads the text of one recording of the set `name`; its second argument names it."""
    readers = {"utkinect": _read_skeleton, "gesture-phase": _read_gesture}
    return readers.get(name, read_frames)


def draw(found: dict[str, Frames], config: FramesConfig, seed: int) -> dict[str, dict[str, Frames]]:
    """The parts of recordings: whole ones, at random by `seed`, at least one in each."""
    names = list(found)
    test = max(1, round(config.test * len(names)))
    validation = max(1, round(config.validation * len(names)))
    rest, held = hold_out(len(names), min(test + validation, len(names) - 1), seed)
    drawn = {"train": rest, "validation": held[test:], "test": held[:test]}
    return {p: {names[i]: found[names[i]] for i in sorted(n.tolist())} for p, n in drawn.items()}


def _gestures() -> dict[str, dict[str, Frames]]:
    def read(name: str) -> Frames:
        file = f"{name}_raw.csv"
        return _read_gesture(decode(sources.read("gesture-phase", file), file), file)

    return {part: {name: read(name) for name in names} for part, names in _GESTURES.items()}


def _read_gesture(text: str, source: str) -> Frames:
    """Hands, head, spine and wrists, 18 coordinates; all but the spine from the spine on.

    The unit is the distance from spine to head, its median over the recording: b3 was written down
    in units ten times as large as the others.
    """
    rows = [row for row in csv.reader(io.StringIO(text)) if row][1:]
    try:
        values = np.array([[float(cell) for cell in row[:18]] for row in rows]).reshape(-1, 6, 3)
    except ValueError:
        raise DataError(
            f"{source} must be a raw recording of gesture-phase: 18 numbers a row"
        ) from None
    spine = values[:, 3:4].copy()
    values -= spine
    values[:, 3:4] = spine - spine.mean(0)
    values /= max(float(np.median(np.linalg.norm(values[:, 2], axis=1))), 1e-6)
    # One row of a3 has the name of the phase in Portuguese.
    labels = [
        row[19].strip().replace("Preparação", "Preparation") if len(row) > 19 else ""
        for row in rows
    ]
    return Frames(values.reshape(len(rows), 18), labels)


def _utkinect() -> dict[str, dict[str, Frames]]:
    segments = _actions(decode(sources.read("utkinect", "actionLabel.txt"), "actionLabel.txt"))

    def read(name: str) -> Frames:
        file = f"joints_{name}.txt"
        text = decode(sources.read("utkinect", file), file)
        frames = _read_skeleton(text, file)
        return frames._replace(labels=_label(_frame_numbers(text), segments[name]))

    return {
        part: {n: read(n) for p in people for n in (f"s{p:02}_e01", f"s{p:02}_e02")}
        for part, people in _PEOPLE.items()
    }


def _actions(text: str) -> dict[str, list[tuple[str, int, int]]]:
    """By recording: (action, first frame, last frame). An action without frames is left out."""
    found: dict[str, list[tuple[str, int, int]]] = {}
    for line in text.splitlines():
        name = line.strip()
        if re.fullmatch(r"s\d\d_e\d\d", name):
            found[name] = segments = []
        elif match := re.fullmatch(r"(\w+): (\d+) (\d+)", name):
            first, last = int(match[2]), int(match[3])
            if (match[1], first, last) == ("push", 2556, 3622):
                first = 3556  # a slip of the published table: the other actions leave no doubt
            segments.append((match[1], first, last))
    return found


def _label(numbers: Sequence[int], segments: Iterable[tuple[str, int, int]]) -> list[str]:
    labels = [""] * len(numbers)
    for action, first, last in sorted(segments, key=lambda segment: segment[1]):
        for i, number in enumerate(numbers):
            if first <= number <= last:
                labels[i] = action
    return labels


def _rows(text: str) -> dict[int, list[float]]:
    """By frame number; of rows that repeat one, the first."""
    found: dict[int, list[float]] = {}
    for line in text.splitlines():
        cells = line.split()
        if cells:
            found.setdefault(int(cells[0]), [float(cell) for cell in cells[1:]])
    return found


def _frame_numbers(text: str) -> list[int]:
    return list(_rows(text))


def _read_skeleton(text: str, source: str) -> Frames:
    """20 joints as seen from the person: the hip's middle is the origin, the hips lie along x.

    A person is filmed from all sides, and where they stand says nothing. The first joint's own
    place holds the height of the hip, which tells sitting from standing.
    """
    try:
        values = np.array(list(_rows(text).values())).reshape(-1, 20, 3)
    except ValueError:
        raise DataError(
            f"{source} must be joints of UTKinect: a frame number and 60 coordinates a row"
        ) from None
    hip = values[:, :1].copy()
    values -= hip
    across = values[:, _HIP_RIGHT] - values[:, _HIP_LEFT]
    angle = np.arctan2(across[:, 2], across[:, 0])[:, None]
    x, z = values[..., 0].copy(), values[..., 2].copy()
    values[..., 0] = np.cos(angle) * x + np.sin(angle) * z
    values[..., 2] = np.cos(angle) * z - np.sin(angle) * x
    values[:, 0, 1] = hip[:, 0, 1]
    return Frames(values.reshape(len(values), 60), [""] * len(values))
