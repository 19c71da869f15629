"""Data in parts: to train on, to choose the epoch by, and to judge by, which is opened last.

Whatever data are (a published set, custom files, arrays that somebody hands in), a task gets
them as `Parts`. Each kind of data has a subclass, which adds what else is known of it, such as the
names of its classes.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from functools import cached_property
from typing import ClassVar, Generic, Protocol, Self, TypeVar

import torch
from torch import Tensor

from carousel.config import Config
from carousel.data import sets
from carousel.data.held import Held, completed

NAMES = ("train", "validation", "test")


class Part(Protocol):
    """Interface of a part: counts of its contents, and a key for each example."""

    def __len__(self) -> int: ...

    @property
    def counts(self) -> dict[str, int]: ...

    def contents(self) -> Iterable[Hashable]:
        """One value for each example: equal where, and only where, examples are."""
        ...


P = TypeVar("P", bound=Part)


class Parts(Generic[P]):
    """Three parts; `test` is a part, or a function that opens it when it is first asked for.

    weights: by the name of a part, how much each of its examples counts in the loss ("train") and
    in what chooses the epoch ("validation"), with a mean of 1; alike where there are none. held: by
    part, what there is to say of one that has a file of its own (`carousel.data.held`).
    """

    #: The task whose data these are: what `data.name` may be depends on it.
    task: ClassVar[str]

    def __init__(self, train: P, validation: P, test: P | Callable[[], P]) -> None:
        self.train, self.validation, self._test = train, validation, test
        self.weights: dict[str, Tensor] = {}
        self.held: dict[str, Held] = {}

    @classmethod
    def read(cls, config: Config) -> Self:
        """Read the data that `data.name` names: a published set, or custom files, `data.path`.

        Raises `ConfigError` for another name, and what the reader raises.
        """
        found: Self = sets.find(cls.task, config.data.name)(config)
        if config.data.train_limit:
            found.limit(config.data.train_limit)
        done: Self = completed(found, config)
        return done

    def put(self, name: str, part: P, held: Held) -> None:
        """Take a part that has a file of its own."""
        if name == "test":
            self._test = part
            self.__dict__.pop("test", None)
        else:
            self.validation = part
        self.held[name] = held

    @cached_property
    def test(self) -> P:
        """The part that judges."""
        return self._test() if callable(self._test) else self._test

    @property
    def is_closed(self) -> bool:
        """True if the test part has not been opened yet."""
        return callable(self._test) and "test" not in self.__dict__

    def part(self, name: str) -> P:
        """ "train", "validation" or "test"."""
        if name == "test":
            return self.test
        return {"train": self.train, "validation": self.validation}[name]

    def limit(self, most: int) -> None:
        """Keep so many examples to train on, the first ones."""
        self.train = self.train.take(torch.arange(min(most, len(self.train))))  # type: ignore[attr-defined]

    def doubles(self) -> dict[str, int]:
        """Number of examples of each other part that the training part has too. Opens the test
        part."""
        known = set(self.train.contents())
        held = {"validation": self.validation, "test": self.test}
        return {name: sum(c in known for c in part.contents()) for name, part in held.items()}


def contents(rows: Iterable[Tensor]) -> Iterable[Hashable]:
    """One value for each of some tensors: equal where shape and numbers are."""
    import hashlib

    for row in rows:
        yield tuple(row.shape), hashlib.sha256(row.contiguous().numpy().tobytes()).digest()
