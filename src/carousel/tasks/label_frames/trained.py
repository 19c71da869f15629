"""A network that labels every frame of a recording, and what a trained one can say."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from carousel.config import Config
from carousel.data import sets
from carousel.data.coded import codes_in, columns_of, facts_of
from carousel.data.files import judged
from carousel.data.files.images import read_film
from carousel.data.files.recordings import TABLES, Frames, alike, read_frames
from carousel.data.files.text import read_text
from carousel.data.ragged import Ragged
from carousel.data.recordings import LabelledFrames, film_side, of_frames
from carousel.data.recordings import Recordings as Labelled
from carousel.data.scaling import FeatureScaler
from carousel.tasks.label_frames.scores import judge
from carousel.tasks.label_frames.segments import segments_of
from carousel.tasks.shared import metrics, plots
from carousel.tasks.shared.answers import LabelsAnswer, Segment
from carousel.tasks.shared.average import mean_of_classes
from carousel.tasks.shared.example import Example, check_number, shown
from carousel.tasks.shared.frames import build_model, logits_of
from carousel.tasks.shared.own_recording import (
    Columns,
    Recording,
    Recordings,
    by_name,
    recording_given,
    values_of,
)
from carousel.tasks.shared.own_table import inputs_of, reads_tables, sequences_given
from carousel.tasks.shared.prepared import prepared
from carousel.tasks.shared.task import Given, Shown, Table, TrainedModel

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

    averages = True

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
        columns = columns_of(facts)
        network = build_model(_width(config, scaler), len(classes), config, codes_in(columns))
        return cls(network, config, classes, scaler, columns)

    def averaged(self, outputs: Tensor) -> Tensor:
        return mean_of_classes(outputs)

    def facts(self) -> dict[str, Any]:
        scaler = self.scaler.facts()
        return {"classes": list(self.classes), "scaler": scaler, **facts_of(self.columns)}

    # ---- answering

    def encode(self, inputs: Recordings) -> tuple[Tensor, Tensor]:
        """Scaled values (n, T, F), padded, and lengths (n,) of recordings."""
        values = self._prepare(Ragged.of([self._values(one) for one in self._list(inputs)]))
        return values.pad(torch.arange(len(values)))

    def example_inputs(self) -> tuple[Tensor, Tensor]:
        """A recording of four frames of zeros."""
        return self.encode(torch.zeros(4, self._width))

    def decode(self, outputs: Tensor, lengths: Tensor) -> list[LabelsAnswer]:
        """Answers of the network's logits (n, T, C) of recordings of so many frames."""
        rows = zip(outputs.detach().softmax(2), lengths.tolist(), strict=True)
        return [self._answer(chances[:count].numpy()) for chances, count in rows]

    def predict(self, inputs: Recordings) -> list[LabelsAnswer]:
        """The most probable class of each frame of recordings, or of one: values (T, F), unscaled,
        F as in training; a data frame, or the name of a file, is read by the names of its columns.
        Raises `DataError` if one does not fit or holds a NaN."""
        return [self._answer(chances) for chances in self.predict_proba(inputs)]

    def predict_proba(self, inputs: Recordings) -> list[NDArray[np.float32]]:
        """Class probabilities (T, C) of the frames of each recording; input as for `predict`."""
        values = [self._values(one) for one in self._list(inputs)]
        if not values:
            return []
        chances = logits_of(self.model, self._prepare(Ragged.of(values))).softmax(1)
        return [rows.numpy() for rows in torch.split(chances, [*map(len, values)])]

    def label_proba(self, values: Recording) -> NDArray[np.float32]:
        """Class probabilities (T, C) of the frames of one recording; input as for `predict`."""
        return self.predict_proba([values])[0]

    def label(self, values: Recording) -> list[str]:
        """The most probable class of each frame of one recording; input as for `predict`."""
        return [*self.predict([values])[0].labels]

    @property
    def kinds(self) -> tuple[str, ...]:
        others = film_side(self.config) or self._published or reads_tables(self.config)
        return () if others else TABLES

    @property
    def wants(self) -> str:
        return "name the recording: a file of frames as in training"

    def read(self, path: Path) -> Given:
        """The recording in a file."""
        if reads_tables(self.config):
            return sequences_given(path, self.config, self.columns, "frame")
        return recording_given(path, self._read_file, self.columns, step="frame")

    def _answer(self, chances: NDArray[np.float32]) -> LabelsAnswer:
        guess = chances.argmax(1)
        segments = (
            Segment(
                self.classes[s.label],
                s.start,
                s.end - 1,
                float(chances[s.start : s.end, s.label].mean()),
            )
            for s in segments_of(guess)
        )
        labels = tuple(self.classes[i] for i in guess)
        return LabelsAnswer(labels, tuple(segments), self.classes, chances)

    @property
    def _width(self) -> int:
        return _width(self.config, self.scaler) // (2 if self.config.frames.differences else 1)

    def _list(self, inputs: Recordings) -> list[Recording]:
        """The recordings; a film (T, side, side) is one."""
        if film_side(self.config) and isinstance(inputs, np.ndarray | Tensor) and inputs.ndim == 3:
            return [inputs]
        return inputs_of(inputs, self.config, self.columns)

    def _values(self, values: Recording) -> Tensor:
        if (side := film_side(self.config)) and isinstance(values, np.ndarray | Tensor):
            values = values.reshape(len(values), -1) if values.shape[1:] == (side, side) else values
        return values_of(values, self.columns, self._width, self._read_file, "frames")

    def _read_file(self, path: Path) -> Frames:
        if side := film_side(self.config):
            return Frames(read_film(path, side), [])
        return (self._published or read_frames)(read_text(path), str(path))

    @property
    def _published(self) -> Callable[[str, str], Frames] | None:
        """Reader of a recording of the published set that the model was trained on."""
        return sets.recording_reader(self.config.data.name)

    def _prepare(self, values: Ragged) -> Ragged:
        return prepared(values, self.scaler, self.config.frames, self.columns)

    # ---- judging

    def _judge(self, part: str) -> dict[str, Any]:
        data = self.as_trained(self.data(LabelledFrames), part)
        return {**self._report(data.part(part), data.columns), **data.account()}

    def _judge_new(self, path: Path) -> dict[str, Any]:
        read = judged.frames(path, self.config, self.columns, self._read_file)
        found = judged.known_labels(read, self.classes, str(path))
        first = next(iter(found.part.values()))
        held = of_frames(alike(found.part), self.classes)
        filled = {"missing_values_filled": sum(one.filled for one in found.part.values())}
        return {**self._report(held, first.columns), **found.account(), **filled}

    def _report(self, held: Labelled, columns: Columns) -> dict[str, Any]:
        values = by_name(held.values, columns, self.columns, self._width)
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
        return report

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

    def example(self, source: str | Given, number: int) -> Example:
        values, name = self._recording(source, number)
        x, lengths = self._prepare(Ragged.of([values])).pad(torch.tensor([0]))
        guess = logits_of(self.model, self._prepare(Ragged.of([values]))).argmax(1)
        return Example(
            f"{name}: labelled {shown(self.classes, guess.tolist())}",
            "the sum of the logits of the predicted labels",
            lambda: self.model(x, lengths)[0].gather(1, guess.unsqueeze(1)).sum(),
        )

    def _recording(self, source: str | Given, number: int) -> tuple[Tensor, str]:
        if isinstance(source, Given):
            return torch.as_tensor(source.inputs[0]), f"your own recording {source.names[0]}"
        data = self.as_trained(self.data(LabelledFrames), source)
        part = data.part(source)
        number = check_number(number, len(part), "recordings")
        values = by_name(part.values, data.columns, self.columns)
        return values[number], f"recording {part.names[number]} of the {source} part"
