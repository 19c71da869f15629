"""Aligned many-to-many, text: a label for every word. Slots and chunks are examples."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn.functional import pad
from torch.nn.utils.rnn import pad_sequence

from carousel.config import Config
from carousel.data.labelled_words import LabelledWords, WordFeatures
from carousel.data.ragged import Buckets
from carousel.tasks.label_words.network import WordLabeller, logits_of
from carousel.tasks.label_words.scores import headline, judge
from carousel.tasks.label_words.spans import mark_spans, well_formed
from carousel.tasks.label_words.trained import TrainedWordLabeller
from carousel.tasks.shared import network, samples
from carousel.tasks.shared.baselines import examples
from carousel.tasks.shared.losses import Batch, Carry, StepLoss
from carousel.tasks.shared.pretraining import Pretrainable
from carousel.tasks.shared.samples import Sample, Told
from carousel.tasks.shared.subject import TaskSubject


class LabelWordsTask(Pretrainable):
    """Training of a `WordLabeller`: sentences of similar length share a batch."""

    unit = "words"
    trained = TrainedWordLabeller

    def __init__(self, config: Config, seed: int, parts: LabelledWords | None = None) -> None:
        network.check(config)
        self.config = config
        self.data = LabelledWords.read(config) if parts is None else parts
        self.validation_metrics = headline(self.data.labels)
        self._well_formed = mark_spans(self.data.labels) and well_formed(self.data.train.labels)
        self.features = WordFeatures.fit(self.data.train.words, config.text)
        self._train = self.features.encode(self.data.train.words)
        self._validation = self.features.encode(self.data.validation.words)
        number = {label: i for i, label in enumerate(self.data.labels)}
        flat = chain.from_iterable(self.data.train.labels)
        self._targets = torch.tensor([number[label] for label in flat])
        self._weights = network.class_weights(self._targets, len(number), config.loss)
        self._batches = Buckets(self._train.lengths, config.training.batch_size, seed)

    @property
    def parted(self) -> LabelledWords:
        return self.data

    @property
    def batches_per_epoch(self) -> int:
        return len(self._batches)

    def build_model(self) -> WordLabeller:
        return WordLabeller(self.features, len(self.data.labels), self.config)

    def train_batches(self, epoch: int, start: int) -> Iterator[Batch]:
        for index in self._batches.epoch(epoch, start):
            yield (*self._train.pad(index), self._labels_of(index))

    def _labels_of(self, index: Tensor) -> Tensor:
        starts, ends = self._train.offsets[index], self._train.offsets[index + 1]
        pairs = zip(starts.tolist(), ends.tolist(), strict=True)
        return torch.cat([self._targets[start:end] for start, end in pairs])

    def loss(self, model: nn.Module, batch: Batch, carry: Carry = ()) -> StepLoss:
        features, lengths, labels = batch
        logits = model(features, lengths)
        objective, total = network.weighted_loss(logits, labels, self.config.loss, self._weights)
        hits = (logits.detach().argmax(1) == labels).sum()
        return StepLoss(objective, {"loss": total, "accuracy": hits}, len(labels))

    def validate(self, model: nn.Module) -> dict[str, float]:
        logits = logits_of(model, self._validation)
        values, _ = judge(self.data.validation, logits, self.data.labels, self._well_formed)
        return {name: values[name] for name in self.validation_metrics}

    def samples(self, most: int) -> list[Sample]:
        held = self.data.validation
        return [
            Sample(
                f"validation sentence {i}",
                words=tuple(held.words[i][: samples.MOST_STEPS]),
                stripe=tuple(held.labels[i][: samples.MOST_STEPS]),
            )
            for i in samples.spread(len(held.words), most).tolist()
        ]

    def answers(self, model: nn.Module, most: int) -> list[Told]:
        held = self.data.validation
        index = samples.spread(len(held.words), most)
        found = self.finish(model).predict([held.words[i] for i in index.tolist()])
        return [
            samples.of_steps(held.labels[i], [word.label for word in answer.words])
            for i, answer in zip(index.tolist(), found, strict=True)
        ]

    def baselines(self) -> dict[str, dict[str, float]]:
        """The most frequent label of each word in training, and of all for a new word."""
        train, test = self.data.train, self.data.test
        keys = self.features
        guess = examples.most_frequent_labels(
            zip(
                map(keys.plain, chain.from_iterable(train.words)),
                self._targets.tolist(),
                strict=True,
            ),
            map(keys.plain, chain.from_iterable(test.words)),
        )
        logits = nn.functional.one_hot(torch.tensor(guess), len(self.data.labels)).float()
        values, _ = judge(test, logits, self.data.labels)
        del values["loss"]  # of a guess without probabilities
        return {"most_frequent_label": values}

    def account(self) -> dict[str, Any]:
        return self.data.account()

    def finish(self, model: nn.Module) -> TrainedWordLabeller:
        net = cast(WordLabeller, model)
        return TrainedWordLabeller(
            net, self.config, self.data.labels, self.features, self._well_formed
        )

    def describe(self, model: nn.Module) -> str:
        assert isinstance(model, WordLabeller)
        width = model.recurrent.input_size
        path = model.recurrent.path(model.head.weight.new_zeros(1, 2, width), ragged=True)
        sizes = ", ".join(
            f"{len(vocabulary):,} {name}{'es' if name.endswith('x') else 's'}"
            for name, vocabulary in zip(
                self.features.names, self.features.vocabularies, strict=True
            )
        )
        if (spelling := self.features.spelling) is not None:
            sizes += f", {spelling.said(set(chain.from_iterable(self.data.train.words)))}"
        read_as = f"{self.data.read_as}\n" if self.data.read_as else ""
        return (
            read_as
            + f"{len(self._train):,} sentences ({self.data.train.total:,} words) to train on, "
            f"{len(self._validation):,} to validate; {len(self.data.labels)} labels; {sizes}\n"
            f"recurrent layer on {path}"
        )

    @property
    def subject(self) -> LabelWordsSubject:
        return LabelWordsSubject(self)


class LabelWordsSubject(TaskSubject[LabelWordsTask]):
    """Batches of sentences with a label for every word, for the coach."""

    many_answers = True

    def pick(self, batch: Batch, index: Tensor) -> Batch:
        features, lengths, labels = batch
        rows = torch.split(labels, lengths.tolist())
        return features[index], lengths[index], torch.cat([rows[i] for i in index.tolist()])

    def padded(self, batch: Batch, steps: int) -> Batch:
        features, lengths, labels = batch
        return pad(features, (0, 0, 0, steps), value=1), lengths, labels

    def step_outputs(self, model: nn.Module, batch: Batch) -> Tensor:
        features, lengths, _ = batch
        said = torch.split(model(features, lengths), lengths.tolist())
        return pad_sequence([*said], batch_first=True)

    def targets(self) -> tuple[Tensor, Tensor]:
        number = {label: i for i, label in enumerate(self.task.data.labels)}
        held = chain.from_iterable(self.task.data.validation.labels)
        return self.task._targets, torch.tensor([number.get(label, -1) for label in held])


TASK = LabelWordsTask
