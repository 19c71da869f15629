"""Scores of captions, against their definitions."""

import math
from collections import Counter

import pytest

from carousel.tasks.caption.scores import exact, measure, signatures

FOUND = ["a dog runs in snow", "two cats", "a man on a red bike with a hat"]
WANTED = [
    ["A dog is running in the snow", "a dog runs in snow today"],
    ["three cats sleep on a sofa", "two cats"],
    ["a man rides a bike"],
]


def bleu(order):
    """100 BP (Π p_n)^(1/N), without smoothing; the reference length is the closest one."""
    precisions = []
    for n in range(1, order + 1):
        hits = total = 0
        for text, some in zip(FOUND, WANTED, strict=True):
            grams = Counter(zip(*(text.lower().split()[i:] for i in range(n)), strict=False))
            most = Counter()
            for one in some:
                words = one.lower().split()
                most |= Counter(zip(*(words[i:] for i in range(n)), strict=False))
            hits += sum((grams & most).values())
            total += sum(grams.values())
        precisions.append(hits / total)
    length = sum(len(text.split()) for text in FOUND)
    closest = sum(
        min((len(one.split()) for one in some), key=lambda n, t=text: (abs(n - len(t.split())), n))
        for text, some in zip(FOUND, WANTED, strict=True)
    )
    penalty = min(1.0, math.exp(1 - closest / length))
    return 100 * penalty * math.prod(precisions) ** (1 / order)


@pytest.mark.parametrize("order", [1, 2, 3])
def test_bleu_is_that_of_its_definition_with_several_references(order):
    assert measure(FOUND, WANTED)[f"bleu_{order}"] == pytest.approx(bleu(order), rel=1e-6)


def test_right_captions_have_full_scores():
    scores = measure([some[-1] for some in WANTED], WANTED)
    assert scores["exact_match"] == 1
    assert scores["bleu_1"] == pytest.approx(100)
    assert scores["chrf"] == pytest.approx(100)


def test_an_exact_match_is_word_for_word():
    assert exact(FOUND, WANTED) == pytest.approx(1 / 3)
    assert exact(["A  DOG"], [["a dog"]]) == 1
    assert exact(["a dog ."], [["a dog"]]) == 0


def test_the_signatures_say_what_was_computed():
    assert set(signatures()) == {"bleu", "chrf"}
    assert "case:lc" in signatures()["bleu"]


def test_sentences_that_end_in_a_blank_and_a_period_are_scored_without_a_word(caplog):
    """Flickr8k's captions do; sacreBLEU warns of it, in the middle of what a user reads."""
    measure(["a dog runs ."] * 120, [["a dog runs .", "a cat ."]] * 120)
    assert not caplog.records
