"""Texts as token numbers: vocabularies, and the parts of a text."""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain, islice

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from carousel.config import Config, TextConfig
from carousel.data import sets
from carousel.data.held import Held, completed
from carousel.data.parts import NAMES
from carousel.data.shares import Fold, Share, shares
from carousel.data.splits import in_time, split
from carousel.errors import ConfigError

UNKNOWN, END = "<unk>", "<eos>"

Lines = list[tuple[str, str]]
"""(label, line) pairs."""

_WORD = re.compile(r"\S+|\n")
_SPACE = re.compile(r"\s")


def words(text: str) -> Iterator[str]:
    """Words between white space; a line break is the word <eos>. Needs little memory.

    >>> list(words(" a cat\\nsat\\n"))
    ['a', 'cat', '<eos>', 'sat', '<eos>']
    """
    return (END if match[0] == "\n" else match[0] for match in _WORD.finditer(text))


@dataclass(frozen=True)
class Vocabulary:
    """Tokens by number; whatever is not among them has the number of `<unk>`."""

    tokens: tuple[str, ...]

    @classmethod
    def fit(
        cls, counts: Counter[str], special: Sequence[str], min_count: int = 1, limit: int = 0
    ) -> Vocabulary:
        """`special`, then the tokens counted at least `min_count` times, the most frequent first.

        limit: of the size, special tokens included (0: none). Raises `ConfigError` if nothing but
        special tokens would be left.

        >>> Vocabulary.fit(Counter("abracadabra"), ["<unk>"], min_count=2).tokens
        ('<unk>', 'a', 'b', 'r')
        """
        known = set(special)
        ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
        kept = [token for token, n in ranked if n >= min_count and token not in known]
        if limit:
            kept = kept[: max(0, limit - len(special))]
        if not kept:
            raise ConfigError(
                f"text.min_count = {min_count} and text.max_vocabulary = {limit} leave no token "
                f"of the {len(counts):,} that the training part has"
            )
        return cls((*special, *kept))

    def __len__(self) -> int:
        return len(self.tokens)

    @cached_property
    def numbers(self) -> dict[str, int]:
        """The number of each token."""
        return {token: number for number, token in enumerate(self.tokens)}

    @property
    def unknown(self) -> int:
        """The number of `<unk>`."""
        return self.numbers[UNKNOWN]

    def encode(self, tokens: Iterable[str]) -> Tensor:
        """Token numbers (N,), int32, from any source of tokens, which need not fit in memory."""
        numbers, unknown = self.numbers, self.unknown
        ids = np.fromiter((numbers.get(token, unknown) for token in tokens), np.int32)
        return torch.from_numpy(ids)

    def encode_characters(self, text: str) -> Tensor:
        """Encode each character of a text, a hundred times as fast as `encode`."""
        table = np.full(sys.maxunicode + 1, self.unknown, np.int32)
        for token, number in self.numbers.items():
            if len(token) == 1:
                table[ord(token)] = number
        ids = [table[points] for points in _code_points(text)]
        return torch.from_numpy(np.concatenate(ids) if ids else np.empty(0, np.int32))


def count_characters(text: str) -> Counter[str]:
    """Count each character of a text."""
    total = np.zeros(sys.maxunicode + 1, np.int64)
    for points in _code_points(text):
        counts = np.bincount(points)
        total[: len(counts)] += counts
    return Counter({chr(point): int(total[point]) for point in total.nonzero()[0]})


def _code_points(text: str, step: int = 1 << 20) -> Iterator[NDArray[np.uint32]]:
    """The characters' numbers, a piece at a time: a text of 100 MB needs no 400 MB at once."""
    for start in range(0, len(text), step):
        piece = text[start : start + step].encode("utf-32-le", "surrogatepass")
        yield np.frombuffer(piece, "<u4")


def split_text(
    text: str, config: TextConfig, held: Mapping[str, Share] | None = None
) -> dict[str, str]:
    """The parts of a running text: its beginning to train, then validation, then test.

    At the level of words the cuts move to the next white space. held: shares of the two in place of
    those of the configuration.
    """
    found = held or {"validation": config.validation, "test": config.test}
    if any(isinstance(share, Fold) for share in found.values()):
        raise ConfigError(
            "a running text is one piece, and has no units to make folds of: leave split.folds out"
        )
    validation, test = (found[name] or 0.0 for name in NAMES[1:])
    assert not isinstance(validation, Fold)
    assert not isinstance(test, Fold)
    cuts = [int(len(text) * (1 - share)) for share in (validation + test, test)]
    if config.level == "word":
        cuts = [match.start() if (match := _SPACE.search(text, c)) else len(text) for c in cuts]
    ends = [*cuts, len(text)]
    return {name: text[part.start : part.stop] for name, part in in_time(ends).items()}


def split_lines(
    items: Mapping[str, Sequence[str]],
    config: TextConfig,
    seed: int,
    held: Mapping[str, Share] | None = None,
) -> dict[str, Lines]:
    """The parts of labelled lines: the same shares of every label, drawn at random by `seed`. held:
    as for `split_text`."""
    parts: dict[str, Lines] = {part: [] for part in NAMES}
    found = held or {"validation": config.validation, "test": config.test}
    wanted = {part: found[part] for part in NAMES[1:]}
    for label, lines in items.items():
        for part, index in split(len(lines), wanted, seed, least=0).items():
            parts[part] += [(label, lines[i]) for i in index.tolist()]
    return parts


