"""Eight bits: the sums are the whole numbers that the scheme says, whatever the instruction set.

An answer depends neither on other rows, nor on padding, nor on where a sequence is cut."""

import os
import subprocess
import sys

import numpy as np
import pytest
import torch

import carousel
from carousel import _native
from carousel.kernels import Int8Stack
from carousel.layers.int8 import computing_int8, noting_ranges, recurrent_layers
from carousel.quantization import EightBits, by_row, whole_numbers

KINDS = {
    "lstm": carousel.LSTM,
    "gru": carousel.GRU,
    "rnn": carousel.RNN,
}
SIZES = [(1, 1), (3, 5), (16, 16), (5, 33), (70, 129)]


def layer_of(kind, inputs, hidden, **options):
    torch.manual_seed(hidden)
    layer = KINDS[kind](inputs, hidden, **options)
    with torch.no_grad():
        for weight in layer.parameters():
            weight.mul_(2)
    return layer.eval()


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def reference(layer, ranges, x, h, c):
    """The scheme in float64, but for the whole numbers: y, h and c after one step of one layer."""
    weights = [getattr(layer, f"{name}_l0").detach().numpy() for name in ("weight_ih", "weight_hh")]
    biases = [np.zeros(len(weights[0]))] * 2
    if layer.bias:
        biases = [getattr(layer, f"{name}_l0").detach().numpy() for name in ("bias_ih", "bias_hh")]
    bits = EightBits.of(*weights, *biases, ranges)
    a = whole_numbers(x, bits.levels).astype(np.int64) @ bits.w_ih.astype(np.int64).T
    b = whole_numbers(h, np.full(h.shape[-1], 127)).astype(np.int64) @ bits.w_hh.astype(np.int64).T
    a = a * bits.scale_ih.astype(np.float64) + biases[0]
    b = b * bits.scale_hh.astype(np.float64) + biases[1]
    if isinstance(layer, carousel.LSTM):
        i, f, g, o = np.split(a + b, 4, -1)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        return sigmoid(o) * np.tanh(c), c
    if isinstance(layer, carousel.GRU):
        (r, z, n), (br, bz, bn) = np.split(a, 3, -1), np.split(b, 3, -1)
        z, n = sigmoid(z + bz), np.tanh(n + sigmoid(r + br) * bn)
        return n + z * (h - n), c
    return np.tanh(a + b), c


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize("rows", [1, 2, 4, 7])
@pytest.mark.parametrize("bias", [True, False])
def test_every_step_is_what_the_scheme_says(kind, sizes, rows, bias):
    layer = layer_of(kind, *sizes, bias=bias)
    x = torch.randn(6, rows, sizes[0]) * torch.linspace(0.1, 5, sizes[0])
    stream = carousel.Stream(layer, int8=True, calibration=x)
    ranges = x.abs().amax((0, 1)).numpy()
    h = c = np.zeros((rows, sizes[1]))
    for t in range(6):
        y = stream.step(x[t]).numpy()
        wanted, c = reference(layer, ranges, x[t].numpy(), h, c)
        np.testing.assert_allclose(y, wanted, atol=3e-6)
        # A rounding of h to the other side of a half is no error: go on from what was given out.
        h = y.astype(np.float64)
        if kind == "lstm":
            c = stream.state[1][0].numpy().astype(np.float64)
    assert stream.saturated == 0


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("layers", [1, 3])
def test_errors_stay_small(kind, layers):
    layer = layer_of(kind, 20, 40, num_layers=layers)
    x = torch.randn(50, 3, 20)
    stream = carousel.Stream(layer, int8=True, calibration=x)
    with torch.no_grad():
        exact = layer(x)[0]
    found = torch.stack([stream.step(x[t]) for t in range(50)])
    # A tenth of the size of a state would be an error of the scheme, not of rounding.
    assert float((found - exact).square().mean().sqrt()) < 0.03 * layers


@pytest.mark.parametrize("kind", KINDS)
def test_rows_padding_and_cuts_change_no_bit(kind):
    layer = layer_of(kind, 7, 37, num_layers=2)
    x = torch.randn(9, 5, 7)
    lengths = torch.tensor([9, 0, 4, 9, 1])
    ranged = x.abs().amax((0, 1)).numpy()
    with computing_int8([layer], [ranged]):
        whole, state = layer(x, lengths=lengths)
        first, middle = layer(x[:3], lengths=lengths.clamp(max=3))
        rest, after = layer(x[3:], middle, lengths=(lengths - 3).clamp(min=0))
        junk = x.clone()
        junk[torch.arange(9)[:, None] >= lengths] = torch.nan
        padded, _ = layer(junk, lengths=lengths)
        alone = [layer(x[:n, [b]])[0] for b, n in enumerate(lengths.tolist()) if n]
    assert torch.equal(torch.cat((first, rest)), whole)
    assert torch.equal(padded, whole)
    for part, same in zip(parts(state), parts(after), strict=True):
        assert torch.equal(part, same)
    for y, b in zip(alone, (0, 2, 3, 4), strict=True):
        assert torch.equal(y[:, 0], whole[: len(y), b])
    assert not whole[:, 1].any()
    stream = carousel.Stream(layer, int8=True, calibration=x)
    for t in range(9):
        assert torch.equal(stream.step(x[t, [3]])[0], whole[t, 3])


