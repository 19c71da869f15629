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
from carousel.data.coded import codes_in, columns_of, facts_of
from carousel.data.files import judged
from carousel.data.files.classes import read_recording
from carousel.data.files.listed import files_listed
from carousel.data.files.recordings import Frames
from carousel.data.files.sounds import SUFFIXES
from carousel.data.labelled_recordings import (
    Labelled,
    LabelledRecordings,
    filled_in,
    together,
)
from carousel.data.ragged import Ragged
from carousel.data.scaling import FeatureScaler
from carousel.errors import DataError
from carousel.tasks.shared.example import Example, check_number
from carousel.tasks.shared.heads import head_of
from carousel.tasks.shared.own_recording import (
    Columns,
    Recordings,
    by_name,
    files_of,
    recordings_given,
    values_of,
)
from carousel.tasks.shared.own_table import inputs_of, reads_tables, sequences_given
from carousel.tasks.shared.pooled import PooledNetwork, outputs_of
from carousel.tasks.shared.prepared import prepared
from carousel.tasks.shared.task import Given, Shown, Table, TrainedModel

_SHOWN_MISTAKES = 20


class TrainedRecordingClassifier(TrainedModel):
    """A trained classifier of recordings with its classes and the scaler of its inputs.

    >>> model = carousel.load("runs/speech-digits-20261124-090000")  # doctest: +SKIP
    >>> model.predict(["digit.wav"])[0].label                        # doctest: +SKIP
    '7'
    """

    model: PooledNetwork

    averages = True

    def __init__(
        self,
        model: PooledNetwork,
        config: Config,
        classes: tuple[str, ...],
        scaler: FeatureScaler,
        sound: bool,
        columns: Columns = (),
        several: bool = False,
    ) -> None:
        super().__init__(model, config)
        self.head = head_of(classes, several=several, ordinal=config.columns.ordinal)
        self.several = several
        self.classes, self.scaler, self.sound = classes, scaler, sound
        self.columns = columns

    @classmethod
    def restore(cls, config: Config, facts: dict[str, Any]) -> TrainedRecordingClassifier:
        scaler, classes = FeatureScaler.restore(facts["scaler"]), tuple(facts["classes"])
        columns = columns_of(facts)
        network = PooledNetwork(len(scaler.mean), len(classes), config, codes_in(columns))
        several = facts.get("several", False)
        return cls(network, config, classes, scaler, facts["sound"], columns, several)

    def averaged(self, outputs: Tensor) -> Tensor:
        return self.head.averaged(outputs)

    def facts(self) -> dict[str, Any]:
        return {
            "classes": list(self.classes),
            "scaler": self.scaler.facts(),
            "sound": self.sound,
            **({"several": True} if self.several else {}),
            **facts_of(self.columns),
        }

    # ---- answering

    def encode(self, inputs: Recordings) -> tuple[Tensor, Tensor]:
        """Scaled values (n, T, F), padded, and lengths (n,) of recordings."""
        values = Ragged.of(self._values(inputs))
        return self._prepare(values).pad(torch.arange(len(values)))

    def example_inputs(self) -> tuple[Tensor, Tensor]:
        """A recording of four steps of zeros."""
        return self.encode(torch.zeros(4, self._width))

    def decode(self, outputs: Tensor) -> list[Any]:
        """Answers of the network's logits (n, C): classes, or sets of labels."""
        return self.head.answers(outputs)

    def predict(self, inputs: Recordings) -> list[Any]:
        """The class of each recording, or of one: values (T, F) as in training, unscaled, data
        frames, or the names of files as in training, .csv or sound. Raises `DataError` for one
        that does not fit or holds a NaN."""
        return self.decode(self._logits(self._values(inputs)))

    def predict_proba(self, inputs: Recordings) -> NDArray[np.float32]:
        """Class probabilities (n, C) of recordings; input as for `predict`."""
        logits = self._logits(self._values(inputs))
        result: NDArray[np.float32] = self.head.proba(logits).numpy()
        return result

    @property
    def wants(self) -> str:
        return f"name a recording, or a folder of them: {', '.join(self.kinds)}"

    def read(self, path: Path) -> Given:
        """The recording in a file, or those of a folder, or those that a table names, for a model
        that was trained on such a table."""
        if reads_tables(self.config):
            return sequences_given(path, self.config, self.columns, "step")
        files = files_listed(path, self.config) or files_of(path, self.kinds)
        return recordings_given(files, self._read_file, self.columns)

    @property
    def kinds(self) -> tuple[str, ...]:
        if reads_tables(self.config):
            return ()
        return SUFFIXES if self.sound else (".csv",)

    @property
    def _width(self) -> int:
        return len(self.scaler.mean) // (2 if self.config.frames.differences else 1)

    def _values(self, inputs: Recordings) -> list[Tensor]:
        given = inputs_of(inputs, self.config, self.columns)
        return [values_of(one, self.columns, self._width, self._read_file) for one in given]

    def _read_file(self, path: Path) -> Frames:
        if self.sound != (path.suffix.lower() in SUFFIXES):
            what = "sound" if self.sound else "numbers"
            raise DataError(f"{path}: the model reads {what} ({', '.join(self.kinds)})")
        return read_recording(path, self.config.sound)

    def _logits(self, values: Sequence[Tensor]) -> Tensor:
        if not values:
            return torch.empty(0, len(self.classes))
        return outputs_of(self.model, self._prepare(Ragged.of(values)))

    def _prepare(self, values: Ragged) -> Ragged:
        return prepared(values, self.scaler, self.config.frames, self.columns)

    # ---- judging

    def _judge(self, part: str) -> dict[str, Any]:
        data = self.as_trained(self.data(LabelledRecordings), part)
        return {**self._report(data.part(part), data.columns), **data.account()}

    def _judge_new(self, path: Path) -> dict[str, Any]:
        found = judged.examples(path, self.config, self.classes, self.columns)
        columns = found.part[0].columns
        filled = {"missing_values_filled": filled_in(found.part)}
        return {
            **self._report(together(found.part, self.classes), columns),
            **found.account(),
            **filled,
        }

    def _report(self, held: Labelled, columns: Columns) -> dict[str, Any]:
        values = self._prepare(by_name(held.values, columns, self.columns, self._width))
        logits = outputs_of(self.model, values)
        report = self.head.report(held.labels, logits)
        report["mistakes"] = [
            {"recording": held.names[i], "class": truth, "guess": guess, "probability": chance}
            for i, truth, guess, chance in self.head.mistakes(held.labels, logits)
        ]
        return report

    def present(self, report: dict[str, Any]) -> Iterator[Shown]:
        yield from self.head.show(report, "recordings")
        mistakes = report["mistakes"]
        table = Table(("mistake", "class", "taken for", "probability"), [])
        for row in mistakes[:_SHOWN_MISTAKES]:
            shown = f"{row['probability']:.4f}"
            table.rows.append((row["recording"], row["class"], row["guess"], shown))
        if mistakes:
            yield table
        if len(mistakes) > _SHOWN_MISTAKES:
            yield f"and {len(mistakes) - _SHOWN_MISTAKES} more in the JSON file of the evaluation\n"

    def draw(self, report: dict[str, Any], folder: Path, suffix: str) -> list[Path]:
        return self.head.draw(report, folder, suffix)

    def example(self, source: str | Given, number: int) -> Example:
        if isinstance(source, Given):
            number = check_number(number, len(source.inputs), "recordings")
            values = torch.as_tensor(source.inputs[number])
            name = f"your own recording {source.names[number]}"
        else:
            data = self.as_trained(self.data(LabelledRecordings), source)
            part = data.part(source)
            number = check_number(number, len(part), "recordings")
            values = by_name(part.values, data.columns, self.columns)[number]
            name = f"recording {part.names[number]} of the {source} part"
        x, lengths = self._prepare(Ragged.of([values])).pad(torch.tensor([0]))
        guess = int(self._logits([values]).argmax())
        return Example(
            f"{name}: {self.classes[guess]}",
            "the logit of the predicted class",
            lambda: self.model(x, lengths)[0, guess],
        )
