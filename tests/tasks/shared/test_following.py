"""Intervals follow what has come, and nothing that has not."""

import numpy as np
import pytest

from carousel.tasks.shared.following import followed

SHARE = 0.8


def windows_of(series, steps):
    """Every window's steps to come (N, K, 1) and their first rows."""
    starts = np.arange(len(series) - steps + 1)
    return series[starts[:, None] + np.arange(steps)][..., None], starts


def by_hand(truth, told, starts, rate):
    """The definition, event by event: at each window everything that has come counts anew."""
    low, middle, high = told.copy()
    found = told.copy()
    for n, start in enumerate(starts):
        for k in range(truth.shape[1]):
            for c in range(truth.shape[2]):
                log = 0.0
                for m in range(n):
                    y = truth[m, k, c]
                    if starts[m] + k < start and not np.isnan(y):
                        missed = not found[0, m, k, c] <= y <= found[2, m, k, c]
                        log += rate * (missed - (1 - SHARE))
                wide = np.exp(log)
                found[0, n, k, c] = middle[n, k, c] - wide * (middle - low)[n, k, c]
                found[2, n, k, c] = middle[n, k, c] + wide * (high - middle)[n, k, c]
    return found


@pytest.mark.parametrize("starts", [np.arange(24), np.arange(0, 72, 3), np.arange(24) ** 2])
def test_intervals_are_their_definition_event_by_event(starts):
    chance = np.random.default_rng(0)
    truth = chance.normal(size=(24, 5, 2)) * 2
    truth[chance.random(truth.shape) < 0.2] = np.nan
    middle = chance.normal(size=truth.shape)
    told = np.stack((middle - chance.random(truth.shape), middle, middle + 1.5))
    found = followed(truth, told, starts, 0.1, SHARE)
    np.testing.assert_allclose(found, by_hand(truth, told, starts, 0.1))
    np.testing.assert_array_equal(found[1], middle)


def test_what_has_not_come_changes_nothing():
    chance = np.random.default_rng(1)
    series = chance.normal(size=60)
    truth, starts = windows_of(series, 6)
    told = np.stack((truth * 0 - 0.5, truth * 0, truth * 0 + 0.5))
    wanted = followed(truth, told, starts, 0.2, SHARE)
    series[40:] += 100.0
    later, _ = windows_of(series, 6)
    found = followed(later, told, starts, 0.2, SHARE)
    np.testing.assert_array_equal(found[:, :41], wanted[:, :41])  # window 40 begins at row 40
    assert (found[2, 41:] > wanted[2, 41:]).any()


@pytest.mark.parametrize("factor", [0.2, 1.0, 6.0])
def test_the_share_is_held_in_the_long_run_whatever_changes(factor):
    chance = np.random.default_rng(2)
    series = chance.normal(size=6000) * factor
    series[3000:] *= 3  # a change that no calibration could know of
    truth, starts = windows_of(series, 4)
    told = np.stack((truth * 0 - 1.28, truth * 0, truth * 0 + 1.28))
    low, _, high = followed(truth, told, starts, 0.05, SHARE)
    held = ((truth >= low) & (truth <= high)).mean((0, 2))
    np.testing.assert_allclose(held, SHARE, atol=0.01)


def test_a_rate_of_zero_changes_nothing():
    truth, starts = windows_of(np.arange(20.0), 3)
    told = np.stack((truth - 1, truth + 0.5, truth + 2))
    np.testing.assert_array_equal(followed(truth, told, starts, 0.0, SHARE), told)
