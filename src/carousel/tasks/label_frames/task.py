"""Aligned many-to-many, series: a label for every frame of a recording."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from carousel.config import Config
from carousel.data import leaks
from carousel.data.recordings import LabelledFrames
from carousel.tasks.label_frames.scores import judge
from carousel.tasks.label_frames.trained import TrainedFrameLabeller
from carousel.tasks.shared import network, outputs, samples
from carousel.tasks.shared.baselines import examples
from carousel.tasks.shared.frames import FrameLabeller, build_model, logits_of
from carousel.tasks.shared.losses import Batch, Carry, StepLoss
from carousel.tasks.shared.prepared import with_levels
from carousel.tasks.shared.recordings import RecordingsSubject, RecordingsTask
from carousel.tasks.shared.samples import Sample, Told

_OF_BASELINES = (
    "macro_f1",
    "accuracy",
    "segment_f1_10",
    "segment_f1_25",
    "segment_f1_50",
    "edit_score",
)


class LabelFramesTask(RecordingsTask):
    """Training of a `FrameLabeller` on windows of recordings; whole recordings judge."""

    validation_metrics = ("macro_f1", "accuracy", "segment_f1_50", "loss")
    unit = "frames"
    trained = TrainedFrameLabeller
    data: LabelledFrames

    def __init__(self, config: Config, seed: int, parts: LabelledFrames | None = None) -> None:
        network.check(config)
        self.config = config
        self.data = LabelledFrames.read(config) if parts is None else parts
        train, classes = self.data.train, len(self.data.classes)
        self._cut(train.values, train.labels, self.data.validation.values, seed)
        labelled = train.labels[train.labels >= 0]
        self._weights = network.class_weights(labelled, classes, config.loss)
        self.leaks = leaks.of_frames(train.values, train.labels, self.data.columns, classes)

    def build_model(self) -> FrameLabeller:
        return build_model(
            self._train.values.size(1), len(self.data.classes), self.config, self._levels
        )

    def loss(self, model: nn.Module, batch: Batch, carry: Carry = ()) -> StepLoss:
        values, lengths, *weights, labels = batch
        inside = labels >= 0
        rows = [each.unsqueeze(1).expand_as(labels)[inside] for each in weights]
        values = self._noisy(values, model.training)
        logits, truth = model(values, lengths)[inside], labels[inside]
        objective, total = network.weighted_loss(
            logits, truth, self.config.loss, self._weights, *rows
        )
        right = logits.detach().argmax(1) == truth
        hits = (right * rows[0]).sum() if rows else right.sum()
        return StepLoss(objective, {"loss": total, "accuracy": hits}, len(truth))

    def validate(self, model: nn.Module) -> dict[str, float]:
        logits = logits_of(model, self._validation)
        report = judge(self.data.validation, logits, self.data.classes)
        return {name: report[name] for name in self.validation_metrics}

    def samples(self, most: int) -> list[Sample]:
        held = self.data.validation
        rows = torch.split(held.labels, held.values.lengths.tolist())
        return [
            Sample(held.names[i], stripe=self._named(rows[i])[: samples.MOST_STEPS])
            for i in samples.spread(len(rows), most).tolist()
        ]

    def answers(self, model: nn.Module, most: int) -> list[Told]:
        held = self.data.validation
        rows = torch.split(held.labels, held.values.lengths.tolist())
        index = samples.spread(len(rows), most)
        answers = self.finish(model).predict([held.values[i] for i in index.tolist()])
        return [
            samples.of_steps(self._named(rows[i]), answer.labels)
            for i, answer in zip(index.tolist(), answers, strict=True)
        ]

    def _named(self, labels: Tensor) -> tuple[str, ...]:
        return tuple(self.data.classes[i] if i >= 0 else "" for i in labels.tolist())

    def baselines(self) -> dict[str, dict[str, float]]:
        """The most frequent class, and logistic regression of each frame by itself."""
        test, train = self.data.part("test"), self.data.train
        inside = train.labels >= 0
        held = self._prepare(test.values)
        wide, test_x = (with_levels(some, self.data.columns) for some in (self._train, held))
        x, y = wide.values[inside].numpy(), train.labels[inside].numpy()
        guesses = examples.fit_frames(x, y, test_x.values.numpy())
        scores = {}
        for name, guess in guesses.items():
            sure = nn.functional.one_hot(torch.from_numpy(guess), len(self.data.classes)).float()
            report = judge(test, sure, self.data.classes)
            scores[name] = {key: report[key] for key in _OF_BASELINES}
        return scores

    def finish(self, model: nn.Module) -> TrainedFrameLabeller:
        data = self.data
        return TrainedFrameLabeller(model, self.config, data.classes, self.scaler, data.columns)

    def describe(self, model: nn.Module) -> str:
        assert isinstance(model, FrameLabeller)
        train, validation = self.data.train, self.data.validation
        example = self._train.values.new_zeros(1, 2, model.recurrent.input_size)
        path = model.recurrent.path(example, ragged=True)
        return (
            f"{len(train)} recordings ({len(train.labels):,} frames, "
            f"{int((train.labels >= 0).sum()):,} labelled) to train on, {len(validation)} to "
            f"validate; {len(self.data.classes)} classes; {self._train.values.size(1)} features\n"
            f"recurrent layer on {path}{self._remarks()}"
        )

    @property
    def subject(self) -> LabelFramesSubject:
        return LabelFramesSubject(self)


class LabelFramesSubject(RecordingsSubject[LabelFramesTask]):
    """Batches of windows with a label for every frame, for the coach."""

    many_answers = True

    def targets(self) -> tuple[Tensor, Tensor]:
        return self.task.data.train.labels, self.task.data.validation.labels

    def outputs(self, model: nn.Module) -> dict[str, float]:
        guess = logits_of(model, self.task._validation).argmax(1)
        return outputs.of_classes(guess, self.task.data.validation.labels)


TASK = LabelFramesTask
