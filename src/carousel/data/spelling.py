"""Letters of words as numbers, which say something of words that the training part lacks."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from carousel.config import TextConfig
from carousel.data.text import UNKNOWN, Vocabulary

NOTHING = "<nothing>"
"""Stands behind the last letter; its number is 0."""


class Spelling:
    """The first `longest` letters of each word by number: 0 behind the end, 1 for unknown ones.

    level: "character" (Unicode code points) or "jamo" (the letters of Hangul syllables).

    >>> spelling = Spelling("jamo", 4, Vocabulary((NOTHING, UNKNOWN, "ᄒ", "ᅡ", "ᆫ")))
    >>> spelling.encode(["한", "x", "하하하"])
    tensor([[2, 3, 4, 0],
            [1, 0, 0, 0],
            [2, 3, 2, 3]])
    """

    def __init__(self, level: str, longest: int, vocabulary: Vocabulary) -> None:
        self.level, self.longest, self.vocabulary = level, longest, vocabulary

    @classmethod
    def fit(cls, counts: Mapping[str, int], config: TextConfig) -> Spelling | None:
        """The letters of words of the training part with their counts; None if
        `text.characters` asks for none."""
        if config.characters == "none":
            return None
        letters: Counter[str] = Counter()
        for word, n in counts.items():
            for letter in letters_of(word, config.characters):
                letters[letter] += n
        vocabulary = Vocabulary.fit(letters, [NOTHING, UNKNOWN], config.min_count)
        return cls(config.characters, config.longest_word, vocabulary)

    @classmethod
    def restore(cls, facts: Mapping[str, Any] | None) -> Spelling | None:
        """Rebuild from `facts`."""
        if facts is None:
            return None
        return cls(facts["level"], facts["longest"], Vocabulary(tuple(facts["letters"])))

    def facts(self) -> dict[str, Any]:
        """Everything that `restore` needs, as JSON can hold it."""
        letters = list(self.vocabulary.tokens)
        return {"level": self.level, "longest": self.longest, "letters": letters}

    def __len__(self) -> int:
        return len(self.vocabulary)

    def encode(self, words: Sequence[str]) -> Tensor:
        """Numbers (n, longest) of the words' letters."""
        numbers, longest = self.vocabulary.numbers, self.longest
        known: dict[str, Tensor] = {}
        for word in words:
            if word not in known:
                row = torch.zeros(longest, dtype=torch.int64)
                found = [numbers.get(c, 1) for c in letters_of(word, self.level)[:longest]]
                row[: len(found)] = torch.tensor(found, dtype=torch.int64)
                known[word] = row
        rows = [known[word] for word in words]
        return torch.stack(rows) if rows else torch.empty(0, longest, dtype=torch.int64)

    def cut_off(self, words: Iterable[str]) -> int:
        """Number of words with more letters than are read."""
        return sum(len(letters_of(word, self.level)) > self.longest for word in words)

    def said(self, words: Iterable[str]) -> str:
        """Letters in words, with how many words of the training part are cut."""
        cut = self.cut_off(words)
        tail = f" ({cut:,} words have more than {self.longest}, cut)" if cut else ""
        return f"{len(self):,} letters of words{tail}"


def letters_of(word: str, level: str) -> str:
    """Letters of a word.

    >>> len(letters_of("한국", "character")), len(letters_of("한국", "jamo"))
    (2, 6)
    """
    return unicodedata.normalize("NFD" if level == "jamo" else "NFC", word)
