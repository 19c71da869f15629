"""Letters of words as numbers."""

import pytest
import torch

from carousel.config import TextConfig
from carousel.data.labelled_words import WordFeatures
from carousel.data.spelling import Spelling, letters_of
from carousel.data.tokens import Tokens

KOREAN = ["영화 재미있다", "정말 재미없다"]


def test_letters_are_numbered_by_how_often_words_of_training_have_them():
    spelling = Spelling.fit({"aab": 2, "b": 5, "c": 1}, TextConfig(characters="character"))
    assert spelling.vocabulary.tokens[2:] == ("b", "a", "c")
    assert spelling.encode(["ab?"])[0, :5].tolist() == [3, 2, 1, 0, 0]
    rare = TextConfig(characters="character", min_count=2)
    assert Spelling.fit({"aab": 2, "c": 1}, rare).vocabulary.tokens[2:] == ("a", "b")


def test_no_letters_are_read_where_none_are_asked_for():
    assert Spelling.fit({"a": 1}, TextConfig()) is None
    assert Spelling.restore(None) is None


def test_words_that_are_too_long_are_cut_and_counted():
    spelling = Spelling.fit({"abcd": 1}, TextConfig(characters="character", longest_word=3))
    assert spelling.encode(["abcd"]).tolist() == spelling.encode(["abc"]).tolist()
    assert spelling.cut_off(["abcd", "abc", "dcba"]) == 2
    assert "2 words have more than 3, cut" in spelling.said(["abcd", "dcba"])


@pytest.mark.parametrize("level", ["character", "jamo"])
def test_words_of_hangul_are_read_in_syllables_or_jamo(level):
    config = TextConfig(characters=level)
    spelling = Spelling.restore(Tokens.fit(KOREAN, config).facts()["spelling"])
    row = spelling.encode(["재미"])[0]
    count = {"character": 2, "jamo": 4}[level]
    assert len(letters_of("재미", level)) == count == int((row > 0).sum())
    assert 1 not in row.tolist()


@pytest.mark.parametrize("level", ["word", "subword"])
def test_the_letters_of_a_token_stand_behind_its_number(level):
    pytest.importorskip("tokenizers")
    config = TextConfig(level=level, characters="character", longest_word=6)
    plain = Tokens.fit(KOREAN, TextConfig(level=level)).encode(KOREAN)
    tokens = Tokens.fit(KOREAN, config)
    with_letters = Tokens.restore(tokens.facts()).encode(KOREAN)
    assert with_letters.offsets.tolist() == plain.offsets.tolist()
    assert with_letters.values[:, 0].tolist() == plain.values.tolist()
    words = [word for text in KOREAN for word in tokens.cut(text)]
    assert torch.equal(with_letters.values[:, 1:], tokens.spelling.encode(words))


def test_an_unknown_word_to_be_labelled_keeps_its_letters_and_digits_are_alike():
    features = WordFeatures.fit([["cab", "12"]], TextConfig(characters="character"))
    rows = WordFeatures.restore(features.facts()).encode([["bac", "98"], []]).values
    letters = features.spelling.vocabulary.numbers
    assert rows[0, :5].tolist() == [0, letters["b"], letters["a"], letters["c"], 0]
    assert rows[1, 1:4].tolist() == [letters["0"], letters["0"], 0]
    assert features.encode([[]]).values.shape == (0, 21)
