"""One-to-many: text, token after token. Language models over words, characters, labelled lines."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

import numpy as np
from torch import Tensor, nn
from torch.nn.functional import pad

from carousel import layers
from carousel.config import Config
from carousel.data.text import Corpus, Part, TextParts
from carousel.data.text_batches import IGNORED, LineBatches, StreamWindows, all_of
from carousel.errors import ConfigError, DataError
from carousel.tasks.generate.network import LanguageModel
from carousel.tasks.generate.ngrams import NGram
from carousel.tasks.generate.scores import measures
from carousel.tasks.generate.trained import TrainedLanguageModel
from carousel.tasks.shared import network
from carousel.tasks.shared.losses import Batch, Carry, StepLoss
from carousel.tasks.shared.subject import TaskSubject
from carousel.tasks.shared.task import Task

_EVALUATION_STEPS = 200
_STREAM = 1000


class GenerateTask(Task):
    """Training of a `LanguageModel`.

    Of a running text, batch row b is one stream and the state is carried from window to window,
    gradients going back `text.bptt` steps; every epoch starts from zeros. Labelled lines are
    shuffled, each from zeros to its end.
    """

    unit = "tokens"
    trained = TrainedLanguageModel

    def __init__(self, config: Config, seed: int, parts: TextParts | None = None) -> None:
        network.check(config)
        if config.text.level not in ("word", "character"):
            raise ConfigError(
                f"text.level must be word or character to generate, got '{config.text.level}'"
            )
        self.config = config
        self.corpus = Corpus.read(config) if parts is None else Corpus(parts, config.text)
        frequent, size = config.model.adaptive_softmax, len(self.corpus.vocabulary)
        if frequent >= size:
            raise ConfigError(
                f"model.adaptive_softmax must be below the size of the vocabulary, {size:,}; got "
                f"{frequent:,} (0: a full softmax)"
            )
        self.validation_metrics = tuple(measures(self.corpus.kind, 0.0))
        self.unit = "words" if self.corpus.kind == "word" else "characters"
        self._train, self._validation = self.corpus.part("train"), self.corpus.part("validation")
        if self._validation.predictions < 1:
            raise DataError(
                f"the validation part has {len(self._validation.ids)} tokens, too few to predict "
                f"one: the text is too short, or text.validation too small"
            )
        rows = config.training.batch_size
        self._batches: StreamWindows | LineBatches
        if self._train.offsets is None:
            self._batches = StreamWindows(self._train, rows, config.text.bptt)
        else:
            self._batches = LineBatches(self._train, rows, seed)

    @property
    def parted(self) -> Corpus:
        return self.corpus

    @property
    def batches_per_epoch(self) -> int:
        return len(self._batches)

    def build_model(self) -> LanguageModel:
        return LanguageModel(len(self.corpus.vocabulary), self.config)

    def train_batches(self, epoch: int, start: int) -> Iterator[Batch]:
        return self._batches.epoch(epoch, start)

    def loss(self, model: nn.Module, batch: Batch, carry: Carry = ()) -> StepLoss:
        tokens, targets = batch
        scored = cast(LanguageModel, model).score(tokens, targets, carry)
        count = int((targets >= 0).sum())
        objective = scored.loss / count
        if scored.penalty is not None:
            objective = objective + scored.penalty
        weight = count
        if self.config.text.loss_scale == "steps":
            objective = objective * (count / targets.size(1))
            weight = targets.size(1)
        carried = self._train.offsets is None
        state = tuple(part.detach() for part in scored.state) if carried else ()
        return StepLoss(objective, {"loss": scored.loss.detach()}, count, state, weight)

    def metrics(self, means: dict[str, float]) -> dict[str, float]:
        return measures(self.corpus.kind, means["loss"])

    def validate(self, model: nn.Module) -> dict[str, float]:
        carry: Carry = ()
        total, count = 0.0, 0
        with network.evaluating(model) as device:
            for x, y in self._in_order(self._validation):
                step = self.loss(model, (x.to(device), y.to(device)), carry)
                total += float(step.sums["loss"])
                count += step.count
                carry = step.carry
        return measures(self.corpus.kind, total / count)

    def _in_order(self, part: Part) -> Iterator[Batch]:
        rows = self.config.training.batch_size
        if part.offsets is None:
            # Every stream starts cold: so many only that this does not show.
            rows = max(1, min(rows, part.predictions // _STREAM))
            return all_of(part, rows, _EVALUATION_STEPS)
        return LineBatches(part, rows, seed=0).in_order()

    def baselines(self) -> dict[str, dict[str, float]]:
        """Interpolated modified Kneser-Ney, and the frequencies of single tokens."""
        order, size = (5 if self.corpus.kind == "word" else 7), len(self.corpus.vocabulary)
        train, test = self._train, self.corpus.part("test")
        predicted = test.targets().numpy()
        scores = {}
        for name, n in (("unigram", 1), (f"kneser_ney_{order}", order)):
            chances = NGram(train.ids.numpy(), n, size).probabilities(test.ids.numpy())
            loss = float(-np.log(chances[predicted]).mean())
            scores[name] = measures(self.corpus.kind, loss)
        return scores

    def finish(self, model: nn.Module) -> TrainedLanguageModel:
        assert isinstance(model, LanguageModel)
        return TrainedLanguageModel(model, self.config, self.corpus.kind, self.corpus.vocabulary)

    def describe(self, model: nn.Module) -> str:
        assert isinstance(model, LanguageModel)
        rows, steps = self.config.training.batch_size, self.config.text.bptt
        if self._train.offsets is None:
            how = f"{rows} streams, windows of {steps}"
        else:
            how = f"{rows} lines at a time"
        example = model.embedding.weight.new_zeros(steps, rows, model.embedding.embedding_dim)
        return (
            f"{self._train.predictions:,} {self.unit} to train on, "
            f"{self._validation.predictions:,} to validate; vocabulary "
            f"{len(self.corpus.vocabulary):,}; {how}\n"
            f"recurrent layer on {layers.explain(model.recurrent, example)}"
        )

    @property
    def subject(self) -> GenerateSubject:
        return GenerateSubject(self)


class GenerateSubject(TaskSubject[GenerateTask]):
    """Batches of tokens, steps first, for the coach."""

    batch_dim = 1

    def padded(self, batch: Batch, steps: int) -> Batch | None:
        if self.task._train.offsets is None:
            return None
        tokens, targets = batch
        wider = (0, 0, 0, steps)
        return pad(tokens, wider, value=1), pad(targets, wider, value=IGNORED)

    def step_outputs(self, model: nn.Module, batch: Batch) -> Tensor | None:
        return model.logits(batch[0]).transpose(0, 1) if isinstance(model, LanguageModel) else None


TASK = GenerateTask
