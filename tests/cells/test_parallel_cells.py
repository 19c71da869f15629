"""minGRU, minLSTM and IndRNN against sums by hand, finite differences, and what they reduce to."""

import math

import pytest
import torch
from oracle import assert_close, assert_same, evaluate, randn, random_weight
from torch.nn import functional as F

from carousel.cells import ind_rnn_step, min_gru_step, min_lstm_step, rnn_step, scan

T, B, INPUTS, H = 5, 3, 4, 6
STEPS = {"MinGRU": (min_gru_step, 2), "MinLSTM": (min_lstm_step, 3), "IndRNN": (ind_rnn_step, 1)}
CASES = [
    ("MinGRU", "g"),
    ("MinGRU", "linear"),
    ("MinLSTM", "g"),
    ("MinLSTM", "linear"),
    ("IndRNN", "relu"),
    ("IndRNN", "tanh"),
]
each_case = pytest.mark.parametrize(("name", "nonlinearity"), CASES)


def weights_of(name, bias=True):
    rows = STEPS[name][1] * H
    shapes = {"weight_ih": (rows, INPUTS)}
    if name == "IndRNN":
        shapes["weight_hh"] = (H,)
    if bias:
        shapes["bias_ih"] = (rows,)
    return {
        part: random_weight(shape, part, index).requires_grad_()
        for index, (part, shape) in enumerate(shapes.items())
    }


def column(*values):
    return torch.tensor(values, dtype=torch.float64)[:, None]


def sigmoid(a):
    return 1 / (1 + math.exp(-a))


def g(a):
    return a + 0.5 if a >= 0 else sigmoid(a)


@pytest.mark.parametrize("x", [1.5, -1.5])
@pytest.mark.parametrize(("nonlinearity", "φ"), [("g", g), ("linear", lambda a: a)])
def test_min_gru_step_by_hand(x, nonlinearity, φ):
    w, b, h = [0.5, -0.4], [0.1, -0.9], -0.7
    z, candidate = sigmoid(w[0] * x + b[0]), φ(w[1] * x + b[1])
    (new,) = min_gru_step(
        column(x), (column(h),), column(*w), column(*b)[:, 0], nonlinearity=nonlinearity
    )
    assert new.item() == pytest.approx((1 - z) * h + z * candidate, rel=1e-14)


@pytest.mark.parametrize("x", [1.5, -1.5])
@pytest.mark.parametrize(("nonlinearity", "φ"), [("g", g), ("linear", lambda a: a)])
def test_min_lstm_step_by_hand(x, nonlinearity, φ):
    w, b, h = [0.5, -0.4, 0.8], [0.1, -0.9, 0.3], -0.7
    f, i = sigmoid(w[0] * x + b[0]), sigmoid(w[1] * x + b[1])
    candidate = φ(w[2] * x + b[2])
    (new,) = min_lstm_step(
        column(x), (column(h),), column(*w), column(*b)[:, 0], nonlinearity=nonlinearity
    )
    assert new.item() == pytest.approx((f * h + i * candidate) / (f + i), rel=1e-14)


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize(
    ("nonlinearity", "φ"), [("relu", lambda a: max(a, 0.0)), ("tanh", math.tanh)]
)
def test_ind_rnn_step_by_hand(sign, nonlinearity, φ):
    (new,) = ind_rnn_step(
        column(2.0),
        (column(-0.5),),
        column(0.3 * sign),
        column(0.7 * sign)[0],
        column(0.1)[0],
        nonlinearity=nonlinearity,
    )
    assert new.item() == pytest.approx(φ(0.6 * sign + 0.1 - 0.35 * sign), rel=1e-14)


@pytest.mark.parametrize("step", [min_gru_step, min_lstm_step, ind_rnn_step])
def test_unknown_nonlinearity_raises(step):
    x, h, weights = torch.zeros(1, 1), (torch.zeros(1, 1),), [torch.zeros(6, 1)]
    if step is ind_rnn_step:
        weights = [torch.zeros(1, 1), torch.zeros(1)]
    with pytest.raises(KeyError, match="sigmoid"):
        step(x, h, *weights, nonlinearity="sigmoid")


def test_ind_rnn_is_a_vanilla_rnn_with_a_diagonal_matrix():
    weights = weights_of("IndRNN")
    diagonal = weights | {"weight_hh": torch.diag(weights["weight_hh"])}
    x, hx = randn(T, B, INPUTS), (randn(B, H, seed=7),)
    for nonlinearity in ("relu", "tanh"):
        ours, theirs = (
            evaluate(
                lambda x, hx, s=step, w=values, f=nonlinearity: scan(
                    lambda x, state: s(x, state, **w, nonlinearity=f), x, hx
                ),
                x,
                hx,
                weights.items(),
            )
            for step, values in ((ind_rnn_step, weights), (rnn_step, diagonal))
        )
        assert_same(ours, theirs)


def test_min_gru_is_the_weighted_sum_of_its_candidates():
    """h_T = Π (1 - z_t) h_0 + Σ z_s Π_{t > s} (1 - z_t) h̃_s: no loop over time."""
    weights = weights_of("MinGRU")
    x, h = randn(T, B, INPUTS), randn(B, H, seed=7)
    a_z, a_h = F.linear(x, weights["weight_ih"], weights["bias_ih"]).chunk(2, -1)
    z = torch.sigmoid(a_z)
    kept = torch.cat([(1 - z).flip(0).cumprod(0).flip(0), torch.ones(1, B, H)])
    candidates = torch.where(a_h >= 0, a_h + 0.5, torch.sigmoid(a_h))
    expected = kept[0] * h + (kept[1:] * z * candidates).sum(0)
    _, (last,) = scan(lambda x, state: min_gru_step(x, state, **weights), x, (h,))
    assert_close(last, expected, "forward")


def test_min_lstm_with_equal_gates_takes_the_mean():
    """Also where both gates underflow, and their quotient as it stands is 0 / 0."""
    for a in (0.0, 30.0, -30.0, -1000.0):
        weight = torch.zeros(3, 1, dtype=torch.float64)
        bias = torch.tensor([a, a, 2.0], dtype=torch.float64)
        (h,) = min_lstm_step(column(1.0), (column(1.0),), weight, bias, nonlinearity="linear")
        assert h.item() == pytest.approx(1.5, rel=1e-12)


@each_case
@pytest.mark.parametrize("bias", [True, False], ids=["bias", "no-bias"])
@pytest.mark.parametrize("reverse", [False, True], ids=["forward", "reverse"])
@pytest.mark.parametrize("lengths", [None, [2, 0, 3]], ids=["full", "ragged"])
def test_gradients_equal_finite_differences(name, nonlinearity, bias, reverse, lengths):
    weights, step = weights_of(name, bias), STEPS[name][0]
    lengths = None if lengths is None else torch.tensor(lengths)

    def run(x, h, *values):
        named = dict(zip(weights, values, strict=True))
        bound = lambda x, state: step(x, state, **named, nonlinearity=nonlinearity)  # noqa: E731
        y, final = scan(bound, x, (h,), lengths, reverse=reverse)
        return y, *final

    inputs = [tensor.requires_grad_() for tensor in (randn(3, B, INPUTS), randn(B, H, seed=8))]
    assert torch.autograd.gradcheck(run, [*inputs, *weights.values()], fast_mode=True)
