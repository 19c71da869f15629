"""Sentences as token numbers: how a sentence is cut, and the vocabulary of the training part."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any

import torch

from carousel.config import TextConfig
from carousel.data.ragged import Ragged
from carousel.data.spelling import Spelling
from carousel.data.text import UNKNOWN, Vocabulary
from carousel.errors import require_extra

SUBWORDS = 8000
"""Size of a vocabulary of subwords where `text.max_vocabulary` sets none."""

# Words, with the endings 's, 'll and n't apart as the Penn Treebank has them, and each mark alone:
# "It's", "It 's" and "it ' s" must not be three different things to a model.
_WORDS = re.compile(r"n't\b|'\w+|\w+?(?=n't\b)|\w+|[^\w\s]", re.IGNORECASE)
_BLANK = "▁"  # what a subword that begins a word begins with
_HANGS = re.compile(r" ([.,;:!?)\]}%]|n't\b|'(?:s|m|d|re|ve|ll)\b)", re.IGNORECASE)


def words_of(sentence: str) -> list[str]:
    """Words and punctuation marks.

    >>> words_of("It doesn't work, it's broken.")
    ['It', 'does', "n't", 'work', ',', 'it', "'s", 'broken', '.']
    >>> words_of("it does n't work") == words_of("it doesn't work")
    True
    """
    return _WORDS.findall(sentence)


class Tokens:
    """Cuts sentences at one level and numbers what it finds; number 0 is `<unk>`.

    level: "word" (see `words_of`), "character" (Unicode code points, runs of white space as one
    blank), "jamo" (the same with each Hangul syllable as its two or three letters), "subword"
    (byte-pair encoding, Sennrich et al. 2016, arXiv:1508.07909, by Hugging Face tokenizers).
    Text is brought to Unicode's composed form first, and to lower case with `lowercase`.
    """

    def __init__(
        self,
        level: str,
        lowercase: bool,
        vocabulary: Vocabulary | None = None,
        subwords: Any = None,
        spelling: Spelling | None = None,
    ) -> None:
        self.level, self.lowercase, self.spelling = level, lowercase, spelling
        self._vocabulary, self._subwords = vocabulary, subwords

    @classmethod
    def fit(cls, sentences: Sequence[str], config: TextConfig) -> Tokens:
        """The tokens of these sentences, which must be of the training part alone.

        Raises `ConfigError` if `text.min_count` and `text.max_vocabulary` leave none.
        """
        if config.level == "subword":
            tokens = cls(config.level, config.lowercase, subwords=_learn(sentences, config))
            counts = Counter(chain.from_iterable(map(tokens.cut, sentences)))
            tokens.spelling = Spelling.fit(counts, config)
            return tokens
        tokens = cls(config.level, config.lowercase)
        counts = Counter(chain.from_iterable(map(tokens.cut, sentences)))
        limit = config.max_vocabulary
        tokens._vocabulary = Vocabulary.fit(counts, [UNKNOWN], config.min_count, limit)
        tokens.spelling = Spelling.fit(counts, config)
        return tokens

    @classmethod
    def restore(cls, facts: dict[str, Any]) -> Tokens:
        """Rebuild from `facts`."""
        level, lowercase = facts["level"], facts["lowercase"]
        spelling = Spelling.restore(facts.get("spelling"))
        if level == "subword":
            _require_tokenizers()
            from tokenizers import Tokenizer

            subwords = Tokenizer.from_str(facts["subwords"])
            return cls(level, lowercase, subwords=subwords, spelling=spelling)
        return cls(level, lowercase, Vocabulary(tuple(facts["vocabulary"])), spelling=spelling)

    def facts(self) -> dict[str, Any]:
        """Everything that `restore` needs, as JSON can hold it."""
        facts: dict[str, Any] = {"level": self.level, "lowercase": self.lowercase}
        if self.spelling is not None:
            facts["spelling"] = self.spelling.facts()
        if self._vocabulary is None:
            return {**facts, "subwords": self._subwords.to_str()}
        return {**facts, "vocabulary": list(self._vocabulary.tokens)}

    def __len__(self) -> int:
        if self._vocabulary is None:
            return int(self._subwords.get_vocab_size())
        return len(self._vocabulary)

    def cut(self, sentence: str) -> list[str]:
        """The tokens of a sentence, known or not."""
        sentence = self._normal(sentence)
        if self.level == "subword":
            return list(self._subwords.encode(sentence).tokens)
        if self.level == "word":
            return words_of(sentence)
        if self.level == "jamo":
            sentence = unicodedata.normalize("NFD", sentence)
        return list(" ".join(sentence.split()))

    def encode(self, sentences: Iterable[str]) -> Ragged:
        """The token numbers of each sentence. A sentence without tokens has length 0.

        With a spelling a token is a row of numbers: its own, and those of its letters.
        """
        sentences = list(sentences)
        if self._vocabulary is None:
            given = list(map(self._normal, sentences))
            rows = [encoding.ids for encoding in self._subwords.encode_batch(given)]
        else:
            numbers = self._vocabulary.numbers
            rows = [[numbers.get(t, 0) for t in self.cut(sentence)] for sentence in sentences]
        lengths = torch.tensor([0, *map(len, rows)])
        values = torch.tensor(list(chain.from_iterable(rows)), dtype=torch.int64)
        if self.spelling is not None:
            letters = self.spelling.encode([*chain.from_iterable(map(self.cut, sentences))])
            values = torch.cat((values.unsqueeze(1), letters), 1)
        return Ragged(values, lengths.cumsum(0))

    def letters_said(self, sentences: Iterable[str]) -> str:
        """Words on what is read of the letters of these sentences' tokens; "" if they are not."""
        if self.spelling is None:
            return ""
        return f", {self.spelling.said(set(chain.from_iterable(map(self.cut, sentences))))}"

    def decode(self, numbers: Iterable[int]) -> str:
        """The sentence of these tokens; the other way round than `encode`, but for what is unknown.

        Words stand apart by blanks, marks and the endings 's and n't hang on to the word before.
        """
        names = [self.name(number) for number in numbers]
        if self.level == "word":
            return _HANGS.sub(r"\1", " ".join(names))
        text = "".join(names)
        if self.level == "subword":
            return text.replace(_BLANK, " ").strip()
        return unicodedata.normalize("NFC", text)

    def name(self, number: int) -> str:
        """The token of this number."""
        if self._vocabulary is None:
            return str(self._subwords.id_to_token(number))
        return self._vocabulary.tokens[number]

    def label(self, number: int) -> str:
        """Token for a picture: a dash before a subword that goes on a word, no other sign."""
        name = self.name(number)
        if self.level != "subword" or name.startswith(_BLANK):
            return name.removeprefix(_BLANK) or "␣"
        return f"-{name}" if name.isalnum() else name

    def _normal(self, sentence: str) -> str:
        sentence = unicodedata.normalize("NFC", sentence)
        return sentence.lower() if self.lowercase else sentence

    def unknown_in(self, sentence: str) -> list[str]:
        """The tokens of a sentence that are read as `<unk>`, each once."""
        if self._vocabulary is None:
            sentence = self._normal(sentence)
            encoding = self._subwords.encode(sentence)
            spans = zip(encoding.ids, encoding.offsets, strict=True)
            return list(dict.fromkeys(sentence[a:b] for number, (a, b) in spans if number == 0))
        numbers = self._vocabulary.numbers
        return list(dict.fromkeys(token for token in self.cut(sentence) if token not in numbers))


def _require_tokenizers() -> None:
    require_extra('text at the level "subword"', "text", "tokenizers")


def _learn(sentences: Sequence[str], config: TextConfig) -> Any:
    _require_tokenizers()
    # Here, because only texts at this level need the package.
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE(unk_token=UNKNOWN))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Metaspace(), pre_tokenizers.Punctuation()]
    )
    trainer = trainers.BpeTrainer(
        vocab_size=config.max_vocabulary or SUBWORDS,
        min_frequency=max(2, config.min_count),
        special_tokens=[UNKNOWN],
        show_progress=False,
    )
    normal = (unicodedata.normalize("NFC", sentence) for sentence in sentences)
    given = (sentence.lower() for sentence in normal) if config.lowercase else normal
    tokenizer.train_from_iterator(given, trainer)
    return tokenizer
