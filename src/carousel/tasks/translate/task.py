"""Many-to-many: a sentence of one language into a sentence of another."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, cast

import torch
from torch import nn
from torch.nn.functional import pad

from carousel import layers
from carousel.config import Config
from carousel.data.ragged import Buckets, Ragged
from carousel.data.sentence_pairs import Pairs, Parallel
from carousel.data.tokens import Tokens
from carousel.errors import DataError, require_extra
from carousel.tasks.shared import network, samples
from carousel.tasks.shared.beam_search import Search
from carousel.tasks.shared.losses import Batch, Carry, StepLoss
from carousel.tasks.shared.samples import Sample, Told, likeness
from carousel.tasks.shared.subject import WriterSubject
from carousel.tasks.shared.task import Task
from carousel.tasks.translate.memory import copied, remembered
from carousel.tasks.translate.network import Translator, batch_of, mean_loss, translate
from carousel.tasks.translate.scores import TranslationScores
from carousel.tasks.translate.trained import TrainedTranslator


class TranslateTask(Task):
    """Training of a `Translator` under teacher forcing: pairs of similar lengths share a batch.

    Every epoch ends with the loss of the validation part and the BLEU of its greedy translations.
    """

    validation_metrics = ("bleu", "perplexity", "loss")
    unit = "tokens"
    trained = TrainedTranslator

    def __init__(self, config: Config, seed: int, parts: Parallel | None = None) -> None:
        require_extra("scoring sentences", "text", "sacrebleu")  # now, not after the training
        network.check(config)
        self.config = config
        self.data = Parallel.read(config) if parts is None else parts
        self.source_tokens, self.target_tokens = fit_tokens(self.data.train, config)
        self.scores = TranslationScores.of(config)
        self._train, self._too_long = self._within(self.data.train)
        self._validation = self._encode(self.data.validation)
        sources, targets = (side.lengths for side in self._train)
        # Targets first: their steps cost most. Sources of one length are then next to each other.
        self._batches = Buckets(
            targets * (int(sources.max()) + 1) + sources, config.training.batch_size, seed
        )

    @property
    def parted(self) -> Parallel:
        return self.data

    @property
    def batches_per_epoch(self) -> int:
        return len(self._batches)

    @property
    def subject(self) -> TranslateSubject:
        return TranslateSubject(self)

    def build_model(self) -> Translator:
        return Translator(len(self.source_tokens), len(self.target_tokens), self.config)

    def train_batches(self, epoch: int, start: int) -> Iterator[Batch]:
        highest = self.config.decoder.scheduled_sampling
        total = max(1, self.config.training.epochs * len(self._batches) - 1)
        for number, index in enumerate(self._batches.epoch(epoch, start), start):
            batch: Batch = batch_of(*self._train, index, len(self.target_tokens))
            if highest:
                done = min(1.0, (epoch * len(self._batches) + number) / total)
                batch = (*batch, torch.tensor(highest * done))
            yield batch

    def loss(self, model: nn.Module, batch: Batch, carry: Carry = ()) -> StepLoss:
        scored = cast(Translator, model).score(*batch)
        count = int((batch[3] >= 0).sum())
        return StepLoss(scored.objective / count, {"loss": scored.loss.detach()}, count)

    def metrics(self, means: dict[str, float]) -> dict[str, float]:
        return {"perplexity": math.exp(min(means["loss"], 700.0)), **means}

    def validate(self, model: nn.Module) -> dict[str, float]:
        assert isinstance(model, Translator)
        loss = mean_loss(model, *self._validation)
        some = slice(self.config.translate.validation_sentences or None)
        wanted = self.data.validation.targets[some]
        sources = self._validation[0].take(torch.arange(len(wanted)))
        greedy = Search(1, self.config.decoder.length_penalty)
        factor = self.config.translate.length_factor
        found = [
            self.target_tokens.decode(best[0].tokens)
            for best in translate(model, sources, greedy, factor)
        ]
        return {"bleu": self.scores.bleu(found, wanted), **self.metrics({"loss": loss})}

    def samples(self, most: int) -> list[Sample]:
        held = self.data.validation
        return [
            Sample(
                f"validation sentence {i}",
                given=samples.short(held.sources[i]),
                wanted=samples.short(held.targets[i]),
            )
            for i in samples.spread(len(held.sources), most).tolist()
        ]

    def answers(self, model: nn.Module, most: int) -> list[Told]:
        held = self.data.validation
        index = samples.spread(len(held.sources), most).tolist()
        found = self.finish(model).predict([held.sources[i] for i in index], beam=1)
        return [
            Told(1 - likeness(answer.text, held.targets[i]), samples.short(answer.text))
            for i, answer in zip(index, found, strict=True)
        ]

    def baselines(self) -> dict[str, dict[str, float]]:
        """The source itself, and the translation of the most similar sentence in training."""
        train, test = self.data.train, self.data.test
        found = {"copy": copied(test), "translation_memory": remembered(train, test.sources)}
        return {name: self.scores.measure(some, test.targets) for name, some in found.items()}

    def account(self) -> dict[str, Any]:
        tokens = {"source": len(self.source_tokens), "target": len(self.target_tokens)}
        return {
            **self.data.account(),
            "too_long": {"train": self._too_long},
            "vocabulary": tokens,
            "signatures": self.scores.signatures(),
        }

    def finish(self, model: nn.Module) -> TrainedTranslator:
        assert isinstance(model, Translator)
        return TrainedTranslator(model, self.config, self.source_tokens, self.target_tokens)

    def describe(self, model: nn.Module) -> str:
        assert isinstance(model, Translator)
        lengths = [float(side.lengths.float().mean()) for side in self._train]
        example = model.embedding.weight.new_zeros(1, 2, model.embedding.embedding_dim)
        joint = " (one for both)" if self.config.translate.joint else ""
        left = f"; {self._too_long:,} pairs too long, left out" if self._too_long else ""
        return (
            f"{len(self._train[0]):,} pairs to train on, {len(self.data.validation):,} to validate"
            f"{left}; {len(self.source_tokens):,} source and {len(self.target_tokens):,} target "
            f"tokens{joint}, {lengths[0]:.0f} and {lengths[1]:.0f} a sentence\n"
            f"encoder on {model.recurrent.path(example, ragged=True)}\n"
            f"decoder on {layers.explain(model.decoder.recurrent, example)}"
        )

    def _encode(self, pairs: Pairs) -> tuple[Ragged, Ragged]:
        return self.source_tokens.encode(pairs.sources), self.target_tokens.encode(pairs.targets)

    def _within(self, pairs: Pairs) -> tuple[tuple[Ragged, Ragged], int]:
        """The pairs that are not too long to train on, and how many are."""
        sides, longest = self._encode(pairs), self.config.translate.max_length
        if not longest:
            return sides, 0
        kept = (sides[0].lengths <= longest) & (sides[1].lengths <= longest)
        index = kept.nonzero().squeeze(1)
        if not len(index):
            raise DataError(
                f"every pair to train on has more than translate.max_length = {longest} tokens"
            )
        return (sides[0].take(index), sides[1].take(index)), int((~kept).sum())


class TranslateSubject(WriterSubject[TranslateTask]):
    """Batches of sentence pairs, for the coach."""

    def padded(self, batch: Batch, steps: int) -> Batch:
        sources, *rest = super().padded(batch, steps)
        return (pad(sources, (0, steps), value=1), *rest)


def fit_tokens(train: Pairs, config: Config) -> tuple[Tokens, Tokens]:
    """The tokens of both languages, of the training part alone; one for both where joint."""
    if config.translate.joint:
        both = Tokens.fit([*train.sources, *train.targets], config.text)
        return both, both
    return Tokens.fit(train.sources, config.text), Tokens.fit(train.targets, config.text)


TASK = TranslateTask
