"""The step functions and the scan against torch.nn, finite differences, and by hand."""

import math

import numpy as np
import pytest
import torch
from oracle import as_tuple, assert_close, assert_same, evaluate, randn, weights_of
from torch import nn

from carousel.cells import gru_step, lstm_step, rnn_step, scan

T, B, INPUTS, H = 5, 3, 4, 6
STEPS = {"RNN": rnn_step, "GRU": gru_step, "LSTM": lstm_step}
CASES = {
    "RNN-tanh": ("RNN", {}, {"nonlinearity": "tanh"}),
    "RNN-relu": ("RNN", {}, {"nonlinearity": "relu"}),
    "GRU": ("GRU", {}, {}),
    "LSTM": ("LSTM", {}, {}),
    "LSTM-projected": ("LSTM", {"proj_size": 2}, {}),
}
each_case = pytest.mark.parametrize("case", CASES)


def bind(mode, weights, **options):
    return lambda x, state: STEPS[mode](x, state, **weights, **options)


def start(mode, *, batch=B, proj_size=0):
    sizes = (proj_size or H, H) if mode == "LSTM" else (H,)
    return tuple(randn(batch, size, seed=11 + k) for k, size in enumerate(sizes))


def torch_layer(mode, weights, proj_size=0, **options):
    extra = {"proj_size": proj_size} if proj_size else {}
    layer = getattr(nn, mode)(INPUTS, H, bias="bias_ih" in weights, **extra, **options).double()
    layer.load_state_dict({f"{name}_l0": value.detach() for name, value in weights.items()})
    return layer


@each_case
@pytest.mark.parametrize("bias", [True, False], ids=["bias", "no-bias"])
@pytest.mark.parametrize("steps", [1, T])
def test_scan_equals_torch_layer(case, bias, steps):
    mode, shape, options = CASES[case]
    weights = weights_of(mode, INPUTS, H, bias=bias, **shape)
    layer = torch_layer(mode, weights, **shape, **options)

    def theirs(x, hx):
        hx = tuple(part[None] for part in hx)
        y, state = layer(x, hx if mode == "LSTM" else hx[0])
        return y, tuple(part[0] for part in as_tuple(state))

    x, hx = randn(steps, B, INPUTS), start(mode, **shape)
    parameters = [(name.removesuffix("_l0"), p) for name, p in layer.named_parameters()]
    assert_same(
        evaluate(lambda x, hx: scan(bind(mode, weights, **options), x, hx), x, hx, weights.items()),
        evaluate(theirs, x, hx, parameters),
    )


@pytest.mark.parametrize("mode", STEPS)
@pytest.mark.parametrize("bias", [True, False], ids=["bias", "no-bias"])
def test_step_equals_torch_cell(mode, bias):
    weights = weights_of(mode, INPUTS, H, bias=bias)
    cell = getattr(nn, f"{mode}Cell")(INPUTS, H, bias=bias).double()
    cell.load_state_dict({name: value.detach() for name, value in weights.items()})
    x, state = randn(B, INPUTS), start(mode)
    expected = as_tuple(cell(x, state if mode == "LSTM" else state[0]))
    for ours, theirs in zip(STEPS[mode](x, state, **weights), expected, strict=True):
        assert_close(ours, theirs, "forward")


@each_case
@pytest.mark.parametrize("reverse", [False, True], ids=["forward", "reverse"])
@pytest.mark.parametrize("lengths", [None, [2, 0, 3]], ids=["full", "ragged"])
def test_gradients_equal_finite_differences(case, reverse, lengths):
    mode, shape, options = CASES[case]
    weights = weights_of(mode, INPUTS, H, **shape)
    state = start(mode, **shape)
    lengths = None if lengths is None else torch.tensor(lengths)

    def run(x, *tensors):
        hx, values = tensors[: len(state)], tensors[len(state) :]
        step = bind(mode, dict(zip(weights, values, strict=True)), **options)
        y, final = scan(step, x, hx, lengths, reverse=reverse)
        return y, *final

    inputs = [tensor.detach().requires_grad_() for tensor in (randn(3, B, INPUTS), *state)]
    # fast_mode checks one random direction of the whole Jacobian.
    assert torch.autograd.gradcheck(run, [*inputs, *weights.values()], fast_mode=True)


def sigmoid(a):
    return 1 / (1 + math.exp(-a))


def test_rnn_step_by_hand():
    column = lambda *values: torch.tensor(values, dtype=torch.float64)[:, None]  # noqa: E731
    x, h = column(2.0), column(-0.5)
    for nonlinearity, φ in [("tanh", math.tanh), ("relu", lambda a: max(a, 0.0))]:
        for sign in (1, -1):
            (new,) = rnn_step(
                x,
                (h,),
                column(0.3 * sign),
                column(0.7 * sign),
                column(0.1)[0],
                column(-0.2)[0],
                nonlinearity=nonlinearity,
            )
            expected = φ(0.3 * sign * 2.0 + 0.1 + 0.7 * sign * -0.5 - 0.2)
            assert new.item() == pytest.approx(expected, rel=1e-14)


