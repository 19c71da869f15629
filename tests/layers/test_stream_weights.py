"""A stream uses the weights that its layer would use, however and whenever they were changed."""

import numpy as np
import pytest
import torch
from changed_weights import (
    CHANGES,
    MADE,
    by_data,
    by_parametrization,
    by_pruning,
    by_sign,
    by_state_dict,
    each_kind,
    layer_of,
    views_of,
)
from oracle import as_tuple, randn, randomise
from torch import nn

import carousel


def assert_next_step_is_the_layers(stream, layer, x_t):
    hx = stream.state
    with torch.no_grad():
        expected, after = layer.step(x_t, hx)
    assert torch.equal(stream.step(x_t), expected)
    for kept, wanted in zip(as_tuple(stream.state), as_tuple(after), strict=True):
        assert torch.equal(kept, wanted)


@each_kind
@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("exchange", [True, False], ids=["this torch", "before 2.10"])
def test_stream_sees_weights_that_changed(kind, change, exchange, monkeypatch):
    if not exchange:
        monkeypatch.delattr(torch.Tensor, "__dlpack_c_exchange_api__", raising=False)
    layer = layer_of(kind)
    x = randn(6, 2, 3, dtype=torch.float32)
    stream = carousel.Stream(layer)
    before = stream.step(x[0])
    stream.step(x[1])
    change(layer)
    for x_t in x[2:4]:
        assert_next_step_is_the_layers(stream, layer, x_t)
    if change not in (by_sign, by_pruning, by_parametrization):
        change(layer)  # once more, of what the first change has left behind
    for x_t in x[4:]:
        assert_next_step_is_the_layers(stream, layer, x_t)
    stream.reset()
    assert not torch.equal(stream.step(x[0]), before), "the change changed nothing"


def test_stream_sees_a_recurrent_matrix_that_was_turned_around():
    """Same memory, same numbers, same shape: only what they mean is new."""
    layer = layer_of("RNN-tanh")
    stream = carousel.Stream(layer)
    x = randn(3, 2, 3, dtype=torch.float32)
    stream.step(x[0])
    layer.weight_hh_l0.data = layer.weight_hh_l0.data.t()
    for x_t in x[1:]:
        assert_next_step_is_the_layers(stream, layer, x_t)


@each_kind
@pytest.mark.parametrize("how", ["numpy", "dlpack", "shared", "from numpy"])
def test_stream_sees_weights_changed_through_views_made_before_it(kind, how):
    layer = layer_of(kind)
    views = views_of(layer, how)
    stream = carousel.Stream(layer)
    x = randn(4, 2, 3, dtype=torch.float32)
    stream.step(x[0])
    for view, x_t in zip((*views, views[0]), x[1:], strict=False):
        view *= 0.5
        assert_next_step_is_the_layers(stream, layer, x_t)
    for view, parameter in zip(views, layer.parameters(), strict=True):
        parameter.data.mul_(2)
        assert np.array_equal(np.asarray(view), parameter.detach().numpy()), "torn from its view"


class OutputOf(nn.Module):
    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def forward(self, x):
        return self.layer(x)[0]


@pytest.mark.parametrize("kind", ["RNN-tanh", "GRU", "LSTM"])
@pytest.mark.parametrize("made", MADE)
@pytest.mark.parametrize("of_a_model", [False, True], ids=["layer", "model"])
def test_weights_that_are_computed_are_computed_at_each_step(kind, made, of_a_model):
    layer = made(layer_of(kind), "weight_hh_l0")
    x = randn(6, 2, 3, dtype=torch.float32)
    layer(x)
    by_state_dict(layer)  # what was computed in that call is out of date now
    stream = carousel.Stream(OutputOf(layer) if of_a_model else layer)
    with torch.no_grad():
        expected = layer(x)[0]
    for x_t, y_t in zip(x[:3], expected, strict=False):
        assert torch.equal(stream.step(x_t), y_t)
    by_data(layer)
    hx = stream.state[0] if of_a_model else stream.state
    with torch.no_grad():
        wanted = layer.step(x[3], hx)[0]
    assert torch.equal(stream.step(x[3]), wanted)


def test_stream_of_a_subclass_calls_its_forward():
    class Louder(carousel.GRU):
        def forward(self, *args, **kwargs):
            y, h = super().forward(*args, **kwargs)
            return 3 * y, h

    layer = randomise(Louder(3, 5))
    x = randn(3, 2, 3, dtype=torch.float32)
    with torch.no_grad():
        whole = layer(x)[0]
    stream = carousel.Stream(layer)
    assert torch.equal(torch.stack([stream.step(x_t) for x_t in x]), whole)


def test_hook_of_all_modules_is_run():
    layer = layer_of("GRU")
    stream = carousel.Stream(layer)
    x = randn(3, 2, 3, dtype=torch.float32)
    stream.step(x[0])
    calls = []
    hook = torch.nn.modules.module.register_module_forward_hook(lambda m, *_: calls.append(m))
    try:
        stream.step(x[1])
    finally:
        hook.remove()
    assert layer in calls


def test_calls_of_the_layer_between_steps_leave_the_weights_packed():
    layer = layer_of("LSTM")
    x = randn(3, 2, 3, dtype=torch.float32)
    stream = carousel.Stream(layer)
    stream.step(x[0])
    packed = stream._stepper
    layer(x)[0].sum().backward()
    with torch.no_grad():
        layer(x)
    stream.step(x[1])
    assert packed is not None
    assert stream._stepper is packed
