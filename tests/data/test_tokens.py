"""Sentences become the tokens that the level says, and the training part alone decides which."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carousel.config import TextConfig
from carousel.data.tokens import Tokens, words_of
from carousel.errors import ConfigError

LEVELS = ("word", "character", "jamo", "subword")
CORPUS = [
    "It's a good film",
    "it is NOT good",
    "a bad, bad film!",
    "한국어 영화",
    "좋은 영화다",
] * 3


def fit(level, **settings):
    return Tokens.fit(CORPUS, TextConfig(level=level, **settings))


@pytest.mark.parametrize(
    ("sentence", "words"),
    [
        ("don't", ["do", "n't"]),
        ("do n't", ["do", "n't"]),
        ("CAN'T stop", ["CA", "N'T", "stop"]),
        ('he\'ll say: "no"', ["he", "'ll", "say", ":", '"', "no", '"']),
        ("well-made", ["well", "-", "made"]),
        ("재밌어요!!", ["재밌어요", "!", "!"]),
        ("  ", []),
    ],
)
def test_words_and_marks_stand_apart(sentence, words):
    assert words_of(sentence) == words


@given(st.text(max_size=60))
def test_no_character_but_white_space_is_lost_in_words(sentence):
    assert "".join(words_of(sentence)) == "".join(sentence.split())


@pytest.mark.parametrize("level", LEVELS)
def test_what_facts_describe_encodes_alike(level):
    tokens = fit(level, lowercase=True)
    again = Tokens.restore(json.loads(json.dumps(tokens.facts())))
    sentences = [*CORPUS, "a new FILM 새 영화", ""]
    one, other = tokens.encode(sentences), again.encode(sentences)
    assert one.values.tolist() == other.values.tolist()
    assert one.offsets.tolist() == other.offsets.tolist()
    assert len(tokens) == len(again) > int(one.values.max())
    assert one.lengths[-1] == 0


@pytest.mark.parametrize("level", LEVELS)
def test_two_fits_of_one_corpus_are_the_same(level):
    assert fit(level).facts() == fit(level).facts()


@pytest.mark.parametrize("level", LEVELS)
def test_what_the_training_part_lacks_is_unknown_and_named(level):
    tokens = fit(level)
    assert tokens.unknown_in("☃") == ["☃"]
    assert (tokens.encode(["☃"]).values == 0).any()
    assert tokens.unknown_in(CORPUS[0]) == []


def test_jamo_are_the_letters_of_a_syllable_and_any_unicode_form_is_read_alike():
    tokens = fit("jamo")
    assert len(tokens.cut("한")) == 3
    composed, decomposed = "영화", "\u110b\u1167\u11bc\u1112\u116a"
    for level in LEVELS:
        encoded = fit(level).encode([composed, decomposed])
        assert encoded[0].tolist() == encoded[1].tolist(), level


def test_lower_case_is_a_choice():
    assert fit("word", lowercase=True).unknown_in("GOOD FILM") == []
    assert fit("subword", lowercase=True).unknown_in("GOOD FILM") == []
    assert fit("word").unknown_in("GOOD FILM") == ["GOOD", "FILM"]


def test_subwords_are_learnt_up_to_the_size_asked_for():
    small, large = fit("subword", max_vocabulary=30), fit("subword", max_vocabulary=60)
    assert len(small) == 30 < len(large)
    assert len(small.encode(["good film"])[0]) > len(large.encode(["good film"])[0])


def test_a_vocabulary_of_nothing_is_refused():
    with pytest.raises(ConfigError, match=r"text.min_count = 99"):
        fit("word", min_count=99)


@pytest.mark.parametrize("level", ["character", "jamo", "subword"])
def test_known_sentences_are_read_back_as_they_were(level):
    tokens = fit(level)
    for sentence in [*CORPUS, "a good, bad film! a film", "좋은 한국어"]:
        row = tokens.encode([sentence]).values
        assert 0 not in row.tolist()
        assert tokens.decode(row.tolist()) == sentence


def test_marks_and_endings_hang_on_to_the_word_before():
    sentences = ["It doesn't work, it's broken.", "Who (if any)? They'll say so!"]
    tokens = Tokens.fit(sentences, TextConfig(level="word"))
    decoded = [tokens.decode(tokens.encode([sentence]).values.tolist()) for sentence in sentences]
    assert decoded == ["It doesn't work, it's broken.", "Who ( if any)? They'll say so!"]
    assert tokens.decode([]) == ""
