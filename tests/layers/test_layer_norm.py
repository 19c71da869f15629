"""`layer_norm=True`: parameters, their start, and where they go."""

import copy
import pickle

import pytest
import torch
from oracle import as_tuple, randn, random_state, randomise

import carousel
from carousel import kernels
from carousel.layers.initialization import NAMES, initialize
from carousel.optim.penalties import weight_group

each_cell = pytest.mark.parametrize("cell", ["LSTM", "GRU", "RNN"])
GAINS = {
    "LSTM": {"weight_ln_ih": 20, "weight_ln_hh": 20, "weight_ln_c": 5, "bias_ln_c": 5},
    "GRU": {"weight_ln_ih": 15, "weight_ln_hh": 15},
    "RNN": {"weight_ln": 5},
}


def gains_of(layer):
    return {n: p for n, p in layer.named_parameters() if n.startswith(("weight_ln", "bias_ln"))}


def at_the_start(layer):
    return all(
        torch.equal(p, torch.ones_like(p) if n.startswith("weight") else torch.zeros_like(p))
        for n, p in gains_of(layer).items()
    )


@each_cell
def test_each_direction_of_each_layer_has_gains_of_one_and_biases_of_zero(cell):
    layer = getattr(carousel, cell)(3, 5, num_layers=2, bidirectional=True, layer_norm=True)
    shapes = {name: len(p) for name, p in gains_of(layer).items()}
    ends = ("_l0", "_l0_reverse", "_l1", "_l1_reverse")
    assert shapes == {name + end: rows for end in ends for name, rows in GAINS[cell].items()}
    assert at_the_start(layer)


@each_cell
def test_reset_draws_torchs_weights_and_leaves_the_gains_at_one(cell):
    torch.manual_seed(4)
    plain = getattr(carousel, cell)(3, 5)
    layer = randomise(getattr(carousel, cell)(3, 5, layer_norm=True))
    torch.manual_seed(4)
    plain.reset_parameters()
    torch.manual_seed(4)
    layer.reset_parameters()
    assert at_the_start(layer)
    for name, parameter in plain.named_parameters():
        assert torch.equal(getattr(layer, name), parameter), name


@each_cell
@pytest.mark.parametrize("name", NAMES)
def test_initialisation_leaves_the_gains_at_one(cell, name):
    if name == "chrono" and cell == "RNN":
        pytest.skip("a vanilla RNN has no gates")
    layer = getattr(carousel, cell)(3, 5, num_layers=2, layer_norm=True)
    initialize(layer, name, forget_bias=1.0)
    assert at_the_start(layer)


def test_forget_bias_is_set_beside_the_gains():
    layer = carousel.LSTM(3, 5, layer_norm=True, forget_bias=2.0)
    assert (layer.bias_ih_l0 + layer.bias_hh_l0)[5:10].tolist() == [2.0] * 5
    assert at_the_start(layer)


def test_peepholes_and_gains_stand_side_by_side():
    layer = carousel.LSTM(3, 5, layer_norm=True, peephole=True, coupled=True)
    assert {name: tuple(p.shape) for name, p in layer.named_parameters()} == {
        "weight_ih_l0": (15, 3),
        "weight_hh_l0": (15, 5),
        "bias_ih_l0": (15,),
        "bias_hh_l0": (15,),
        "weight_c_l0": (10,),
        "weight_ln_ih_l0": (15,),
        "weight_ln_hh_l0": (15,),
        "weight_ln_c_l0": (5,),
        "bias_ln_c_l0": (5,),
    }


@each_cell
def test_copies_and_files_compute_the_same(cell):
    layer = randomise(getattr(carousel, cell)(3, 5, num_layers=2, layer_norm=True))
    x, hx = randn(4, 2, 3, dtype=torch.float32), random_state(layer, 2)
    expected = layer(x, hx)[0]
    loaded = getattr(carousel, cell)(3, 5, num_layers=2, layer_norm=True)
    loaded.load_state_dict(layer.state_dict())
    for twin in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer)), loaded):
        assert torch.equal(twin(x, hx)[0], expected)


@each_cell
def test_layer_says_that_it_normalises(cell):
    layer = getattr(carousel, cell)(3, 5, layer_norm=True)
    assert repr(layer) == f"{cell}(3, 5, layer_norm=True)"
    assert "layer_norm" not in repr(getattr(carousel, cell)(3, 5))
    x = torch.zeros(4, 2, 3)
    assert carousel.explain(layer, x).startswith("native: ")
    assert carousel.explain(layer.double(), x.double()) == "cells: float64; torch has no layer_norm"
    with kernels.use("torch"), pytest.raises(RuntimeError, match="torch has no layer_norm"):
        layer.float()(x)


@each_cell
def test_huge_inputs_and_constant_rows_stay_finite(cell):
    """A row of equal sums has no variance: 1e-5 is what it is divided by."""
    layer = getattr(carousel, cell)(3, 37, bias=False, layer_norm=True)
    for x in (torch.zeros(4, 2, 3), 1e10 * randn(4, 2, 3, dtype=torch.float32)):
        x.requires_grad_()
        y, state = layer(x)
        loss = y.square().sum() + sum(part.sum() for part in as_tuple(state))
        gradients = torch.autograd.grad(loss, [x, *layer.parameters()])
        assert y.isfinite().all()
        assert all(gradient.isfinite().all() for gradient in gradients)


@each_cell
def test_garbage_in_the_padding_does_not_matter(cell):
    layer = randomise(getattr(carousel, cell)(7, 19, bidirectional=True, layer_norm=True))
    clean, lengths = randn(6, 5, 7, dtype=torch.float32), [3, 0, 6, 1, 4]
    dirty = clean.clone()
    dirty[torch.arange(6)[:, None] >= torch.tensor(lengths)] = torch.nan
    results = []
    for x in (clean, dirty):
        x.requires_grad_()
        y, _ = layer(x, lengths=lengths)
        results.append([y, *torch.autograd.grad(y.square().sum(), [x, *layer.parameters()])])
    for one, other in zip(*results, strict=True):
        assert torch.equal(one, other)


def test_penalties_count_the_gains_among_the_biases():
    layer = carousel.LSTM(3, 5, layer_norm=True)
    assert {weight_group(name) for name in gains_of(layer)} == {"bias"}
