"""QRNN against the paper's convolution over the whole sequence, and finite differences."""

import pytest
import torch
from oracle import assert_close, randn, random_weight
from torch.nn import functional as F

from carousel.cells import qrnn2_step, qrnn_step, scan

T, B, I, H = 6, 3, 4, 5  # noqa: E741
STEPS = {1: qrnn_step, 2: qrnn2_step}
each_window = pytest.mark.parametrize("window", STEPS)


def weights_of(window, bias=True):
    names = ["weight_ih", "weight_ph"][:window]
    shapes = dict.fromkeys(names, (3 * H, I)) | ({"bias_ih": (3 * H,)} if bias else {})
    return {
        name: random_weight(shape, name, index).requires_grad_()
        for index, (name, shape) in enumerate(shapes.items())
    }


def state_of(window):
    return tuple(randn(B, size, seed=8 + k) for k, size in enumerate([H, H, 3 * H][: window + 1]))


def by_convolution(x, c, weights):
    """Equations 1 to 4 of Bradbury et al. 2017: Z, F and O of all steps, then c and h."""
    kernel = torch.stack([weights[n] for n in ("weight_ph", "weight_ih") if n in weights], -1)
    padded = F.pad(x.permute(1, 2, 0), (kernel.size(-1) - 1, 0))  # no input before the first
    z, f, o = F.conv1d(padded, kernel, weights.get("bias_ih")).permute(2, 0, 1).chunk(3, -1)
    z, f, o = z.tanh(), f.sigmoid(), o.sigmoid()
    outputs = []
    for t in range(len(x)):
        c = f[t] * c + (1 - f[t]) * z[t]
        outputs.append(o[t] * c)
    return torch.stack(outputs), c


@each_window
@pytest.mark.parametrize("bias", [True, False], ids=["bias", "no-bias"])
def test_steps_equal_the_papers_masked_convolution_and_pooling(window, bias):
    weights, x, state = weights_of(window, bias), randn(T, B, I), state_of(window)
    expected, last = by_convolution(x, state[1], weights)
    start = (torch.full_like(state[0], torch.nan), state[1], torch.zeros(B, 3 * H).double())
    step = STEPS[window]
    y, final = scan(lambda x, s: step(x, s, **weights), x, start[: window + 1])
    assert_close(y, expected, "forward")
    assert_close(final[1], last, "forward")
    if window == 2:
        assert_close(final[2], x[-1] @ weights["weight_ph"].T, "forward")


@each_window
@pytest.mark.parametrize("reverse", [False, True], ids=["forward", "reverse"])
@pytest.mark.parametrize("lengths", [None, [2, 0, 3]], ids=["full", "ragged"])
def test_gradients_equal_finite_differences(window, reverse, lengths):
    weights, states = weights_of(window), window + 1
    lengths = None if lengths is None else torch.tensor(lengths)

    def run(x, *values):
        named = dict(zip(weights, values[states:], strict=True))
        bound = lambda x, state: STEPS[window](x, state, **named)  # noqa: E731
        y, final = scan(bound, x, values[:states], lengths, reverse=reverse)
        return y, *final

    start = [part.requires_grad_() for part in state_of(window)]
    x = randn(3, B, I).requires_grad_()
    assert torch.autograd.gradcheck(run, [x, *start, *weights.values()], fast_mode=True)
