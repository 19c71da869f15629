"""Step by step: the numbers of the whole sequence, bit for bit, and a state that can be moved."""

import gc
import weakref

import pytest
import torch
from oracle import KINDS, as_tuple, make_pair, randn
from torch import nn

import carousel

each_kind = pytest.mark.parametrize("kind", KINDS)


def steps_of(stream, x):
    return torch.stack([stream.step(x[t]) for t in range(len(x))])


@each_kind
@pytest.mark.parametrize("rows", [1, 2, 7])
@pytest.mark.parametrize("layers", [1, 3])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_stream_of_a_layer_equals_whole_sequence(kind, rows, layers, dtype):
    layer, _ = make_pair(kind, 3, 37, num_layers=layers, dtype=dtype)
    x = randn(5, rows, 3, dtype=dtype)
    with torch.no_grad():
        y, state = layer(x)
    stream = carousel.Stream(layer)
    equal = torch.equal if dtype == torch.float32 else torch.allclose
    assert equal(steps_of(stream, x), y)
    for kept, last in zip(as_tuple(stream.state), as_tuple(state), strict=True):
        assert equal(kept, last)


@each_kind
def test_layer_step_equals_whole_sequence(kind):
    for options in ({}, {"batch_first": True}, {"num_layers": 2}):
        layer, _ = make_pair(kind, 3, 5, dtype=torch.float32, **options)
        x = randn(4, 2, 3, dtype=torch.float32)
        whole, state = layer(x.transpose(0, 1) if options.get("batch_first") else x)
        hx, outputs = None, []
        for x_t in x:
            y_t, hx = layer.step(x_t, hx)
            outputs.append(y_t)
        assert torch.equal(torch.stack(outputs, 1 if options.get("batch_first") else 0), whole)
        for kept, last in zip(as_tuple(hx), as_tuple(state), strict=True):
            assert torch.equal(kept, last)


def test_layer_step_without_a_batch():
    layer, _ = make_pair("LSTM", 3, 5, dtype=torch.float32)
    x = randn(4, 3, dtype=torch.float32)
    hx = None
    for x_t in x:
        y_t, hx = layer.step(x_t, hx)
    assert torch.equal(y_t, layer(x)[0][-1])


@each_kind
def test_stream_continues_from_a_state_that_was_set(kind):
    layer, _ = make_pair(kind, 3, 5, dtype=torch.float32)
    x = randn(6, 2, 3, dtype=torch.float32)
    first = carousel.Stream(layer)
    whole = steps_of(first, x)
    second, third = carousel.Stream(layer), carousel.Stream(layer)
    steps_of(second, x[:3])
    third.state = second.state
    steps_of(second, x)  # must not move what was handed over
    assert torch.equal(steps_of(third, x[3:]), whole[3:])


def test_stream_forgets_at_reset():
    layer, _ = make_pair("GRU", 3, 5, dtype=torch.float32)
    stream = carousel.Stream(layer)
    x = randn(4, 2, 3, dtype=torch.float32)
    before = steps_of(stream, x)
    stream.reset()
    assert stream.state is None
    assert torch.equal(steps_of(stream, x), before)
    stream.reset()
    assert stream.step(x[0, :1]).shape == (1, 5)  # and with another number of rows


def test_stream_writes_into_out():
    layer, _ = make_pair("LSTM", 3, 5, dtype=torch.float32)
    x = randn(2, 2, 3, dtype=torch.float32)
    whole = layer(x)[0]
    for dtype in (torch.float32, torch.float64):
        stream, out = carousel.Stream(layer.to(dtype)), torch.empty(2, 5, dtype=dtype)
        for t in range(2):
            assert stream.step(x[t].to(dtype), out) is out
        torch.testing.assert_close(out.float(), whole[1])


def odd_inputs(x):
    """The same numbers as x (B, I), told in ways that the fast path may not read."""
    wide = torch.zeros(x.size(0), 2 * x.size(1))
    wide[:, ::2] = x
    yield wide[:, ::2]
    yield x.t().contiguous().t()
    yield nn.Parameter(x)
    yield x.clone().requires_grad_()
    yield torch.cat([torch.ones(1, x.size(1)), x])[1:]
    with torch.inference_mode():
        yield x.clone()


@pytest.mark.parametrize("exchange", [True, False], ids=["this torch", "before 2.10"])
def test_stream_takes_any_tensor_of_the_right_numbers(exchange, monkeypatch):
    if not exchange:
        monkeypatch.delattr(torch.Tensor, "__dlpack_c_exchange_api__", raising=False)
    layer, _ = make_pair("GRU", 3, 5, dtype=torch.float32)
    x = randn(2, 2, 3, dtype=torch.float32)
    with torch.no_grad():
        whole = layer(x)[0]
    for second in odd_inputs(x[1]):
        stream = carousel.Stream(layer)
        assert torch.equal(stream.step(x[0]), whole[0])
        assert torch.equal(stream.step(second), whole[1])


@pytest.mark.parametrize("steps", [1, 3])
def test_a_refused_step_leaves_the_state_alone(steps):
    layer, _ = make_pair("LSTM", 3, 5, dtype=torch.float32)
    x = randn(steps + 1, 2, 3, dtype=torch.float32)
    stream = carousel.Stream(layer)
    for t in range(steps):
        stream.step(x[t])
    for wrong in (torch.empty(2, 4), torch.empty(5, 2).t(), torch.empty(2, 5, dtype=torch.float64)):
        with pytest.raises(ValueError, match="out must be a contiguous float32"):
            stream.step(x[steps], wrong)
    with torch.no_grad():
        assert torch.equal(stream.step(x[steps]), layer(x)[0][steps])


