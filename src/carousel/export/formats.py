"""Formats of files, by suffix: who writes one, and who can run it again."""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from numpy.typing import NDArray

from carousel.errors import ConfigError
from carousel.export.description import Network
from carousel.export.subject import Subject

Run = Callable[[Mapping[str, NDArray[Any]]], dict[str, NDArray[Any]]]
"""A file that was loaded: what `Subject.run` takes to what it returns. Of one for single steps,
inputs and outputs have no dimension of time, and all states are given."""


@dataclass(frozen=True)
class Asked:
    """Wishes for a file. stream: for one step at a time. int8: weights in eight bits.

    stem: of the names of its files.
    """

    stem: str
    stream: bool = False
    int8: bool = False


@dataclass(frozen=True)
class Comparison:
    """Distance of a file from the model that it came from.

    difference: the largest of all outputs and states, relative where they are above one.
    tolerance: how much it may be. cases: batches and sequences that were tried. note: what could
    not be tried, and why.
    """

    difference: float
    tolerance: float
    cases: int
    note: str = ""


class Format(Protocol):
    """A module of `carousel.export` with these functions."""

    def write(self, subject: Subject, asked: Asked, folder: Path) -> list[str]:
        """Write the files into a folder that is empty; returns their names, the one that was asked
        for first. Raises `ConfigError`, naming the layer, for what the format cannot hold."""

    def compare(self, subject: Subject, asked: Asked, folder: Path) -> Comparison:
        """Load what `write` wrote, and compare it with the model (see `carousel.export.parity`)."""

    def example(self, network: Network, asked: Asked) -> str:
        """Some 15 lines in the language of the target that use the file."""


class Files(Protocol):
    """Files of one model that are about to be written."""

    def write(self, folder: Path) -> list[str]:
        """Write them into a folder that is empty; returns their names, the one that was asked for
        first."""

    def compare(self, folder: Path) -> Comparison:
        """Load what `write` wrote, and compare it with the model."""

    def card(self, files: list[str], compared: Comparison) -> dict[str, Any]:
        """Facts that a caller needs, as JSON can hold them."""


_ROOMS = {".onnx": "onnx", ".c": "c", ".pt2": "pt2"}


def held_by(chosen: Format, subject: Subject) -> Subject:
    """A subject as a format takes it: some have no lengths, and say so in `held(network)`."""
    held: Callable[[Network], Network] | None = getattr(chosen, "held", None)
    if held is None:
        return subject
    return dataclasses.replace(subject, network=held(subject.network))


def format_of(path: Path) -> Format:
    """The format that a file's suffix stands for. Raises `ConfigError` for another suffix."""
    room = _ROOMS.get(path.suffix)
    if room is None:
        raise ConfigError(
            f"{path.name}: the suffix says what is written: one of {', '.join(_ROOMS)}"
        )
    found: Format = importlib.import_module(f"carousel.export.{room}.format")
    return found
