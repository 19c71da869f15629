"""A network that labels every frame of a recording, and what a trained one can say."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from carousel.config import Config
from carousel.data.image_files import read_film
from carousel.data.ragged import Ragged, by_length
from carousel.data.recording_files import Frames
from carousel.data.recordings import LabelledFrames, Recordings, film_side, reader
from carousel.data.scaling import FeatureScaler
from carousel.data.text import read_text
from carousel.errors import ConfigError, DataError
from carousel.layers.attention import step_mask
from carousel.layers.convolution import ConvolutionalMap
from carousel.tasks import metrics, plots
from carousel.tasks.example import Example, check_number, shown
from carousel.tasks.network import evaluating, make_dropout, make_recurrent, start
from carousel.tasks.own_recording import Columns, Recording, by_name, fitted, values_of
from carousel.tasks.segments import segment_scores, segments_of
from carousel.tasks.task import Json, Notice, Request, Shown, Table, TrainedModel

_EVALUATION_BATCH = 16
_DRAWN = 24
"""Recordings that are shown one by one; evaluation.json has them all."""


class FrameLabeller(nn.Module):
    """P(label of each frame | recording): scaled values (B, T, F) to logits (B, T, C).

    y = recurrent(x);  logits_t = W y_t + b

    Where frames are pictures (F = side²), x_t = relu(V map(frame_t) + c) stands for them, with the
    map of a `ConvolutionalMap`. Dropout acts on vertical connections only: `input_dropout` on x,
    `dropout` between layers and before the head.
    """

    def __init__(self, features: int, classes: int, config: Config) -> None:
        super().__init__()
        model, regularization = config.model, config.regularization
        side, encoder = film_side(config), config.encoder
        self.pictures: nn.Sequential | None = None
        if side:
            stages = ConvolutionalMap(1, (side, side), **dataclasses.asdict(encoder))
            places = stages.shape[0] * stages.shape[1]
            dense = nn.Linear(places * encoder.features, model.hidden_size)
            shaped = nn.Unflatten(1, (1, side, side))
            self.pictures = nn.Sequential(shaped, stages, nn.Flatten(), dense, nn.ReLU())
            features = model.hidden_size
        self.recurrent = make_recurrent(features, model, regularization, batch_first=True)
        self.input_dropout = make_dropout(regularization.input_dropout)
        self.dropout = make_dropout(regularization.dropout)
        self.head = nn.Linear(model.hidden_size * (2 if model.bidirectional else 1), classes)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """x (B, T, F), lengths (B,). Returns logits (B, T, C), in the padding too."""
        if self.pictures is not None:
            x = self._look(self.pictures, x, lengths)
        outputs, _ = self.recurrent(self.input_dropout(x), lengths=lengths)
        logits: Tensor = self.head(self.dropout(outputs))
        return logits

    @staticmethod
    def _look(pictures: nn.Sequential, x: Tensor, lengths: Tensor) -> Tensor:
        inside = step_mask(lengths, x.size(1))  # what stands in the padding is not looked at
        seen: Tensor = pictures(x[inside])
        frames = seen.new_zeros(*inside.shape, seen.size(1))
        frames[inside] = seen
        return frames


def build_model(features: int, classes: int, config: Config) -> FrameLabeller:
    """A new network; weights from torch's global random state."""
    model = FrameLabeller(features, classes, config)
    start(model, config)
    return model


def with_differences(values: Ragged, wanted: bool) -> Ragged:
    """Beside each x_t also x_t - x_{t-1}, which is 0 in the first frame of a recording."""
    if not wanted:
        return values
    change = values.values.diff(dim=0, prepend=values.values[:1])
    change[values.offsets[:-1]] = 0.0
    return Ragged(torch.cat((values.values, change), 1), values.offsets)


def logits_of(model: nn.Module, values: Ragged) -> Tensor:
    """Logits (N, C) of all frames, recording by recording, each read whole; on the CPU."""
    pieces: dict[int, Tensor] = {}
    with evaluating(model) as device:
        for index in by_length(values.lengths, _EVALUATION_BATCH):
            x, lengths = values.pad(index)
            logits = model(x.to(device), lengths.to(device)).cpu()
            for row, number in enumerate(index.tolist()):
                pieces[number] = logits[row, : lengths[row]]
    return torch.cat([pieces[number] for number in range(len(values))])


def judge(part: Recordings, logits: Tensor, classes: Sequence[str]) -> dict[str, Any]:
    """Metrics and details of logits (N, C) for all frames of a part; only labelled ones count."""
    inside = part.labels >= 0
    if not inside.any():
        raise DataError("no frame of this part has a label: there is nothing to judge")
    report = metrics.report(part.labels[inside], logits[inside].softmax(1), classes)
    sizes = part.values.lengths.tolist()
    truth = [row.numpy() for row in torch.split(part.labels, sizes)]
    guess = [row.numpy() for row in torch.split(logits.argmax(1), sizes)]
    return {**segment_scores(truth, guess), **report}


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
