"""Metrics by name."""

import doctest

from carousel import scores


def test_every_metric_has_a_direction_a_title_and_a_form():
    for name in scores.HIGHER_IS_BETTER:
        assert scores.title(name)
        assert scores.show(name, 0.5)
    assert scores.sentence({"loss": 0.5, "accuracy": 0.5}) == "loss 0.5000, accuracy 50.00%"


def test_examples_are_true():
    assert doctest.testmod(scores).failed == 0
