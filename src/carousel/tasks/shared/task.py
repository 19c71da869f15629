"""Interface of a mapping to the training loop, the bundle and the command line.

A mapping is a folder beside this one, whose task.py names a `Task` as `TASK`: the task trains, and
its `TrainedModel` is what training leaves behind.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Protocol, TypeVar

import numpy as np
from torch import Tensor, nn

from carousel.config import Config
from carousel.data.audit import Finding, Seen, audit_data
from carousel.data.files.text import suffix_of
from carousel.data.record import DataChangedError, DataRecord, Parted
from carousel.data.shares import is_judged
from carousel.data.store import overlap
from carousel.errors import ConfigError, DataError
from carousel.tasks.shared.answers import Answer
from carousel.tasks.shared.example import Example
from carousel.tasks.shared.losses import Batch, Carry, StepLoss
from carousel.tasks.shared.samples import Sample, Told
from carousel.tasks.shared.saving import save
from carousel.tasks.shared.shown import html_of, text_of
from carousel.tasks.shared.subject import TaskSubject

P = TypeVar("P", bound=Parted)
R = TypeVar("R", covariant=True)


class Readable(Protocol[R]):
    """A kind of data that is read as a configuration says."""

    @classmethod
    def read(cls, config: Config, /) -> R: ...


@dataclass(frozen=True)
class Table:
    """A table for the terminal."""

    columns: tuple[str, ...]
    rows: list[tuple[str, ...]]


@dataclass(frozen=True)
class Notice:
    """A line for standard error. arguments: words of it that name arguments (`CarouselError`)."""

    text: str
    arguments: tuple[str, ...] = ()


@dataclass(frozen=True)
class Json:
    """Output printed in place of everything else where JSON was asked for."""

    content: Any


Shown = str | Table | Notice | Json
"""What a command shows. Text is printed as it comes, without a line break."""


@dataclass(frozen=True)
class Given:
    """Inputs that were read for a trained model.

    inputs: as its `predict` takes them. facts: what JSON says of each besides the answer, such as
    the file's name. names: of each, in a table; empty where they are only numbered. notes: what
    there is to say of them. filled: how many missing values of each were filled in, of recordings.
    noun: what each is, and step: what a step of it is, in words. alone: there can be no other.
    """

    inputs: Any
    facts: tuple[dict[str, Any], ...] = ()
    names: tuple[str, ...] = ()
    notes: tuple[Notice, ...] = ()
    filled: tuple[int, ...] = ()
    noun: str = "input"
    alone: bool = False
    step: str = "step"

    def take(self, places: Sequence[int]) -> Given:
        """Some of the inputs, by their numbers."""
        inputs, index = self.inputs, np.array(places, np.int64)
        if isinstance(inputs, list | tuple):
            inputs = [inputs[place] for place in places]
        elif isinstance(inputs, np.ndarray | Tensor):
            inputs = inputs[index]
        else:
            inputs = inputs.take(index)

        def some(values: tuple[Any, ...]) -> tuple[Any, ...]:
            return tuple(values[place] for place in places) if values else ()

        return replace(
            self,
            inputs=inputs,
            facts=some(self.facts),
            names=some(self.names),
            filled=some(self.filled),
        )


class UnansweredError(DataError):
    """Some of several inputs can have no answer; the others may.

    problems: why, by the number of the input.
    """

    def __init__(self, problems: dict[int, str]) -> None:
        said, more = next(iter(problems.values())), len(problems) - 1
        super().__init__(f"{said} (and {more:,} more like it)" if more else said)
        self.problems = problems


class TrainedModel(ABC):
    """A trained model with what it takes to use it; `carousel.load` returns one.

    What it does with inputs is `encode` (inputs to tensors), `model` (the network: tensors to
    tensors) and `decode` (tensors to answers); `predict` is all of that. `read` makes inputs of
    files.
    """

    #: What the data were that it was trained on; None where that was not written down.
    record: DataRecord | None = None
    #: The parts that were handed in to train on; None where its configuration says what to read.
    parts: Any = None
    #: Statistics of the table that it was trained on; None of other data, and of older bundles.
    seen: Seen | None = None
    #: True if several such models can be one whose answers are the average of theirs.
    averages: ClassVar[bool] = False
    #: What `carousel.fit` guessed and found in the data, in words.
    notices: tuple[str, ...] = ()

    def __init__(self, model: nn.Module, config: Config) -> None:
        self.model, self.config = model, config

    def __repr__(self) -> str:
        return text_of(self)

    def _repr_html_(self) -> str:
        """HTML that a notebook shows of it."""
        return html_of(self)

    def save(self, folder: str | Path) -> None:
        """Write the files that `carousel.load` reads; an existing model there is replaced."""
        save(self, Path(folder))

    @classmethod
    @abstractmethod
    def restore(cls, config: Config, facts: dict[str, Any]) -> TrainedModel:
        """One with fresh weights, which the caller replaces. facts: what `facts()` returned."""

    @abstractmethod
    def facts(self) -> dict[str, Any]:
        """Facts that must be kept besides weights and configuration, as JSON can hold them."""

    def evaluate(self, part: str = "test") -> dict[str, Any]:
        """Every metric on a part of the data it was trained with; the rest of it is detail.

        part: "test" or "validation". Metrics are floats. Raises `DataError` for another part.
        """
        if part not in ("test", "validation"):
            raise DataError(f"part must be 'test' or 'validation', got '{part}'")
        if part == "test" and not is_judged(self.config):
            raise DataError(
                "all but the validation part was trained on, so there is no test part: the folds "
                "beside the run judged (folds.json); judge it on new data, or part 'validation'"
            )
        try:
            return self._judge(part)
        except DataChangedError:
            raise
        except DataError as error:  # perhaps because the data are others
            if self.record is None or not (changed := self.record.changed()):
                raise
            raise DataError(f"{error}; {changed}") from error

    def data(self, kind: type[Readable[R]]) -> R:
        """The parts that were handed in, or what the configuration says, read once more."""
        found: R = kind.read(self.config) if self.parts is None else self.parts
        return found

    def as_trained(self, data: P, part: str) -> P:
        """Data that was read once more, which must be what the model was trained on; `part` of it
        is about to be used. Raises `DataError` with what changed."""
        if self.record is not None:
            self.record.check(data, part)
        return data

    def evaluate_new(self, path: str | Path) -> dict[str, Any]:
        """Every metric on labelled data that the model never saw: a file, or a folder, of the kind
        that it was trained on; the rest is detail.

        "unknown_classes": how many examples have a class that the model does not know; they are in
        no metric. Raises `DataError` for what was trained on, and what cannot be judged.
        """
        path = Path(path)
        if not path.exists():
            raise DataError(f"there is no file or folder {path}")
        for own in (self.config.data.path, *self.config.data.files.values()):
            if not own or not Path(own).exists():
                continue
            if overlap(path, Path(own)):
                raise DataError(
                    f"{path} is what the model was trained on, or part of it: name data that it "
                    "never saw, or no data at all to judge it on its own test part"
                )
        return self._judge_new(path)

    def averaged(self, outputs: Tensor) -> Tensor:
        """One network's output, from those of several (M, …): see `carousel.tasks.shared.average`.
        Raises `ConfigError` for a task whose models are not averaged."""
        raise ConfigError(
            f"models of the task '{self.config.task}' are not averaged: set training.seeds to 1"
        )

    def audit(self, data: Any) -> list[Finding]:
        """Differences of a new table, a file or a data frame, from that of training: D101 to D107
        of docs/audit.md. Empty where that was no table. Raises `DataError`."""
        return [] if self.seen is None else audit_data(data, self.config, self.seen)

    def _judge_new(self, path: Path) -> dict[str, Any]:
        """Metrics and details that `evaluate_new` returns."""
        raise DataError(
            f"a model of the task '{self.config.task}' cannot be judged on data of your own yet: "
            "judge it on its validation or test part"
        )

    @abstractmethod
    def _judge(self, part: str) -> dict[str, Any]:
        """Metrics that `evaluate` returns for "test" or "validation"."""

    @abstractmethod
    def present(self, report: dict[str, Any]) -> Iterator[Shown]:
        """The detail of such a report for the terminal."""

    def draw(self, report: dict[str, Any], folder: Path, suffix: str) -> list[Path]:
        """Pictures of such a report, written to `folder` as <name><suffix>.png."""
        return []

    @property
    def kinds(self) -> tuple[str, ...]:
        """Endings of the names of files that `read` reads; empty where any may be one."""
        return ()

    def takes(self, file: Path) -> bool:
        """True if a file of a folder is an input, by its name."""
        return not self.kinds or suffix_of(file) in self.kinds

    @property
    def wants(self) -> str:
        """Words for the input to name where none was given."""
        return "name the input"

    @abstractmethod
    def encode(self, inputs: Any) -> tuple[Tensor, ...]:
        """Inputs, as `predict` takes them, as one batch for the network: its arguments."""

    @abstractmethod
    def example_inputs(self) -> tuple[Tensor, ...]:
        """Arguments for the network that were made up: one short input, to trace it with."""

    @abstractmethod
    def predict(self, inputs: Any) -> Sequence[Answer]:
        """An answer to each input. Raises `DataError` for what is none."""

    @abstractmethod
    def read(self, path: Path) -> Given:
        """The inputs in a file, or in the files of a folder. Raises `DataError` if there are
        none."""

    def example(self, source: str | Given, number: int) -> Example:
        """Example `number`, counted from 0, of a part ("test" or "validation"), or of inputs that
        were read. Raises `DataError` or `ConfigError` if there is none."""
        raise ConfigError(
            f"a model of the task '{self.config.task}' shows no examples of the {source} part or "
            "of your own: look at one it was trained on, part train"
            if isinstance(source, str)
            else f"a model of the task '{self.config.task}' cannot be looked into at an input of "
            "your own: look at an example it was trained on, part train",
            "part train",
        )


class Task(ABC):
    """One mapping on one data set: batches, loss, metrics, baselines.

    It remembers nothing of the training: what carries over from batch to batch is passed in and
    handed back, so that a resumed run continues exactly.
    """

    #: What `validate` reports; the first chooses the best epoch, unless `training.monitor` does.
    validation_metrics: tuple[str, ...]
    #: The metric of the test part by which baselines are judged; empty: the first of those.
    headline: str = ""
    #: What a batch is counted in, for the display.
    unit: str
    #: How the training part is shuffled, where its size decided that; else "".
    shuffle: str = ""
    trained: ClassVar[type[TrainedModel]]
    config: Config

    @abstractmethod
    def __init__(self, config: Config, seed: int, parts: Any = None) -> None:
        """parts: data handed in, of the kind that the task reads; else what `config` names is
        read, and settings that say how to read and split are looked at only then."""

    @property
    @abstractmethod
    def parted(self) -> Parted:
        """The data it has read, in parts; a published test part opens when it is asked for."""

    @property
    @abstractmethod
    def batches_per_epoch(self) -> int: ...

    @property
    def subject(self) -> TaskSubject[Any]:
        """Subject for the coach's checks and measurements: batches, targets and outputs."""
        return TaskSubject(self)

    @abstractmethod
    def build_model(self) -> nn.Module:
        """A new network; weights from torch's global random state."""

    @abstractmethod
    def train_batches(self, epoch: int, start: int) -> Iterator[Batch]:
        """The batches of an epoch from number `start` on."""

    @abstractmethod
    def loss(self, model: nn.Module, batch: Batch, carry: Carry = ()) -> StepLoss:
        """Loss of the model on a batch. carry: of the batch before; empty at an epoch's start."""

    def metrics(self, means: dict[str, float]) -> dict[str, float]:
        """Metrics of an epoch from the means of the sums, in the order to show them."""
        return means

    @abstractmethod
    def validate(self, model: nn.Module) -> dict[str, float]:
        """The `validation_metrics` on the validation part."""

    @abstractmethod
    def baselines(self) -> dict[str, dict[str, float]]:
        """Test metrics of models that are not recurrent, fitted on the same training part; where
        they were measured, with the processor's "seconds" of each."""

    def judged_baselines(self) -> tuple[dict[str, dict[str, float]], list[str]]:
        """The `baselines`, and what there is to say of them: what was left out, and why."""
        return self.baselines(), []

    def account(self) -> dict[str, Any]:
        """Account of the data for result.json: sizes, doubles, what was passed over.

        It may look at the test part.
        """
        return {}

    def samples(self, most: int) -> list[Sample]:
        """At most so many examples of the validation part, to look at after every epoch: always
        the same ones. Empty where a task has none to show."""
        return []

    def answers(self, model: nn.Module, most: int) -> list[Told]:
        """Answers of the model to those `samples`, one each, in their order."""
        return []

    @abstractmethod
    def finish(self, model: nn.Module) -> TrainedModel:
        """Trained model that the run leaves; its `evaluate` is the first to look at the test
        part."""

    @abstractmethod
    def describe(self, model: nn.Module) -> str:
        """The data in words, and what computes the recurrence."""


def monitored(task: Task) -> str:
    """The metric that chooses the best epoch. Raises `ConfigError` if the task has it not."""
    known, wanted = task.validation_metrics, task.config.training.monitor
    if wanted and wanted not in known:
        raise ConfigError(
            f"training.monitor must be one of {', '.join(known)} (what the task "
            f"'{task.config.task}' measures on validation data); got '{wanted}'"
        )
    return wanted or known[0]
