"""checkpoint_every: the same bits from less memory."""

import pytest
import torch
from oracle import KINDS, as_tuple, evaluate, make_pair, randn, random_state

import carousel
from carousel.kernels.layer_spec import LayerSpec
from carousel.kernels.native import saved_floats


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("every", [1, 3, 4, 100])
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("lengths", [None, [13, 0, 4, 12, 5]], ids=["full", "ragged"])
def test_gradients_are_those_of_the_plain_run_bit_for_bit(kind, every, bidirectional, lengths):
    layer, _ = make_pair(kind, 3, 19, dtype=torch.float32, bidirectional=bidirectional)
    x = randn(13, 5, 3, dtype=torch.float32)
    hx = random_state(layer, 5)

    def run(x, hx):
        return layer(x, hx, lengths=lengths)

    plain = evaluate(run, x, hx, layer.named_parameters())
    layer.checkpoint_every = every
    assert carousel.explain(layer, x).startswith("native")
    kept = evaluate(run, x, hx, layer.named_parameters())
    for name in plain:
        assert torch.equal(plain[name], kept[name]), name


def test_few_rows_of_a_large_layer_too():
    layer, _ = make_pair("LSTM", 300, 330, dtype=torch.float32)
    x = randn(7, 3, 300, dtype=torch.float32)
    plain = evaluate(layer, x, None, layer.named_parameters())
    layer.checkpoint_every = 3
    kept = evaluate(layer, x, None, layer.named_parameters())
    for name in plain:
        assert torch.equal(plain[name], kept[name]), name


@pytest.mark.parametrize(("mode", "gates"), [("LSTM", 4), ("GRU", 3), ("RNN_TANH", 1)])
def test_memory_grows_with_the_checkpoints_only(mode, gates):
    shapes = [torch.Size((gates * 16, 3)), torch.Size((gates * 16, 16))]
    plain = saved_floats(LayerSpec.of(mode, "TBI", False, shapes), 20_000, 2)
    kept = saved_floats(LayerSpec.of(mode, "TBI", False, shapes, 200), 20_000, 2)
    assert kept * 500 <= plain


def test_without_native_kernels_it_says_that_it_has_no_effect():
    layer = carousel.GRU(3, 5, checkpoint_every=4, dtype=torch.float64)
    assert "checkpoint_every without effect" in carousel.explain(
        layer, torch.zeros(4, 2, 3, dtype=torch.float64)
    )


def test_negative_distance_raises():
    with pytest.raises(ValueError, match="got -1"):
        carousel.LSTM(3, 5, checkpoint_every=-1)


def test_states_are_those_of_the_plain_run():
    layer, _ = make_pair("LSTM", 3, 5, dtype=torch.float32)
    x = randn(9, 2, 3, dtype=torch.float32)
    plain = as_tuple(layer(x)[1])
    layer.checkpoint_every = 2
    for a, b in zip(plain, as_tuple(layer(x)[1]), strict=True):
        assert torch.equal(a, b)
