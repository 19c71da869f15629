"""Sentences with a label per word, in parts, and words as numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from typing import Any

import torch

from carousel.config import TextConfig
from carousel.data.files.columns import Labelled
from carousel.data.parts import NAMES, Parts
from carousel.data.ragged import Ragged
from carousel.data.shares import Share
from carousel.data.spelling import Spelling
from carousel.data.splits import split
from carousel.data.tagged import require_tags, tag_of
from carousel.data.text import UNKNOWN, Vocabulary
from carousel.errors import ConfigError, DataError

FEATURES = ("word", "shape", "prefix", "suffix")
TAG = "tag"
_AFFIX = 3


class LabelledWords(Parts[Labelled]):
    """The parts of a set of labelled words; `labels` are those of the training part.

    read_as: how a file was read, in words, if not plainly. Raises `DataError` if there are not two
    labels.
    """

    task = "label_words"

    def __init__(
        self,
        train: Labelled,
        validation: Labelled,
        test: Labelled | Callable[[], Labelled],
        read_as: str = "",
    ) -> None:
        super().__init__(train, validation, test)
        self.read_as = read_as
        self._take_labels()

    def limit(self, most: int) -> None:
        super().limit(most)
        self._take_labels()

    def account(self) -> dict[str, Any]:
        """Sizes of the parts, sentences that the training part has too, labels that it has not.

        Opens the test part.
        """
        labels = set(self.labels)
        parts = {name: self.part(name) for name in NAMES}
        return {
            **({"read_as": self.read_as} if self.read_as else {}),
            "sizes": {name: len(part) for name, part in parts.items()},
            "words": {name: part.total for name, part in parts.items()},
            "also_in_training": self.doubles(),
            "labels_not_in_training": {
                n: sum(label not in labels for label in chain.from_iterable(parts[n].labels))
                for n in NAMES[1:]
            },
        }

    def _take_labels(self) -> None:
        self.labels = tuple(sorted(set(chain.from_iterable(self.train.labels))))
        if len(self.labels) < 2:
            raise DataError(
                f"the training part must have at least two labels, it has {self.labels}"
            )


def draw(whole: Labelled, held: str, share: Share, seed: int) -> tuple[Labelled, Labelled]:
    """The rest, and a share that is to be the part `held`."""
    index = split(len(whole), {held: share}, seed, settings="text.validation and text.test")
    return whole.take(index["train"]), whole.take(index[held])


def features_of(word: str, lowercase: bool) -> dict[str, str]:
    """Features of a word by itself. Digits are alike: what matters is how many there are.

    >>> features_of("B-52s", lowercase=True)
    {'word': 'b-00s', 'shape': 'X-0x', 'prefix': 'b-0', 'suffix': '00s'}
    """
    plain = without_digits(word.lower() if lowercase else word)
    small = plain.lower()
    return {
        "word": plain,
        "shape": _shape(word),
        "prefix": small[:_AFFIX],
        "suffix": small[-_AFFIX:],
    }


def without_digits(word: str) -> str:
    """A word with 0 in the place of each digit."""
    return "".join("0" if c.isdigit() else c for c in word)


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

    names: of `FEATURES`, "word" first, and "tag" last where words have tags. Number 0 of each is
    `<unk>`. spelling: of the letters of words, whose numbers stand behind those of the features.
    """

    def __init__(
        self,
        names: Sequence[str],
        lowercase: bool,
        vocabularies: Sequence[Vocabulary],
        spelling: Spelling | None = None,
    ) -> None:
        self.names, self.lowercase = tuple(names), lowercase
        self.vocabularies, self.spelling = tuple(vocabularies), spelling

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
        words = Counter((word, tag_of(word)) for word in chain.from_iterable(sentences))
        if config.tag:
            names.append(TAG)
        counts = {name: Counter[str]() for name in names}
        for (word, tag), n in words.items():
            found = {**features_of(word, config.lowercase), TAG: tag}
            for name in names:
                counts[name][found[name]] += n
        limit = {"word": config.max_vocabulary}
        vocabularies = [
            Vocabulary.fit(counts[name], [UNKNOWN], config.min_count, limit.get(name, 0))
            for name in names
        ]
        plain = Counter[str]()
        for (word, _), n in words.items():
            plain[without_digits(word)] += n
        return cls(names, config.lowercase, vocabularies, Spelling.fit(plain, config))

    @classmethod
    def restore(cls, facts: dict[str, Any]) -> WordFeatures:
        """Rebuild from `facts`."""
        vocabularies = [Vocabulary(tuple(tokens)) for tokens in facts["vocabularies"]]
        spelling = Spelling.restore(facts.get("spelling"))
        return cls(facts["names"], facts["lowercase"], vocabularies, spelling)

    def facts(self) -> dict[str, Any]:
        """Everything that `restore` needs, as JSON can hold it."""
        return {
            "names": list(self.names),
            "lowercase": self.lowercase,
            "vocabularies": [list(vocabulary.tokens) for vocabulary in self.vocabularies],
            **({"spelling": self.spelling.facts()} if self.spelling else {}),
        }

    def plain(self, word: str) -> str:
        """The word as its vocabulary has it."""
        return features_of(word, self.lowercase)["word"]

    def knows(self, word: str) -> bool:
        """True if the word itself is in the vocabulary."""
        return self.plain(word) in self.vocabularies[0].numbers

    def encode(self, sentences: Sequence[Sequence[str]]) -> Ragged:
        """Numbers (N, F) of all words, sentence by sentence; with a spelling (N, F + letters).

        Raises `DataError` for a word without a tag where the features have one.
        """
        if TAG in self.names:
            require_tags(sentences)
        rows: dict[tuple[str, str], list[int]] = {}
        flat = [(word, tag_of(word)) for word in chain.from_iterable(sentences)]
        for word, tag in set(flat):
            found = {**features_of(word, self.lowercase), TAG: tag}
            rows[word, tag] = [
                vocabulary.numbers.get(found[name], 0)
                for name, vocabulary in zip(self.names, self.vocabularies, strict=True)
            ]
        values = torch.tensor([rows[one] for one in flat]).view(-1, len(self.names)).long()
        if self.spelling is not None:
            letters = self.spelling.encode([without_digits(word) for word, _ in flat])
            values = torch.cat((values, letters), 1)
        return Ragged(values, torch.tensor([0, *map(len, sentences)]).cumsum(0))

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
