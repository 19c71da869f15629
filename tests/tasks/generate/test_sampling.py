"""What is drawn has the distribution that was asked for."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from carousel.errors import ConfigError
from carousel.tasks.generate.sampling import Sampling

logits = st.lists(st.floats(-30, 30), min_size=1, max_size=12).map(torch.tensor)


@given(logits, st.floats(0.05, 5))
def test_temperature_divides_the_logits(values, temperature):
    wanted = (values.double() / temperature).softmax(-1)
    assert torch.allclose(Sampling(temperature=temperature).probabilities(values), wanted)


@given(logits)
def test_temperature_zero_takes_the_likeliest(values):
    chances = Sampling(temperature=0).probabilities(values)
    assert chances.sum() == chances.max() == 1
    assert values[chances.argmax()] == values.max()


@given(logits, st.integers(1, 15), st.floats(0.01, 1))
def test_top_k_and_top_p_keep_the_fewest_likeliest(values, k, p):
    plain = values.double().softmax(-1)
    after_k = Sampling(top_k=k).probabilities(values)
    kept = after_k > 0
    assert int(kept.sum()) <= k
    assert plain[kept].sum() == pytest.approx(plain.sort(descending=True).values[:k].sum().item())
    both = Sampling(top_k=k, top_p=p).probabilities(values)
    assert both.sum() == pytest.approx(1)
    kept = both > 0
    assert after_k[kept].sum() >= p - 1e-9
    # Without its least likely member, the set would fall short of p.
    assert after_k[kept].sum() - after_k[kept].min() <= p + 1e-9
    assert torch.allclose(both[kept], after_k[kept] / after_k[kept].sum())


def test_a_tiny_temperature_does_not_overflow():
    chances = Sampling(temperature=1e-300).probabilities(torch.tensor([1.0, 80.0, 79.0]))
    assert chances.tolist() == [0, 1, 0]


def test_banned_tokens_stay_impossible():
    values = torch.tensor([-torch.inf, 1.0, 0.0])
    for sampling in (Sampling(), Sampling(temperature=0), Sampling(top_k=3), Sampling(top_p=0.999)):
        assert sampling.probabilities(values)[0] == 0


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"temperature": -1.0}, "temperature must be at least 0, got -1"),
        ({"temperature": float("nan")}, "temperature"),
        ({"temperature": float("inf")}, "temperature"),
        ({"top_k": -1}, "top_k must be at least 0, got -1"),
        ({"top_p": 0.0}, "top_p must be above 0"),
        ({"top_p": 1.1}, "top_p must be above 0 and at most 1, got 1.1"),
    ],
)
def test_values_out_of_range_are_refused(settings, says):
    with pytest.raises(ConfigError, match=says):
        Sampling(**settings)