def test_steps_returned_earlier_stay_as_they_were():
    layer, _ = make_pair("LSTM", 3, 5, dtype=torch.float32)
    stream = carousel.Stream(layer)
    x = randn(2, 2, 3, dtype=torch.float32)
    first = stream.step(x[0])
    copy = first.clone()
    stream.step(x[1])
    assert torch.equal(first, copy)


class Tagger(nn.Module):
    def __init__(self, batch_first):
        super().__init__()
        self.lower = carousel.GRU(3, 5, batch_first=batch_first)
        self.upper = carousel.LSTM(5, 4, batch_first=batch_first)
        self.head = nn.Linear(4, 2)

    def forward(self, x):
        return self.head(self.upper(self.lower(x)[0])[0])


@pytest.mark.parametrize("batch_first", [False, True])
def test_stream_of_a_model_equals_whole_sequence(batch_first):
    model = Tagger(batch_first).eval()
    x = randn(5, 2, 3, dtype=torch.float32)
    with torch.no_grad():
        whole = model(x.transpose(0, 1)).transpose(0, 1) if batch_first else model(x)
    stream = carousel.Stream(model)
    torch.testing.assert_close(steps_of(stream, x), whole)
    assert len(stream.state) == 2
    assert not model.lower._forward_hooks, "hooks stay behind"


def test_stream_of_two_directions_raises():
    with pytest.raises(ValueError, match="cannot be streamed"):
        carousel.Stream(carousel.GRU(3, 5, bidirectional=True))
    with pytest.raises(ValueError, match="no next step"):
        carousel.GRU(3, 5, bidirectional=True).step(torch.zeros(2, 3))


def test_stream_without_recurrent_layers_raises():
    with pytest.raises(ValueError, match="Linear holds no carousel layer"):
        carousel.Stream(nn.Linear(3, 5))


@pytest.mark.parametrize("shape", [(3,), (2, 4), (1, 2, 3)])
def test_step_of_another_shape_raises(shape):
    stream = carousel.Stream(carousel.GRU(3, 5))
    stream.step(torch.zeros(2, 3))
    with pytest.raises((ValueError, RuntimeError)):
        stream.step(torch.zeros(shape))
    assert stream.step(torch.zeros(2, 3)).shape == (2, 5)  # and it goes on


def test_out_of_another_shape_raises():
    stream = carousel.Stream(carousel.GRU(3, 5))
    with pytest.raises(ValueError, match=r"out must be .* \(2, 5\)"):
        stream.step(torch.zeros(2, 3), torch.empty(2, 4))


def test_a_long_stream_keeps_every_output_apart():
    """More steps than a block of outputs holds."""
    layer, _ = make_pair("RNN-tanh", 3, 5, dtype=torch.float32)
    x = randn(150, 1, 3, dtype=torch.float32)
    stream = carousel.Stream(layer)
    outputs = [stream.step(x_t) for x_t in x]
    with torch.no_grad():
        assert torch.equal(torch.stack(outputs), layer(x)[0])


def test_a_step_has_its_own_type_and_place_whatever_torchs_defaults_are():
    layer, _ = make_pair("GRU", 3, 5, dtype=torch.float32)
    x = randn(2, 1, 3, dtype=torch.float32)
    with torch.no_grad():
        whole = layer(x)[0]
    torch.set_default_dtype(torch.float64)
    try:
        first = carousel.Stream(layer).step(x[0])
    finally:
        torch.set_default_dtype(torch.float32)
    torch.set_default_device("meta")
    try:
        second = carousel.Stream(layer).step(x[0])
    finally:
        torch.set_default_device(None)
    assert torch.equal(first, whole[0])
    assert torch.equal(second, whole[0])


def test_outputs_after_a_step_in_inference_mode_can_be_learned_from():
    layer, _ = make_pair("GRU", 3, 5, dtype=torch.float32)
    stream, x = carousel.Stream(layer), randn(2, 1, 3, dtype=torch.float32)
    with torch.inference_mode():
        stream.step(x[0])
    y = stream.step(x[1])
    assert not y.is_inference()
    head = nn.Linear(5, 2)
    head(y).sum().backward()
    assert head.weight.grad is not None


@pytest.mark.parametrize("int8", [False, True])
def test_a_step_under_way_keeps_the_memory_of_a_stream_that_is_reset(int8):
    """Another thread may reset the stream while the kernels write its state."""
    layer, x = carousel.LSTM(3, 4), torch.randn(5, 2, 3)
    stream = carousel.Stream(layer, int8=int8, calibration=x if int8 else None)
    stream.step(x[0])
    stepper = stream._stepper
    under_way = [stepper._advance]
    if hasattr(torch.Tensor, "__dlpack_c_exchange_api__"):
        under_way.insert(0, stepper._takes if int8 else stepper.feed)
    memory = weakref.ref(stepper._state[0])
    del stepper
    stream.reset()
    gc.collect()
    while under_way:
        assert memory() is not None
        under_way.pop()
        gc.collect()
    assert memory() is None


def test_a_stream_in_eight_bits_leaves_those_in_floats_as_they_are():
    layer, x = carousel.LSTM(3, 4), torch.randn(5, 2, 3)
    floats = carousel.Stream(layer)
    floats.step(x[0])
    stepper = floats._stepper
    carousel.Stream(layer, int8=True, calibration=x).step(x[0])
    floats.step(x[1])
    assert floats._stepper is stepper
