"""Baselines in a sentence of `carousel train`."""

import pytest

from carousel.cli.train import _named


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ([], ""),
        (["linear"], "linear"),
        (["last_value", "linear"], "last value and linear"),
        (["mean", "last_value", "linear"], "mean, last value and linear"),
    ],
)
def test_baselines_are_listed_as_in_a_sentence(names, said):
    assert _named(names) == said
