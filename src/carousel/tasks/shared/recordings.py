"""Shared part of the tasks on recordings: windows of standardised features; whole ones judge."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from torch import Tensor, nn
from torch.nn.functional import pad

from carousel.config import Config, FramesConfig
from carousel.data import leaks
from carousel.data.coded import codes_in
from carousel.data.leaks import Leak
from carousel.data.mapped import BLOCK, MappedRagged, is_in_blocks, pools_of
from carousel.data.measured import MeasuredRecordings
from carousel.data.order import TOGETHER
from carousel.data.ragged import Ragged
from carousel.data.recordings import LabelledFrames, film_side
from carousel.data.regular import filled_in_words
from carousel.data.scaling import FeatureScaler
from carousel.data.windows import LabelledWindows
from carousel.layers.categories import noisy
from carousel.tasks.shared.losses import Batch
from carousel.tasks.shared.prepared import prepared, scaler_of
from carousel.tasks.shared.subject import T, TaskSubject
from carousel.tasks.shared.task import Task


def remarks(notes: dict[str, int], filled: int, found: list[Leak], frames: FramesConfig) -> str:
    """Remarks on the data that a person should read before training, each after a line break."""
    lines = [f"{count:,} files: {note}" if count else note for note, count in notes.items()]
    if filled:
        lines.append(filled_in_words(filled))
    if frames.noise:
        lines.append(f"in training, noise of {frames.noise:g} is added to the scaled values")
    if found:
        lines.append(f"possible leak: {leaks.in_words(found)}")
    return "".join(f"\n{line}" for line in lines)


def shuffle_of(values: Ragged, config: Config) -> str:
    """Order of the sequences to train on: shuffled "all" at once or in "blocks"; as it is set where
    they are in memory ("" for "auto")."""
    asked = config.data.shuffle
    if is_in_blocks(values, asked):
        return "blocks"
    return "all" if isinstance(values, MappedRagged) else asked.replace("auto", "")


def in_blocks_words(shuffle: str) -> str:
    """Remark on an order that is drawn in blocks, after a line break; else ""."""
    if shuffle != "blocks":
        return ""
    return (
        f"\nshuffled in blocks of {BLOCK >> 20} MB, {TOGETHER} at a time: what is larger than "
        f"memory is not read at random"
    )


class RecordingsTask(Task):
    """Training on windows of recordings. Features are standardised by the training part."""

    data: LabelledFrames | MeasuredRecordings
    leaks: list[Leak]

    def _cut(self, train: Ragged, labels: Tensor, validation: Ragged, seed: int) -> None:
        """Standardise the features, and cut the training part with its labels into windows."""
        frames = self.config.frames
        if film_side(self.config):
            # Pixels share one mean and one deviation: those at the edges of a film hardly vary.
            self.scaler = FeatureScaler.fit(train.values.view(-1, 1))
        else:
            self.scaler = scaler_of(train, frames, self.data.columns)
        self._train = self._prepare(train)
        self._validation = self._prepare(validation)
        rows = self.config.training.batch_size
        self.shuffle = shuffle_of(self._train, self.config)
        self._batches = LabelledWindows(
            self._train,
            labels,
            frames.window,
            rows,
            seed,
            frames.passes,
            self.data.weights.get("train"),
            pools_of(self._train, rows) if self.shuffle == "blocks" else None,
        )

    def _prepare(self, values: Ragged) -> Ragged:
        return prepared(values, self.scaler, self.config.frames, self.data.columns)

    @property
    def _levels(self) -> dict[int, int]:
        return codes_in(self.data.columns)

    def _noisy(self, values: Tensor, training: bool) -> Tensor:
        noise = self.config.frames.noise
        return noisy(values, noise, self._levels) if noise and training else values

    @property
    def parted(self) -> LabelledFrames | MeasuredRecordings:
        return self.data

    @property
    def batches_per_epoch(self) -> int:
        return len(self._batches)

    def train_batches(self, epoch: int, start: int) -> Iterator[Batch]:
        return self._batches.epoch(epoch, start)

    def account(self) -> dict[str, Any]:
        return {**self.data.account(), "leaks": self.leaks}

    def _remarks(self) -> str:
        return in_blocks_words(self.shuffle) + remarks(
            self.data.notes, self.data.filled, self.leaks, self.config.frames
        )


class RecordingsSubject(TaskSubject[T]):
    """Batches of windows with their lengths, padded behind, for the coach."""

    def padded(self, batch: Batch, steps: int) -> Batch:
        values, lengths, *rows, labels = batch
        missing = math.nan if labels.is_floating_point() else -1
        wider = [0, 0] * (values.dim() - 2) + [0, steps]
        return pad(values, wider, value=3), lengths, *rows, pad(labels, (0, steps), value=missing)

    def step_outputs(self, model: nn.Module, batch: Batch) -> Tensor:
        values, lengths, *_ = batch
        said: Tensor = model(values, lengths)
        return said
