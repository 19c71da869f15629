"""Spans and their F1 on cases worked by hand."""

from itertools import product

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from carousel.tasks.label_words.spans import (
    Span,
    best_well_formed,
    mark_spans,
    may_follow,
    span_scores,
    spans_of,
    well_formed,
)

SIGNS = ["B-x", "I-x", "O", "B-y", "I-y", "E-y", "S-y"]


@pytest.mark.parametrize(
    ("labels", "spans"),
    [
        ("", []),
        ("O O", []),
        ("B-a", [("a", 0, 1)]),
        ("B-a I-a O B-b", [("a", 0, 2), ("b", 3, 4)]),
        ("B-a B-a I-a", [("a", 0, 1), ("a", 1, 3)]),
        # an I that goes on from nothing, or from another kind, begins a span
        ("O I-a I-a", [("a", 1, 3)]),
        ("B-a I-b I-b", [("a", 0, 1), ("b", 1, 3)]),
        ("I-a I-a B-a", [("a", 0, 2), ("a", 2, 3)]),
        # IOBES
        ("B-a I-a E-a S-a", [("a", 0, 3), ("a", 3, 4)]),
        ("S-a S-a I-a", [("a", 0, 1), ("a", 1, 2), ("a", 2, 3)]),
        ("B-a E-a I-a", [("a", 0, 2), ("a", 2, 3)]),
        ("B-a.b-c I-a.b-c", [("a.b-c", 0, 2)]),
        ("NN VB - B- O", []),
    ],
)
def test_spans_are_those_of_conlleval(labels, spans):
    assert spans_of(labels.split()) == [Span(*span) for span in spans]


@given(st.lists(st.sampled_from(["O", "B-x", "I-x", "B-y", "I-y", "E-x", "S-y"])))
def test_spans_are_ordered_disjoint_and_cover_what_is_not_outside(labels):
    spans = spans_of(labels)
    covered = [place for span in spans for place in range(span.start, span.end)]
    assert covered == [place for place, label in enumerate(labels) if label != "O"]
    for span in spans:
        assert {labels[i][2:] for i in range(span.start, span.end)} == {span.kind}


@pytest.mark.parametrize(
    ("labels", "is_so"),
    [
        ("O B-x I-x I-x O B-x B-x", True),
        ("B-y I-y E-y S-y O", True),
        ("O I-x", False),
        ("I-x", False),
        ("B-x I-y", False),
        ("B-y E-y I-y", False),
        ("S-y E-y", False),
        ("", True),
    ],
)
def test_what_is_well_formed(labels, is_so):
    assert well_formed([labels.split()]) is is_so


@given(st.lists(st.integers(0, 4), min_size=1, max_size=6), st.integers(0, 1 << 30))
def test_best_well_formed_is_the_best_of_all_that_are(lengths, seed):
    torch.manual_seed(seed)
    logits = 3 * torch.randn(sum(lengths), len(SIGNS))
    found = torch.split(best_well_formed(logits, lengths, SIGNS), lengths)
    chances = torch.split(logits.log_softmax(1), lengths)
    for row, path in zip(chances, found, strict=True):
        best = max(
            (
                numbers
                for numbers in product(range(len(SIGNS)), repeat=len(row))
                if well_formed([[SIGNS[i] for i in numbers]])
            ),
            key=lambda numbers: sum(float(row[t, i]) for t, i in enumerate(numbers)),
        )
        assert path.tolist() == list(best)


def test_most_probable_labels_that_are_well_formed_are_left_as_they_are():
    torch.manual_seed(0)
    logits = torch.randn(4000, len(SIGNS))
    lengths = [4] * 1000
    alone = torch.split(logits.argmax(1), lengths)
    together = torch.split(best_well_formed(logits, lengths, SIGNS), lengths)
    already = [well_formed([[SIGNS[i] for i in row]]) for row in alone]
    assert 0 < sum(already) < len(already)
    for so, one, other in zip(already, alone, together, strict=True):
        assert torch.equal(one, other) is so


def test_only_a_beginning_lets_an_inner_label_follow():
    for before, label in product(SIGNS, SIGNS):
        expected = label[0] not in "IE" or before in (f"B{label[1:]}", f"I{label[1:]}")
        assert may_follow(label, before) is expected


def test_scores_of_a_case_worked_by_hand():
    truth = [["B-x", "I-x", "O", "B-y"], ["B-x", "O"], ["O", "O", "O"]]
    guess = [["B-x", "I-x", "O", "B-x"], ["B-x", "I-x"], ["O", "O", "B-y"]]
    # wanted x(0,2) y(3,4) | x(0,1);  found x(0,2) x(3,4) | x(0,2) | y(2,3);  right: the first
    scores = span_scores(truth, guess)
    assert scores["span_precision"] == pytest.approx(1 / 4)
    assert scores["span_recall"] == pytest.approx(1 / 3)
    assert scores["span_f1"] == pytest.approx(2 / 7)
    assert scores["per_kind"]["x"] == pytest.approx(
        {"precision": 1 / 3, "recall": 1 / 2, "f1": 2 / 5, "support": 2}
    )
    assert scores["per_kind"]["y"] == {"precision": 0.0, "recall": 0.0, "f1": 0.0, "support": 1}


def test_the_same_labels_score_one_and_nothing_scores_zero():
    truth = [["B-x", "I-x", "O"]]
    assert span_scores(truth, truth)["span_f1"] == 1.0
    assert span_scores([["O"]], [["O"]])["span_f1"] == 0.0


def test_only_labels_with_signs_mark_spans():
    assert mark_spans(["O", "B-x"])
    assert not mark_spans(["O", "NN", "BIG"])