def test_lstm_step_by_hand():
    w, u = [0.5, -0.4, 0.3, 0.8], [0.2, 0.6, -0.7, 0.1]  # i, f, g, o
    b, d = [0.1, 1.0, -0.3, 0.2], [0.05, -0.2, 0.4, -0.6]
    x, h, c, projection = 1.5, -0.5, 0.8, -1.2
    i, f, g, o = (w[k] * x + b[k] + u[k] * h + d[k] for k in range(4))
    expected_c = sigmoid(f) * c + sigmoid(i) * math.tanh(g)
    expected_h = sigmoid(o) * math.tanh(expected_c)

    scalar = lambda value: torch.tensor([[value]], dtype=torch.float64)  # noqa: E731
    tensor = lambda values: torch.tensor(values, dtype=torch.float64)  # noqa: E731
    arguments = (tensor(w)[:, None], tensor(u)[:, None], tensor(b), tensor(d))
    new_h, new_c = lstm_step(scalar(x), (scalar(h), scalar(c)), *arguments)
    assert new_h.item() == pytest.approx(expected_h, rel=1e-14)
    assert new_c.item() == pytest.approx(expected_c, rel=1e-14)
    projected, new_c = lstm_step(
        scalar(x), (scalar(h), scalar(c)), *arguments, weight_hr=scalar(projection)
    )
    assert projected.item() == pytest.approx(projection * expected_h, rel=1e-14)
    assert new_c.item() == pytest.approx(expected_c, rel=1e-14)


def test_gru_step_by_hand():
    w, u = [0.5, -0.4, 0.3], [0.2, 0.6, -0.7]  # r, z, n
    b, d = [0.1, -0.9, -0.3], [0.05, -0.2, 0.4]
    x, h = 1.5, -0.5
    r = sigmoid(w[0] * x + b[0] + u[0] * h + d[0])
    z = sigmoid(w[1] * x + b[1] + u[1] * h + d[1])
    n = math.tanh(w[2] * x + b[2] + r * (u[2] * h + d[2]))

    scalar = lambda value: torch.tensor([[value]], dtype=torch.float64)  # noqa: E731
    tensor = lambda values: torch.tensor(values, dtype=torch.float64)  # noqa: E731
    (new,) = gru_step(
        scalar(x), (scalar(h),), tensor(w)[:, None], tensor(u)[:, None], tensor(b), tensor(d)
    )
    assert new.item() == pytest.approx((1 - z) * n + z * h, rel=1e-14)


def two_lstm_steps_by_hand(x, h0, c0, w_ih, w_hh, b_ih, b_hh, dy, dh_end, dc_end):
    """Outputs and gradients of two steps, by the chain rule; no autograd.

    dy (2, B, H), dh_end, dc_end: the loss's derivatives by the outputs and the final states.
    """
    w_ih, w_hh, bias = w_ih.numpy(), w_hh.numpy(), (b_ih + b_hh).numpy()
    x, h0, c0 = x.numpy(), h0.numpy(), c0.numpy()
    dy, dh_end, dc_end = dy.numpy(), dh_end.numpy(), dc_end.numpy()

    def forward(x, h, c):
        a = x @ w_ih.T + h @ w_hh.T + bias
        i, f, o = (1 / (1 + np.exp(-a[:, k * H : (k + 1) * H])) for k in (0, 1, 3))
        g = np.tanh(a[:, 2 * H : 3 * H])
        new_c = f * c + i * g
        return o * np.tanh(new_c), new_c, (i, f, g, o)

    h1, c1, gates1 = forward(x[0], h0, c0)
    h2, c2, gates2 = forward(x[1], h1, c1)

    def backward(dh, dc, gates, c_before, c_after):
        i, f, g, o = gates
        dc = dc + dh * o * (1 - np.tanh(c_after) ** 2)  # h = o tanh(c)
        da = np.concatenate(
            [
                dc * g * i * (1 - i),  # c = f c_before + i g, i = σ(a_i)
                dc * c_before * f * (1 - f),
                dc * i * (1 - g**2),
                dh * np.tanh(c_after) * o * (1 - o),
            ],
            axis=1,
        )
        return da, dc * f

    da2, dc1 = backward(dy[1] + dh_end, dc_end, gates2, c1, c2)
    dh1 = dy[0] + da2 @ w_hh
    da1, dc0 = backward(dh1, dc1, gates1, c0, c1)
    return {
        "y1": h1,
        "y2": h2,
        "c2": c2,
        "x1": da1 @ w_ih,
        "x2": da2 @ w_ih,
        "h0": da1 @ w_hh,
        "c0": dc0,
        "weight_ih": da1.T @ x[0] + da2.T @ x[1],
        "weight_hh": da1.T @ h0 + da2.T @ h1,
        "bias_ih": da1.sum(0) + da2.sum(0),
        "bias_hh": da1.sum(0) + da2.sum(0),
    }


