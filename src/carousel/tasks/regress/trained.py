"""A network that reads a number off every step of a recording, and what a trained one can say."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from carousel.config import Config
from carousel.data.coded import codes_in, columns_of, facts_of
from carousel.data.files import judged
from carousel.data.files.recordings import TABLES, Frames, alike, read_frames
from carousel.data.files.text import read_text
from carousel.data.measured import Measured, MeasuredRecordings, of_frames
from carousel.data.ragged import Ragged
from carousel.data.scaling import FeatureScaler
from carousel.data.windows import is_labelled
from carousel.tasks.regress.reading import ReadsRecordings, read_file
from carousel.tasks.regress.scores import intervals, judge, per_recording
from carousel.tasks.regress.target import Target
from carousel.tasks.shared import plots
from carousel.tasks.shared.answers import NumbersAnswer
from carousel.tasks.shared.digits import few_digits
from carousel.tasks.shared.example import Example, check_number
from carousel.tasks.shared.frames import build_model, logits_of
from carousel.tasks.shared.own_recording import (
    Columns,
    Recording,
    Recordings,
    by_name,
    recording_given,
)
from carousel.tasks.shared.own_table import reads_tables, sequences_given
from carousel.tasks.shared.task import Given, Shown, Table


class TrainedRegressor(ReadsRecordings):
    """A trained network with the scaler of its inputs and the scale of its target.

    >>> model = carousel.load("runs/rul-cmapss-20261124-090000")  # doctest: +SKIP
    >>> model.numbers(values)  # (T, F)                           # doctest: +SKIP
    array([123.4, 122.9, …])
    """

    averages = True

    def __init__(
        self,
        model: nn.Module,
        config: Config,
        scaler: FeatureScaler,
        target: Target,
        columns: Columns = (),
    ) -> None:
        super().__init__(model, config)
        self.scaler, self.target, self.columns = scaler, target, columns

    @classmethod
    def restore(cls, config: Config, facts: dict[str, Any]) -> TrainedRegressor:
        scaler = FeatureScaler.restore(facts["scaler"])
        columns = columns_of(facts)
        model = build_model(len(scaler.mean), 1, config, codes_in(columns))
        return cls(model, config, scaler, Target(**facts["target"]), columns)

    def averaged(self, outputs: Tensor) -> Tensor:
        return self.target.averaged(outputs)

    def facts(self) -> dict[str, Any]:
        scaler, target = self.scaler.facts(), asdict(self.target)
        return {"scaler": scaler, "target": target, **facts_of(self.columns)}

    # ---- answering

    def encode(self, inputs: Recordings) -> tuple[Tensor, Tensor]:
        """Scaled values (n, T, F), padded, and lengths (n,) of recordings."""
        values = self._scaled(Ragged.of(self._values(inputs)))
        return values.pad(torch.arange(len(values)))

    def example_inputs(self) -> tuple[Tensor, Tensor]:
        """A recording of four steps of zeros."""
        return self.encode(torch.zeros(4, self._width))

    def decode(self, outputs: Tensor, lengths: Tensor) -> list[NumbersAnswer]:
        """Answers of the network's outputs (n, T, 1) for recordings of so many steps."""
        rows = zip(self.target.number(outputs.squeeze(2)), lengths.tolist(), strict=True)
        return [NumbersAnswer(tuple(numbers[:count].tolist())) for numbers, count in rows]

    def predict(self, inputs: Recordings) -> list[NumbersAnswer]:
        """The number at each step of recordings, or of one: values (T, F), unscaled, F as in
        training; a data frame, or the name of a .csv file, is read by the names of its columns.
        Raises `DataError` if one does not fit or holds a NaN."""
        values = self._values(inputs)
        if not values:
            return []
        numbers = torch.split(self._read(Ragged.of(values)), [*map(len, values)])
        return [NumbersAnswer(tuple(some.tolist())) for some in numbers]

    def numbers(self, values: Recording) -> NDArray[np.float64]:
        """The number at each step (T,) of one recording; input as for `predict`."""
        return np.array(self.predict([values])[0].numbers)

    @property
    def kinds(self) -> tuple[str, ...]:
        return () if reads_tables(self.config) else TABLES

    @property
    def wants(self) -> str:
        return "name the recording: a .csv file of steps as in training"

    def read(self, path: Path) -> Given:
        """The recording in a .csv file."""
        if reads_tables(self.config):
            return sequences_given(path, self.config, self.columns, "step")
        return recording_given(path, read_file, self.columns)

    def _read(self, values: Ragged) -> Tensor:
        return self.target.number(logits_of(self.model, self._scaled(values)).squeeze(1))

    def _judge(self, part: str) -> dict[str, Any]:
        data = self.as_trained(self.data(MeasuredRecordings), part)
        return {**self._report(data.part(part), data.columns), **data.account()}

    def _judge_new(self, path: Path) -> dict[str, Any]:
        found = judged.frames(path, self.config, self.columns, _read_measured, measured=True)
        first = next(iter(found.part.values()))
        held = of_frames(alike(found.part))
        filled = {"missing_values_filled": sum(one.filled for one in found.part.values())}
        return {**self._report(held, first.columns), **found.account(), **filled}

    def _report(self, held: Measured, columns: Columns) -> dict[str, Any]:
        guess = self._read(by_name(held.values, columns, self.columns, self._width))
        report: dict[str, Any] = judge(held, guess, self.target.cap)
        inside = is_labelled(held.targets)
        pairs = torch.stack((held.targets[inside], guess[inside]), 1)
        report["pairs"] = pairs[:: max(1, len(pairs) // 5000)].tolist()
        report |= intervals(held, guess)
        report["per_recording"] = per_recording(held, guess, self.target.cap)
        return report

    def present(self, report: dict[str, Any]) -> Iterator[Shown]:
        pairs = np.array(report["pairs"])
        table = Table(("true number", "steps", "mean error", "MAE"), [])
        edges = np.quantile(pairs[:, 0], np.linspace(0, 1, 6))
        how = few_digits(edges)
        for low, high in pairwise(edges):
            inside = (pairs[:, 0] >= low) & ((pairs[:, 0] < high) | (high == edges[-1]))
            if inside.any() and low < high:
                change = pairs[inside, 1] - pairs[inside, 0]
                cells = (
                    f"{inside.sum():,}",
                    f"{change.mean():+.4g}",
                    f"{np.abs(change).mean():.4g}",
                )
                table.rows.append((f"{low:{how}} to {high:{how}}", *cells))
        yield table

    def draw(self, report: dict[str, Any], folder: Path, suffix: str) -> list[Path]:
        picture = folder / f"numbers{suffix}.png"
        plots.draw_numbers(report["pairs"], picture)
        return [picture]

    def example(self, source: str | Given, number: int) -> Example:
        if isinstance(source, Given):
            values = torch.as_tensor(source.inputs[0])
            name = "your own recording"
        else:
            data = self.as_trained(self.data(MeasuredRecordings), source)
            part = data.part(source)
            number = check_number(number, len(part), "recordings")
            values = by_name(part.values, data.columns, self.columns)[number]
            name = f"recording {part.names[number]} of the {source} part"
        x, lengths = self._scaled(Ragged.of([values])).pad(torch.tensor([0]))
        numbers = self._read(Ragged.of([values])).tolist()
        return Example(
            f"{name}: {numbers[-1]:{few_digits(numbers)}} at its end",
            "the output at the last step",
            lambda: self.model(x, lengths)[0, -1, 0],
        )


def _read_measured(path: Path) -> Frames:
    return read_frames(read_text(path), str(path), measured=True)