def parts(state):
    return state if isinstance(state, tuple) else (state,)


def test_a_state_is_gone_on_from_and_weights_stay_as_they_were():
    layer = layer_of("lstm", 4, 20)
    x = torch.randn(8, 2, 4)
    stream = carousel.Stream(layer, int8=True, calibration=x)
    for t in range(4):
        stream.step(x[t])
    state = stream.state
    wanted = [stream.step(x[t], torch.empty(2, 20)) for t in range(4, 8)]
    with torch.no_grad():
        layer.weight_hh_l0.zero_()
    stream.state = state
    for t in range(4, 8):
        assert torch.equal(stream.step(x[t]), wanted[t - 4])
    stream.state = (2 + state[0], state[1])
    with pytest.raises(ValueError, match="between -1 and 1"):
        stream.step(x[0])


def test_a_model_is_streamed_with_its_layers_in_eight_bits():
    torch.manual_seed(0)

    class Model(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.first = torch.nn.Linear(3, 8)
            self.recurrent = carousel.GRU(8, 24, batch_first=True)
            self.head = torch.nn.Linear(24, 2)

        def forward(self, x):
            return self.head(self.recurrent(self.first(x))[0])

    model, x = Model().eval(), torch.randn(2, 12, 3)
    layers = recurrent_layers(model)
    with torch.no_grad(), noting_ranges(layers) as ranges:
        exact = model(x)
    with torch.no_grad(), computing_int8(layers, ranges):
        whole = model(x)
    stream = carousel.Stream(model, int8=True, calibration=x)
    steps = torch.stack([stream.step(x[:, t]) for t in range(12)], 1)
    torch.testing.assert_close(steps, whole, atol=1e-6, rtol=0)
    assert 0 < float((whole - exact).abs().max()) < 0.05
    with torch.no_grad():  # outside, the layers are their own again
        assert torch.equal(model(x), exact)


def test_what_lies_beyond_the_range_is_read_as_its_end_and_counted():
    layer = layer_of("gru", 3, 8)
    x = torch.tensor([[1.0, -2.0, 0.5]])
    stream = carousel.Stream(layer, int8=True, calibration=x[None])
    wanted = stream.step(x)
    stream.reset()
    far = torch.tensor([[9.0, -2.0, 0.5]])
    assert torch.equal(stream.step(far), wanted)
    assert stream.saturated == 1
    stream.step(torch.tensor([[torch.nan, -torch.inf, 0.5]]))
    assert stream.saturated == 3
    stream.reset()
    assert stream.saturated == 3


REFUSED = {
    "relu": (lambda: carousel.RNN(3, 4, nonlinearity="relu"), "no bound"),
    "mingru": (lambda: carousel.MinGRU(3, 4), "no bound"),
    "option": (lambda: carousel.LSTM(3, 4, peephole=True), "with peephole"),
    "activation": (lambda: carousel.GRU(3, 4, activation="relu"), "with activation"),
    "projection": (lambda: carousel.LSTM(3, 4, proj_size=2), "projection"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_has_no_form_in_eight_bits_is_refused_with_the_reason(name):
    make, reason = REFUSED[name]
    with pytest.raises(ValueError, match=reason):
        carousel.Stream(make(), int8=True, calibration=torch.zeros(1, 1, 3))


def test_without_calibration_and_without_layers_it_is_refused():
    with pytest.raises(ValueError, match="calibration"):
        carousel.Stream(carousel.GRU(3, 4), int8=True)
    with pytest.raises(ValueError, match="both directions"):
        Int8Stack(carousel.GRU(3, 4, bidirectional=True).stack(), [], np.ones(3))
    with pytest.raises(ValueError, match="no carousel layer"):
        recurrent_layers(torch.nn.Linear(3, 4))


ON_OTHER = """
import sys, numpy as np, torch, carousel
from carousel import _native
torch.manual_seed(0)
found = []
for kind in (carousel.LSTM, carousel.GRU, carousel.RNN):
    layer = kind(19, 45)
    x = torch.randn(3, 6, 19)
    stream = carousel.Stream(layer, int8=True, calibration=x)
    found += [stream.step(x[t]).numpy() for t in range(3)]
np.save(sys.argv[1], np.stack(found))
print(_native.int8_isa())
"""


@pytest.mark.slow
def test_every_instruction_set_gives_the_answers_of_the_others(tmp_path):
    answers = {}
    for isa in _native.supported_isas():
        file = tmp_path / f"{isa}.npy"
        environment = {**os.environ, "CAROUSEL_ISA": isa}
        command = [sys.executable, "-c", ON_OTHER, file]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        assert done.stdout.strip().startswith(isa)
        answers[isa] = np.load(file)
    first, *others = answers.values()
    for other in others:  # the whole numbers are the same; exp of another length of vectors is not
        np.testing.assert_allclose(other, first, atol=1e-6)


def test_a_matrix_is_rounded_row_by_row():
    matrix = np.random.default_rng(0).standard_normal((5, 40)) * np.array([[1], [9], [0], [3], [2]])
    numbers, scales = by_row(matrix)
    assert (np.abs(numbers * scales[:, None] - matrix).max(1) <= scales * 0.5001).all()
    assert np.abs(numbers).max(1).tolist() == [127, 127, 0, 127, 127]
