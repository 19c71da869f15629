"""Averages of the weights against their definitions."""

import copy

import pytest
import torch
from torch import nn

from carousel.config import AveragingConfig
from carousel.training.averaging import Average


def weights_after(average, net, values):
    """The weight of what is kept after each step at which the net's weight has a value."""
    kept = []
    for value in values:
        with torch.no_grad():
            net.weight.fill_(value)
        average.step()
        kept.append(average.model.weight.item())
    return kept


@pytest.fixture
def net():
    return nn.Linear(1, 1, bias=False)


def test_none_keeps_the_weights_themselves(net):
    average = Average(AveragingConfig(), net)
    assert weights_after(average, net, [1, 2, 3]) == [1, 2, 3]
    assert average.model is net
    assert average.state_dict() == {"started": False}


def test_ema_decays_from_the_first_step_on(net):
    average = Average(AveragingConfig(name="ema", decay=0.75), net)
    kept = weights_after(average, net, [4, 8, 0])
    assert kept == pytest.approx([4, 0.75 * 4 + 0.25 * 8, 0.75 * 5])


def test_mean_is_over_the_steps_after_its_start(net):
    average = Average(AveragingConfig(name="mean", start=2), net)
    assert weights_after(average, net, [1, 2]) == [1, 2]
    average.end_epoch(1, 0)
    assert weights_after(average, net, [3]) == [3]
    average.end_epoch(2, 0)
    assert average.model is net  # nothing to average yet
    assert weights_after(average, net, [4, 6, 11]) == pytest.approx([4, 5, 7])


def test_mean_may_start_at_once_or_when_improvement_ends(net):
    at_once = Average(AveragingConfig(name="mean", start=0), net)
    assert weights_after(at_once, net, [2, 4]) == pytest.approx([2, 3])
    patient = Average(AveragingConfig(name="mean", start=100, patience=2), net)
    for epoch, without in enumerate([0, 1, 0, 1], 1):
        patient.end_epoch(epoch, without)
        assert not patient.started
    patient.end_epoch(5, 2)
    patient.end_epoch(6, 0)
    assert patient.started


@pytest.mark.parametrize("name", ["ema", "mean"])
def test_an_average_survives_a_checkpoint(net, name):
    config = AveragingConfig(name=name, start=0, decay=0.9)
    first, second = Average(config, net), Average(config, nn.Linear(1, 1, bias=False))
    weights_after(first, net, [1, 5])
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    assert second.model.weight.item() == first.model.weight.item()
    other = second._net
    assert weights_after(second, other, [7]) == weights_after(first, net, [7])
