"""Numbers of weights and updates, by gate, against NumPy."""

import numpy as np
import pytest
import torch
from torch import nn

import carousel
from carousel.coach.weights import blocks_of, histogram, sample, spectral_radii, update_numbers


class Network(nn.Module):
    def __init__(self):
        super().__init__()
        self.recurrent = carousel.LSTM(3, 5, num_layers=2)
        self.head = nn.Linear(5, 2)

    def forward(self, x):
        return self.head(self.recurrent(x)[0])


def test_blocks_are_the_gates_in_the_order_of_torch():
    net = Network()
    blocks = {block.name: block for block in blocks_of(net)}
    hidden = net.recurrent.hidden_size
    for index, gate in enumerate("ifgo"):
        block = blocks[f"recurrent.weight_hh_l1/{gate}"]
        rows = net.recurrent.weight_hh_l1[index * hidden : (index + 1) * hidden]
        assert torch.equal(block.of(block.parameter), rows)
    assert "head.weight" in blocks
    total = sum(block.of(block.parameter).numel() for block in blocks.values())
    assert total == sum(p.numel() for p in net.parameters())


def test_layers_without_an_input_gate_have_three_blocks():
    names = {block.name for block in blocks_of(carousel.LSTM(2, 3, coupled=True))}
    assert "weight_hh_l0/f" not in names
    assert {"weight_hh_l0/i", "weight_hh_l0/g", "weight_hh_l0/o"} <= names


def test_ratio_and_norm_are_those_of_the_step():
    torch.manual_seed(0)
    net = Network()
    blocks = blocks_of(net)
    before = [sample(block.of(block.parameter)).clone() for block in blocks]
    old = {name: p.detach().numpy().copy() for name, p in net.named_parameters()}
    optimizer = torch.optim.SGD(net.parameters(), lr=0.3)
    net(torch.randn(7, 2, 3)).square().sum().backward()
    optimizer.step()
    numbers = update_numbers(blocks, before, gradient_scale=0.5)
    new = net.recurrent.weight_hh_l0.detach().numpy()
    rows = slice(5, 10)  # the forget gate's
    change = (new - old["recurrent.weight_hh_l0"])[rows]
    ratio = np.abs(change).mean() / np.abs(old["recurrent.weight_hh_l0"][rows]).mean()
    assert numbers["update_ratio/recurrent.weight_hh_l0/f"] == pytest.approx(np.log10(ratio))
    gradient = net.recurrent.weight_hh_l0.grad.numpy()[rows]
    norm = numbers["gradient_norm/recurrent.weight_hh_l0/f"]
    assert norm == pytest.approx(2 * np.linalg.norm(gradient), rel=1e-5)
    assert numbers["update_std/recurrent.weight_hh_l0/f"] == pytest.approx(change.std(), rel=1e-4)


def test_spectral_radius_is_the_largest_eigenvalue_of_each_gate():
    net = carousel.GRU(3, 17)
    radii = spectral_radii(blocks_of(net))
    weight = net.weight_hh_l0.detach().numpy()
    for index, gate in enumerate("rzn"):
        wanted = np.abs(np.linalg.eigvals(weight[17 * index : 17 * (index + 1)])).max()
        assert radii[f"spectral_radius/weight_hh_l0/{gate}"] == pytest.approx(wanted, rel=1e-4)


def test_a_sample_of_a_large_tensor_is_small_and_keeps_its_mean():
    torch.manual_seed(0)
    tensor = torch.randn(1000, 300) + 2
    some = sample(tensor)
    assert len(some) <= 65_536
    assert float(some.mean()) == pytest.approx(2, abs=0.05)


def test_histogram_counts_every_value():
    values = torch.randn(1000)
    found = histogram(values)
    counts, _ = np.histogram(values.numpy(), bins=31, range=(found["low"], found["high"]))
    assert sum(found["counts"]) == 1000
    assert np.abs(np.array(found["counts"]) - counts).sum() <= 4  # ties at an edge
    assert histogram(torch.ones(5))["counts"] == [5]
