"""A network that names the class of a whole recording, and what a trained one can say."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from carousel.config import Config
from carousel.data.files.recordings import Frames
from carousel.data.files.sounds import SUFFIXES
from carousel.data.labelled_recordings import LabelledRecordings, read_recording
from carousel.data.ragged import Ragged, with_differences
from carousel.data.scaling import FeatureScaler
from carousel.errors import ConfigError, DataError
from carousel.tasks.classify_recordings.network import RecordingClassifier, logits_of
from carousel.tasks.shared import metrics, plots
from carousel.tasks.shared.example import Example, check_number
from carousel.tasks.shared.own_recording import (
    Columns,
    DataFrame,
    Recording,
    by_name,
    fitted,
    values_of,
)
from carousel.tasks.shared.task import Json, Notice, Request, Shown, Table, TrainedModel

_SHOWN_MISTAKES = 20


class TrainedRecordingClassifier(TrainedModel):
    """A trained classifier of recordings with its classes and the scaler of its inputs.

    >>> model = carousel.load("runs/speech-digits-20261124-090000")  # doctest: +SKIP
    >>> model.predict([values])  # (T, F) each, or sound files       # doctest: +SKIP
    ['7']
    """

    model: RecordingClassifier

    def __init__(
        self,
        model: RecordingClassifier,
        config: Config,
        classes: tuple[str, ...],
        scaler: FeatureScaler,
        sound: bool,
        columns: Columns = (),
    ) -> None:
        super().__init__(model, config)
        self.classes, self.scaler, self.sound = classes, scaler, sound
        self.columns = columns

    @classmethod
    def restore(cls, config: Config, facts: dict[str, Any]) -> TrainedRecordingClassifier:
        scaler, classes = FeatureScaler.restore(facts["scaler"]), tuple(facts["classes"])
        network = RecordingClassifier(len(scaler.mean), len(classes), config)
        columns = tuple(facts.get("columns", ()))
        return cls(network, config, classes, scaler, facts["sound"], columns)

    def facts(self) -> dict[str, Any]:
        return {
            "classes": list(self.classes),
            "scaler": self.scaler.facts(),
            "sound": self.sound,
            "columns": list(self.columns),
        }

    def predict_proba(self, recordings: Sequence[Recording] | Recording) -> NDArray[np.float32]:
        """Class probabilities (n, C) of recordings: values (T, F) as in training, unscaled, data
        frames, or the names of files as in training, .csv or sound. Raises `DataError` for one
        that does not fit or holds a NaN."""
        if isinstance(recordings, str | Path | DataFrame):  # one recording is a list of one
            recordings = [recordings]
        width = len(self.scaler.mean) // (2 if self.config.frames.differences else 1)
        values = [values_of(one, self.columns, width, self._read_file) for one in recordings]
        chances = self._chances(Ragged.of(values)) if values else torch.empty(0, len(self.classes))
        result: NDArray[np.float32] = chances.numpy()
        return result

    def predict(self, recordings: Sequence[Recording] | Recording) -> list[str]:
        """The most probable class of each recording; input as for `predict_proba`."""
        return [self.classes[i] for i in self.predict_proba(recordings).argmax(1)]

    def _read_file(self, path: Path) -> Frames:
        if self.sound != (path.suffix.lower() in SUFFIXES):
            kinds = ", ".join(SUFFIXES if self.sound else (".csv",))
            what = "sound" if self.sound else "numbers"
            raise DataError(f"{path}: the model reads {what} ({kinds})")
        return read_recording(path, self.config.sound)

    def _chances(self, values: Ragged) -> Tensor:
        return logits_of(self.model, self._prepare(values)).softmax(1)

    def _prepare(self, values: Ragged) -> Ragged:
        wide = with_differences(values, self.config.frames.differences)
        return Ragged(self.scaler(wide.values), wide.offsets)

    # ---- judging

    def _judge(self, part: str) -> dict[str, Any]:
        data = self.as_trained(LabelledRecordings(self.config), part)
        held = data.part(part)
        chances = self._chances(by_name(held.values, data.columns, self.columns))
        report = metrics.report(held.labels, chances, self.classes)
        rows = zip(held.names, held.labels.tolist(), chances, strict=True)
        report["mistakes"] = [
            {
                "recording": name,
                "class": self.classes[truth],
                "guess": self.classes[int(row.argmax())],
                "probability": float(row.max()),
            }
            for name, truth, row in rows
            if int(row.argmax()) != truth
        ]
        return {**report, **data.account()}

    def present(self, report: dict[str, Any]) -> Iterator[Shown]:
        yield from metrics.show_classes(report, "recordings")
        mistakes = report["mistakes"]
        table = Table(("mistake", "class", "taken for", "probability"), [])
        for row in mistakes[:_SHOWN_MISTAKES]:
            shown = f"{row['probability']:.4f}"
            table.rows.append((row["recording"], row["class"], row["guess"], shown))
        if mistakes:
            yield table
        if len(mistakes) > _SHOWN_MISTAKES:
            yield f"and {len(mistakes) - _SHOWN_MISTAKES} more in evaluation.json\n"

    def draw(self, report: dict[str, Any], folder: Path, suffix: str) -> list[Path]:
        picture = folder / f"confusion{suffix}.png"
        plots.draw_confusion(report["confusion"], self.classes, picture)
        return [picture]

    def example(self, source: str | Request, number: int) -> Example:
        if isinstance(source, Request):
            source.only("classify_recordings")
            files = self._files(source.input)
            number = check_number(number, len(files), "recordings")
            frames, _ = fitted(self._read_file(files[number]), self.columns, str(files[number]))
            values, name = (
                torch.from_numpy(frames.values),
                f"your own recording {files[number].name}",
            )
        else:
            data = LabelledRecordings(self.config)
            part = data.part(source)
            number = check_number(number, len(part), "recordings")
            values = by_name(part.values, data.columns, self.columns)[number]
            name = f"recording {part.names[number]} of the {source} part"
        x, lengths = self._prepare(Ragged.of([values])).pad(torch.tensor([0]))
        guess = int(self._chances(Ragged.of([values])).argmax())
        return Example(
            f"{name}: {self.classes[guess]}",
            "the logit of the predicted class",
            lambda: self.model(x, lengths)[0, guess],
        )

    # ---- the command line

    def answer(self, request: Request) -> Iterator[Shown]:
        request.only("classify_recordings")
        files = self._files(request.input)
        found = [fitted(self._read_file(file), self.columns, str(file)) for file in files]
        frames = [recording for recording, _ in found]
        yield from map(Notice, dict.fromkeys(line for _, said in found for line in said))
        filled = sum(recording.filled for recording in frames)
        if filled and not request.as_json:
            yield Notice(f"{filled} missing values, each taken from the step before")
        chances = self.predict_proba([recording.values for recording in frames])
        if request.as_json:
            rows = zip(files, frames, chances, strict=True)
            yield Json([self._as_json(str(file), f.filled, row) for file, f, row in rows])
        elif len(files) == 1:
            yield self._bars(chances[0])
        else:
            table = Table(("recording", "class", "probability"), [])
            for file, row in zip(files, chances, strict=True):
                table.rows.append((file.name, self.classes[row.argmax()], f"{row.max():.4f}"))
            yield table

    def _files(self, source: Path | None) -> list[Path]:
        kinds = SUFFIXES if self.sound else (".csv",)
        if source is None:
            raise ConfigError(f"name a recording, or a folder of them: {', '.join(kinds)}")
        if not source.is_dir():
            return [source]
        files = [file for file in sorted(source.iterdir()) if file.suffix.lower() in kinds]
        if not files:
            raise DataError(f"{source} has no file of the kind {', '.join(kinds)}")
        return files

    def _as_json(self, name: str, filled: int, row: NDArray[np.float32]) -> dict[str, Any]:
        return {
            "recording": name,
            "class": self.classes[row.argmax()],
            "probabilities": dict(zip(self.classes, map(float, row), strict=True)),
            "filled": filled,
        }

    def _bars(self, row: NDArray[np.float32]) -> Table:
        table = Table(("class", "probability", ""), [])
        for i in row.argsort()[::-1]:
            table.rows.append((self.classes[i], f"{row[i]:.4f}", "█" * round(30 * float(row[i]))))
        return table
