"""Texts as token numbers: reading, vocabularies, and the parts of a text data set."""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import chain, islice
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from carousel.config import DataConfig, TextConfig
from carousel.data import sources
from carousel.data.files.text import decode, read_text
from carousel.data.set_names import unknown_set
from carousel.data.splits import hold_out
from carousel.errors import ConfigError, DataError

SETS = ("names", "lines", "penn-treebank", "tiny-shakespeare", "text")
UNKNOWN, END = "<unk>", "<eos>"
PARTS = ("train", "validation", "test")
MAX_LINE = 1000

Lines = list[tuple[str, str]]
"""(label, line) pairs."""

_WORD = re.compile(r"\S+|\n")
_SPACE = re.compile(r"\s")


def words(text: str) -> Iterator[str]:
    """What stands between white space; a line break is the word <eos>. Needs little memory.

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
        """The same of each character of a text, a hundred times as fast."""
        table = np.full(sys.maxunicode + 1, self.unknown, np.int32)
        for token, number in self.numbers.items():
            if len(token) == 1:
                table[ord(token)] = number
        ids = [table[points] for points in _code_points(text)]
        return torch.from_numpy(np.concatenate(ids) if ids else np.empty(0, np.int32))


def count_characters(text: str) -> Counter[str]:
    """How often each character stands in a text."""
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


def split_text(text: str, config: TextConfig) -> dict[str, str]:
    """The parts of a running text: its beginning to train, then validation, then test.

    At the level of words the cuts move to the next white space.
    """
    shares = (config.validation + config.test, config.test)
    cuts = [int(len(text) * (1 - share)) for share in shares]
    if config.level == "word":
        cuts = [match.start() if (match := _SPACE.search(text, c)) else len(text) for c in cuts]
    first, second = cuts
    return {"train": text[:first], "validation": text[first:second], "test": text[second:]}


def read_lines(folder: str | Path) -> dict[str, list[str]]:
    """Labelled lines: one file <label>.txt per label, one short item a line, blank ones dropped.

    An item that stands twice under a label counts once. Raises `DataError` if there is no such
    file, or a line is too long to be an item.
    """
    folder = Path(folder)
    files = sorted(path for path in folder.glob("*.txt") if path.is_file())
    if not files:
        raise DataError(f"{folder} is not a folder with a file <label>.txt per label")
    return {path.stem: _items(read_text(path), str(path)) for path in files}


def _items(text: str, source: str) -> list[str]:
    items = dict.fromkeys(line.strip() for line in text.split("\n"))
    items.pop("", None)
    longest = max(items, key=len)
    if len(longest) > MAX_LINE:
        raise DataError(
            f"{source} has a line of {len(longest):,} characters, beginning with "
            f"'{longest[:20]}': labelled lines have at most {MAX_LINE}; read a running text with "
            f"data.name = 'text'"
        )
    return list(items)


def split_lines(items: dict[str, list[str]], config: TextConfig, seed: int) -> dict[str, Lines]:
    """The parts of labelled lines: the same shares of every label, drawn at random by `seed`."""
    parts: dict[str, Lines] = {part: [] for part in PARTS}
    for label, lines in items.items():
        count = len(lines)
        validation, test = round(count * config.validation), round(count * config.test)
        rest, held = hold_out(count, min(validation + test, count - 1), seed)
        drawn = {"train": rest, "validation": held[:validation], "test": held[validation:]}
        for part, index in drawn.items():
            parts[part] += [(label, lines[i]) for i in sorted(index.tolist())]
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
        """How many of what there are."""
        lines = {} if self.offsets is None else {"lines": len(self.offsets) - 1}
        return {**lines, "tokens": len(self.ids)}

    @property
    def predictions(self) -> int:
        """How many tokens are predicted: all but the first, of the text or of each line."""
        return len(self.ids) - (1 if self.offsets is None else len(self.offsets) - 1)

    def targets(self) -> Tensor:
        """Which tokens those are, (N,) bool."""
        predicted = torch.ones(len(self.ids), dtype=torch.bool)
        predicted[0 if self.offsets is None else self.offsets[:-1]] = False
        return predicted


class Corpus:
    """The parts of a text data set as token numbers, and the training part's vocabulary.

    kind: "word", "character", or "line": labelled lines, whose tokens are a label, the line's
    characters, and <eos>. A part is not read before it is asked for, where it is a file of its
    own. Raises `DataError` or `ConfigError`.
    """

    def __init__(
        self, data: DataConfig, text: TextConfig, vocabulary: Vocabulary | None = None
    ) -> None:
        self._limit = data.train_limit
        self.kind = text.level
        self.splits_text = data.name in ("tiny-shakespeare", "text")
        self._texts: Callable[[str], str] | None = None
        self._lines: dict[str, Lines] = {}
        if data.name in ("names", "lines"):
            self.kind = "line"
            items = _names() if data.name == "names" else read_lines(_path(data))
            self._lines = split_lines(items, text, data.split_seed)
            self._lines["train"] = self._lines["train"][: self._limit or None]
        elif data.name == "penn-treebank":
            self._texts = partial(_penn_treebank, text.level)
        elif data.name in ("tiny-shakespeare", "text"):
            own = data.name == "text"
            whole = read_text(_path(data)) if own else _shakespeare()
            self._texts = split_text(whole, text).__getitem__
        else:
            raise unknown_set(data.name, SETS)
        self.vocabulary = vocabulary or self._fit(text)

    def part(self, name: str) -> Part:
        """The part "train", "validation" or "test"."""
        if self._texts is None:
            return self._line_part(self._lines[name])
        text = self._texts(name)
        if self.kind == "word":
            tokens = words(text)
            if name == "train" and self._limit:
                tokens = islice(tokens, self._limit)
            return Part(self.vocabulary.encode(tokens))
        if name == "train" and self._limit:
            text = text[: self._limit]
        return Part(self.vocabulary.encode_characters(text))

    def _line_part(self, lines: Lines) -> Part:
        sequences = [[label_token(label), *line, END] for label, line in lines]
        ids = self.vocabulary.encode(chain.from_iterable(sequences))
        lengths = torch.tensor([0, *map(len, sequences)])
        return Part(ids, lengths.cumsum(0))

    def _fit(self, text: TextConfig) -> Vocabulary:
        special = [UNKNOWN]
        if self._texts is None:
            train = self._lines["train"]
            special += [END, *sorted({label_token(label) for label, _ in train})]
            counts = Counter(chain.from_iterable(line for _, line in train))
        elif self.kind == "word":
            special.append(END)
            counts = Counter(islice(words(self._texts("train")), self._limit or None))
        else:
            counts = count_characters(self._texts("train")[: self._limit or None])
        return Vocabulary.fit(counts, special, text.min_count, text.max_vocabulary)


def label_token(label: str) -> str:
    """The token of a label, which no character can be taken for."""
    return f"<{label}>"


def _path(data: DataConfig) -> str:
    if not data.path:
        what = "the text file" if data.name == "text" else "the folder of <label>.txt files"
        raise ConfigError(f"data.name = '{data.name}' needs data.path, {what}")
    return data.path


def _penn_treebank(level: str, part: str) -> str:
    short = {"train": "train", "validation": "valid", "test": "test"}[part]
    file = f"ptb.{short}.txt"
    text = decode(sources.read("penn-treebank", file), file)
    # Of characters, the custom is not to count the blank at both ends of each line.
    return text if level == "word" else "".join(f"{line.strip()}\n" for line in text.splitlines())


def _shakespeare() -> str:
    return decode(sources.read("tiny-shakespeare", "input.txt"), "input.txt")


def _names() -> dict[str, list[str]]:
    files = sources.find("names").files
    texts = {file: decode(sources.read("names", file), file) for file in files}
    return {file.removesuffix(".txt"): _items(text, file) for file, text in texts.items()}
