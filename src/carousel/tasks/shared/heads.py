"""Answers to a whole input: one class, a rank, or several labels; and how they are judged.

The tasks that classify have one of these, by what their data and settings are.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from carousel.config import LossConfig
from carousel.data.class_targets import named
from carousel.errors import ConfigError
from carousel.tasks.shared import label_metrics, metrics, network, outputs, plots, samples
from carousel.tasks.shared.answers import ClassAnswer, classes_of
from carousel.tasks.shared.average import mean_of_chances, mean_of_classes
from carousel.tasks.shared.label_answers import LabelSetAnswer, label_sets_of
from carousel.tasks.shared.samples import Told
from carousel.tasks.shared.task import Shown

Numbers = NDArray[np.int64]


class Head(ABC):
    """classes: names of classes or labels, in the order of the network's outputs."""

    #: What the validation part is measured by; the first chooses the best epoch.
    validation_metrics: ClassVar[tuple[str, ...]]
    #: What there are several of, in words.
    noun: ClassVar[str] = "classes"
    #: Whether an epoch's metrics are sums over its batches.
    adds_up: ClassVar[bool] = False

    def __init__(self, classes: Sequence[str]) -> None:
        self.classes = tuple(classes)

    @abstractmethod
    def weights(self, targets: Tensor, config: LossConfig) -> Tensor | None:
        """Weights of the classes, by `loss.class_weights`. targets: of the training part."""

    @abstractmethod
    def loss(
        self,
        logits: Tensor,
        targets: Tensor,
        config: LossConfig,
        weights: Tensor | None,
        *rows: Tensor,
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """The mean to differentiate, and sums over the examples by metric; rows (n,): how much each
        example counts, if they do not count alike."""

    @abstractmethod
    def averaged(self, logits: Tensor) -> Tensor:
        """Logits of the mean of the chances, from those of several networks (M, N, C)."""

    @abstractmethod
    def proba(self, logits: Tensor) -> Tensor:
        """Probabilities (n, C)."""

    @abstractmethod
    def answers(self, logits: Tensor) -> list[Any]:
        """Answers of logits (n, C)."""

    @abstractmethod
    def told(self, answers: Sequence[Any], targets: Tensor) -> list[Told]:
        """Answers to samples, with how wrong they are."""

    @abstractmethod
    def scores(self, targets: Numbers, guess: Numbers) -> dict[str, float]:
        """Scores of answers that are no probabilities, such as those of baselines."""

    @abstractmethod
    def report(self, targets: Tensor, logits: Tensor) -> dict[str, Any]:
        """Metrics and details of a part."""

    def mistakes(self, targets: Tensor, logits: Tensor) -> list[tuple[int, str, str, float]]:
        """Examples that are wrong: the number of each, what is true, what was said, how surely."""
        answers = self.answers(logits)
        rows = enumerate(zip(targets, answers, strict=True))
        said = ((i, named(truth, self.classes), self.name(one), one.probability)
                for i, (truth, one) in rows)  # fmt: skip
        return [row for row in said if row[1] != row[2]]

    @abstractmethod
    def name(self, answer: Any) -> str:
        """An answer as text, as `named` has it of a target."""

    @abstractmethod
    def show(self, report: dict[str, Any], counted: str) -> Iterator[Shown]:
        """The detail of a report; counted: what its examples are."""

    def draw(self, report: dict[str, Any], folder: Path, suffix: str) -> list[Path]:
        """Pictures of a report."""
        return []

    def to_coach(self, logits: Tensor, targets: Tensor) -> dict[str, float]:
        """Measures of the answers for the coach."""
        return {}


class OneClass(Head):
    """One class of several: softmax and cross-entropy."""

    validation_metrics: ClassVar[tuple[str, ...]] = ("accuracy", "loss")
    adds_up: ClassVar[bool] = True

    def weights(self, targets: Tensor, config: LossConfig) -> Tensor | None:
        return network.class_weights(targets, len(self.classes), config)

    def loss(
        self,
        logits: Tensor,
        targets: Tensor,
        config: LossConfig,
        weights: Tensor | None,
        *rows: Tensor,
    ) -> tuple[Tensor, dict[str, Tensor]]:
        objective, total = network.weighted_loss(logits, targets, config, weights, *rows)
        right = logits.detach().argmax(1) == targets
        hits = (right * rows[0]).sum() if rows else right.sum()
        return objective, {"loss": total, "accuracy": hits}

    def averaged(self, logits: Tensor) -> Tensor:
        return mean_of_classes(logits)

    def proba(self, logits: Tensor) -> Tensor:
        return logits.softmax(1)

    def answers(self, logits: Tensor) -> list[ClassAnswer]:
        return classes_of(self.proba(logits), self.classes)

    def name(self, answer: ClassAnswer) -> str:
        return answer.label

    def told(self, answers: Sequence[ClassAnswer], targets: Tensor) -> list[Told]:
        return samples.of_classes(answers, [self.classes[i] for i in targets.tolist()])

    def scores(self, targets: Numbers, guess: Numbers) -> dict[str, float]:
        return metrics.of_classes(targets, guess)

    def report(self, targets: Tensor, logits: Tensor) -> dict[str, Any]:
        return metrics.report(targets, self.proba(logits), self.classes)

    def show(self, report: dict[str, Any], counted: str) -> Iterator[Shown]:
        yield from metrics.show_classes(report, counted)

    def draw(self, report: dict[str, Any], folder: Path, suffix: str) -> list[Path]:
        picture = folder / f"confusion{suffix}.png"
        plots.draw_confusion(report["confusion"], self.classes, picture)
        return [picture]

    def to_coach(self, logits: Tensor, targets: Tensor) -> dict[str, float]:
        return outputs.of_classes(logits.argmax(1), targets)


class Rank(OneClass):
    """One of several ranks: the network gives log-probabilities, and errors count by distance."""

    noun: ClassVar[str] = "ranks"

    validation_metrics: ClassVar[tuple[str, ...]] = (
        "rank_mae",
        "quadratic_kappa",
        "accuracy",
        "loss",
    )
    adds_up: ClassVar[bool] = False

    def scores(self, targets: Numbers, guess: Numbers) -> dict[str, float]:
        found = super().scores(targets, guess)
        return {**found, **metrics.of_ranks(targets, guess, len(self.classes))}

    def report(self, targets: Tensor, logits: Tensor) -> dict[str, Any]:
        guess = logits.argmax(1).numpy()
        ranks = metrics.of_ranks(targets.numpy(), guess, len(self.classes))
        return {**ranks, **super().report(targets, logits)}


class LabelSet(Head):
    """Any number of several labels: a sigmoid and binary cross-entropy for each."""

    noun: ClassVar[str] = "labels, of which any may hold"

    validation_metrics: ClassVar[tuple[str, ...]] = (
        "micro_f1",
        "macro_f1",
        "subset_accuracy",
        "loss",
    )

    def weights(self, targets: Tensor, config: LossConfig) -> Tensor | None:
        """Weight of a label where it stands: as often as it does not, for each time."""
        if config.class_weights == "none":
            return None
        counts = targets.sum(0)
        return (len(targets) - counts) / counts.clamp(min=1)

    def loss(
        self,
        logits: Tensor,
        targets: Tensor,
        config: LossConfig,
        weights: Tensor | None,
        *rows: Tensor,
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Means over the labels of binary cross-entropy."""
        share = config.label_smoothing
        smooth = targets * (1 - share) + share / 2
        scale = None if weights is None else weights.to(logits.device)
        losses = F.binary_cross_entropy_with_logits(
            logits, smooth, reduction="none", pos_weight=scale
        ).mean(1)
        plain = losses.detach()
        if share or scale is not None:
            plain = F.binary_cross_entropy_with_logits(logits, targets, reduction="none").mean(1)
        right = ((logits > 0) == (targets > 0)).all(1).float()
        if rows:
            losses, plain, right = losses * rows[0], plain * rows[0], right * rows[0]
        sums = {"loss": plain.detach().sum(), "subset_accuracy": right.sum()}
        return losses.mean(), sums

    def averaged(self, logits: Tensor) -> Tensor:
        return mean_of_chances(logits)

    def proba(self, logits: Tensor) -> Tensor:
        return logits.sigmoid()

    def answers(self, logits: Tensor) -> list[LabelSetAnswer]:
        return label_sets_of(self.proba(logits), self.classes)

    def name(self, answer: LabelSetAnswer) -> str:
        return answer.text

    def told(self, answers: Sequence[LabelSetAnswer], targets: Tensor) -> list[Told]:
        found = []
        for answer, truth in zip(answers, targets, strict=True):
            chances = torch.tensor([*answer.probabilities.values()])
            off = float((truth - chances).abs().max())
            found.append(Told(round(off, 4), answer.text))
        return found

    def scores(self, targets: Numbers, guess: Numbers) -> dict[str, float]:
        return label_metrics.scores(targets, guess)

    def report(self, targets: Tensor, logits: Tensor) -> dict[str, Any]:
        return label_metrics.report(targets, logits, self.classes)

    def show(self, report: dict[str, Any], counted: str) -> Iterator[Shown]:
        yield from metrics.show_classes(report, counted)


def head_of(classes: Sequence[str], *, several: bool, ordinal: bool) -> Head:
    """The head for such targets. Raises `ConfigError` where they are both.

    >>> type(head_of(["a", "b"], several=True, ordinal=False)).__name__
    'LabelSet'
    """
    if several and ordinal:
        raise ConfigError("columns.ordinal is of one rank for each, and the target is several")
    return LabelSet(classes) if several else Rank(classes) if ordinal else OneClass(classes)
