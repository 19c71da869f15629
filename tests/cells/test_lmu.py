"""The LMU's equations against the paper's in NumPy and SciPy, finite differences, and keras-lmu."""

import numpy as np
import pytest
import torch
from oracle import assert_close, randn, random_weight
from scipy import signal

import carousel
from carousel.cells import lmu_step, scan
from carousel.cells.lmu import joined, joined_step, legendre

T, B, INPUTS, H, D = 9, 3, 4, 5, 6
each_nonlinearity = pytest.mark.parametrize("nonlinearity", ["tanh", "relu"])


def weights_of(bias=True):
    shapes = {
        "weight_ih": (H, INPUTS),
        "weight_hh": (H, H),
        "weight_mh": (H, D),
        "weight_iu": (INPUTS,),
        "weight_hu": (H,),
        "weight_mu": (D,),
    } | ({"bias_ih": (H,)} if bias else {})
    drawn = {
        name: random_weight(shape, name, index).requires_grad_()
        for index, (name, shape) in enumerate(shapes.items())
    }
    A, B = legendre(D, 7.5)
    return drawn | {"memory_a": A.double(), "memory_b": B.double()}


def states():
    return randn(B, H, seed=7), randn(B, D, seed=8)


@pytest.mark.parametrize("order", [1, 2, 7, 32])
@pytest.mark.parametrize("theta", [2.0, 30.5, 784.0])
def test_memory_is_scipys_zero_order_hold_of_the_papers_system(order, theta):
    A = np.zeros((order, order))
    for i in range(order):
        for j in range(order):
            A[i, j] = (2 * i + 1) * (-1 if i < j else (-1) ** (i - j + 1))
    B = np.array([(2 * i + 1) * (-1.0) ** i for i in range(order)])[:, None]
    C, D = np.eye(order), np.zeros((order, 1))
    expected_a, expected_b, *_ = signal.cont2discrete((A / theta, B / theta, C, D), 1.0, "zoh")
    a, b = legendre(order, theta)
    np.testing.assert_allclose(a, expected_a, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(b, expected_b[:, 0], rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("ago", [0.0, 0.3, 1.0])
def test_memory_tells_what_was_written_a_part_of_the_window_ago(ago):
    """Legendre polynomials over the window, with the coefficients m, give back what went in."""
    theta, order = 50.0, 12
    A, B = (part.double().numpy() for part in legendre(order, theta))
    times = np.arange(200.0)
    written = np.sin(times / 15) + 0.5 * np.cos(times / 9)
    m = np.zeros(order)
    for value in written:
        m = A @ m + B * value
    # Shifted to [0, 1], from now to a window ago; a value is held from its step to the next.
    told = np.polynomial.legendre.legval(2 * ago - 1, m * (1 + np.zeros(order)))
    end = times[-1] + 1 - ago * theta
    expected = np.sin((end - 0.5) / 15) + 0.5 * np.cos((end - 0.5) / 9)
    assert told == pytest.approx(expected, abs=0.05)


@each_nonlinearity
def test_steps_are_the_papers_equations(nonlinearity):
    weights, x = weights_of(), randn(T, B, INPUTS)
    y, (h, m) = scan(lambda x, s: lmu_step(x, s, **weights, nonlinearity=nonlinearity), x, states())
    w = {name: weight.detach().numpy() for name, weight in weights.items()}
    φ = np.tanh if nonlinearity == "tanh" else lambda a: np.maximum(a, 0)
    for row in range(B):
        old_h, old_m = (part[row].numpy() for part in states())
        for t in range(T):
            now = x[t, row].numpy()
            u = w["weight_iu"] @ now + w["weight_hu"] @ old_h + w["weight_mu"] @ old_m
            old_m = w["memory_a"] @ old_m + w["memory_b"] * u
            sums = w["weight_ih"] @ now + w["weight_hh"] @ old_h + w["weight_mh"] @ old_m
            old_h = φ(sums + w["bias_ih"])
            np.testing.assert_allclose(y[t, row].detach(), old_h, rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(h[row].detach(), old_h, rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(m[row].detach(), old_m, rtol=1e-12, atol=1e-12)


@each_nonlinearity
@pytest.mark.parametrize("bias", [True, False])
def test_units_and_memory_as_one_network_make_the_same_step(nonlinearity, bias):
    weights, x, (h, m) = weights_of(bias), randn(B, INPUTS), states()
    together = joined(**weights)
    (s,) = joined_step(x, (torch.cat([h, m], 1),), *together, nonlinearity=nonlinearity)
    h, m = lmu_step(x, (h, m), **weights, nonlinearity=nonlinearity)
    assert_close(s[:, :H], h, "forward")
    assert_close(s[:, H:], m, "forward")


@each_nonlinearity
def test_gradients_are_those_of_finite_differences(nonlinearity):
    weights, x = weights_of(), randn(T, B, INPUTS).requires_grad_()
    h, m = (part.requires_grad_() for part in states())
    learnt = [name for name, weight in weights.items() if weight.requires_grad]

    def run(x, h, m, *given):
        named = weights | dict(zip(learnt, given, strict=True))
        y, last = scan(lambda x, s: lmu_step(x, s, **named, nonlinearity=nonlinearity), x, (h, m))
        return (y, *last)

    assert torch.autograd.gradcheck(run, (x, h, m, *[weights[name] for name in learnt]))


def test_arguments_out_of_range_are_refused():
    with pytest.raises(ValueError, match="order must be 1 or more coefficients, got 0"):
        carousel.LMU(3, 5, order=0)
    with pytest.raises(ValueError, match="theta must be a number of steps above 0, got 0"):
        carousel.LMU(3, 5, theta=0)
    with pytest.raises(ValueError, match="theta must be a number of steps above 0, got nan"):
        carousel.LMU(3, 5, theta=float("nan"))


def test_what_is_fixed_is_no_parameter_and_goes_into_the_files_of_a_layer():
    layer = carousel.LMU(3, 5, order=7, theta=20.0)
    A, B = legendre(7, 20.0)
    assert torch.equal(layer.state_dict()["memory_a_l0"], A)
    assert torch.equal(layer.state_dict()["memory_b_l0"], B)
    assert not any("memory" in name for name, _ in layer.named_parameters())
    assert repr(layer) == "LMU(3, 5, order=7, theta=20.0)"
