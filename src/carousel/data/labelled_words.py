"""Sentences with a label per word: published sets, and files of one's own in columns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property, partial
from itertools import chain
from typing import Any

import torch

from carousel.config import DataConfig, TextConfig
from carousel.data import sources
from carousel.data.files.columns import Labelled, read_columns
from carousel.data.files.sentences import alike_notice
from carousel.data.files.text import decode, read_text
from carousel.data.ragged import Ragged
from carousel.data.set_names import unknown_set
from carousel.data.splits import hold_out
from carousel.data.text import UNKNOWN, Vocabulary
from carousel.errors import ConfigError, DataError

SETS = ("atis", "conll2000", "columns")
FEATURES = ("word", "shape", "prefix", "suffix")
_AFFIX = 3


class LabelledWords:
    """The parts of a set of labelled words; the published test part is read when asked for.

    data.name: "atis", "conll2000", or "columns": a file of your own, data.path. Validation is a
    random share `text.validation` of the sentences to train on; of your own file `text.test` is
    drawn first. read_as: how your own file was read, in words, if not plainly. Raises
    `ConfigError` or `DataError`.
    """

    def __init__(self, data: DataConfig, text: TextConfig) -> None:
        self._read_test: Callable[[], Labelled]
        self.read_as = ""
        share = text.validation
        if data.name == "atis":
            whole, self._read_test = _atis("train"), partial(_atis, "test")
        elif data.name == "conll2000":
            whole, self._read_test = _conll("train"), partial(_conll, "test")
        elif data.name == "columns":
            if not data.path:
                raise ConfigError("data.name = 'columns' needs data.path, a file of columns")
            everything = read_columns(read_text(data.path), data.path)
            alike = alike_notice(chain.from_iterable(everything.labels))
            self.read_as = "; ".join(filter(None, (everything.note, alike)))
            if len(everything) < 3:
                raise DataError(
                    f"{data.path} must have at least three sentences, with blank lines between "
                    f"them, to train on, to validate and to judge; it has {len(everything)} of "
                    f"{everything.total:,} words"
                )
            whole, test = _split(everything, text.test, data.split_seed)
            self._read_test = lambda: test
            share /= 1 - text.test  # of all sentences
        else:
            raise unknown_set(data.name, SETS)
        self.train, self.validation = _split(whole, share, data.split_seed)
        if data.train_limit:
            self.train = self.train.take(torch.arange(min(data.train_limit, len(self.train))))
        self.labels = tuple(sorted(set(chain.from_iterable(self.train.labels))))
        if len(self.labels) < 2:
            raise DataError(
                f"the training part must have at least two labels, it has {self.labels}"
            )

    @cached_property
    def test(self) -> Labelled:
        """The part that judges."""
        return self._read_test()

    def part(self, name: str) -> Labelled:
        """ "train", "validation" or "test"."""
        if name == "test":
            return self.test
        return self.train if name == "train" else self.validation

    def account(self) -> dict[str, Any]:
        """Sizes of the parts, sentences that the training part has too, labels that it has not.

        Looks at the test part.
        """
        known, labels = set(map(tuple, self.train.words)), set(self.labels)
        held = {"validation": self.validation, "test": self.test}
        parts = {"train": self.train, **held}
        return {
            **({"read_as": self.read_as} if self.read_as else {}),
            "sizes": {name: len(part) for name, part in parts.items()},
            "words": {name: part.total for name, part in parts.items()},
            "also_in_training": {
                n: sum(tuple(w) in known for w in p.words) for n, p in held.items()
            },
            "labels_not_in_training": {
                n: sum(label not in labels for label in chain.from_iterable(p.labels))
                for n, p in held.items()
            },
        }


def features_of(word: str, lowercase: bool) -> dict[str, str]:
    """What is known of a word by itself. Digits are alike: what matters is how many there are.

    >>> features_of("B-52s", lowercase=True)
    {'word': 'b-00s', 'shape': 'X-0x', 'prefix': 'b-0', 'suffix': '00s'}
    """
    plain = "".join("0" if c.isdigit() else c for c in (word.lower() if lowercase else word))
    small = plain.lower()
    return {
        "word": plain,
        "shape": _shape(word),
        "prefix": small[:_AFFIX],
        "suffix": small[-_AFFIX:],
    }


def _shape(word: str) -> str:
    signs = (
        "0" if c.isdigit() else "X" if c.isupper() else "x" if c.isalpha() else c for c in word
    )
    shape = ""
    for sign in signs:
        if not shape.endswith(sign):
            shape += sign
    return shape


class WordFeatures:
    """Words as numbers, one per feature, by the vocabularies of the training part.

    names: of `FEATURES`, "word" first. Number 0 of each is `<unk>`.
    """

    def __init__(
        self, names: Sequence[str], lowercase: bool, vocabularies: Sequence[Vocabulary]
    ) -> None:
        self.names, self.lowercase = tuple(names), lowercase
        self.vocabularies = tuple(vocabularies)

    @classmethod
    def fit(cls, sentences: Iterable[Sequence[str]], config: TextConfig) -> WordFeatures:
        """Features that occur at least `text.min_count` times. Raises `ConfigError`."""
        names = [name.strip() for name in config.features.split(",")]
        for name in names:
            if name not in FEATURES:
                raise ConfigError(
                    f"text.features must be some of {', '.join(FEATURES)}, got '{name}'"
                )
        if names[0] != "word" or len(set(names)) < len(names):
            raise ConfigError("text.features must begin with 'word' and have none of them twice")
        counts = {name: Counter[str]() for name in names}
        for word, n in Counter(chain.from_iterable(sentences)).items():
            found = features_of(word, config.lowercase)
            for name in names:
                counts[name][found[name]] += n
        limit = {"word": config.max_vocabulary}
        vocabularies = [
            Vocabulary.fit(counts[name], [UNKNOWN], config.min_count, limit.get(name, 0))
            for name in names
        ]
        return cls(names, config.lowercase, vocabularies)

    @classmethod
    def restore(cls, facts: dict[str, Any]) -> WordFeatures:
        """What `facts` described."""
        vocabularies = [Vocabulary(tuple(tokens)) for tokens in facts["vocabularies"]]
        return cls(facts["names"], facts["lowercase"], vocabularies)

    def facts(self) -> dict[str, Any]:
        """Everything that `restore` needs, as JSON can hold it."""
        return {
            "names": list(self.names),
            "lowercase": self.lowercase,
            "vocabularies": [list(vocabulary.tokens) for vocabulary in self.vocabularies],
        }

    def plain(self, word: str) -> str:
        """The word as its vocabulary has it."""
        return features_of(word, self.lowercase)["word"]

    def knows(self, word: str) -> bool:
        """Whether the word itself is in the vocabulary."""
        return self.plain(word) in self.vocabularies[0].numbers

    def encode(self, sentences: Sequence[Sequence[str]]) -> Ragged:
        """Numbers (N, F) of all words, sentence by sentence."""
        rows: dict[str, list[int]] = {}
        for word in set(chain.from_iterable(sentences)):
            found = features_of(word, self.lowercase)
            rows[word] = [
                vocabulary.numbers.get(found[name], 0)
                for name, vocabulary in zip(self.names, self.vocabularies, strict=True)
            ]
        values = torch.tensor([rows[word] for word in chain.from_iterable(sentences)])
        offsets = torch.tensor([0, *map(len, sentences)]).cumsum(0)
        return Ragged(values.view(-1, len(self.names)).long(), offsets)

    def cut(self, sentence: str) -> list[str]:
        """The words of a sentence as a person writes it: signs at the ends of an unknown word
        stand by themselves, as they do in the sets."""
        words: list[str] = []
        for piece in sentence.split():
            before: list[str] = []
            after: list[str] = []
            while len(piece) > 1 and not self.knows(piece):
                if not piece[0].isalnum():
                    before.append(piece[0])
                    piece = piece[1:]
                elif not piece[-1].isalnum():
                    after.insert(0, piece[-1])
                    piece = piece[:-1]
                else:
                    break
            words += [*before, piece, *after]
        return words


def _split(whole: Labelled, share: float, seed: int) -> tuple[Labelled, Labelled]:
    rest, held = hold_out(
        len(whole), max(1, round(share * len(whole))), seed, "text.validation and text.test"
    )
    return whole.take(rest.sort().values), whole.take(held.sort().values)


def _atis(part: str) -> Labelled:
    file = f"atis.{part}.w-intent.iob"
    words, labels = [], []
    for line in decode(sources.read("atis", file), file).splitlines():
        sentence, _, slots = line.partition("\t")
        # BOS and EOS carry no slot; where the label of EOS would be stands the intent.
        words.append(sentence.split()[1:-1])
        labels.append(slots.split()[1:-1])
    return Labelled(words, labels)


def _conll(part: str) -> Labelled:
    file = f"{part}.txt"
    return read_columns(decode(sources.read("conll2000", file), file), file)
