"""LRU against sums of powers in complex numbers, and finite differences."""

import pytest
import torch
from oracle import assert_close, randn, random_weight

from carousel.cells import lru_step, scan

T, B, I, H = 6, 3, 4, 5  # noqa: E741
SHAPES = {
    "weight_ih": (3 * H, I),
    "weight_sh": (H, 2 * H),
    "weight_nu": (H,),
    "weight_theta": (H,),
    "weight_gamma": (H,),
    "bias_ih": (H,),
}


def weights_of(bias=True):
    named = [name for name in SHAPES if bias or name != "bias_ih"]
    return {
        name: random_weight(SHAPES[name], name, index).requires_grad_()
        for index, name in enumerate(named)
    }


def by_powers(x, s, weights):
    """y_t = Re(C (λ^t s_0 + Σ_k λ^(t-k) exp(γ) B x_k)) + D x_t + b, as in Orvieto et al. 2023."""
    d, b_real, b_imaginary = weights["weight_ih"].split(H)
    c_real, c_imaginary = weights["weight_sh"][:, :H], -weights["weight_sh"][:, H:]
    exponent = torch.complex(-weights["weight_nu"].exp(), weights["weight_theta"].exp())
    given = weights["weight_gamma"].exp() * torch.complex(x @ b_real.T, x @ b_imaginary.T)
    outputs = []
    for t in range(len(x)):
        terms = [(exponent * (t - k)).exp() * given[k] for k in range(t + 1)]
        state = (exponent * (t + 1)).exp() * s + sum(terms)
        outputs.append((state @ torch.complex(c_real, c_imaginary).T).real + x[t] @ d.T)
    return torch.stack(outputs) + weights.get("bias_ih", 0.0), state


@pytest.mark.parametrize("bias", [True, False], ids=["bias", "no-bias"])
def test_steps_equal_sums_of_powers_of_complex_numbers(bias):
    weights, x = weights_of(bias), randn(T, B, I)
    c, n = randn(B, H, seed=8), randn(B, H, seed=9)
    expected, state = by_powers(x, torch.complex(c, n), weights)
    start = (torch.full_like(c, torch.nan), c, n)
    y, (h, c, n) = scan(lambda x, s: lru_step(x, s, **weights), x, start)
    assert_close(y, expected, "forward")
    assert_close(h, expected[-1], "forward")
    assert_close(c, state.real, "forward")
    assert_close(n, state.imag, "forward")


@pytest.mark.parametrize("reverse", [False, True], ids=["forward", "reverse"])
@pytest.mark.parametrize("lengths", [None, [2, 0, 3]], ids=["full", "ragged"])
def test_gradients_equal_finite_differences(reverse, lengths):
    weights = weights_of()
    lengths = None if lengths is None else torch.tensor(lengths)

    def run(x, *values):
        named = dict(zip(weights, values[3:], strict=True))
        bound = lambda x, state: lru_step(x, state, **named)  # noqa: E731
        y, final = scan(bound, x, values[:3], lengths, reverse=reverse)
        return y, *final

    start = [randn(B, H, seed=8 + k).requires_grad_() for k in range(3)]
    x = randn(3, B, I).requires_grad_()
    assert torch.autograd.gradcheck(run, [x, *start, *weights.values()], fast_mode=True)


@pytest.mark.parametrize("scale", [1.0, 30.0, 100.0])
def test_memory_never_grows_whatever_the_weights_are(scale):
    weights = {name: scale * weight.detach() for name, weight in weights_of(False).items()}
    weights["weight_ih"] = torch.zeros_like(weights["weight_ih"])
    c, n = randn(B, H, seed=8), randn(B, H, seed=9)
    size = c**2 + n**2
    for _ in range(50):
        _, c, n = lru_step(torch.zeros(B, I).double(), (c, c, n), **weights)
        assert (c**2 + n**2 <= size * (1 + 1e-12)).all()
        size = c**2 + n**2
