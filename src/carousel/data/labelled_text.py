"""Sentences with a class each: published sets with their own splits, and files of one's own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from carousel.config import DataConfig, TextConfig
from carousel.data import sources
from carousel.data.files.sentences import read_labelled
from carousel.data.files.text import decode
from carousel.data.set_names import unknown_set
from carousel.data.splits import hold_out
from carousel.errors import ConfigError, DataError

SETS = ("sst2", "sst5", "nsmc", "mr", "sentences")
_FOLDS = 10
Rows = list[tuple[str, str]]
"""(label, sentence) pairs."""


@dataclass(frozen=True)
class Sentences:
    """Sentences and the number of each one's class (n,), int64."""

    texts: list[str]
    labels: Tensor

    def __len__(self) -> int:
        return len(self.texts)

    @property
    def counts(self) -> dict[str, int]:
        """How many of what there are."""
        return {"sentences": len(self)}

    def take(self, index: Tensor) -> Sentences:
        """Those of these numbers."""
        return Sentences([self.texts[i] for i in index.tolist()], self.labels[index])


class LabelledText:
    """The parts of a set of labelled sentences; the published test part is read when asked for.

    data.name: "sst2", "sst5" (with their own three parts), "nsmc" (its own test part), "mr"
    (tenth `data.fold` of a fixed shuffle judges), or "sentences": a file of your own, data.path.
    Validation, where it is not published, is a random share `text.validation` of what is left to
    train on; of your own file `text.test` is drawn first. read_as: what of your own file was read,
    in words, if not all. Raises `ConfigError` or `DataError`.
    """

    def __init__(self, data: DataConfig, text: TextConfig) -> None:
        self._seed = data.split_seed
        self._read_test: Callable[[], Sentences] | None = None
        self.read_as = ""
        self.classes: tuple[str, ...] = ("negative", "positive")
        if data.name in ("sst2", "sst5"):
            self._take_sst(data.name)
        elif data.name == "nsmc":
            whole = _nsmc("ratings_train.txt")
            self.train, self.validation = self._split(whole, text.validation)
            self._read_test = partial(_nsmc, "ratings_test.txt")
        elif data.name == "mr":
            rest, self._test = _fold(_mr(), data.fold, self._seed)
            self.train, self.validation = self._split(rest, text.validation)
        elif data.name == "sentences":
            if not data.path:
                raise ConfigError("data.name = 'sentences' needs data.path, a .tsv or .csv file")
            table = read_labelled(data.path)
            self.read_as = table.note
            whole, self.classes = _numbered([(r.label, r.text) for r in table.rows], data.path)
            if len(whole) < 3:
                raise DataError(
                    f"{data.path} must have at least three sentences, to train on, to validate and "
                    f"to judge; it has {len(whole)}"
                )
            rest, self._test = self._split(whole, text.test)
            share = text.validation / (1 - text.test)
            self.train, self.validation = self._split(rest, share)
        else:
            raise unknown_set(data.name, SETS)
        if data.train_limit:
            self.train = self.train.take(torch.arange(min(data.train_limit, len(self.train))))
        self._check()

    @cached_property
    def test(self) -> Sentences:
        """The part that judges."""
        return self._read_test() if self._read_test is not None else self._test

    def part(self, name: str) -> Sentences:
        """ "train", "validation" or "test"."""
        parts = {"train": lambda: self.train, "validation": lambda: self.validation}
        return parts.get(name, lambda: self.test)()

    def account(self) -> dict[str, Any]:
        """Sizes of the parts, sentences without a word, and those that the training part has too.

        Looks at the test part.
        """
        known = set(self.train.texts)
        held = {"validation": self.validation, "test": self.test}
        parts = {"train": self.train, **held}
        return {
            **({"read_as": self.read_as} if self.read_as else {}),
            "sizes": {name: len(part) for name, part in parts.items()},
            "empty": {n: sum(not t.strip() for t in part.texts) for n, part in parts.items()},
            "also_in_training": {n: sum(t in known for t in p.texts) for n, p in held.items()},
        }

    def _take_sst(self, name: str) -> None:
        kind = "binary" if name == "sst2" else "fine"
        if name == "sst5":
            self.classes = ("very negative", "negative", "neutral", "positive", "very positive")
        self.train = _sst(f"stsa.{kind}.train")
        self.validation = _sst(f"stsa.{kind}.dev")
        self._read_test = partial(_sst, f"stsa.{kind}.test")

    def _split(self, whole: Sentences, share: float) -> tuple[Sentences, Sentences]:
        count = max(1, round(share * len(whole)))
        rest, held = hold_out(len(whole), count, self._seed, "text.validation and text.test")
        return whole.take(rest.sort().values), whole.take(held.sort().values)

    def _check(self) -> None:
        counts = torch.bincount(self.train.labels, minlength=len(self.classes))
        for name, count in zip(self.classes, counts.tolist(), strict=True):
            if not count:
                raise DataError(
                    f"the training part has no example of the class '{name}': add some, or hold "
                    f"out less (text.validation, text.test, data.train_limit)"
                )


def read_rows(path: str | Path) -> Rows:
    """The labelled sentences of a file; see `carousel.data.files.sentences.read_labelled`."""
    return [(row.label, row.text) for row in read_labelled(path).rows]


def _numbered(rows: Rows, path: str) -> tuple[Sentences, tuple[str, ...]]:
    classes = tuple(sorted({label for label, _ in rows}))
    if len(classes) < 2:
        raise DataError(f"{path} must have at least two classes; it has {len(classes)}")
    number = {name: i for i, name in enumerate(classes)}
    labels = torch.tensor([number[label] for label, _ in rows])
    return Sentences([sentence for _, sentence in rows], labels), classes


def _fold(whole: Sentences, fold: int, seed: int) -> tuple[Sentences, Sentences]:
    order = torch.randperm(len(whole), generator=torch.Generator().manual_seed(seed))
    inside = torch.arange(len(whole)) % _FOLDS == fold
    return whole.take(order[~inside].sort().values), whole.take(order[inside].sort().values)


def _sentences(pairs: Sequence[tuple[int, str]]) -> Sentences:
    return Sentences([text for _, text in pairs], torch.tensor([label for label, _ in pairs]))


def _sst(file: str) -> Sentences:
    lines = decode(sources.read("sst", file), file).splitlines()
    return _sentences([(int(line[0]), line[2:]) for line in lines])


def _nsmc(file: str) -> Sentences:
    # Quotation marks in it are text, not quoting: its home page reads it so, too.
    lines = decode(sources.read("nsmc", file), file).split("\n")[1:]
    rows = [line.split("\t") for line in lines if line]
    return _sentences([(int(label), text) for _, text, label in rows])


def _mr() -> Sentences:
    pairs = []
    for label, file in enumerate(("rt-polarity.neg", "rt-polarity.pos")):
        text = sources.read("mr-polarity", file).decode("latin-1")
        pairs += [(label, line.strip()) for line in text.split("\n") if line.strip()]
    return _sentences(pairs)
