"""Intervals of metrics, against ones worked out from plain resampling and from theory."""

import math

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import f1_score

from carousel.tasks.shared.bootstrap import interval, macro_f1, of_confusion


def test_the_interval_of_a_mean_is_that_of_its_normal_approximation():
    values = np.random.default_rng(1).normal(3.0, 2.0, 400)
    low, high = interval(np.stack((values, np.ones(400)), 1), lambda r: r[:, 0] / r[:, 1])
    error = values.std() / math.sqrt(400)
    assert low == pytest.approx(values.mean() - 1.96 * error, abs=0.4 * error)
    assert high == pytest.approx(values.mean() + 1.96 * error, abs=0.4 * error)


def test_the_interval_of_accuracy_is_the_binomial_one():
    (low, high) = of_confusion([[160, 20], [30, 190]])["accuracy"]
    share, error = 350 / 400, math.sqrt(350 / 400 * 50 / 400 / 400)
    assert low == pytest.approx(share - 1.96 * error, abs=0.3 * error)
    assert high == pytest.approx(share + 1.96 * error, abs=0.3 * error)


def test_macro_f1_of_a_confusion_is_that_of_scikit_learn():
    random = np.random.default_rng(0)
    truth, guess = random.integers(0, 4, 90), random.integers(0, 3, 90)
    confusion = np.zeros((5, 5))
    np.add.at(confusion, (truth, guess), 1)
    assert macro_f1(confusion) == pytest.approx(f1_score(truth, guess, average="macro"))


def test_units_that_are_drawn_together_make_the_interval_wider():
    values = np.repeat(np.random.default_rng(2).normal(size=40), 25)
    alone = np.stack((values, np.ones_like(values)), 1)
    mean = lambda r: r[:, 0] / r[:, 1]  # noqa: E731
    narrow = np.ptp(interval(alone, mean))
    wide = np.ptp(interval(alone.reshape(40, 25, 2).sum(1), mean))
    assert 3 < wide / narrow < 7  # 5 = sqrt(25)


def test_few_units_have_no_interval():
    assert interval(np.ones((4, 1)), lambda r: r[:, 0]) is None
    assert of_confusion([[2, 0], [0, 2]]) == {}


def test_accuracy_of_no_mistake_has_wilsons_interval_and_not_one_without_width():
    ends = of_confusion([[60, 0], [0, 60]])
    assert ends["accuracy"] == pytest.approx([120 / (120 + 1.959964**2), 1.0])
    assert "macro_f1" not in ends  # no draw can vary: there is nothing to tell of


@pytest.mark.parametrize(("hits", "total"), [(0, 7), (3, 8), (110, 120)])
def test_accuracys_interval_is_that_of_scipy(hits, total):
    wrong = total - hits
    low, high = of_confusion([[hits, wrong], [0, 0]])["accuracy"]
    theirs = stats.binomtest(hits, total).proportion_ci(method="wilson")
    assert (low, high) == pytest.approx((theirs.low, theirs.high))


def test_a_score_that_is_the_same_in_every_draw_has_no_interval():
    assert interval(np.ones((50, 2)), lambda r: r[:, 0] / r[:, 1]) is None
