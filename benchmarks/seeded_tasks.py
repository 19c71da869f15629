"""Small tasks that train within a second, for the seeded failures: sequences made from a seed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from sklearn.metrics import f1_score
from torch import Tensor, nn
from torch.nn import functional as F

from carousel.config import Config
from carousel.tasks.shared import outputs
from carousel.tasks.shared.network import (
    class_weights,
    evaluating,
    make_dropout,
    make_recurrent,
    start,
)
from carousel.tasks.shared.subject import TaskSubject
from carousel.tasks.shared.task import Batch, Carry, StepLoss, Task, TrainedModel, mean_of


@dataclass
class Part:
    """x (N, T, F); y (N,) classes or numbers; before (N,): of a series, the value before y."""

    x: Tensor
    y: Tensor
    before: Tensor | None = None

    def __len__(self) -> int:
        return len(self.y)

    @property
    def counts(self) -> dict[str, int]:
        return {"sequences": len(self)}

    def take(self, index: Tensor) -> Part:
        return Part(
            self.x[index], self.y[index], None if self.before is None else self.before[index]
        )


@dataclass
class Data:
    train: Part
    validation: Part

    def part(self, name: str) -> Part:
        return {"train": self.train, "validation": self.validation}[name]


def _split(part: Part, held: int) -> Data:
    rows = torch.arange(len(part))
    return Data(part.take(rows[held:]), part.take(rows[:held]))


def tones(seed: int, examples: int = 640, noise: float = 0.7, rare: float = 0.0) -> Data:
    """Which of four frequencies a noisy tone of 20 steps has. rare: of two classes alone, the
    share that the second one has."""
    g = torch.Generator().manual_seed(seed)
    y = torch.randint(4, (examples,), generator=g)
    if rare:
        y = (torch.rand(examples, generator=g) < rare).long()
        y[:2] = 1  # at least some of them
    steps = torch.arange(20.0)
    phase = 6.28 * torch.rand(examples, 1, generator=g)
    tone = torch.sin((0.4 + 0.45 * y[:, None]) * steps + phase)
    x = torch.stack((tone, torch.roll(tone, 1, 1), tone.square() - 0.5), 2)
    return _split(Part(x + noise * torch.randn(x.shape, generator=g), y), examples // 4)


def recall(seed: int, steps: int = 60, examples: int = 800) -> Data:
    """The sign of the first step, after `steps` steps of noise."""
    g = torch.Generator().manual_seed(seed)
    y = torch.randint(2, (examples,), generator=g)
    x = 0.3 * torch.randn(examples, steps, 2, generator=g)
    x[:, 0, 1] = 2.0 * y - 1
    x[:, 1:, 1] = 0
    return _split(Part(x, y), examples // 4)


def sums(seed: int, scale: float = 1.0, shift: float = 0.0, examples: int = 640) -> Data:
    """A weighted sum over 15 steps, standardised; then times scale plus shift."""
    g = torch.Generator().manual_seed(seed)
    x = torch.randn(examples, 15, 3, generator=g)
    y = (x[:, :, 0] * torch.linspace(0.2, 1, 15)).sum(1) + x[:, -3:, 1].sum(1)
    y = (y - y.mean()) / y.std() + 0.1 * torch.randn(examples, generator=g)
    return _split(Part(x, y * scale + shift), examples // 4)


def walks(seed: int, told: bool, examples: int = 640) -> Data:
    """The next value of a random walk; told: a second input announces the next change."""
    g = torch.Generator().manual_seed(seed)
    change = torch.randn(examples + 40, generator=g)
    walk = change.cumsum(0)
    walk = (walk - walk.mean()) / walk.std()
    size = float((walk[1:] - walk[:-1]).std())
    hint = torch.cat((walk[1:] - walk[:-1], torch.zeros(1))) / size if told else torch.zeros(0)
    windows = walk.unfold(0, 17, 1)[:examples]
    x = windows[:, :16, None]
    if told:
        x = torch.cat((x, hint.unfold(0, 16, 1)[:examples, :, None]), 2)
    held = examples // 4
    whole = Part(x.contiguous(), windows[:, 16].contiguous(), windows[:, 15].contiguous())
    rows = torch.arange(examples)
    return Data(whole.take(rows[: -held - 17]), whole.take(rows[-held:]))


class Reader(nn.Module):
    """Recurrent layers, the last state, a linear head. mistake: a bug that was put in."""

    def __init__(self, features: int, answers: int, config: Config, mistake: str = "") -> None:
        super().__init__()
        model, regularization = config.model, config.regularization
        self.mistake = mistake
        self.recurrent = make_recurrent(features, model, regularization, batch_first=True)
        self.dropout = make_dropout(regularization.dropout)
        self.head = nn.Linear(model.hidden_size, answers)
        start(self, config)
        if mistake == "grown":  # every state is 15 % larger than the one before
            with torch.no_grad():
                self.recurrent.weight_hh_l0.mul_(1.15)

    def forward(self, x: Tensor) -> Tensor:
        h = self.recurrent(x)[0][:, -1]
        if self.mistake == "unplugged":
            h = h * 0
        out: Tensor = self.head(self.dropout(h))
        return out.softmax(1) if self.mistake == "softmax twice" else out


class SeededTask(Task):
    """A `Reader` on made data. `mistake` is what was broken on purpose, if anything."""

    validation_metrics = ("accuracy", "loss")
    unit = "sequences"

    def __init__(self, config: Config, seed: int, data: Data, mistake: str = "") -> None:
        self.config, self.seed, self.data, self.mistake = config, seed, data, mistake
        self.numbers = data.train.y.dtype.is_floating_point
        if self.numbers:
            self.validation_metrics = ("mse",)
        elif config.training.monitor == "macro_f1":
            self.validation_metrics = ("macro_f1", "accuracy", "loss")
        self.classes = 1 if self.numbers else int(data.train.y.max()) + 1
        self._weights = (
            None if self.numbers else class_weights(data.train.y, self.classes, config.loss)
        )
        if (
            config.task == "generate"
        ):  # gradients end at the window's edge, and so does what is read
            for part in (data.train, data.validation):
                part.x = part.x[:, -config.text.bptt :]
        if mistake == "nan" and len(data.train) > 70:
            data.train.x[70, 3, 0] = torch.nan

    @property
    def parted(self) -> Data:
        return self.data

    @property
    def batches_per_epoch(self) -> int:
        return -(-len(self.data.train) // self.config.training.batch_size)

    def build_model(self) -> Reader:
        return Reader(self.data.train.x.size(2), self.classes, self.config, self.mistake)

    def train_batches(self, epoch: int, start: int) -> Iterator[Batch]:
        g = torch.Generator().manual_seed(1000 * self.seed + epoch)
        order = torch.randperm(len(self.data.train), generator=g)
        for index in order.split(self.config.training.batch_size)[start:]:
            yield self.data.train.x[index], self.data.train.y[index]

    def loss(self, model: nn.Module, batch: Batch, carry: Carry = ()) -> StepLoss:
        x, y = batch
        out = model(x)
        if self.numbers:
            total = (out.squeeze(1) - y).square().sum()
            sums = {"loss": total.detach(), "mse": total.detach()}
            return StepLoss(total / len(y), sums, len(y))
        objective = F.cross_entropy(out, y, weight=self._weights)
        hits = (out.detach().argmax(1) == y).sum()
        total = F.cross_entropy(out.detach(), y, reduction="sum")
        return StepLoss(objective, {"loss": total, "accuracy": hits}, len(y))

    def validate(self, model: nn.Module) -> dict[str, float]:
        with evaluating(model):
            part = self.data.validation
            values = mean_of([self.loss(model, (part.x, part.y))])
            if "macro_f1" in self.validation_metrics:
                guess = model(part.x).argmax(1)
                values["macro_f1"] = float(f1_score(part.y, guess, average="macro"))
        return {name: values[name] for name in self.validation_metrics}

    def account(self) -> dict[str, Any]:
        known = {tuple(row.tolist()) for row in self.data.train.x.flatten(1)}
        held = self.data.validation.x.flatten(1)
        return {
            "sizes": {"train": len(self.data.train), "validation": len(held)},
            "also_in_training": {"validation": sum(tuple(row.tolist()) in known for row in held)},
        }

    def baselines(self) -> dict[str, dict[str, float]]:
        return {}

    def finish(self, model: nn.Module) -> TrainedModel:
        raise NotImplementedError("the seeded failures are judged by validation alone")

    def describe(self, model: nn.Module) -> str:
        return "made data"

    @property
    def subject(self) -> SeededSubject:
        return SeededSubject(self)


class SeededSubject(TaskSubject[SeededTask]):
    """Batches of made sequences, for the coach."""

    def targets(self) -> tuple[Tensor, Tensor]:
        return self.task.data.train.y, self.task.data.validation.y

    def outputs(self, model: nn.Module) -> dict[str, float]:
        held = self.task.data.validation
        with evaluating(model):
            out = model(held.x)
        if self.task.numbers:
            return outputs.of_numbers(out.squeeze(1), held.y, held.before)
        return outputs.of_classes(out.argmax(1), held.y)
