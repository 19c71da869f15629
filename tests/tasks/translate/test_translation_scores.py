"""BLEU against its definition worked by hand, and baselines without a network."""

import math

import pytest

from carousel.data.sentence_pairs import Pairs
from carousel.tasks.translate.memory import copied, remembered
from carousel.tasks.translate.scores import TranslationScores

FOUND = ["The cat sat on the mat today", "a dog runs in the snow"]
WANTED = ["the cat sat on a mat", "A dog runs in the snow ."]


def test_bleu_is_the_geometric_mean_of_the_precisions_times_the_penalty():
    # Runs of n words: matched of all, counted by hand over both sentences, in lower case.
    precisions = [(5 + 6) / 13, (3 + 5) / 11, (2 + 4) / 9, (1 + 3) / 7]
    wanted = 100 * math.prod(precisions) ** 0.25  # 13 words, as many as the references have
    assert TranslationScores().bleu(FOUND, WANTED) == pytest.approx(wanted, abs=1e-9)


def test_capitals_count_only_where_they_are_asked_for():
    scores = TranslationScores().measure(FOUND, WANTED)
    assert scores["bleu_cased"] < scores["bleu"]
    assert set(TranslationScores(cased=False).measure(FOUND, WANTED)) == {"bleu", "chrf"}


def test_signatures_say_case_tokens_and_version():
    signatures = TranslationScores("char").signatures()
    assert "case:lc" in signatures["bleu"]
    assert "tok:char" in signatures["bleu"]
    assert "case:mixed" in signatures["bleu_cased"]
    assert all("version:" in signature for signature in signatures.values())


def test_the_memory_answers_a_known_sentence_with_its_translation():
    memory = Pairs(
        ["ein Hund rennt", "eine Katze schläft", "개가 달린다"],
        ["a dog runs", "a cat sleeps", "a dog runs, in Korean"],
    )
    asked = ["eine Katze schläft", "개가 달린다", "der Hund", "xyzzy"]
    assert remembered(memory, asked) == [
        "a cat sleeps",
        "a dog runs, in Korean",
        "a dog runs",
        "a dog runs",  # nothing is similar: the first
    ]
    assert copied(memory) == memory.sources


def test_sentences_that_end_in_a_blank_and_a_period_are_scored_without_a_word(caplog):
    sentences = ["ein Hund rennt ."] * 120
    assert TranslationScores().bleu(sentences, sentences) == pytest.approx(100)
    assert not caplog.records
