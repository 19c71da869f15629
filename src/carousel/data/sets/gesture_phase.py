"""Gesture phases: a1, a2, b1 and c1 to train on, a3 to validate, b3 and c3 to judge."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

import numpy as np

from carousel.data import sources
from carousel.data.files.recordings import Frames
from carousel.data.source import Source
from carousel.errors import DataError

if TYPE_CHECKING:
    from carousel.config import Config
    from carousel.data.recordings import LabelledFrames

SOURCE = Source(
    "Gesture phases: 7 recordings of people who tell stories, a label per frame",
    "CC BY 4.0",
    "Madeo et al. 2013",
    "https://archive.ics.uci.edu/ml/machine-learning-databases/00302/",
    archives=("gesture_phase_dataset.zip",),
    packed={
        "a1_raw.csv": "83012e2caf7d7d31733a3048e2051ea39f88793832d7c126a8e3b9565f4750e1",
        "a1_va3.csv": "df3fcdd481cf746e10e380c02f28d4554d7d67e53eda5bfd8b861dcb2037300c",
        "a2_raw.csv": "bfc8cf68484638088c34fdb6f902daefb3df8eab90a00754b19ad0f90ee61d3a",
        "a2_va3.csv": "3f921cab6fc8395b26ec772874583fe4eb211e15f856b6bfb45627cf4620fa48",
        "a3_raw.csv": "7aa269527b1e7a7262e9d8b0e8a8763ca20016792a24920ee10a5a02cde3a2b5",
        "a3_va3.csv": "0ef1ae696b179eccfdfc85cdaf6abcf83ff95209060e94185d0b9dfbbed765d3",
        "b1_raw.csv": "d57a2a3da1dfc00e0bcb0c6b5bc2b4746a0992e3a3dea0aec4bc370360d17a7a",
        "b1_va3.csv": "fc530377ccf5da9fb8d82df04806d853afe988cc3dfead00608696a4a321875b",
        "b3_raw.csv": "9a437133ef5464526f42f5e505897518aa51781d165fe5291ee85389d87b32ff",
        "b3_va3.csv": "011a99aa42d984a9ad5f31e191fd6b9f6c4e72ae75c63e804c5e8905b896d115",
        "c1_raw.csv": "ddf0cda9a0f721a1db55ece244f6ee82bfceb53b85dc613563a5fb921ad1bf2d",
        "c1_va3.csv": "4f4fe22b7839f696ee0fa8cd50aa6ae8082224db6ddb0767c5d405aa3d98ea42",
        "c3_raw.csv": "ac3eb37659fc91dbead9b11ed18ebb999be4d533ac46e94e39d7b01ace4a1602",
        "c3_va3.csv": "032dd63b2a5ca1a0b21bfa3feae06cc09bb9f9cf2d4254c621f87cfff3186c42",
    },
)

_CLASSES = ("Rest", "Preparation", "Stroke", "Hold", "Retraction")
_PARTS = {"train": ("a1", "a2", "b1", "c1"), "validation": ("a3",), "test": ("b3", "c3")}


def read(config: Config) -> LabelledFrames:
    """The parts."""
    from carousel.data.recordings import LabelledFrames

    return LabelledFrames.lazily(_part, _CLASSES)


def _part(name: str) -> dict[str, Frames]:
    files = {recording: f"{recording}_raw.csv" for recording in _PARTS[name]}
    return {r: read_one(sources.text("gesture-phase", file), file) for r, file in files.items()}


def read_one(text: str, source: str) -> Frames:
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


READERS = {"label_frames": {"gesture-phase": read}}
RECORDING = {"gesture-phase": read_one}
