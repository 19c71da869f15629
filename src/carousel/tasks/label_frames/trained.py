"""A network that labels every frame of a recording, and what a trained one can say."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from carousel.config import Config
from carousel.data.files.images import read_film
from carousel.data.files.recordings import Frames
from carousel.data.files.text import read_text
from carousel.data.ragged import Ragged, with_differences
from carousel.data.recordings import LabelledFrames, film_side, reader
from carousel.data.scaling import FeatureScaler
from carousel.errors import ConfigError
from carousel.tasks.label_frames.scores import judge
from carousel.tasks.label_frames.segments import segments_of
from carousel.tasks.shared import metrics, plots
from carousel.tasks.shared.example import Example, check_number, shown
from carousel.tasks.shared.frames import build_model, logits_of
from carousel.tasks.shared.own_recording import Columns, Recording, by_name, fitted, values_of
from carousel.tasks.shared.task import Json, Notice, Request, Shown, Table, TrainedModel

_DRAWN = 24


"""Recordings that are shown one by one; evaluation.json has them all."""


def _width(config: Config, scaler: FeatureScaler) -> int:
    """Values of a frame that go into the network; the pixels of a film share one scale."""
    side = film_side(config)
    return side * side if side else len(scaler.mean)


class TrainedFrameLabeller(TrainedModel):
    """A trained labeller of frames with its classes and the scaler of its inputs.

    >>> model = carousel.load("runs/frames-gesture-20261124-090000")  # doctest: +SKIP
    >>> model.label(values)  # (T, F)                                 # doctest: +SKIP
    ['Rest', 'Rest', 'Preparation', …]
    """

    def __init__(
        self,
        model: nn.Module,
        config: Config,
        classes: tuple[str, ...],
        scaler: FeatureScaler,
        columns: Columns = (),
    ) -> None:
        super().__init__(model, config)
        self.classes, self.scaler, self.columns = classes, scaler, columns

    @classmethod
    def restore(cls, config: Config, facts: dict[str, Any]) -> TrainedFrameLabeller:
        scaler, classes = FeatureScaler.restore(facts["scaler"]), tuple(facts["classes"])
        network = build_model(_width(config, scaler), len(classes), config)
        return cls(network, config, classes, scaler, tuple(facts.get("columns", ())))

    def facts(self) -> dict[str, Any]:
        scaler, columns = self.scaler.facts(), list(self.columns)
        return {"classes": list(self.classes), "scaler": scaler, "columns": columns}

    def label_proba(self, values: Recording) -> NDArray[np.float32]:
        """Class probabilities (T, C) of the frames of one recording (T, F), unscaled, F as in
        training; a data frame, or the name of a file, is read by the names of its columns. Raises
        `DataError` if it does not fit or holds a NaN."""
        if (side := film_side(self.config)) and isinstance(values, np.ndarray | Tensor):
            values = values.reshape(len(values), -1) if values.shape[1:] == (side, side) else values
        width = _width(self.config, self.scaler) // (2 if self.config.frames.differences else 1)
        x = values_of(values, self.columns, width, self._read_file, "frames")
        scaled = self._prepare(Ragged.of([x]))
        result: NDArray[np.float32] = logits_of(self.model, scaled).softmax(1).numpy()
        return result

    def label(self, values: Recording) -> list[str]:
        """The most probable class of each frame; input as for `label_proba`."""
        return [self.classes[i] for i in self.label_proba(values).argmax(1)]

    def _prepare(self, values: Ragged) -> Ragged:
        wide = with_differences(values, self.config.frames.differences)
        return Ragged(self.scaler(wide.values), wide.offsets)

    # ---- judging

    def _judge(self, part: str) -> dict[str, Any]:
        data = self.as_trained(LabelledFrames(self.config), part)
        held = data.part(part)
        values = by_name(held.values, data.columns, self.columns)
        logits = logits_of(self.model, self._prepare(values))
        report = judge(held, logits, self.classes)
        sizes = held.values.lengths.tolist()
        rows = zip(
            torch.split(held.labels, sizes), torch.split(logits.argmax(1), sizes), strict=True
        )
        report["per_recording"] = {
            name: {"labels": truth.tolist(), "guess": guess.tolist()}
            for name, (truth, guess) in zip(held.names, rows, strict=True)
        }
        return {**report, **data.account()}

    def present(self, report: dict[str, Any]) -> Iterator[Shown]:
        yield from metrics.show_classes(report, "frames")
        table = Table(("recording", "accuracy", "labelled frames"), [])
        for name, row in list(report["per_recording"].items())[:_DRAWN]:
            truth, guess = np.array(row["labels"]), np.array(row["guess"])
            inside = truth >= 0
            share = f"{(truth == guess)[inside].mean():.2%}" if inside.any() else "-"
            table.rows.append((name, share, f"{inside.sum():,} of {len(truth):,}"))
        yield table
        if len(report["per_recording"]) > _DRAWN:
            yield f"the first {_DRAWN} of {len(report['per_recording'])}: see evaluation.json\n"

    def draw(self, report: dict[str, Any], folder: Path, suffix: str) -> list[Path]:
        confusion, timelines = folder / f"confusion{suffix}.png", folder / f"timelines{suffix}.png"
        plots.draw_confusion(report["confusion"], self.classes, confusion)
        drawn = dict(list(report["per_recording"].items())[:_DRAWN])
        plots.draw_timelines(drawn, self.classes, timelines)
        return [confusion, timelines]

    def example(self, source: str | Request, number: int) -> Example:
        values, name = self._recording(source, number)
        x, lengths = self._prepare(Ragged.of([values])).pad(torch.tensor([0]))
        guess = logits_of(self.model, self._prepare(Ragged.of([values]))).argmax(1)
        return Example(
            f"{name}: labelled {shown(self.classes, guess.tolist())}",
            "the sum of the logits of the predicted labels",
            lambda: self.model(x, lengths)[0].gather(1, guess.unsqueeze(1)).sum(),
        )

    def _recording(self, source: str | Request, number: int) -> tuple[Tensor, str]:
        if isinstance(source, Request):
            (frames, _), name = self._given(source), str(source.input)
            return torch.from_numpy(frames.values), f"your own recording {Path(name).name}"
        data = self.as_trained(LabelledFrames(self.config), source)
        part = data.part(source)
        number = check_number(number, len(part), "recordings")
        values = by_name(part.values, data.columns, self.columns)
        return values[number], f"recording {part.names[number]} of the {source} part"

    # ---- the command line

    def _given(self, request: Request) -> tuple[Frames, list[str]]:
        request.only("label_frames")
        if request.input is None:
            raise ConfigError("name the recording: a file of frames as in training")
        return fitted(self._read_file(request.input), self.columns, str(request.input))

    def _read_file(self, path: Path) -> Frames:
        if side := film_side(self.config):
            return Frames(read_film(path, side), [])
        return reader(self.config.data.name)(read_text(path), str(path))

    def answer(self, request: Request) -> Iterator[Shown]:
        frames, said = self._given(request)
        yield from map(Notice, said)
        chances = self.label_proba(frames.values)
        guess = chances.argmax(1)
        segments = segments_of(guess)
        sure = [float(chances[s.start : s.end, s.label].mean()) for s in segments]
        if request.as_json:
            found = [
                {
                    "label": self.classes[s.label],
                    "first": s.start,
                    "last": s.end - 1,
                    "probability": p,
                }
                for s, p in zip(segments, sure, strict=True)
            ]
            labels = [self.classes[i] for i in guess]
            yield Json({"labels": labels, "segments": found, "filled": frames.filled})
            return
        if frames.filled:
            yield Notice(f"{frames.filled} missing values, each taken from the frame before")
        table = Table(("label", "first frame", "last frame", "frames", "probability"), [])
        for segment, p in zip(segments, sure, strict=True):
            places = (segment.start, segment.end - 1, segment.end - segment.start)
            name = self.classes[segment.label]
            table.rows.append((name, *map(str, places), f"{p:.3f}"))
        yield table
