"""The threshold and what it promises; alarms as they come; windows."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from carousel.config import AnomalyConfig
from carousel.errors import ConfigError
from carousel.tasks.anomaly.alarms import (
    Alarms,
    Limit,
    alarms_of,
    answer_of,
    check_promise,
    limits,
    merged,
)


def test_the_threshold_is_the_quantile_of_split_conformal_prediction():
    scores = np.random.default_rng(0).permutation(np.arange(1.0, 1000.0))  # 999 of them
    assert Limit.of(scores, 1).value == 999
    assert Limit.of(scores, 10).value == 990
    assert Limit.of(np.append(scores, np.nan), 10).steps == 999


def test_new_normal_scores_lie_above_it_no_more_often_than_was_promised():
    chance, above, rate, count = np.random.default_rng(1), 0, 50, 79
    for _ in range(4000):
        scores = chance.lognormal(size=count + 1)
        above += scores[-1] > Limit.of(scores[:-1], rate).value
    expected = 1 - math.ceil((1 - rate / 1000) * (count + 1)) / (count + 1)
    assert expected <= rate / 1000 + 1e-12
    deviation = math.sqrt(expected * (1 - expected) / 4000)
    assert above / 4000 == pytest.approx(expected, abs=4 * deviation)


@pytest.mark.parametrize("count", [1, 99, 998])
def test_a_rate_that_so_few_steps_cannot_promise_is_refused_with_what_they_can(count):
    with pytest.raises(ConfigError, match=f"takes 999 validation steps.*there are {count}") as e:
        check_promise({"a": count}, AnomalyConfig(false_alarms=1.0))
    least = float(str(e.value).split("set it to ")[1].split()[0])
    check_promise({"a": count}, AnomalyConfig(false_alarms=least))


def test_enough_steps_are_enough():
    check_promise({"a": 999}, AnomalyConfig(false_alarms=1.0))
    check_promise({"a": 500, "b": 499}, AnomalyConfig(false_alarms=1.0, calibration="set"))
    with pytest.raises(ConfigError, match="no series has more than 500"):
        check_promise({"a": 500, "b": 499}, AnomalyConfig(false_alarms=1.0))
    check_promise({"a": 5}, AnomalyConfig(false_alarms=1.0, follow=0.1))


def test_each_series_has_its_threshold_and_the_set_one_for_new_ones():
    scores = {"a": np.arange(1.0, 100.0), "b": np.arange(101.0, 200.0)}
    found = limits(scores, AnomalyConfig(false_alarms=100.0))
    assert {name: limit.value for name, limit in found.items()} == {"": 181, "a": 90, "b": 190}
    assert set(limits(scores, AnomalyConfig(false_alarms=100.0, calibration="set"))) == {""}


def test_too_few_steps_promise_what_they_can_and_none_never_alarm():
    few = Limit.of(np.array([3.0, 1.0]), 10)
    assert (few.value, few.promised) == (3.0, pytest.approx(1000 / 3))
    none = Limit.of(np.array([np.nan]), 10)
    scores, alarms = alarms_of(np.array([1e300]), none, AnomalyConfig())
    assert not alarms.any()
    assert scores[0] == 0


@given(
    st.lists(st.floats(0, 1e6), min_size=1, max_size=400),
    st.floats(0.01, 2),
    st.floats(1, 100),
    st.integers(1, 5),
)
def test_a_threshold_that_follows_keeps_the_rate_whatever_comes(raw, follow, rate, smooth):
    config = AnomalyConfig(follow=follow, smooth=smooth)
    scores, alarms = alarms_of(np.array(raw), Limit(1.0, 1, rate), config)
    highest = max(math.log(max(scores.max(), 1.0)), 0.0)
    assert alarms.sum() <= rate / 1000 * len(raw) + 1 + highest / follow + 1e-9


def test_a_threshold_that_follows_comes_down_again_to_where_it_was():
    alarms = Alarms(Limit(1.0, 99, 100.0), smooth=1, follow=0.5)
    assert alarms.step(2.0)[1]
    assert not alarms.step(1.5)[1]  # e^0.45 is more
    for _ in range(9):
        alarms.step(0.5)
    assert alarms.step(1.01)[1]


def test_smoothing_is_the_geometric_mean_of_the_last_scores():
    config = AnomalyConfig(smooth=3)
    raw = np.array([1.0, 8.0, 1.0, np.nan, 27.0])
    scores, _ = alarms_of(raw, Limit(1.0, 9, 10.0), config)
    wanted = [1, math.sqrt(8), 2, np.nan, 6]
    np.testing.assert_allclose(scores, wanted, rtol=1e-12)


def test_windows_begin_and_end_with_alarms():
    alarms = np.array([0, 1, 0, 0, 1, 1, 0, 0, 0, 1], bool)
    assert merged(alarms, 0) == [(1, 1), (4, 5), (9, 9)]
    assert merged(alarms, 2) == [(1, 5), (9, 9)]
    assert merged(alarms, 3) == [(1, 9)]
    assert merged(np.zeros(4, bool), 3) == []


def test_a_window_blames_the_columns_that_make_up_half_of_its_error():
    shares = np.array([[1, 0, 0], [0.1, 0.6, 0.3], [0, 0, 1], [0.1, 0.4, 0.5]])
    scores, alarms = np.array([0.1, 2.0, 0.2, 3.0]), np.array([False, True, False, True])
    answer = answer_of(scores, alarms, shares, ("t0", "t1", "t2", "t3"), ("a", "b", "c"), 1)
    (window,) = answer.windows
    assert (window.start, window.end, window.score) == ("t1", "t3", 3.0)
    assert window.columns == pytest.approx({"b": 0.5, "c": 0.4, "a": 0.1})
    assert window.blamed == ["b"]
    told = answer.to_json()
    assert told["windows"][0]["blamed"] == ["b"]
    assert told["scores"] == [0.1, 2.0, 0.2, 3.0]
