"""UTKinect-Action3D: people 1 to 4 to train on, 5 to validate, 6 to 10 to judge."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from carousel.data import sources
from carousel.data.files.recordings import Frames
from carousel.data.source import Source
from carousel.errors import DataError

if TYPE_CHECKING:
    from carousel.config import Config
    from carousel.data.recordings import LabelledFrames

_JOINTS = {
    "joints_s01_e01.txt": "0da51d699c1e38260af9ca998c7b2e08c9de7fffbac6df18ca5cab58b1af4964",
    "joints_s01_e02.txt": "89992a9a690bbc2c3d58304f425b225387940d15781231b8d2acb20664a9d9df",
    "joints_s02_e01.txt": "7eec2d5854b02a1f74e6b47340d054efe789063e0ee02246aae18f915466acbf",
    "joints_s02_e02.txt": "8e0d8eea09d9cadbfb1b7dddddb839949b70c4217985a0628269ddf98ff66841",
    "joints_s03_e01.txt": "ae798fcc1b9ab2c367c93202b6e9c52cd7e451bb638fdfc5714fd07770810b39",
    "joints_s03_e02.txt": "859e653b2694fc63c6042761c1458800a4dbbe652f53cd8cefe40baf23a700ea",
    "joints_s04_e01.txt": "3a1244f544cb9e7e4c5d72a074762d2f6cea856beaaf450d6f83a34d0e21c70b",
    "joints_s04_e02.txt": "a49291cae5b1e52ef8e82fb9f2b7cc0ae3879a34a1ae36aa6cc31761ebd381c4",
    "joints_s05_e01.txt": "0d5c896ca26c2e4529f2784298d5f29995e737cc8810be97c96a5f9d031bc13f",
    "joints_s05_e02.txt": "f6b0a48b4a1b40698e5de2250aaee1bcf10661a3c63f0f87ebbd4e4a1dd27b40",
    "joints_s06_e01.txt": "32dba66af4f043ca2893fd1be2149fa56615ba0f8270ac67513bb17fbc3369a4",
    "joints_s06_e02.txt": "8a9ebe1b9c2864e4b79a56dc46068530944f931397969631924f57fd06b44f5e",
    "joints_s07_e01.txt": "37ce62788ec931acf196feb0af6d99df520c02a2a90f73e15d46ab8e2c6f2d12",
    "joints_s07_e02.txt": "990db6d08abf2b04ea76a56f2c1350625ebb805cf6c530a7013a4af4cced0dc8",
    "joints_s08_e01.txt": "1e5ff82220c50137a12a2791d31e5baa89792df87b2df537cb0545b067a018fa",
    "joints_s08_e02.txt": "381beef2d90cf8de810fde2c9e1542323a624f73e548793bf3b83db5aee92efa",
    "joints_s09_e01.txt": "5198c949338b59289aac574d2dad69f40cb526a6626933d9a0032d2f5c9bcbd8",
    "joints_s09_e02.txt": "a3218ddb422df3a92051e3710e5cc482c857ed2e03600a2673272a7223907642",
    "joints_s10_e01.txt": "ca30ec6490d0b1b69cf0a4cf30c912092525911b65e802681b3eef8c2b0bcbb9",
    "joints_s10_e02.txt": "8abdf619da7388bd168469b43d653e230f4713df952aa68119242a1b436d0380",
}

SOURCE = Source(
    "UTKinect-Action3D: skeletons of 20 recordings, 10 actions, a label per frame",
    "free for research",
    "Xia et al. 2012",
    "http://cvrc.ece.utexas.edu/KinectDatasets/",  # its own home knows no https
    {"actionLabel.txt": "84800323d594837a1a17a8c9ea4c2da340c97996936f133032018a3e0371e273"},
    archives=("joints.zip", "joints.tar.xz"),
    packed=_JOINTS,
)

_CLASSES = (
    "walk", "sitDown", "standUp", "pickUp", "carry",
    "throw", "push", "pull", "waveHands", "clapHands",
)  # fmt: skip
_PEOPLE = {"train": range(1, 5), "validation": range(5, 6), "test": range(6, 11)}
_HIP_LEFT, _HIP_RIGHT = 12, 16


def read(config: Config) -> LabelledFrames:
    """The parts."""
    from carousel.data.recordings import LabelledFrames

    segments = actions(sources.text("utkinect", "actionLabel.txt"))

    def one(name: str) -> Frames:
        file = f"joints_{name}.txt"
        text = sources.text("utkinect", file)
        return read_one(text, file)._replace(labels=label(_frame_numbers(text), segments[name]))

    def part(name: str) -> dict[str, Frames]:
        people = (n for p in _PEOPLE[name] for n in (f"s{p:02}_e01", f"s{p:02}_e02"))
        return {n: one(n) for n in people}

    return LabelledFrames.lazily(part, _CLASSES)


def actions(text: str) -> dict[str, list[tuple[str, int, int]]]:
    """Actions by recording: (action, first frame, last frame). An action without frames is left
    out."""
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


def label(numbers: Sequence[int], segments: Iterable[tuple[str, int, int]]) -> list[str]:
    """The action of each frame, "" where there is none."""
    labels = [""] * len(numbers)
    for action, first, last in sorted(segments, key=lambda segment: segment[1]):
        for i, number in enumerate(numbers):
            if first <= number <= last:
                labels[i] = action
    return labels


def _rows(text: str) -> dict[int, list[float]]:
    """Rows by frame number; of rows that repeat one, the first."""
    found: dict[int, list[float]] = {}
    for line in text.splitlines():
        cells = line.split()
        if cells:
            found.setdefault(int(cells[0]), [float(cell) for cell in cells[1:]])
    return found


def _frame_numbers(text: str) -> list[int]:
    return list(_rows(text))


def read_one(text: str, source: str) -> Frames:
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


READERS = {"label_frames": {"utkinect": read}}
RECORDING = {"utkinect": read_one}
