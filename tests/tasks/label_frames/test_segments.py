"""Segments, their F1 at an overlap and the edit score, on cases worked by hand."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from carousel.tasks.label_frames.segments import (
    Segment,
    edit_score,
    segment_f1,
    segment_scores,
    segments_of,
)

labels_of = st.lists(st.integers(0, 2), min_size=1, max_size=30).map(np.array)


def rows(*segments):
    return [Segment(*segment) for segment in segments]


@given(labels_of, st.randoms())
def test_segments_cover_the_frames_that_count_and_no_others(labels, chance):
    inside = np.array([chance.random() < 0.8 for _ in labels])
    segments = segments_of(labels, inside)
    covered = [t for s in segments for t in range(s.start, s.end)]
    assert covered == inside.nonzero()[0].tolist()
    for segment in segments:
        assert (labels[segment.start : segment.end] == segment.label).all()
    for before, after in pairwise(segments):
        assert before.end < after.start or before.label != after.label


def test_f1_of_a_case_worked_by_hand():
    truth = rows((0, 0, 10), (1, 10, 20), (0, 20, 30))
    guess = rows((0, 0, 6), (0, 6, 8), (1, 8, 20), (2, 20, 30))
    # (0,0,6): 6 of 10; (0,6,8): best is the taken one; (1,8,20): 10 of 12; 2 is nowhere
    assert segment_f1([truth], [guess], 0.5) == pytest.approx(2 * 2 / (4 + 3))
    assert segment_f1([truth], [guess], 0.7) == pytest.approx(2 * 1 / (4 + 3))
    assert segment_f1([truth], [guess], 0.9) == 0.0
    assert segment_f1([truth, rows((1, 0, 5))], [guess, rows((1, 0, 5))], 0.5) == pytest.approx(
        2 * 3 / (5 + 4)
    )


def test_a_true_segment_is_found_once_only():
    truth, guess = rows((0, 0, 10)), rows((0, 0, 5), (0, 5, 10))
    assert segment_f1([truth], [guess], 0.5) == pytest.approx(2 / 3)


@pytest.mark.parametrize(
    ("truth", "guess", "score"),
    [
        ("abc", "abc", 1.0),
        ("abc", "axc", 2 / 3),
        ("abc", "abcbc", 3 / 5),
        ("abc", "", 0.0),
        ("", "", 1.0),
        ("kitten", "sitting", 1 - 3 / 7),
    ],
)
def test_edit_score_is_the_levenshtein_distance_over_the_longer(truth, guess, score):
    def as_rows(text):
        return [Segment(ord(c), i, i + 1) for i, c in enumerate(text)]

    assert edit_score(as_rows(truth), as_rows(guess)) == pytest.approx(score)
    assert edit_score(as_rows(guess), as_rows(truth)) == pytest.approx(score)


@given(labels_of)
def test_the_truth_itself_scores_one(labels):
    assert set(segment_scores([labels], [labels]).values()) == {1.0}


@given(labels_of, st.integers(0, 2))
def test_what_is_said_of_unlabelled_frames_never_matters(labels, other):
    truth = labels.copy()
    truth[::3] = -1
    guess = labels.copy()
    guess[::3] = other
    assert set(segment_scores([truth], [guess]).values()) <= {1.0, 0.0}
    if (truth >= 0).any():
        assert segment_scores([truth], [guess])["segment_f1_50"] == 1.0
