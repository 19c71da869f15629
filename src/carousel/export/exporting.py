"""`export`: a model to a file, which is kept only where it computes what the model does."""

from __future__ import annotations

import json
import os
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from torch import nn

from carousel.bundle import load
from carousel.errors import ConfigError
from carousel.export import int8 as eight_bits
from carousel.export.c import format as c_format
from carousel.export.card import card_of
from carousel.export.decoders.files import TwoFiles
from carousel.export.decoders.pair import pair_of
from carousel.export.describing import subject_of
from carousel.export.description import (
    Convolution,
    Differences,
    Horizon,
    Known,
    Layer,
    Level,
    Network,
    Pooling,
    Repeat,
)
from carousel.export.formats import Asked, Comparison, Files, Format, format_of, held_by
from carousel.export.subject import Subject
from carousel.tasks.shared.task import TrainedModel


@dataclass(frozen=True)
class Exported:
    """Files that were written, the one that was asked for first, and how they compare.

    int8: of a trained model in eight bits, how it does on the validation part: "part", "float32"
    (its metrics as it is), and what `carousel evaluate --int8` reports; None for others, and where
    `calibration` was given.
    """

    files: tuple[Path, ...]
    comparison: Comparison
    int8: dict[str, Any] | None = None

    def to_json(self) -> dict[str, Any]:
        """Paths, differences and metrics as JSON can hold them."""
        files = [str(path) for path in self.files]
        return {"files": files, **asdict(self.comparison), "int8": self.int8}


def export(
    model: TrainedModel | nn.Module | str | Path,
    path: str | Path,
    *,
    stream: bool = False,
    int8: bool = False,
    calibration: Any = None,
    force: bool = False,
) -> Exported:
    """Write a model as a file that runs without Carousel, and compare it with the model.

    model: a trained one, the folder of a run, a recurrent layer of torch or Carousel, or a
        `torch.nn.Sequential` of layers, in which a recurrent layer hands on its outputs.
    path: of the file; its suffix says what is written: .onnx, .c or .pt2. A .json of the same name
        beside it says what goes in and comes out.
    stream: one step at a time, states in and out. Of C also pooled networks, whose answer is of the
        steps so far.
    int8: the recurrent layers in eight bits, in C: LSTM, GRU and RNN with tanh, in one direction,
        without options. The numbers are those of `carousel.Stream(model, int8=True)`.
    calibration: of int8: inputs like those to come, as the file reads them, (B, T, F) or (T, F), of
        tokens (B, T) or (T,): the largest value of each feature is its range. Without it those of
        the training part are taken, and the model is judged in eight bits, on the validation part.
    force: write over files that are there.

    The file is loaded and run beside the model on random inputs, lengths and states, whole and step
    by step. It is kept only where the largest difference is within the tolerance of its format.

    Raises `ConfigError`, naming the layer, for a model that the format cannot hold, for a file that
    is there already, and for one that does not compute what the model does.
    """
    if calibration is not None and not int8:
        raise ConfigError("calibration is of int8: say int8=True, too", "calibration")
    path = Path(path)
    chosen = format_of(path)
    making = _files_of(model, chosen, path, Asked(path.stem, stream, int8))
    _check_place(path, force)
    judged = making.in_eight_bits(calibration) if int8 and isinstance(making, _OneFile) else None
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.stem}-") as aside:
        folder = Path(aside)
        names = making.write(folder)
        compared = making.compare(folder)
        if not compared.difference <= compared.tolerance:
            raise ConfigError(
                f"{path.name} computes something else than the model: the largest difference is "
                f"{compared.difference:.2g}, and at most {compared.tolerance:g} is kept: no file "
                "was written; please report the model that does this"
            )
        card = making.card([*names], compared)
        names.append(f"{path.name}.json")
        text = json.dumps(card, indent=2, ensure_ascii=False) + "\n"
        (folder / names[-1]).write_text(text, encoding="utf-8")
        _check_new([path.with_name(name) for name in names], force)
        for name in names:
            (folder / name).replace(path.with_name(name))
    return Exported(tuple(path.with_name(name) for name in names), compared, judged)


