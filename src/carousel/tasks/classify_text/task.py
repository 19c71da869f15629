"""Many-to-one, text: one class for a whole sentence. Sentiment is an example."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from carousel.config import Config
from carousel.data.class_targets import named
from carousel.data.labelled_text import LabelledText
from carousel.data.mapped import pools_of
from carousel.data.mapped_texts import encoded
from carousel.data.order import generator_of
from carousel.data.ragged import Buckets, by_length
from carousel.data.store.texts import MappedTexts
from carousel.data.tokens import Tokens
from carousel.tasks.classify_text.network import TextClassifier, logits_of
from carousel.tasks.classify_text.trained import TrainedTextClassifier
from carousel.tasks.shared import network, samples
from carousel.tasks.shared.baselines import examples
from carousel.tasks.shared.heads import head_of
from carousel.tasks.shared.losses import Batch, Carry, StepLoss, mean_of
from carousel.tasks.shared.pretraining import Pretrainable
from carousel.tasks.shared.recordings import in_blocks_words, shuffle_of
from carousel.tasks.shared.samples import Sample, Told
from carousel.tasks.shared.subject import TaskSubject

_EVALUATION_BATCH = 256
_LOOKED_AT = 500
_MOST_COUNTED = 200_000


class ClassifyTextTask(Pretrainable):
    """Training of a `TextClassifier`: sentences of similar length share a batch."""

    validation_metrics: tuple[str, ...] = ("accuracy", "loss")
    unit = "sentences"
    trained = TrainedTextClassifier

    def __init__(self, config: Config, seed: int, parts: LabelledText | None = None) -> None:
        network.check(config)
        self.config, self._seed = config, seed
        self.data = LabelledText.read(config) if parts is None else parts
        self.tokens = Tokens.fit(self.data.train.texts, config.text)
        self._train = encoded(self.tokens, self.data.train.texts)
        self._validation = encoded(self.tokens, self.data.validation.texts)
        self.head = head_of(
            self.data.classes, several=self.data.several, ordinal=config.columns.ordinal
        )
        self.validation_metrics = self.head.validation_metrics
        self._weights = self.head.weights(self.data.train.labels, config.loss)
        self.shuffle, rows = shuffle_of(self._train, config), config.training.batch_size
        pools = pools_of(self._train, rows) if self.shuffle == "blocks" else None
        self._batches = Buckets(self._train.lengths, rows, seed, pools=pools)

    @property
    def parted(self) -> LabelledText:
        return self.data

    @property
    def batches_per_epoch(self) -> int:
        return len(self._batches)

    def build_model(self) -> TextClassifier:
        return TextClassifier(self.tokens, len(self.data.classes), self.config)

    def train_batches(self, epoch: int, start: int) -> Iterator[Batch]:
        for index in self._batches.epoch(epoch, start):
            yield (*self._train.pad(index), self.data.train.labels[index])

    def loss(self, model: nn.Module, batch: Batch, carry: Carry = ()) -> StepLoss:
        tokens, lengths, labels = batch
        logits = model(tokens, lengths)
        objective, sums = self.head.loss(logits, labels, self.config.loss, self._weights)
        return StepLoss(objective, sums, len(labels))

    def validate(self, model: nn.Module) -> dict[str, float]:
        labels = self.data.validation.labels
        if not self.head.adds_up:
            found = self.head.report(
                labels, logits_of(cast(TextClassifier, model), self._validation)
            )
            return {name: found[name] for name in self.validation_metrics}
        with network.evaluating(model) as device:
            batches = (
                tuple(part.to(device) for part in (*self._validation.pad(index), labels[index]))
                for index in by_length(self._validation.lengths, _EVALUATION_BATCH)
            )
            return mean_of(self.loss(model, batch) for batch in batches)

    def samples(self, most: int) -> list[Sample]:
        held = self.data.validation
        return [
            Sample(
                f"validation sentence {i}",
                given=samples.short(held.texts[i]),
                wanted=named(held.labels[i], self.data.classes),
            )
            for i in samples.spread(len(held.texts), most).tolist()
        ]

    def answers(self, model: nn.Module, most: int) -> list[Told]:
        labels = self.data.validation.labels
        index = samples.spread(len(labels), most)
        trained = self.finish(model)  # a text of the data may be blank, one to predict may not
        answers = trained.decode(logits_of(trained.model, self._validation.take(index)))
        return self.head.told(answers, labels[index])

    def baselines(self) -> dict[str, dict[str, float]]:
        return self.judged_baselines()[0]

    def judged_baselines(self) -> tuple[dict[str, dict[str, float]], list[str]]:
        train, test, notes = self.data.train, self.data.test, []
        if isinstance(train.texts, MappedTexts) and len(train) > _MOST_COUNTED:
            # Its table of words and texts is in memory.
            count, order = len(train), generator_of(self._seed, 0)
            some = torch.randperm(count, generator=order)[:_MOST_COUNTED]
            train = train.take(some.sort().values)  # in the order in which they stand on the disk
            notes.append(
                f"baselines are fitted on {_MOST_COUNTED:,} of {count:,} sentences, drawn by chance"
            )
        cut = self.tokens.cut if self.config.text.level == "word" else None
        found = examples.fit_sentences(
            train.texts,
            train.labels.numpy(),
            test.texts,
            test.labels.numpy(),
            cut,
            self.head.scores,
        )
        return found, notes

    def account(self) -> dict[str, Any]:
        return self.data.account()

    def finish(self, model: nn.Module) -> TrainedTextClassifier:
        net, several = cast(TextClassifier, model), self.data.several
        return TrainedTextClassifier(net, self.config, self.data.classes, self.tokens, several)

    def describe(self, model: nn.Module) -> str:
        assert isinstance(model, TextClassifier)
        example = model.embedding.weight.new_zeros(1, 2, model.recurrent.input_size)
        path = model.recurrent.path(example, ragged=True)
        read_as = f"{self.data.read_as}\n" if self.data.read_as else ""
        letters = self.tokens.letters_said(self.data.train.texts)
        return (
            read_as
            + f"{len(self._train):,} sentences to train on, {len(self._validation):,} to validate; "
            f"{len(self.data.classes)} {self.head.noun}; {len(self.tokens):,} tokens "
            f"({self.config.text.level}){letters}, "
            f"{float(self._train.lengths.float().mean()):.0f} a "
            f"sentence\nrecurrent layer on {path}{in_blocks_words(self.shuffle)}"
        )

    @property
    def subject(self) -> ClassifyTextSubject:
        return ClassifyTextSubject(self)


class ClassifyTextSubject(TaskSubject[ClassifyTextTask]):
    """Batches of sentences with their classes, for the coach."""

    def padded(self, batch: Batch, steps: int) -> Batch:
        tokens, lengths, labels = batch
        behind = (0, steps) if tokens.dim() == 2 else (0, 0, 0, steps)
        return pad(tokens, behind, value=1), lengths, labels

    def targets(self) -> tuple[Tensor, Tensor] | None:
        if self.task.data.several:
            return None
        return self.task.data.train.labels, self.task.data.validation.labels

    def outputs(self, model: nn.Module) -> dict[str, float]:
        labels = self.task.data.validation.labels
        some = torch.arange(min(_LOOKED_AT, len(labels)))
        with network.evaluating(model) as device:
            logits = model(*(part.to(device) for part in self.task._validation.pad(some))).cpu()
        return self.task.head.to_coach(logits, labels[some])


TASK = ClassifyTextTask
