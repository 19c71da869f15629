"""SRU and RG-LRU against the papers' sums worked out number by number, and finite differences."""

import math

import pytest
import torch
from oracle import assert_close, randn, random_weight

from carousel.cells import rg_lru_step, scan, sru_step

T, B, H = 5, 3, 6
STEPS = {"SRU": (sru_step, 2, 3), "RGLRU": (rg_lru_step, 1, 2)}  # states, blocks of I = H
each_name = pytest.mark.parametrize("name", STEPS)
each_width = pytest.mark.parametrize("inputs", [4, H], ids=["projected", "direct"])


def sigmoid(a):
    return 1 / (1 + math.exp(-a))


def weights_of(name, inputs, bias=True):
    _, _, blocks = STEPS[name]
    shapes = {"weight_ih": ((blocks + (inputs != H)) * H, inputs)}
    shapes |= {"weight_c": (2 * H,)} if name == "SRU" else {"weight_lambda": (H,)}
    if bias:
        shapes["bias_ih"] = (2 * H,)
    return {
        part: random_weight(shape, part, index).requires_grad_()
        for index, (part, shape) in enumerate(shapes.items())
    }


def block(weight, k, u, x):
    return sum(weight[k * H + u][i].item() * x[i] for i in range(len(x)))


def sru_by_numbers(x, c, weights):
    """Equations of Lei et al. 2018, section 3.1, unit by unit."""
    w, v, b = weights["weight_ih"], weights["weight_c"].tolist(), weights["bias_ih"].tolist()
    outputs = []
    for u in range(H):
        f = sigmoid(block(w, 0, u, x) + v[u] * c[u] + b[u])
        r = sigmoid(block(w, 1, u, x) + v[H + u] * c[u] + b[H + u])
        c[u] = f * c[u] + (1 - f) * block(w, 2, u, x)
        highway = x[u] if len(x) == H else block(w, 3, u, x)
        outputs.append(r * c[u] + (1 - r) * highway)
    return outputs


def rg_lru_by_numbers(x, h, weights):
    """Equations of De et al. 2024, section 2.4, unit by unit, with the power as it is written."""
    w, big, b = weights["weight_ih"], weights["weight_lambda"].tolist(), weights["bias_ih"].tolist()
    for u in range(H):
        r = sigmoid(block(w, 0, u, x) + b[u])
        i = sigmoid(block(w, 1, u, x) + b[H + u])
        a = sigmoid(big[u]) ** (8 * r)
        given = x[u] if len(x) == H else block(w, 2, u, x)
        h[u] = a * h[u] + math.sqrt(1 - a * a) * i * given
    return list(h)


@each_name
@each_width
def test_steps_equal_the_papers_equations_number_by_number(name, inputs):
    weights, (step, states, _) = weights_of(name, inputs), STEPS[name]
    x, start = randn(T, 1, inputs), randn(1, H, seed=8)
    by_numbers = sru_by_numbers if name == "SRU" else rg_lru_by_numbers
    kept = start[0].tolist()
    expected = [by_numbers(x_t[0].tolist(), kept, weights) for x_t in x]
    before = (torch.full((1, H), torch.nan, dtype=torch.float64), start)[-states:]
    y, final = scan(lambda x, state: step(x, state, **weights), x, before)
    assert_close(y[:, 0], torch.tensor(expected, dtype=torch.float64), "forward")
    assert_close(final[-1][0], torch.tensor(kept, dtype=torch.float64), "forward")


@each_name
@each_width
@pytest.mark.parametrize("bias", [True, False], ids=["bias", "no-bias"])
@pytest.mark.parametrize("reverse", [False, True], ids=["forward", "reverse"])
@pytest.mark.parametrize("lengths", [None, [2, 0, 3]], ids=["full", "ragged"])
def test_gradients_equal_finite_differences(name, inputs, bias, reverse, lengths):
    weights, (step, states, _) = weights_of(name, inputs, bias), STEPS[name]
    lengths = None if lengths is None else torch.tensor(lengths)

    def run(x, *values):
        state, named = values[:states], dict(zip(weights, values[states:], strict=True))
        bound = lambda x, state: step(x, state, **named)  # noqa: E731
        y, final = scan(bound, x, state, lengths, reverse=reverse)
        return y, *final

    start = [randn(B, H, seed=8 + k).requires_grad_() for k in range(states)]
    x = randn(3, B, inputs).requires_grad_()
    assert torch.autograd.gradcheck(run, [x, *start, *weights.values()], fast_mode=True)


def test_sru_with_its_gates_shut_gives_the_input_out():
    weights = weights_of("SRU", H)
    weights["bias_ih"] = torch.tensor([0.0] * H + [-1e3] * H, dtype=torch.float64)
    x, zeros = randn(T, B, H), torch.zeros(B, H, dtype=torch.float64)
    y, _ = scan(lambda x, state: sru_step(x, state, **weights), x, (zeros, zeros))
    assert_close(y, x, "forward")


def test_rg_lru_with_weights_of_zero_is_a_moving_average():
    weights = {name: torch.zeros_like(weight) for name, weight in weights_of("RGLRU", H).items()}
    weights["weight_lambda"] = randn(H, seed=3)
    a = torch.sigmoid(weights["weight_lambda"]) ** 4  # r = 1/2
    x, h = randn(T, B, H), randn(B, H, seed=4)
    expected = a**T * h
    for t in range(T):
        expected = expected + a ** (T - 1 - t) * (1 - a**2).sqrt() * 0.5 * x[t]
    _, (last,) = scan(lambda x, state: rg_lru_step(x, state, **weights), x, (h,))
    assert_close(last, expected, "forward")


def test_rg_lru_that_keeps_all_has_finite_gradients():
    weights = weights_of("RGLRU", H)
    weights["weight_lambda"] = torch.full((H,), 1e3, dtype=torch.float64, requires_grad=True)
    x, h = randn(1, B, H).requires_grad_(), randn(B, H, seed=4)
    y, _ = scan(lambda x, state: rg_lru_step(x, state, **weights), x, (h,))
    assert torch.equal(y[0], h)
    gradients = torch.autograd.grad(y.sum(), [x, *weights.values()])
    assert all(gradient.isfinite().all() for gradient in gradients)
