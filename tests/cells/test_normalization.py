"""Layer normalisation inside the cells: against sums worked by hand, and what it cannot see."""

import math

import pytest
import torch
from oracle import assert_close, randn, random_weight, weights_of

from carousel.cells import gru_step, lstm_step, rnn_step, scan
from carousel.cells.normalization import normalized

T, B, INPUTS, H = 4, 3, 4, 6
STEPS = {"LSTM": lstm_step, "GRU": gru_step, "RNN": rnn_step}
GAINS = {
    "LSTM": {"weight_ln_ih": 4, "weight_ln_hh": 4, "weight_ln_c": 1, "bias_ln_c": 1},
    "GRU": {"weight_ln_ih": 3, "weight_ln_hh": 3},
    "RNN": {"weight_ln": 1},
}
each_mode = pytest.mark.parametrize("mode", STEPS)


def all_weights(mode, bias=True):
    weights = weights_of(mode, INPUTS, H, bias=bias)
    for index, (name, blocks) in enumerate(GAINS[mode].items()):
        weights[name] = random_weight((blocks * H,), name, 50 + index).requires_grad_()
    return weights


def start(mode):
    return tuple(randn(B, H, seed=7 + k) for k in range(2 if mode == "LSTM" else 1))


def by_hand(values):
    """(v - mean) / √(variance + 1e-5) of a list of numbers."""
    mean = sum(values) / len(values)
    variance = sum((v - mean) ** 2 for v in values) / len(values)
    return [(v - mean) / math.sqrt(variance + 1e-5) for v in values]


def scaled(gain, values):
    return [g * v for g, v in zip(gain, values, strict=True)]


def added(*rows):
    return [sum(values) for values in zip(*rows, strict=True)]


def sigmoid(a):
    return 1 / (1 + math.exp(-a))


def products(x, h, w):
    """W_ih x and W_hh h of one row, as lists; then every weight as a list."""
    w = {name: value.detach() for name, value in w.items()}
    a, b = (w["weight_ih"] @ x).tolist(), (w["weight_hh"] @ h).tolist()
    return a, b, {name: value.tolist() for name, value in w.items()}


def lstm_row(x, h, c, weights):
    a, b, w = products(x, h, weights)
    sums = added(
        scaled(w["weight_ln_ih"], by_hand(a)),
        scaled(w["weight_ln_hh"], by_hand(b)),
        w["bias_ih"],
        w["bias_hh"],
    )
    i, f, g, o = (sums[k * H : (k + 1) * H] for k in range(4))
    new = [sigmoid(f[u]) * c[u].item() + sigmoid(i[u]) * math.tanh(g[u]) for u in range(H)]
    shown = added(scaled(w["weight_ln_c"], by_hand(new)), w["bias_ln_c"])
    return [sigmoid(o[u]) * math.tanh(shown[u]) for u in range(H)], new


def gru_row(x, h, weights):
    a, b, w = products(x, h, weights)
    a = scaled(w["weight_ln_ih"], by_hand(a[: 2 * H]) + by_hand(a[2 * H :]))
    b = scaled(w["weight_ln_hh"], by_hand(b[: 2 * H]) + by_hand(b[2 * H :]))
    a, b = added(a, w["bias_ih"]), added(b, w["bias_hh"])
    new = []
    for u in range(H):
        r, z = sigmoid(a[u] + b[u]), sigmoid(a[H + u] + b[H + u])
        n = math.tanh(a[2 * H + u] + r * b[2 * H + u])
        new.append((1 - z) * n + z * h[u].item())
    return (new,)


def rnn_row(x, h, weights):
    a, b, w = products(x, h, weights)
    sums = added(scaled(w["weight_ln"], by_hand(added(a, b))), w["bias_ih"], w["bias_hh"])
    return ([math.tanh(a) for a in sums],)


ROWS = {"LSTM": lstm_row, "GRU": gru_row, "RNN": rnn_row}


@each_mode
def test_normalised_step_by_hand(mode):
    weights, state, x = all_weights(mode), start(mode), randn(B, INPUTS, seed=3)
    actual = STEPS[mode](x, state, **weights)
    for row in range(B):
        expected = ROWS[mode](x[row], *(part[row] for part in state), weights)
        for part, values in zip(actual, expected, strict=True):
            assert_close(part[row], torch.tensor(values, dtype=torch.float64), "forward")


@each_mode
@pytest.mark.parametrize("bias", [True, False], ids=["bias", "no-bias"])
@pytest.mark.parametrize("lengths", [None, [2, 0, 3]], ids=["full", "ragged"])
def test_gradients_equal_finite_differences(mode, bias, lengths):
    weights, state = all_weights(mode, bias), start(mode)
    lengths = None if lengths is None else torch.tensor(lengths)

    def run(x, *tensors):
        hx, values = tensors[: len(state)], tensors[len(state) :]
        named = dict(zip(weights, values, strict=True))
        y, final = scan(lambda x, state: STEPS[mode](x, state, **named), x, hx, lengths)
        return y, *final

    inputs = [tensor.detach().requires_grad_() for tensor in (randn(3, B, INPUTS), *state)]
    assert torch.autograd.gradcheck(run, [*inputs, *weights.values()], fast_mode=True)


@each_mode
def test_scale_of_the_weights_cancels(mode):
    """Of both matrices: 1e-5 beside a variance of thousands is nothing."""
    weights, state, x = all_weights(mode), start(mode), randn(B, INPUTS, seed=3)
    large, larger = (
        weights | {name: factor * weights[name] for name in ("weight_ih", "weight_hh")}
        for factor in (1e3, 1e4)
    )
    first, second = (STEPS[mode](x, state, **w) for w in (large, larger))
    for one, other in zip(first, second, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-7, atol=1e-9)


@each_mode
def test_a_constant_added_to_all_sums_cancels(mode):
    weights, state, x = all_weights(mode), start(mode), randn(B, INPUTS, seed=3)
    shifted = weights | {"weight_ih": weights["weight_ih"] + 5.0}
    for one, other in zip(
        STEPS[mode](x, state, **weights), STEPS[mode](x, state, **shifted), strict=True
    ):
        assert_close(one, other, "forward")


def test_parts_are_normalised_by_themselves():
    a, gain = randn(B, 9), torch.ones(9, dtype=torch.float64)
    whole = normalized(a, gain, parts=(4, 5))
    for part, own in ((whole[:, :4], a[:, :4]), (whole[:, 4:], a[:, 4:])):
        assert part.mean(1).abs().max() < 1e-12
        assert_close(part, normalized(own, gain[: own.size(1)]), "forward")