@dataclass(frozen=True)
class Part:
    """Token numbers (N,), int32: of one running text, or of lines that start at `offsets`.

    offsets (n + 1,): line i is ids[offsets[i] : offsets[i + 1]]; None: one running text.
    """

    ids: Tensor
    offsets: Tensor | None = None

    @property
    def counts(self) -> dict[str, int]:
        """Counts of the part's contents."""
        lines = {} if self.offsets is None else {"lines": len(self.offsets) - 1}
        return {**lines, "tokens": len(self.ids)}

    @property
    def predictions(self) -> int:
        """Number of predicted tokens: all but the first, of the text or of each line."""
        return len(self.ids) - (1 if self.offsets is None else len(self.offsets) - 1)

    def targets(self) -> Tensor:
        """Mask (N,), bool, of the tokens that are predicted."""
        predicted = torch.ones(len(self.ids), dtype=torch.bool)
        predicted[0 if self.offsets is None else self.offsets[:-1]] = False
        return predicted


@dataclass(frozen=True)
class TextParts:
    """Texts, or labelled lines, of a language model, by part.

    kind: "word", "character", or "line". read: a part by its name, each time it is asked for, so
    that a long text is not held three times. is_one_text: the parts are pieces of one text. held:
    what there is to say of parts that have files of their own.
    """

    kind: str
    read_part: Callable[[str], str | Lines]
    is_one_text: bool = False
    held: dict[str, Held] = field(default_factory=dict)

    @classmethod
    def of_text(
        cls, text: str, config: TextConfig, held: Mapping[str, Share] | None = None
    ) -> TextParts:
        """The pieces of one running text, see `split_text`."""
        return cls(config.level, split_text(text, config, held).__getitem__, True)

    @classmethod
    def of_lines(cls, items: Mapping[str, Sequence[str]], config: Config) -> TextParts:
        """Lines by label, drawn from each by `text.validation` and `text.test`."""
        held = shares(config, config.text)
        parts = split_lines(items, config.text, config.data.split_seed, held)
        return cls("line", parts.__getitem__)

    @classmethod
    def read(cls, config: Config) -> TextParts:
        """Read the text that `data.name` names: a published one, or a custom one, `data.path`.

        Raises `ConfigError` or `DataError`.
        """
        found: TextParts = completed(sets.find("generate", config.data.name)(config), config)
        return found


class Corpus:
    """The parts of a text as token numbers, and the vocabulary of the training part.

    kind: "word", "character", or "line": labelled lines, whose tokens are a label, the line's
    characters, and <eos>. A part is not read before it is asked for. limit: tokens (of labelled
    lines: lines) to train on, the first ones; 0: all. Raises `DataError` or `ConfigError`.
    """

    def __init__(
        self,
        parts: TextParts,
        text: TextConfig,
        limit: int = 0,
        vocabulary: Vocabulary | None = None,
    ) -> None:
        self.kind, self.is_one_text = parts.kind, parts.is_one_text
        self._parts, self._limit, self.held = parts, limit, parts.held
        self.vocabulary = vocabulary or self._fit(text)

    @classmethod
    def read(cls, config: Config, vocabulary: Vocabulary | None = None) -> Corpus:
        """Read the corpus that `data.name` names, see `TextParts.read`."""
        return cls(TextParts.read(config), config.text, config.data.train_limit, vocabulary)

    def part(self, name: str) -> Part:
        """The part "train", "validation" or "test"."""
        found = self._parts.read_part(name)
        limit = self._limit if name == "train" else 0
        if not isinstance(found, str):
            return line_part(self.vocabulary, found[: limit or None])
        if self.kind == "word":
            return Part(self.vocabulary.encode(islice(words(found), limit or None)))
        return Part(self.vocabulary.encode_characters(found[: limit or None]))

    def _fit(self, text: TextConfig) -> Vocabulary:
        special, train = [UNKNOWN], self._parts.read_part("train")
        if not isinstance(train, str):
            train = train[: self._limit or None]
            special += [END, *sorted({label_token(label) for label, _ in train})]
            counts = Counter(chain.from_iterable(line for _, line in train))
        elif self.kind == "word":
            special.append(END)
            counts = Counter(islice(words(train), self._limit or None))
        else:
            counts = count_characters(train[: self._limit or None])
        return Vocabulary.fit(counts, special, text.min_count, text.max_vocabulary)


def line_part(vocabulary: Vocabulary, lines: Lines) -> Part:
    """Labelled lines as a part: of each its label, its characters, and <eos>."""
    sequences = [[label_token(label), *line, END] for label, line in lines]
    ids = vocabulary.encode(chain.from_iterable(sequences))
    lengths = torch.tensor([0, *map(len, sequences)])
    return Part(ids, lengths.cumsum(0))


def label_token(label: str) -> str:
    """The token of a label, which no character can be taken for."""
    return f"<{label}>"
