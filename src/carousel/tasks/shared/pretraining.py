"""Pre-training of a text's encoder as a language model, on the words that its task learns from.

    x_t = what the encoder's recurrent layers read of word t;  y = recurrent(x)
    forward:  P(w_{t+1} | w_1 … w_t) = softmax([E; e] (P y_t + p) + b)
    backward: P(w_{t-1} | w_t … w_n) likewise, of the direction that reads from the end

E are the encoder's own embeddings (Press and Wolf 2017, arXiv:1608.05859), e stands for the end of
a text, P is another matrix for each direction. Embeddings, letters and recurrent weights are taken
over. Sources: Dai and Le 2015 (arXiv:1511.01432); Howard and Ruder 2018 (arXiv:1801.06146).
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import ClassVar, Protocol, cast

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from carousel import layers
from carousel.config import (
    AveragingConfig,
    Config,
    LossConfig,
    PretrainingConfig,
    TrainingConfig,
)
from carousel.data.mapped import pools_of, regrouped
from carousel.data.ragged import Buckets, Ragged, by_length
from carousel.data.record import Parted
from carousel.errors import ConfigError, DataError
from carousel.layers.base import Recurrent
from carousel.layers.cross_entropy import linear_cross_entropy
from carousel.optim.step import Layer
from carousel.tasks.shared.losses import Batch, Carry, StepLoss, mean_of
from carousel.tasks.shared.network import evaluating, make_recurrent
from carousel.tasks.shared.recordings import in_blocks_words, shuffle_of
from carousel.tasks.shared.subject import TaskSubject
from carousel.tasks.shared.task import Task, TrainedModel

_EVALUATION_BATCH = 256
_NOBODY = -1  # target of a place that is padding
_LAYER = re.compile(r"^recurrent\.\w*_l(\d+)(_reverse)?$")


class Encoder(Protocol):
    """A network whose embeddings and recurrent layers can learn to predict words."""

    recurrent: Recurrent
    dropout: nn.Module
    head: nn.Module

    def embedded(self, tokens: Tensor) -> Tensor:
        """Inputs of the recurrent layers (B, T, I) of tokens (B, T, …)."""

    @property
    def word_embedding(self) -> nn.Embedding: ...


class NextWords(nn.Module):
    """Language model of each direction of an encoder, which share its embeddings.

    Of several bidirectional layers only the lowest is trained: those above it read both directions,
    and so the word that is to be predicted.
    """

    def __init__(self, encoder: Encoder, config: Config) -> None:
        super().__init__()
        model = config.model
        size, width = encoder.word_embedding.weight.shape
        encoder.head = nn.Identity()
        if model.bidirectional and model.num_layers > 1:
            whole = encoder.recurrent
            encoder.recurrent = make_recurrent(
                whole.input_size,
                replace(model, num_layers=1),
                config.regularization,
                batch_first=True,
            )
            encoder.recurrent.load_state_dict(whole.state_dict(), strict=False)
        self.encoder = encoder
        self.directions = 2 if model.bidirectional else 1
        self.projections = nn.ModuleList(
            nn.Linear(model.hidden_size, width) for _ in range(self.directions)
        )
        self.end = nn.Parameter(torch.empty(1, width).uniform_(-0.1, 0.1))
        self.bias = nn.Parameter(torch.zeros(size + 1))

    def forward(self, tokens: Tensor, lengths: Tensor, targets: Tensor) -> Tensor:
        """Summed loss of the targets (B, T, directions), of which negative ones are passed over.

        tokens (B, T, …), lengths (B,).
        """
        outputs, _ = self.encoder.recurrent(self.encoder.embedded(tokens), lengths=lengths)
        weight = torch.cat((self.encoder.word_embedding.weight, self.end))
        loss: Tensor = outputs.new_zeros(())
        parts = outputs.chunk(self.directions, -1)
        for direction, (part, projection) in enumerate(zip(parts, self.projections, strict=True)):
            real = targets[..., direction] >= 0
            read = projection(self.encoder.dropout(part[real]))
            loss = loss + linear_cross_entropy(
                read, weight, self.bias, targets[..., direction][real]
            )
        return loss


class Pretraining(Task):
    """Training of `NextWords` on the texts of another task, whose encoder it is to be.

    Texts of similar length share a batch. Each word is read from the beginning of its text, or of
    the piece of at most `pretraining.bptt` words that it is in.
    """

    validation_metrics = ("perplexity", "loss")
    unit = "words"

    def __init__(self, task: Task, train: Ragged, validation: Ragged, seed: int) -> None:
        """task: that follows. train, validation: its texts as its network reads them.

        Raises `DataError` where one of them has no word.
        """
        self._task = task
        self.config = phase_of(task.config)
        encoder = cast(Encoder, task.build_model())  # of which the sizes are asked alone
        self._size = encoder.word_embedding.num_embeddings
        self._directions = 2 if self.config.model.bidirectional else 1
        self._parts: dict[str, tuple[Ragged, Tensor]] = {}
        for name, texts in (("training", train), ("validation", validation)):
            if not len(texts.values):
                raise DataError(
                    f"the {name} part has no word to pre-train with: set pretraining.epochs to 0"
                )
            starts = pieces(texts.offsets, task.config.pretraining.bptt)
            words = texts.values if texts.values.dim() == 1 else texts.values[:, 0]
            beside = edges(words, texts.offsets, starts, self._size)
            self._parts[name] = regrouped(texts, starts), beside
        cut, rows = self._parts["training"][0], self.config.training.batch_size
        self.shuffle = shuffle_of(train, task.config)
        pools = pools_of(cut, rows) if self.shuffle == "blocks" else None
        self._batches = Buckets(cut.lengths, rows, seed, pools=pools)

    @property
    def parted(self) -> Parted:
        return self._task.parted

    @property
    def batches_per_epoch(self) -> int:
        return len(self._batches)

    def build_model(self) -> NextWords:
        return NextWords(cast(Encoder, self._task.build_model()), self.config)

    def train_batches(self, epoch: int, start: int) -> Iterator[Batch]:
        for index in self._batches.epoch(epoch, start):
            yield self._batch("training", index)

    def _batch(self, name: str, index: Tensor) -> Batch:
        texts, beside = self._parts[name]
        tokens, lengths = texts.pad(index)
        words = tokens if tokens.dim() == 2 else tokens[..., 0]
        return tokens, lengths, neighbours(words, lengths, beside[index], self._directions)

    def loss(self, model: nn.Module, batch: Batch, carry: Carry = ()) -> StepLoss:
        tokens, lengths, targets = batch
        loss = model(tokens, lengths, targets)
        count = targets.numel() - int((targets < 0).sum())
        return StepLoss(loss / count, {"loss": loss.detach()}, count)

    def metrics(self, means: dict[str, float]) -> dict[str, float]:
        return _measures(means["loss"])

    def validate(self, model: nn.Module) -> dict[str, float]:
        with evaluating(model) as device:
            batches = (
                tuple(part.to(device) for part in self._batch("validation", index))
                for index in by_length(self._parts["validation"][0].lengths, _EVALUATION_BATCH)
            )
            return _measures(mean_of(self.loss(model, batch) for batch in batches)["loss"])

    def baselines(self) -> dict[str, dict[str, float]]:
        return {}

    def finish(self, model: nn.Module) -> TrainedModel:
        raise ConfigError("a language model of pre-training is no model by itself")

    def describe(self, model: nn.Module) -> str:
        net = cast(NextWords, model)
        texts, _ = self._parts["training"]
        rows, longest = self.config.training.batch_size, int(texts.lengths.max())
        recurrent = net.encoder.recurrent
        example = net.bias.new_zeros(rows, longest, recurrent.input_size)
        both = ", and from the end the one before" if net.directions > 1 else ""
        left = self._task.config.model.num_layers - recurrent.num_layers
        above = (
            f"\n{left} of the recurrent layers above the lowest left as they begin: they read both "
            "directions"
        )
        return (
            f"pre-training: a language model of the next word{both}, on "
            f"{len(texts.values):,} words of the training part alone; vocabulary {self._size:,}, "
            f"pieces of at most {longest} words\n"
            f"recurrent layer on {layers.explain(recurrent, example)}{above if left else ''}"
            f"{in_blocks_words(self.shuffle)}{self._never_trained()}"
        )

    def _never_trained(self) -> str:
        """Warning, after a line break, where training is over before all layers have joined it."""
        asked, epochs = self._task.config, self._task.config.training.epochs
        late = asked.pretraining.unfreeze * (asked.model.num_layers + 1)
        if late < epochs:
            return ""
        return (
            f"\nwarning: with pretraining.unfreeze = {asked.pretraining.unfreeze} the embeddings "
            f"join after {late} epochs, and training has {epochs}: they stay as they are then"
        )

    def hand_over(self, weights: dict[str, Tensor], network: nn.Module) -> None:
        """Give the network of the task that follows the embeddings and recurrent weights.

        weights: of the language model.
        """
        own, begin = network.state_dict(), "encoder."
        for name, tensor in weights.items():
            if name.startswith(begin):
                own[name.removeprefix(begin)].copy_(tensor)

    @property
    def subject(self) -> PretrainingSubject:
        return PretrainingSubject(self)

    trained: ClassVar[type[TrainedModel]]


class Pretrainable(Task):
    """A task of texts whose encoder can learn to predict their words before it is trained."""

    _train: Ragged
    _validation: Ragged

    def pretraining(self, seed: int) -> Pretraining:
        """Task that trains the encoder first, on the texts of this one. Raises `DataError`."""
        return Pretraining(self, self._train, self._validation, seed)

    def layers(self, network: nn.Module) -> list[Layer]:
        """Layers of the network that are not trained alike, from the head down; empty: all are."""
        return layers_of(network, self.config) if self.config.pretraining.epochs else []


class PretrainingSubject(TaskSubject[Pretraining]):
    """Batches of texts with the words beside each word, for the coach."""

    def padded(self, batch: Batch, steps: int) -> Batch:
        tokens, lengths, targets = batch
        behind = (0, steps) if tokens.dim() == 2 else (0, 0, 0, steps)
        further = pad(targets, (0, 0, 0, steps), value=_NOBODY)
        return pad(tokens, behind, value=1), lengths, further


def phase_of(config: Config) -> Config:
    """The configuration of the pre-training that another one asks for: its network, optimiser and
    schedule, with the rate, epochs and rows of `[pretraining]`; ends with the best epoch."""
    asked, before = config.pretraining, config.training
    training = TrainingConfig(
        epochs=asked.epochs,
        batch_size=asked.batch_size or before.batch_size,
        samples=0,
        checkpoint_seconds=before.checkpoint_seconds,
    )
    rate = asked.learning_rate or config.optimizer.learning_rate
    return replace(
        config,
        training=training,
        optimizer=replace(config.optimizer, learning_rate=rate),
        averaging=AveragingConfig(),
        loss=LossConfig(),
        pretraining=PretrainingConfig(),
        coach=replace(config.coach, enabled=False),
    )


def neighbours(words: Tensor, lengths: Tensor, beside: Tensor, directions: int) -> Tensor:
    """The word after each of words (B, T), and with two directions the one before:
    (B, T, directions); negative behind a row's end. lengths (B,), at least 1. beside (B, 2): what
    follows each row, and what comes before it.

    >>> neighbours(torch.tensor([[3, 4], [5, 0]]), torch.tensor([2, 1]), torch.tensor(
    ...     [[9, 8], [7, 6]]), 2).tolist()
    [[[4, 8], [9, 3]], [[7, 6], [-1, -1]]]
    """
    rows, place = torch.arange(len(words)), torch.arange(words.size(1))
    after, before = words.roll(-1, 1), words.roll(1, 1)
    after[rows, lengths - 1], before[:, 0] = beside[:, 0], beside[:, 1]
    found = torch.stack((after, before)[:directions], -1)
    found[place >= lengths.unsqueeze(1)] = _NOBODY
    return found


def edges(words: Tensor, offsets: Tensor, starts: Tensor, end: int) -> Tensor:
    """The words (P, 2) behind each piece and before it, of words (N,) in texts that begin at
    offsets and pieces that begin at starts: `end` where the text ends or begins.

    >>> edges(torch.tensor([3, 4, 5]), torch.tensor([0, 2, 3]), torch.tensor([0, 1, 2, 3]), 9
    ...     ).tolist()
    [[4, 9], [9, 3], [9, 9]]
    """
    first, last = starts[:-1], starts[1:]
    after = words[last.clamp(max=len(words) - 1)]
    before = words[(first - 1).clamp(min=0)]
    after[torch.isin(last, offsets)] = end
    before[torch.isin(first, offsets)] = end
    return torch.stack((after, before), 1)


def pieces(offsets: Tensor, longest: int) -> Tensor:
    """Starts of pieces of at most so many words, of texts that begin at offsets, and the end.
    Texts without words are none.

    >>> pieces(torch.tensor([0, 5, 5, 7]), 2).tolist()
    [0, 2, 4, 5, 7]
    """
    counts = (offsets.diff() + longest - 1) // longest
    number = torch.arange(int(counts.sum())) - (counts.cumsum(0) - counts).repeat_interleave(counts)
    return torch.cat((offsets[:-1].repeat_interleave(counts) + longest * number, offsets[-1:]))


def layers_of(network: nn.Module, config: Config) -> list[Layer]:
    """The layers of a network of words from the head down to the embeddings, with what each has of
    the learning rate, and the epochs for which it stays as it is."""
    depth = config.model.num_layers
    found: list[list[nn.Parameter]] = [[] for _ in range(depth + 2)]
    for name, parameter in network.named_parameters():
        layer = _LAYER.match(name)
        if layer:
            found[depth - int(layer[1])].append(parameter)
        elif name.startswith(("embedding", "spelled")):
            found[-1].append(parameter)
        else:
            found[0].append(parameter)
    asked = config.pretraining
    return [
        Layer(tuple(parameters), asked.rate_decay**level, asked.unfreeze * level)
        for level, parameters in enumerate(found)
    ]


def _measures(loss: float) -> dict[str, float]:
    return {"perplexity": math.exp(min(loss, 700.0)), "loss": loss}
