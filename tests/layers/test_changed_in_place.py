"""Tensors changed in place between the call and `backward`: as with torch's layers, or better."""

import warnings

import pytest
import torch
from oracle import KINDS, as_tuple, assert_close, make_pair, randn
from parallel_layers import KINDS as PARALLEL_KINDS
from parallel_layers import make
from torch import nn
from torch.nn import functional as F
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence
from torch.utils.flop_counter import FlopCounterMode

SHAPES = [
    {},
    {"bidirectional": True},
    {"num_layers": 2, "batch_first": True},
    {"num_layers": 2, "bidirectional": True},
]
each_shape = pytest.mark.parametrize("options", SHAPES, ids=str)
each_kind = pytest.mark.parametrize("kind", [*KINDS, *PARALLEL_KINDS])


def layer_of(kind, **options):
    if kind in PARALLEL_KINDS:
        return make(kind, 3, 5, **options)
    return make_pair(kind, 3, 5, dtype=torch.float32, **options)[0]


def gradients(layer, change, make_call):
    """Of the input and the weights, where the output is changed by `change` after the call."""
    layer.zero_grad()
    x = randn(4, 6, 3, dtype=torch.float32).requires_grad_()
    change(make_call(layer, x)).sum().backward()
    return {"x": x.grad} | {name: p.grad.clone() for name, p in layer.named_parameters()}


def assert_gradients(actual, expected):
    for name in expected:
        assert_close(actual[name], expected[name], "gradient", name)


def padded(layer, x):
    return layer(x)[0]


def packed(layer, x):
    lengths = [6, 4, 1] if layer.batch_first else [4, 4, 3, 2, 2, 1]
    x = x[:3] if layer.batch_first else x
    return layer(pack_padded_sequence(x, lengths, batch_first=layer.batch_first))[0].data


def ragged(layer, x):
    return layer(x, lengths=[6, 0, 2, 4] if layer.batch_first else [4, 0, 1, 2, 3, 4])[0]


@each_kind
@each_shape
@pytest.mark.parametrize("call", [padded, packed, ragged])
def test_output_changed_in_place_has_the_gradients_of_one_that_is_not(kind, options, call):
    layer = layer_of(kind, **options)
    expected = gradients(layer, F.relu, call)
    actual = gradients(layer, lambda y: F.relu(y, inplace=True), call)
    for name in expected:
        assert torch.equal(actual[name], expected[name]), name


@pytest.mark.parametrize("kind", ["RNN-tanh", "RNN-relu", "GRU"])
@each_shape
def test_output_changed_in_place_has_the_gradients_of_torch(kind, options):
    ours, theirs = make_pair(kind, 3, 5, dtype=torch.float32, **options)

    def change(y):
        return F.relu(y.mul_(2), inplace=True)

    assert_gradients(gradients(ours, change, padded), gradients(theirs, change, padded))


@each_kind
@pytest.mark.parametrize("every", [0, 3])
def test_output_changed_where_autograd_does_not_see_it_keeps_its_gradients(kind, every):
    layer = layer_of(kind)
    layer.checkpoint_every = every
    expected = gradients(layer, lambda y: y * 1, padded)

    def by_data(y):
        y.data.zero_()
        return y * 1

    def by_numpy(y):
        y.detach().numpy()[:] = 7
        return y * 1

    for change in (by_data, by_numpy):
        assert_gradients(gradients(layer, change, padded), expected)


@each_kind
def test_final_state_changed_in_place_keeps_its_gradients(kind):
    layer = layer_of(kind, num_layers=2)
    x = randn(4, 6, 3, dtype=torch.float32)

    def by(change):
        layer.zero_grad()
        y, state = layer(x)
        (y.sum() + sum(change(part).sum() for part in as_tuple(state))).backward()
        return {name: p.grad.clone() for name, p in layer.named_parameters()}

    assert_gradients(by(lambda part: part.mul_(3)), by(lambda part: part * 3))


@pytest.mark.parametrize("kind", ["GRU", "RNN-tanh", "LSTM", "MinGRU"])
def test_traced_output_changed_in_place_keeps_its_gradients(kind):
    layer = layer_of(kind)
    expected = gradients(layer, F.relu, padded)

    def inplace(layer, x):
        return F.relu(layer(x)[0], inplace=True)

    with FlopCounterMode(display=False):
        assert_gradients(gradients(layer, lambda y: y, inplace), expected)
    import torch._dynamo

    torch._dynamo.reset()
    with warnings.catch_warnings(), torch._dynamo.config.patch(allow_rnn=True):
        warnings.simplefilter("ignore")
        compiled = torch.compile(inplace, backend="aot_eager", fullgraph=True)
        assert_gradients(gradients(layer, lambda y: y, compiled), expected)
    torch._dynamo.reset()


def test_output_is_kept_once_until_somebody_changes_it():
    """What backward reads of an output costs no memory of its own."""
    layer = layer_of("RNN-tanh")
    y, _ = layer(randn(50, 8, 3, dtype=torch.float32))
    kept = [t for t in y.grad_fn.saved_tensors if t is not None and t.shape == y.shape]
    base = torch._C._data_address
    assert [base(t) for t in kept] == [base(y)]
    F.linear(y, torch.ones(2, 5)).relu().sum().backward(retain_graph=True)
    assert base(kept[0]) == base(y)
    layer(randn(2, 8, 3, dtype=torch.float32), y[-1:])  # a state that is part of it is read alone
    assert base(kept[0]) == base(y)
    y.data.mul_(2)
    assert base(kept[0]) != base(y)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("layers", [1, 2])
def test_batch_first_input_changed_in_place_has_the_gradients_of_torch(kind, layers):
    pair = make_pair(kind, 3, 5, dtype=torch.float32, batch_first=True, num_layers=layers)
    results = []
    for layer in pair:
        x = randn(4, 6, 3, dtype=torch.float32).requires_grad_()
        read = x * 1
        y, _ = layer(read)
        read += y.sum(-1, keepdim=True)
        read.sum().backward()
        results.append({"x": x.grad} | {name: p.grad for name, p in layer.named_parameters()})
    assert_gradients(*results)


@each_kind
def test_time_first_input_changed_in_place_raises_as_torch_does(kind):
    layer = layer_of(kind)
    x = randn(4, 6, 3, dtype=torch.float32)
    y, _ = layer(x)
    x.mul_(2)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.sum().backward()


@each_kind
@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("pack", [False, True], ids=["padded", "packed"])
def test_input_and_state_made_in_inference_mode_can_be_learned_from(kind, batch_first, pack):
    layer = layer_of(kind, batch_first=batch_first)
    x = randn(6, 6, 3, dtype=torch.float32)
    _, state = layer(x)
    state = tuple(part.detach() for part in as_tuple(state))

    def learned(x, state):
        layer.zero_grad()
        if pack:
            x = pack_padded_sequence(x, [6] * 6, batch_first=batch_first)
        y, _ = layer(x, state if len(state) > 1 else state[0])
        (y.data if isinstance(y, PackedSequence) else y).sum().backward()
        return {name: p.grad.clone() for name, p in layer.named_parameters()}

    expected = learned(x, state)
    with torch.inference_mode():
        x, state = x.clone(), tuple(part.clone() for part in state)
    assert_gradients(learned(x, state), expected)


def test_torch_too_learns_from_batch_first_input_made_in_inference_mode():
    """The behaviour that is matched."""
    with torch.inference_mode():
        x = randn(6, 6, 3, dtype=torch.float32)
    nn.GRU(3, 5, batch_first=True)(x)[0].sum().backward()
