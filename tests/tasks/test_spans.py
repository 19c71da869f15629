"""Spans and their F1 on cases worked by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carousel.tasks.spans import Span, mark_spans, span_scores, spans_of


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
