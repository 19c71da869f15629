"""The kinds of events that a run's store holds: a small dataclass each.

What stands in the store is the class's `kind` and its fields as JSON, without those that are None.
A reader takes what it finds: stores of older versions have fewer fields, newer ones may have more.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, ClassVar


@dataclass(frozen=True)
class Event:
    """Anything of a run that is not a number of a series.

    stays: it is true of the run whatever becomes of its steps: a run that is resumed before it
    keeps it.
    """

    kind: ClassVar[str]
    stays: ClassVar[bool] = False

    def body(self) -> dict[str, Any]:
        """The fields that are known, by name.

        >>> Stopped("all epochs are done").body()
        {'reason': 'all epochs are done'}
        """
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: value for name, value in values.items() if value is not None}


# ---- the course of a run


@dataclass(frozen=True)
class Model(Event):
    """The modules of the network in order: name, kind, about, parameters."""

    kind = "model"
    modules: list[dict[str, Any]]


@dataclass(frozen=True)
class Epoch(Event):
    """The numbers of one finished epoch. monitor: the validation metric that chooses the best.

    seconds: of training so far.
    """

    kind = "epoch"
    epoch: int
    train: dict[str, float]
    validation: dict[str, float]
    monitor: str
    learning_rate: float
    best: bool
    seconds: float


@dataclass(frozen=True)
class Planned(Event):
    """Plan of a training under a budget, before its first step: epochs and steps that fit.

    step_seconds, validation_seconds: as they were measured, which took `seconds`. settings: of the
    run that this makes, without a clock.
    """

    kind = "planned"
    stays = True
    budget: str
    epochs: int
    steps: int
    step_seconds: float
    validation_seconds: float
    seconds: float
    settings: list[str]


@dataclass(frozen=True)
class Revised(Event):
    """A training under a budget is to be so many steps long. seconds: that it has taken so far."""

    kind = "revised"
    steps: int
    seconds: float


@dataclass(frozen=True)
class Pretrained(Event):
    """The encoder has learnt to predict words before the first step (`pretraining.epochs`).

    epochs: bodies of the events `Epoch` of it. kept: the one whose weights were taken over. steps,
    seconds: that it took.
    """

    kind = "pretrained"
    stays = True
    epochs: list[dict[str, Any]]
    kept: int
    steps: int
    seconds: float


@dataclass(frozen=True)
class Resumed(Event):
    """Training goes on from a checkpoint: what came after it is done again."""

    kind = "resumed"


@dataclass(frozen=True)
class Interrupted(Event):
    """Somebody asked the training to stop; it can be resumed."""

    kind = "interrupted"


@dataclass(frozen=True)
class Pruned(Event):
    """A sweep gave the run up, as others were better by then; it can be resumed. why: in words."""

    kind = "pruned"
    why: str


@dataclass(frozen=True)
class Stopped(Event):
    """Training has ended well. reason: in words."""

    kind = "stopped"
    reason: str


@dataclass(frozen=True)
class Diverged(Event):
    """Training has ended on what is not finite. tensor: the first one that is not."""

    kind = "diverged"
    what: str
    tensor: str


@dataclass(frozen=True)
class UseOfTest(Event):
    """Somebody has looked at the test part. by: the verb."""

    kind = "test_used"
    stays = True
    by: str


@dataclass(frozen=True)
class EvaluatedNew(Event):
    """Somebody judged the model on labelled data that it never saw. data: where they were; the test
    part of the run was not looked at."""

    kind = "evaluated_new"
    stays = True
    data: str
    metrics: dict[str, float]


@dataclass(frozen=True)
class RangeTested(Event):
    """A learning rate range test with the settings of the run.

    suggested, steepest, half_way, lowest: rates. now: the setting. fresh: from fresh weights, not
    from those of the run. rule: why, in words. settings: those that were not the run's own.
    """

    kind = "lr_range"
    stays = True
    suggested: float
    steepest: float
    half_way: float
    lowest: float
    now: float
    fresh: bool
    rule: str
    settings: tuple[str, ...] = ()


# ---- examples


@dataclass(frozen=True)
class Samples(Event):
    """The examples that the model is asked for after every epoch."""

    kind = "samples"
    samples: list[dict[str, Any]]


@dataclass(frozen=True)
class Answers(Event):
    """Answers of the model to the samples after an epoch."""

    kind = "answers"
    epoch: int
    answers: list[dict[str, Any]]


# ---- the coach


@dataclass(frozen=True)
class Facts(Event):
    """Facts of data, network and plan before the first step (`carousel.coach.facts`).

    Each may be unknown. checks: what the quick checks found, by code.
    """

    kind = "facts"
    monitor: str | None = None
    higher_is_better: bool | None = None
    total_steps: int | None = None
    batches_per_epoch: int | None = None
    checks: dict[str, Any] | None = None
    parameters: int | None = None
    recurrent_layers: int | None = None
    forget_bias: float | None = None
    vain_dropout: float | None = None
    length_min: int | None = None
    length_median: float | None = None
    length_max: int | None = None
    padding_share: float | None = None
    training_steps: int | None = None
    window: int | None = None
    input_largest: float | None = None
    input_spread_ratio: float | None = None
    output_sums_to_one: bool | None = None
    class_counts: list[int] | None = None
    target_mean: float | None = None
    target_std: float | None = None
    guess: dict[str, float] | None = None
    validation_examples: int | None = None
    validation_units: int | None = None
    validation_unit: str | None = None
    validation_many: bool | None = None


@dataclass(frozen=True)
class Checks(Event):
    """Findings of the quick checks before training, and checks that could not be done, by code."""

    kind = "checks"
    found: dict[str, Any]
    failed: dict[str, str]
    seconds: float


@dataclass(frozen=True)
class FindingRaised(Event):
    """A finding of the coach (`carousel.coach.finding.Finding`, without its step)."""

    kind = "finding"
    code: str
    severity: str
    title: str
    meaning: str
    numbers: dict[str, Any]
    advice: list[dict[str, str]]
    false_alarm: str
    source: str


@dataclass(frozen=True)
class FindingCleared(Event):
    """The finding of that code holds no longer."""

    kind = "finding_cleared"
    code: str


@dataclass(frozen=True)
class Profiles(Event):
    """Values along an axis of cells: {name, axis, each, values}, at places i * each."""

    kind = "profiles"
    profiles: list[dict[str, Any]]


@dataclass(frozen=True)
class Histogram(Event):
    """Weights and updates of a block: {low, high, counts} each."""

    kind = "histogram"
    block: str
    weights: dict[str, Any]
    updates: dict[str, Any]


def kinds() -> dict[str, type[Event]]:
    """Every kind of event by its name in the store."""
    return {event.kind: event for event in Event.__subclasses__()}


def kind_of(event: type[Event] | str) -> str:
    """The name in the store of a kind. Raises `ValueError` for a name that is none.

    >>> kind_of(UseOfTest), kind_of("epoch")
    ('test_used', 'epoch')
    """
    name = event if isinstance(event, str) else event.kind
    if name not in kinds():
        raise ValueError(f"there is no kind of event '{name}': {', '.join(sorted(kinds()))}")
    return name
