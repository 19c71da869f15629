"""The scores of alarms: NAB's rule on cases computed by hand, windows, points."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from carousel.tasks.anomaly.scores import (
    PROFILES,
    Watch,
    measures,
    nab_raw,
    nab_score,
    overlapping,
    weight,
)

STANDARD, LOW_FP, LOW_FN = PROFILES.values()


def at(count, *places):
    alarms = np.zeros(count, bool)
    alarms[list(places)] = True
    return alarms


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


def test_the_profiles_are_those_that_were_published():
    assert [(p.false_alarm, p.missed) for p in PROFILES.values()] == [
        (0.11, 1.0),
        (0.22, 1.0),
        (0.11, 2.0),
    ]


@pytest.mark.parametrize(("place", "wanted"), [(-1, 0.98661), (-0.5, 0.84828), (0, 0)])
def test_places_in_a_window_weigh_what_the_benchmark_says(place, wanted):
    assert weight(place) == pytest.approx(wanted, abs=1e-5)
    assert weight(place) == pytest.approx(2 * sigmoid(-5 * place) - 1)


def test_the_earliest_alarm_of_a_window_alone_counts():
    # Rows 10 to 19: row 12 is 8 of 10 before the end.
    one = nab_raw(at(40, 12), [(10, 19)], STANDARD)
    assert one == pytest.approx((2 * sigmoid(5 * 0.8) - 1) / (2 * sigmoid(5) - 1))
    assert nab_raw(at(40, 12, 13, 19), [(10, 19)], STANDARD) == one


def test_a_false_alarm_costs_by_its_distance_behind_the_last_window():
    missed = -1.0
    before = nab_raw(at(60, 3), [(10, 19)], STANDARD)
    assert before == pytest.approx(missed - 0.11)
    near = nab_raw(at(60, 22), [(10, 19)], STANDARD)  # 3 behind a window 9 wide
    assert near == pytest.approx(missed + 0.11 * (2 * sigmoid(-5 * 3 / 9) - 1))
    far = nab_raw(at(60, 50), [(10, 19)], LOW_FP)  # 31 / 9 is more than 3
    assert far == pytest.approx(missed - 0.22)


def test_a_missed_window_costs_more_where_misses_do():
    assert nab_raw(at(30), [(5, 9), (20, 24)], LOW_FN) == -4.0
    assert nab_raw(at(30), [(5, 9), (20, 24)], STANDARD) == -2.0


def test_a_score_of_two_series_by_hand():
    # Series one: found at its middle, one false alarm before; series two: missed.
    found = (2 * sigmoid(5 * 0.5) - 1) / (2 * sigmoid(5) - 1)
    raw = found - 0.11 - 1.0
    wanted = 100 * (raw + 2) / 4
    alarms, windows = [at(40, 2, 15), at(40)], [[(10, 19)], [(10, 19)]]
    assert nab_score(alarms, windows, STANDARD) == pytest.approx(wanted)
    low = 100 * (found - 0.11 - 2.0 + 4) / (2 + 4)
    assert nab_score(alarms, windows, LOW_FN) == pytest.approx(low)


@pytest.mark.parametrize("profile", PROFILES.values())
def test_silence_is_0_and_perfection_100(profile):
    windows = [[(3, 7), (12, 20)], [(0, 4)]]
    assert nab_score([at(30), at(30)], windows, profile) == pytest.approx(0)
    assert nab_score([at(30, 3, 12), at(30, 0)], windows, profile) == pytest.approx(100)


@given(st.lists(st.booleans(), min_size=30, max_size=30))
def test_no_alarms_score_more_than_perfect_ones(flags):
    for profile in PROFILES.values():
        assert nab_score([np.array(flags)], [[(8, 12), (20, 22)]], profile) <= 100 + 1e-9


def watch(scores, true, limit=1.0, name="a"):
    scores = np.asarray(scores, float)
    labels = None if true is None else np.asarray(true, bool)
    return Watch(name, scores, scores > limit, labels)


def test_windows_are_counted_by_hand():
    true = [0, 0, 1, 1, 0, 0, 0, 0, 1, 1]
    scores = [0, 2, 0, 0, 0, 2, 0, 0, 0, 2]
    # Alarms at 1, 5 and 9: with merge 0 three windows, of which one overlaps a true one.
    found = measures([watch(scores, true)], merge=0)
    assert (found["precision"], found["recall"]) == (pytest.approx(1 / 3), 0.5)
    assert found["window_f1"] == pytest.approx(2 * (1 / 3) * 0.5 / (1 / 3 + 0.5))
    # With merge 3 they are one, from 1 to 9, that overlaps both.
    found = measures([watch(scores, true)], merge=3)
    assert (found["precision"], found["recall"], found["window_f1"]) == (1, 1, 1)
    assert found["false_alarms_per_1000"] == pytest.approx(1000 * 2 / 6)


def test_the_area_under_precision_and_recall_is_scikit_learns():
    from sklearn.metrics import average_precision_score

    chance = np.random.default_rng(0)
    scores, true = chance.random(200), chance.random(200) < 0.2
    found = measures([watch(scores[:80], true[:80]), watch(scores[80:], true[80:])], merge=2)
    assert found["pr_auc"] == pytest.approx(average_precision_score(true, scores))


def test_steps_without_a_score_are_no_false_alarms_and_in_no_curve():
    scores = [np.nan, np.nan, 2.0, 0.5]
    found = measures([watch(scores, [0, 0, 1, 0])], merge=0)
    assert found["false_alarms_per_1000"] == 0
    assert found["pr_auc"] == 1


def test_what_is_undefined_is_left_out():
    assert measures([watch([1, 2], None)], merge=0) == {}
    assert set(measures([watch([0, 2], [0, 0])], merge=0)) == {"false_alarms_per_1000"}
    quiet = measures([watch([0, 0], [0, 1])], merge=0)
    assert "precision" not in quiet
    assert (quiet["recall"], quiet["window_f1"]) == (0, 0)


def test_windows_overlap_if_they_share_a_row():
    assert overlapping([(0, 2), (4, 4)], [(2, 3)]) == 1
    assert overlapping([(0, 9)], [(3, 3), (5, 5)]) == 1
    assert overlapping([], [(3, 3)]) == 0
