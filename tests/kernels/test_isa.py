"""The instruction set: chosen by the CPU, overridden by CAROUSEL_ISA, never silently."""

import copy

import pytest
import torch

import carousel
from carousel.kernels import active_isa, supported_isas


def test_preferred_instruction_set_is_active_by_default(monkeypatch):
    monkeypatch.delenv("CAROUSEL_ISA", raising=False)
    assert active_isa() == supported_isas()[0]
    assert carousel.active_isa() == active_isa()


def test_supported_instruction_sets_are_distinct():
    assert len(set(supported_isas())) == len(supported_isas())


@pytest.mark.parametrize("name", supported_isas())
def test_environment_chooses_instruction_set(name, monkeypatch):
    monkeypatch.setenv("CAROUSEL_ISA", name)
    assert active_isa() == name


def test_empty_environment_variable_chooses_nothing(monkeypatch):
    monkeypatch.setenv("CAROUSEL_ISA", "")
    assert active_isa() == supported_isas()[0]


@pytest.mark.parametrize("name", ["avx1024", "AVX2", " "])
def test_unknown_instruction_set_raises_and_lists_the_choices(name, monkeypatch):
    monkeypatch.setenv("CAROUSEL_ISA", name)
    with pytest.raises(carousel.CarouselError) as raised:
        active_isa()
    assert f"'{name}'" in str(raised.value)
    for choice in supported_isas():
        assert choice in str(raised.value)


@pytest.mark.parametrize("name", supported_isas())
def test_weights_kept_packed_are_packed_again_for_another_instruction_set(name, monkeypatch):
    monkeypatch.delenv("CAROUSEL_ISA", raising=False)
    layer, x = carousel.RNN(17, 37), torch.randn(5, 3, 17)
    fresh = copy.deepcopy(layer)
    with torch.no_grad():
        for _ in range(3):
            layer(x)
        monkeypatch.setenv("CAROUSEL_ISA", name)
        assert torch.equal(layer(x)[0], fresh(x)[0])