def test_lstm_backpropagation_through_two_steps_by_hand():
    weights = weights_of("LSTM", INPUTS, H)
    x, (h0, c0) = randn(2, B, INPUTS).requires_grad_(), start("LSTM")
    h0.requires_grad_(), c0.requires_grad_()
    dy, dh_end, dc_end = randn(2, B, H, seed=21), randn(B, H, seed=22), randn(B, H, seed=23)
    y, (h2, c2) = scan(bind("LSTM", weights), x, (h0, c0))
    torch.autograd.backward([y, h2, c2], [dy, dh_end, dc_end])

    hand = two_lstm_steps_by_hand(
        *(tensor.detach() for tensor in (x, h0, c0, *weights.values())), dy, dh_end, dc_end
    )
    expected = {name: torch.from_numpy(value) for name, value in hand.items()}
    for name, actual in {"y1": y[0], "y2": y[1], "c2": c2}.items():
        assert_close(actual, expected[name], "forward", name)
    gradients = {"x1": x.grad[0], "x2": x.grad[1], "h0": h0.grad, "c0": c0.grad}
    gradients |= {name: weight.grad for name, weight in weights.items()}
    for name, actual in gradients.items():
        assert_close(actual, expected[name], "gradient", name)


@each_case
@pytest.mark.parametrize("reverse", [False, True], ids=["forward", "reverse"])
def test_scan_with_lengths_equals_each_row_alone(case, reverse):
    mode, shape, options = CASES[case]
    weights = weights_of(mode, INPUTS, H, **shape)
    step = bind(mode, weights, **options)
    lengths = torch.tensor([2, T, 0])

    def alone(x, hx):
        rows = []
        for row, steps in enumerate(lengths.tolist()):
            state = tuple(part[row : row + 1] for part in hx)
            y = x.new_zeros(T, 1, state[0].size(1))
            if steps:
                real, state = scan(step, x[:steps, row : row + 1], state, reverse=reverse)
                y = torch.cat([real, y[steps:]])
            rows.append((y, *state))
        y, *state = zip(*rows, strict=True)
        return torch.cat(y, dim=1), tuple(torch.cat(parts) for parts in state)

    x, hx = randn(T, B, INPUTS), start(mode, **shape)
    assert_same(
        evaluate(lambda x, hx: scan(step, x, hx, lengths, reverse=reverse), x, hx, weights.items()),
        evaluate(alone, x, hx, weights.items()),
    )


@each_case
def test_reversed_scan_equals_scan_of_reversed_input(case):
    mode, shape, options = CASES[case]
    step = bind(mode, weights_of(mode, INPUTS, H, **shape), **options)
    x, hx = randn(T, B, INPUTS), start(mode, **shape)
    y, state = scan(step, x, hx, reverse=True)
    flipped_y, flipped_state = scan(step, x.flip(0), hx)
    assert_close(y, flipped_y.flip(0), "forward")
    for ours, theirs in zip(state, flipped_state, strict=True):
        assert_close(ours, theirs, "forward")


def total(x, state):
    """A recurrence whose result is plain to see: the running sum."""
    return (state[0] + x,)


def running_sums(lengths, reverse):
    """Rows 1 2 3 4, 10 20 30 40, 100 200 300 400 summed up from 0, 5, 0."""
    rows = torch.tensor([1.0, 10.0, 100.0])
    x = (torch.arange(1.0, 5.0)[:, None] * rows)[..., None]
    y, (h,) = scan(total, x, (torch.tensor([[0.0], [5.0], [0.0]]),), lengths, reverse=reverse)
    return y[..., 0].T.tolist(), h.flatten().tolist()


def test_scan_stops_each_row_at_its_length_and_keeps_its_state():
    y, h = running_sums(torch.tensor([2, 0, 4]), reverse=False)
    assert y == [[1, 3, 0, 0], [0, 0, 0, 0], [100, 300, 600, 1000]]
    assert h == [3, 5, 1000]


def test_reversed_scan_starts_each_row_at_its_own_last_step():
    y, h = running_sums(torch.tensor([2, 0, 4]), reverse=True)
    assert y == [[3, 2, 0, 0], [0, 0, 0, 0], [1000, 900, 700, 400]]
    assert h == [3, 5, 1000]


def test_scan_without_lengths_runs_every_row_to_the_end():
    y, h = running_sums(None, reverse=False)
    assert y == [[1, 3, 6, 10], [15, 35, 65, 105], [100, 300, 600, 1000]]
    assert h == [10, 105, 1000]
    assert (y, h) == running_sums(torch.tensor([4, 4, 4]), reverse=False)
