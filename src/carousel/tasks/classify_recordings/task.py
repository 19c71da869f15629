"""Many-to-one, series and sound: one label for a whole recording."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

from torch import Tensor, nn
from torch.nn.functional import pad

from carousel.config import Config
from carousel.data import leaks
from carousel.data.class_targets import named
from carousel.data.coded import codes_in
from carousel.data.counting import span_of
from carousel.data.labelled_recordings import LabelledRecordings
from carousel.data.mapped import pools_of
from carousel.data.ragged import Buckets, Ragged, by_length
from carousel.layers.categories import noisy
from carousel.tasks.classify_recordings.trained import TrainedRecordingClassifier
from carousel.tasks.shared import network, samples
from carousel.tasks.shared.baselines import examples
from carousel.tasks.shared.heads import head_of
from carousel.tasks.shared.losses import Batch, Carry, StepLoss, mean_of
from carousel.tasks.shared.pooled import PooledNetwork, outputs_of
from carousel.tasks.shared.prepared import prepared, scaler_of, with_levels
from carousel.tasks.shared.recordings import in_blocks_words, remarks, shuffle_of
from carousel.tasks.shared.samples import Sample, Told
from carousel.tasks.shared.subject import TaskSubject
from carousel.tasks.shared.task import Task

_EVALUATION_BATCH = 64


class ClassifyRecordingsTask(Task):
    """Training of a `PooledNetwork`: recordings of similar length share a batch.

    Features are standardised by the training part.
    """

    validation_metrics: tuple[str, ...] = ("accuracy", "loss")
    unit = "recordings"
    trained = TrainedRecordingClassifier

    def __init__(self, config: Config, seed: int, parts: LabelledRecordings | None = None) -> None:
        network.check(config)
        self.config = config
        self.data = LabelledRecordings.read(config) if parts is None else parts
        train = self.data.train
        self.scaler = scaler_of(train.values, config.frames, self.data.columns)
        self._train = self._prepare(train.values)
        self._validation = self._prepare(self.data.validation.values)
        self.head = head_of(
            self.data.classes, several=self.data.several, ordinal=config.columns.ordinal
        )
        self.validation_metrics = self.head.validation_metrics
        self._weights = self.head.weights(train.labels, config.loss)
        self.leaks = leaks.of_recordings(
            train.values, train.labels, self.data.columns, len(self.data.classes)
        )
        self.shuffle = shuffle_of(self._train, config)
        rows = config.training.batch_size
        pools = pools_of(self._train, rows) if self.shuffle == "blocks" else None
        self._batches = Buckets(self._train.lengths, rows, seed, span=10, pools=pools)

    def _prepare(self, values: Ragged) -> Ragged:
        return prepared(values, self.scaler, self.config.frames, self.data.columns)

    @property
    def _levels(self) -> dict[int, int]:
        return codes_in(self.data.columns)

    @property
    def parted(self) -> LabelledRecordings:
        return self.data

    @property
    def batches_per_epoch(self) -> int:
        return len(self._batches)

    def build_model(self) -> PooledNetwork:
        features = self._train.values.size(1)
        return PooledNetwork(features, len(self.data.classes), self.config, self._levels)

    def train_batches(self, epoch: int, start: int) -> Iterator[Batch]:
        labels = self.data.train.labels
        for index in self._batches.epoch(epoch, start):
            yield (*self._train.pad(index), *self._rows("train", index), labels[index])

    def _rows(self, part: str, index: Tensor) -> tuple[Tensor, ...]:
        """Weights of the recordings of these numbers, where they have any."""
        weights = self.data.weights.get(part)
        return () if weights is None else (weights[index].float(),)

    def loss(self, model: nn.Module, batch: Batch, carry: Carry = ()) -> StepLoss:
        values, lengths, *rows, labels = batch
        noise = self.config.frames.noise
        if noise and model.training:
            values = noisy(values, noise, self._levels)
        logits = model(values, lengths)
        objective, sums = self.head.loss(logits, labels, self.config.loss, self._weights, *rows)
        return StepLoss(objective, sums, len(labels))

    def validate(self, model: nn.Module) -> dict[str, float]:
        labels = self.data.validation.labels
        if not self.head.adds_up:
            found = self.head.report(
                labels, outputs_of(cast(PooledNetwork, model), self._validation)
            )
            return {name: found[name] for name in self.validation_metrics}
        with network.evaluating(model) as device:
            batches = (
                (*self._validation.pad(index), *self._rows("validation", index), labels[index])
                for index in by_length(self._validation.lengths, _EVALUATION_BATCH)
            )
            return mean_of(
                self.loss(model, tuple(part.to(device) for part in batch)) for batch in batches
            )

    def samples(self, most: int) -> list[Sample]:
        held = self.data.validation
        lengths = held.values.lengths.tolist()
        return [
            Sample(
                f"validation recording {i} ({lengths[i]} steps)",
                wanted=named(held.labels[i], self.data.classes),
            )
            for i in samples.spread(len(lengths), most).tolist()
        ]

    def answers(self, model: nn.Module, most: int) -> list[Told]:
        labels = self.data.validation.labels
        index = samples.spread(len(labels), most)
        held = self.data.validation.values
        answers = self.finish(model).predict([held[i] for i in index.tolist()])
        return self.head.told(answers, labels[index])

    def baselines(self) -> dict[str, dict[str, float]]:
        """The most frequent class, and two models of summary statistics of a recording."""
        train, test = self.data.train, self.data.part("test")
        held = self._prepare(test.values)
        x, test_x = (with_levels(some, self.data.columns) for some in (self._train, held))
        truth = (train.labels.numpy(), test.labels.numpy())
        return examples.fit_recordings(x, truth[0], test_x, truth[1], self.head.scores)

    def account(self) -> dict[str, Any]:
        return {**self.data.account(), "leaks": self.leaks}

    def finish(self, model: nn.Module) -> TrainedRecordingClassifier:
        return TrainedRecordingClassifier(
            cast(PooledNetwork, model),
            self.config,
            self.data.classes,
            self.scaler,
            self.data.sound,
            self.data.columns,
            self.data.several,
        )

    def describe(self, model: nn.Module) -> str:
        assert isinstance(model, PooledNetwork)
        train, validation = self.data.train, self.data.validation
        example = self._train.values.new_zeros(1, 2, model.recurrent.input_size)
        path = model.recurrent.path(example, ragged=True)
        lengths = train.values.lengths
        return (
            f"{len(train):,} recordings ({span_of(lengths.tolist(), 'steps')}) to "
            f"train on, {len(validation):,} to validate; "
            f"{len(self.data.classes)} {self.head.noun}; {self._train.values.size(1)} features\n"
            f"recurrent layer on {path}"
            f"{in_blocks_words(self.shuffle)}"
            f"{remarks(self.data.notes, self.data.filled, self.leaks, self.config.frames)}"
        )

    @property
    def subject(self) -> ClassifyRecordingsSubject:
        return ClassifyRecordingsSubject(self)


class ClassifyRecordingsSubject(TaskSubject[ClassifyRecordingsTask]):
    """Batches of recordings with their classes, for the coach."""

    def padded(self, batch: Batch, steps: int) -> Batch:
        values, *rest = batch
        return pad(values, (0, 0, 0, steps), value=3), *rest

    def targets(self) -> tuple[Tensor, Tensor]:
        return self.task.data.train.labels, self.task.data.validation.labels


TASK = ClassifyRecordingsTask