@dataclass(eq=False)
class _OneFile:
    """Files of a network in a row, in a format. trained: the trained model that it is of."""

    chosen: Format
    subject: Subject
    asked: Asked
    trained: TrainedModel | None

    def __post_init__(self) -> None:
        if self.asked.stream:
            _check_stream(self.subject.network, getattr(self.chosen, "STREAMED", ()))

    def in_eight_bits(self, calibration: Any) -> dict[str, Any] | None:
        """Go on with the model in eight bits, if the format has these; how it does, where known."""
        if not getattr(self.chosen, "INT8", False):
            return None  # which `write` refuses, with the reason
        judged = None
        eight_bits.check(self.subject)
        if calibration is not None:
            ranges = eight_bits.ranges_of(self.subject, calibration)
        elif self.trained is not None:
            ranges, judged = eight_bits.trained_ranges(self.trained, self.subject)
        else:
            raise ConfigError(
                "int8 of a layer, or of layers in a row, needs calibration=: inputs like those to "
                "come, for the range of each feature",
                "calibration",
            )
        self.subject = eight_bits.in_eight_bits(self.subject, ranges)
        return judged

    def write(self, folder: Path) -> list[str]:
        return self.chosen.write(self.subject, self.asked, folder)

    def compare(self, folder: Path) -> Comparison:
        return self.chosen.compare(self.subject, self.asked, folder)

    def card(self, files: list[str], compared: Comparison) -> dict[str, Any]:
        network = self.subject.network
        example = self.chosen.example(network, self.asked)
        states = getattr(self.chosen, "STATES_OUTSIDE", True)
        return card_of(network, self.asked, files, compared, example, states)


def _files_of(
    model: TrainedModel | nn.Module | str | Path, chosen: Format, path: Path, asked: Asked
) -> Files:
    if isinstance(model, str | Path):
        model = load(model)
    if isinstance(model, TrainedModel) and (pair := pair_of(model)) is not None:
        return TwoFiles(pair, asked, path.suffix)
    trained = model if isinstance(model, TrainedModel) else None
    return _OneFile(chosen, held_by(chosen, subject_of(model)), asked, trained)


def _check_place(path: Path, force: bool) -> None:
    if not path.parent.is_dir():
        raise ConfigError(f"there is no folder {path.parent}: make it first, or name another")
    if path.is_dir():
        raise ConfigError(f"{path} is a folder: name a file")
    _check_new([path], force)
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise ConfigError(f"{path.parent} is not writable: name a folder that is")


def _check_new(paths: list[Path], force: bool) -> None:
    for path in paths:
        if path.exists() and not force:
            raise ConfigError(
                f"{path} is there already: name another file, or write over it with force", "force"
            )


def _check_stream(network: Network, streamed: tuple[type, ...]) -> None:
    """Raise `ConfigError` for a network that needs to see all steps at once. streamed: layers of
    several steps that the format takes step by step."""
    for stack in network.recurrent:
        if stack.directions == 2:
            raise ConfigError(
                f"{stack} reads from the end, and has no next step: export it whole, without "
                "stream, or train it in one direction",
                "stream",
            )
    for layer in network.layers:
        steps = isinstance(layer, Known | Horizon | Level | Repeat | Differences | Convolution)
        several = steps or (isinstance(layer, Pooling) and layer.how != "last")
        if several and not isinstance(layer, streamed):
            how = f"({layer.how})" if isinstance(layer, Pooling) else ""
            raise ConfigError(
                f"{type(layer).__name__}{how} looks at several steps at once: export the model "
                f"whole, without stream{_or_c(layer, streamed)}",
                "stream",
            )
    if not network.states:
        raise ConfigError(
            "there is no recurrent layer, so nothing goes from step to step: export the model "
            "whole, without stream",
            "stream",
        )


def _or_c(layer: Layer, streamed: tuple[type, ...]) -> str:
    """Words for what C takes step by step."""
    takes = not streamed and isinstance(layer, c_format.STREAMED)
    return ", or as .c, which keeps what there is so far" if takes else ""
