"""Initial weights by name: each weight is where its source says."""

import math

import pytest
import torch
from torch import nn

import carousel
from carousel.errors import ConfigError
from carousel.layers.initialization import NAMES, initialize

H, STEPS = 60, 50


class Network(nn.Module):
    def __init__(self, cell):
        super().__init__()
        self.embedding = nn.Embedding(11, 7)
        self.recurrent = getattr(carousel, cell)(7, H, num_layers=2)
        self.head = nn.Linear(H, 11)


def started(cell, name, **settings):
    torch.manual_seed(3)
    network = Network(cell)
    initialize(network, name, **settings)
    return network


def gates(parameter):
    return parameter.detach().split(H)


@pytest.mark.parametrize("cell", ["LSTM", "GRU", "RNN"])
def test_torch_leaves_everything_as_it_was(cell):
    torch.manual_seed(3)
    before = Network(cell).state_dict()
    after = started(cell, "torch", forget_bias=1.0).state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)


@pytest.mark.parametrize("cell", ["LSTM", "GRU", "RNN"])
def test_uniform_fills_the_range_with_weights_and_biases_alike(cell):
    for parameter in started(cell, "uniform", range=0.3).parameters():
        assert parameter.abs().max() <= 0.3
        if parameter.numel() > 100:
            assert parameter.min() < -0.25
            assert parameter.max() > 0.25
            assert abs(parameter.mean().item()) < 0.05


def test_the_forget_bias_comes_on_top_of_the_uniform_draw():
    plain, shifted = (
        started("LSTM", "uniform", forget_bias=b).recurrent.bias_ih_l1 for b in (0.0, 1.5)
    )
    difference = [(b - a).mean().item() for a, b in zip(gates(plain), gates(shifted), strict=True)]
    assert difference == pytest.approx([0, 1.5, 0, 0])


@pytest.mark.parametrize("cell", ["LSTM", "GRU", "RNN"])
def test_orthogonal_is_kerass(cell):
    network = started(cell, "orthogonal", forget_bias=1.0)
    for layer, inputs in ((0, 7), (1, H)):
        kernel = getattr(network.recurrent, f"weight_hh_l{layer}")
        assert torch.allclose(kernel.T @ kernel, torch.eye(H), atol=1e-5)
        kernel = getattr(network.recurrent, f"weight_ih_l{layer}")
        limit = math.sqrt(6 / (inputs + len(kernel)))
        assert 0.9 * limit < kernel.abs().max() <= limit
        total = sum(getattr(network.recurrent, f"bias_{x}_l{layer}") for x in ("ih", "hh"))
        wanted = [0.0, 1.0, 0.0, 0.0] if cell == "LSTM" else [0.0] * (len(total) // H)
        assert [gate.unique().tolist() for gate in gates(total)] == [[value] for value in wanted]
    assert network.head.weight.abs().max() <= math.sqrt(6 / (H + 11))
    assert not network.head.bias.any()
    assert network.embedding.weight.abs().max() <= 0.05


def test_identity_makes_the_irnn_of_a_vanilla_network():
    layer = started("RNN", "identity").recurrent
    assert torch.equal(layer.weight_hh_l0.detach(), torch.eye(H))
    assert layer.weight_ih_l1.std().item() == pytest.approx(0.001, rel=0.1)
    assert not layer.bias_ih_l0.any()


@pytest.mark.parametrize("cell", ["LSTM", "GRU"])
def test_identity_under_gates_is_identity_and_orthogonal_blocks(cell):
    layer = started(cell, "identity", forget_bias=1.0).recurrent
    for block in gates(layer.weight_hh_l1):
        assert torch.equal(block, torch.eye(H))
    for block in gates(layer.weight_ih_l0):  # H > 7 rows: orthonormal columns
        assert torch.allclose(block.T @ block, torch.eye(7), atol=1e-5)
    total = layer.bias_ih_l0 + layer.bias_hh_l0
    assert total.sum() == (H if cell == "LSTM" else 0)


def test_chrono_spreads_the_lstms_memory_over_the_steps():
    layer = started("LSTM", "chrono", steps=STEPS, forget_bias=7.0).recurrent
    i, f, _, _ = gates(layer.bias_ih_l1 + layer.bias_hh_l1)
    assert torch.equal(i, -f)
    spans = f.exp()
    assert spans.min() >= 1
    assert spans.max() <= STEPS - 1 + 1e-3
    assert spans.mean().item() == pytest.approx(STEPS / 2, rel=0.25)


def test_chrono_sets_the_grus_update_gate():
    layer = started("GRU", "chrono", steps=STEPS).recurrent
    spans = gates(layer.bias_ih_l0 + layer.bias_hh_l0)[1].exp()
    assert spans.min() >= 1
    assert spans.max() <= STEPS - 1 + 1e-3


def test_a_vanilla_network_has_no_gates_for_chrono():
    with pytest.raises(ConfigError, match="RNN has none"):
        started("RNN", "chrono")


def test_an_unknown_name_lists_the_known():
    with pytest.raises(ConfigError, match=", ".join(NAMES)):
        started("GRU", "ones")


@pytest.mark.parametrize("name", NAMES)
def test_the_same_seed_gives_the_same_weights(name):
    first, second = (started("LSTM", name).state_dict() for _ in range(2))
    assert all(torch.equal(first[key], second[key]) for key in first)


def test_projections_are_drawn_too():
    layer = carousel.LSTM(3, 8, proj_size=5)
    initialize(layer, "identity")
    assert layer.weight_hr_l0.shape == (5, 8)
    assert torch.allclose(layer.weight_hr_l0 @ layer.weight_hr_l0.T, torch.eye(5), atol=1e-5)
