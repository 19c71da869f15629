"""`SLSTM` and `LMU` as modules: arguments, errors, lengths, streams, copies."""

import copy
import io

import pytest
import torch
from oracle import assert_close, assert_same, evaluate, randn
from own_layers import KINDS, make, rows_of, state_of
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

import carousel
from carousel import kernels

each_kind = pytest.mark.parametrize("kind", KINDS)
T, B = 5, 4


@pytest.fixture(params=["native", "cells"], autouse=True)
def path(request):
    with kernels.use(request.param):
        yield request.param


def alone(layer, lengths):
    """A function of a padded batch and hx that runs each row by itself, cut to its length."""

    def run(x, hx):
        outputs, states = [], []
        for row, steps in enumerate(lengths):
            state = rows_of(hx, row)
            y = x.new_zeros(T, layer.hidden_size * (1 + layer.bidirectional))
            if steps:
                real, state = layer(x[:steps, row], state)
                y = torch.cat([real, y[steps:]])
            outputs.append(y)
            states.append(state)
        last = tuple(torch.stack(parts, 1) for parts in zip(*states, strict=True))
        return torch.stack(outputs, 1), last

    return run


@each_kind
@pytest.mark.parametrize("options", [{}, {"num_layers": 2, "bidirectional": True}], ids=str)
def test_lengths_equal_each_row_alone(kind, options):
    layer, lengths = make(kind, 3, 17, **options), [3, 0, 5, 1]
    x, hx = randn(T, B, 3, dtype=torch.float32), state_of(layer, B)
    actual = evaluate(lambda x, hx: layer(x, hx, lengths), x, hx, layer.named_parameters())
    assert_same(actual, evaluate(alone(layer, lengths), x, hx, layer.named_parameters()))
    past = torch.arange(T)[:, None] >= torch.tensor(lengths)
    assert torch.count_nonzero(actual["output"][past]) == 0
    assert torch.count_nonzero(actual["gradient of x"][past]) == 0
    for k in range(len(hx)):
        assert torch.equal(actual[f"state {k}"][:, 1], hx[k][:, 1])


@each_kind
def test_packed_sequence_equals_lengths(kind):
    layer, lengths = make(kind, 3, 5, num_layers=2, batch_first=True), [3, 1, 5, 2]
    x, hx = randn(B, T, 3, dtype=torch.float32), state_of(layer, B)
    packed = pack_padded_sequence(x, torch.tensor(lengths), True, enforce_sorted=False)
    y, state = layer(packed, hx)
    padded, expected = layer(x, hx, lengths)
    assert_close(pad_packed_sequence(y, True, total_length=T)[0], padded, "forward")
    for part, wanted in zip(state, expected, strict=True):
        assert_close(part, wanted, "forward")


@each_kind
def test_batch_first_is_the_transpose(kind):
    layer = make(kind, 3, 5, bidirectional=True)
    turned = make(kind, 3, 5, bidirectional=True, batch_first=True)
    x, hx = randn(T, B, 3, dtype=torch.float32), state_of(layer, B)
    y, state = layer(x, hx)
    turned_y, turned_state = turned(x.transpose(0, 1), hx)
    assert torch.equal(turned_y.transpose(0, 1), y)
    assert all(map(torch.equal, turned_state, state))


@each_kind
def test_unbatched_input_is_a_batch_of_one(kind):
    layer = make(kind, 3, 5)
    x, hx = randn(T, 3, dtype=torch.float32), state_of(layer, 1)
    y, state = layer(x, rows_of(hx, 0))
    expected, last = layer(x[:, None], hx)
    assert torch.equal(y, expected[:, 0])
    assert all(map(torch.equal, state, rows_of(last, 0)))


@each_kind
def test_a_state_that_is_not_given_is_zeros(kind):
    layer = make(kind, 3, 5, num_layers=2)
    x = randn(T, B, 3, dtype=torch.float32)
    zeros = tuple(torch.zeros_like(part) for part in state_of(layer, B))
    y, state = layer(x)
    expected, last = layer(x, zeros)
    assert torch.equal(y, expected)
    assert all(map(torch.equal, state, last))


@each_kind
@pytest.mark.parametrize("rows", [1, 7])
def test_stream_equals_whole_sequence(kind, rows, path):
    layer = make(kind, 3, 70, num_layers=2)
    x = randn(T, rows, 3, dtype=torch.float32)
    with torch.no_grad():
        y, state = layer(x)
    stream = carousel.Stream(layer)
    steps = torch.stack([stream.step(x_t) for x_t in x])
    if path == "native":
        assert torch.equal(steps, y)
        assert all(map(torch.equal, stream.state, state))
    assert_close(steps, y, "forward")
    kept = stream.state
    further = stream.step(x[0])
    stream.state = kept
    assert torch.equal(stream.step(x[0]), further)


@each_kind
def test_copies_and_files_keep_a_layer(kind):
    layer = make(kind, 3, 5, num_layers=2, bidirectional=True)
    x = randn(T, B, 3, dtype=torch.float32)
    file = io.BytesIO()
    torch.save(layer, file)
    file.seek(0)
    again = type(layer)(3, layer.hidden_size, 2, bidirectional=True, **KINDS[kind][1])
    again.load_state_dict(layer.state_dict())
    for other in (copy.deepcopy(layer), torch.load(file, weights_only=False), again):
        assert torch.equal(other(x)[0], layer(x)[0])
        assert repr(other) == repr(layer)


def test_arguments_out_of_range_are_refused():
    with pytest.raises(ValueError, match=r"multiple of heads, 1 or more; got 10 and 3"):
        carousel.SLSTM(3, 10, heads=3)
    with pytest.raises(ValueError, match=r"got 10 and 0"):
        carousel.SLSTM(3, 10, heads=0)
    with pytest.raises(ValueError, match="nonlinearity must be 'sigmoid' or 'exp', got 'tanh'"):
        carousel.SLSTM(3, 10, nonlinearity="tanh")
    with pytest.raises(ValueError, match="forget_bias needs biases"):
        carousel.SLSTM(3, 10, bias=False, forget_bias=1.0)
    with pytest.raises(TypeError, match=r"hx must be the tuple \(h_0, c_0, n_0, m_0\)"):
        carousel.SLSTM(3, 10)(torch.zeros(2, 1, 3), torch.zeros(1, 1, 10))


def test_weights_start_within_their_bounds_and_the_forget_gate_where_it_is_told():
    layer = carousel.SLSTM(16, 32, heads=8, forget_bias=3.0)
    for name, parameter in layer.named_parameters():
        bound = 0.5 if name == "weight_hh_l0" else 0.25
        own = parameter if name != "bias_ih_l0" else torch.cat([parameter[:32], parameter[64:]])
        assert 0.9 * bound < own.abs().max() <= bound, name
    assert torch.equal(layer.bias_ih_l0[32:64], torch.full((32,), 3.0))
    assert repr(layer) == "SLSTM(16, 32, heads=8, forget_bias=3.0)"


@pytest.mark.parametrize("name", ["orthogonal", "identity", "chrono", "uniform"])
def test_every_initialisation_leaves_a_layer_that_trains(name):
    from carousel.layers.initialization import initialize

    layer = carousel.SLSTM(3, 8, heads=2)
    initialize(layer, name, forget_bias=1.0)
    if name == "identity":
        assert torch.equal(layer.weight_hh_l0, torch.eye(4).repeat(8, 1))
    layer(torch.randn(T, B, 3))[0].sum().backward()
    assert all(parameter.grad.isfinite().all() for parameter in layer.parameters())
