"""A network that reads numbers off whole recordings, and what a trained one can say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from carousel.config import Config
from carousel.data.coded import codes_in, columns_of, facts_of
from carousel.data.files import judged
from carousel.data.files.recordings import TABLES
from carousel.data.files.targets import TARGETS, is_targets
from carousel.data.files.text import packed
from carousel.data.ragged import Ragged
from carousel.data.scaling import FeatureScaler
from carousel.data.whole_targets import WholeRecordings, WholeTargets
from carousel.errors import DataError
from carousel.tasks.regress.reading import ReadsRecordings, read_file
from carousel.tasks.regress.target import Target, guesses
from carousel.tasks.regress.whole_scores import judge
from carousel.tasks.shared import plots
from carousel.tasks.shared.answers import TargetsAnswer
from carousel.tasks.shared.digits import few_digits
from carousel.tasks.shared.example import Example, check_number
from carousel.tasks.shared.own_recording import (
    Columns,
    Recordings,
    by_name,
    files_of,
    recordings_given,
)
from carousel.tasks.shared.own_table import reads_tables, sequences_given
from carousel.tasks.shared.pooled import PooledNetwork, outputs_of
from carousel.tasks.shared.task import Given, Shown, Table

_SHOWN = 20


class TrainedWholeRegressor(ReadsRecordings):
    """A trained network with the scaler of its inputs and the scale of each target by its name.

    >>> model = carousel.load("runs/regress-covid-20261124-090000")  # doctest: +SKIP
    >>> model.predict(["korea.csv"])[0].number                        # doctest: +SKIP
    0.016
    """

    model: PooledNetwork

    averages = True

    def __init__(
        self,
        model: PooledNetwork,
        config: Config,
        scaler: FeatureScaler,
        targets: Mapping[str, Target],
        columns: Columns = (),
    ) -> None:
        super().__init__(model, config)
        self.scaler, self.targets, self.columns = scaler, dict(targets), columns

    @classmethod
    def restore(cls, config: Config, facts: dict[str, Any]) -> TrainedWholeRegressor:
        scaler = FeatureScaler.restore(facts["scaler"])
        targets = {name: Target(**target) for name, target in facts["targets"].items()}
        columns = columns_of(facts)
        network = PooledNetwork(len(scaler.mean), len(targets), config, codes_in(columns))
        return cls(network, config, scaler, targets, columns)

    def averaged(self, outputs: Tensor) -> Tensor:
        return torch.stack(
            [one.averaged(outputs[..., i]) for i, one in enumerate(self.targets.values())], -1
        )

    def facts(self) -> dict[str, Any]:
        return {
            "scaler": self.scaler.facts(),
            "targets": {name: asdict(target) for name, target in self.targets.items()},
            **facts_of(self.columns),
        }

    # ---- answering

    def encode(self, inputs: Recordings) -> tuple[Tensor, Tensor]:
        """Scaled values (n, T, F), padded, and lengths (n,) of recordings."""
        values = Ragged.of(self._values(inputs))
        return self._scaled(values).pad(torch.arange(len(values)))

    def example_inputs(self) -> tuple[Tensor, Tensor]:
        """A recording of four steps of zeros."""
        return self.encode(torch.zeros(4, self._width))

    def decode(self, outputs: Tensor) -> list[TargetsAnswer]:
        """Answers of the network's outputs (n, K)."""
        return self._told(guesses([*self.targets.values()], outputs))

    def predict(self, inputs: Recordings) -> list[TargetsAnswer]:
        """The numbers of each recording, or of one: values (T, F), unscaled, F as in training; a
        data frame, or the name of a .csv file, is read by the names of its columns. Raises
        `DataError` if one does not fit or holds a NaN."""
        return self._told(torch.from_numpy(self.numbers(inputs)))

    def numbers(self, inputs: Recordings) -> NDArray[np.float64]:
        """The numbers (n, K) of recordings; input as for `predict`."""
        values = self._values(inputs)
        if not values:
            return np.empty((0, len(self.targets)))
        found: NDArray[np.float64] = self._read(Ragged.of(values)).numpy()
        return found

    def _told(self, numbers: Tensor) -> list[TargetsAnswer]:
        return [
            TargetsAnswer(dict(zip(self.targets, row, strict=True))) for row in numbers.tolist()
        ]

    @property
    def kinds(self) -> tuple[str, ...]:
        return TABLES

    def takes(self, file: Path) -> bool:
        """True if a file of a folder is an input: the file of the targets is none."""
        return super().takes(file) and not is_targets(file)

    @property
    def wants(self) -> str:
        return "name a recording, a .csv file of steps as in training, or a folder of them"

    def read(self, path: Path) -> Given:
        """The recording in a .csv file, or those of a folder."""
        if reads_tables(self.config):
            return sequences_given(path, self.config, self.columns, "step")
        files = [file for file in files_of(path, TABLES) if not is_targets(file) or file == path]
        return recordings_given(files, read_file, self.columns)

    def _read(self, values: Ragged) -> Tensor:
        return guesses([*self.targets.values()], outputs_of(self.model, self._scaled(values)))

    # ---- judging

    def _judge(self, part: str) -> dict[str, Any]:
        data = self.as_trained(self.data(WholeRecordings), part)
        return {**self._report(data.part(part), data.columns), **data.account()}

    def _judge_new(self, path: Path) -> dict[str, Any]:
        found = judged.whole(path, self.config, self.columns)
        held, names, columns = found.part
        if missing := [name for name in self.targets if name not in names]:
            source = packed(path / TARGETS)
            raise DataError(f"{source} has no column '{missing[0]}', which is to be found")
        places = [names.index(name) for name in self.targets]
        held = replace(held, targets=held.targets[:, places])
        return {**self._report(held, columns), **found.account()}

    def _report(self, held: WholeTargets, columns: Columns) -> dict[str, Any]:
        guess = self._read(by_name(held.values, columns, self.columns, self._width))
        stds = [target.std for target in self.targets.values()]
        names, cap = [*self.targets], self.config.regress.cap
        report = judge(held.targets, guess, names, stds, cap)
        report["numbers"] = [
            {
                "recording": name,
                "true": [None if x != x else x for x in truth],
                "found": found,
            }
            for name, truth, found in zip(
                held.names, held.targets.tolist(), guess.tolist(), strict=True
            )
        ]
        return report

    def _pairs(self, report: dict[str, Any], target: int) -> NDArray[np.float64]:
        """(true, found) of the recordings whose true number is known."""
        rows = [(row["true"][target], row["found"][target]) for row in report["numbers"]]
        return np.array([row for row in rows if row[0] is not None], dtype=float)

    def present(self, report: dict[str, Any]) -> Iterator[Shown]:
        if len(self.targets) > 1:
            metrics = [*next(iter(report["per_target"].values()))]
            rows = [
                (name, *(f"{scores[m]:.4g}" if m in scores else "" for m in metrics))
                for name, scores in report["per_target"].items()
            ]
            yield Table(("target", *metrics), rows)
            return
        pairs = self._pairs(report, 0)
        table = Table(("true number", "recordings", "mean error", "MAE"), [])
        edges = np.unique(np.quantile(pairs[:, 0], np.linspace(0, 1, 6)))
        how = few_digits(edges)
        for low, high in pairwise(edges):
            inside = (pairs[:, 0] >= low) & ((pairs[:, 0] < high) | (high == edges[-1]))
            if inside.any():
                change = pairs[inside, 1] - pairs[inside, 0]
                cells = (f"{change.mean():+.4g}", f"{np.abs(change).mean():.4g}")
                table.rows.append((f"{low:{how}} to {high:{how}}", f"{inside.sum():,}", *cells))
        yield table
        yield self._worst(report)

    def _worst(self, report: dict[str, Any]) -> Table:
        known = [row for row in report["numbers"] if row["true"][0] is not None]
        known.sort(key=lambda row: -abs(row["found"][0] - row["true"][0]))
        how = few_digits([row["true"][0] for row in known])
        rows: list[tuple[str, ...]] = [
            (row["recording"], f"{row['true'][0]:{how}}", f"{row['found'][0]:{how}}")
            for row in known[:_SHOWN]
        ]
        return Table(("farthest off", "true", "found"), rows)

    def draw(self, report: dict[str, Any], folder: Path, suffix: str) -> list[Path]:
        """numbers.png; of further targets numbers-2.png and so on."""
        pictures = []
        for number in range(len(self.targets)):
            which = f"-{number + 1}" if number else ""
            pictures.append(folder / f"numbers{which}{suffix}.png")
            plots.draw_numbers(self._pairs(report, number).tolist(), pictures[-1])
        return pictures

    def example(self, source: str | Given, number: int) -> Example:
        if isinstance(source, Given):
            number = check_number(number, len(source.inputs), "recordings")
            values = torch.as_tensor(source.inputs[number])
            name = source.names[number]
        else:
            data = self.as_trained(self.data(WholeRecordings), source)
            part = data.part(source)
            number = check_number(number, len(part), "recordings")
            values = by_name(part.values, data.columns, self.columns)[number]
            name = f"recording {part.names[number]} of the {source} part"
        x, lengths = self._scaled(Ragged.of([values])).pad(torch.tensor([0]))
        found = self._read(Ragged.of([values]))[0].tolist()
        said = ", ".join(f"{n} {x:.4g}" for n, x in zip(self.targets, found, strict=True))
        first: Sequence[str] = [*self.targets][:1]
        return Example(
            f"{name}: {said}",
            f"the output for {first[0]}",
            lambda: self.model(x, lengths)[0, 0],
        )
