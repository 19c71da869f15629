"""Pairs of sentences, one in each of two languages, in parts."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from carousel.config import Config
from carousel.data.parts import NAMES, Parts
from carousel.data.shares import shares
from carousel.data.splits import split
from carousel.errors import ConfigError, DataError


@dataclass(frozen=True)
class Pairs:
    """Sentences and their translations, line by line. empty: pairs left out, a side being blank.

    White space is made uniform: one blank between words, none at the ends.
    """

    sources: list[str]
    targets: list[str]
    empty: int = 0

    @classmethod
    def of(cls, pairs: Sequence[tuple[str, str]]) -> Pairs:
        """The pairs both of whose sides hold something."""
        clean = [(" ".join(one.split()), " ".join(other.split())) for one, other in pairs]
        full = [pair for pair in clean if all(pair)]
        empty = len(pairs) - len(full)
        return cls([one for one, _ in full], [other for _, other in full], empty)

    def __len__(self) -> int:
        return len(self.sources)

    @property
    def counts(self) -> dict[str, int]:
        """Counts of the part's contents."""
        return {"pairs": len(self)}

    def contents(self) -> Iterator[tuple[str, str]]:
        """Each sentence with its translation."""
        return zip(self.sources, self.targets, strict=True)

    def take(self, index: Tensor) -> Pairs:
        """Pairs at `index`. Keeps `empty`."""
        numbers = index.tolist()
        return Pairs(
            [self.sources[i] for i in numbers], [self.targets[i] for i in numbers], self.empty
        )


class Parallel(Parts[Pairs]):
    """The parts of a set of sentence pairs. elsewhere: parts that have files of their own, or that
    there are none of. Raises `DataError` if another that is open has no pair."""

    task = "translate"

    def __init__(
        self,
        train: Pairs,
        validation: Pairs,
        test: Pairs | Callable[[], Pairs],
        elsewhere: Collection[str] = (),
    ) -> None:
        super().__init__(train, validation, test)
        for name in NAMES[: 2 if self.is_closed else 3]:
            if name not in elsewhere and not len(self.part(name)):
                raise DataError(f"the {name} part has no pair with two sentences: add some")

    @classmethod
    def drawn(cls, given: Mapping[str, Pairs], config: Config) -> Parallel:
        """The parts that are given, and the others drawn from "train" by their shares `text.test`
        and `text.validation`, so that no sentence, of either side, stands in two parts: sentences
        with several translations would tell the answer otherwise."""
        rest = given["train"]
        wanted = shares(config, config.text)
        held = {name: share for name, share in wanted.items() if name not in given}
        found = dict(given)
        if held:
            groups, seed = groups_of(rest), config.data.split_seed
            index = split(len(rest), held, seed, groups=groups, in_groups=False)
            for name in held:
                some = rest.take(index[name])
                found[name] = Pairs(some.sources, some.targets)
            found["train"] = rest.take(index["train"])
        elsewhere = [name for name, share in wanted.items() if share is None]
        return cls(found["train"], found["validation"], found["test"], elsewhere)

    def account(self) -> dict[str, Any]:
        """Sizes, pairs left out because a side is blank, and what the training part has as well.

        Opens the test part.
        """
        parts = {"train": self.train, "validation": self.validation, "test": self.test}
        sources, targets = set(self.train.sources), set(self.train.targets)
        held = {name: parts[name] for name in ("validation", "test")}
        return {
            "sizes": {name: len(part) for name, part in parts.items()},
            "empty": {name: part.empty for name, part in parts.items()},
            "also_in_training": self.doubles(),
            "sources_in_training": {
                n: sum(s in sources for s in p.sources) for n, p in held.items()
            },
            "targets_in_training": {
                n: sum(t in targets for t in p.targets) for n, p in held.items()
            },
        }


def check_languages(known: Sequence[str], config: Config) -> None:
    """Raises `ConfigError` unless source and target are two of these."""
    name, pair = config.data.name, (config.translate.source, config.translate.target)
    if pair[0] == pair[1] or not set(pair) <= set(known):
        raise ConfigError(
            f"data.name = '{name}' needs translate.source and translate.target, two of "
            f"{', '.join(known)}; got '{pair[0]}' and '{pair[1]}'"
        )


def groups_of(pairs: Pairs) -> list[int]:
    """For each pair the number of the first that shares a sentence with it, directly or through
    others."""
    root = list(range(len(pairs)))

    def find(i: int) -> int:
        while root[i] != i:
            root[i] = root[root[i]]
            i = root[i]
        return i

    for side in (pairs.sources, pairs.targets):
        first: dict[str, int] = {}
        for i, sentence in enumerate(side):
            one, other = find(first.setdefault(sentence.casefold(), i)), find(i)
            root[max(one, other)] = min(one, other)
    return [find(i) for i in range(len(pairs))]
