"""The comparison with models of other packages, on models of our own."""

import importlib
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

SCRIPTS = Path(__file__).parent.parent / "benchmarks"


@pytest.fixture
def script(monkeypatch):
    monkeypatch.syspath_prepend(str(SCRIPTS))
    return importlib.import_module("real_models")


def model_of(script, module):
    x = torch.randn(5, 3, 7)

    def output(module):
        return module(x)[0].square().sum()

    return script.Model(module, output, output)


def test_a_model_is_timed_in_both_modes(script):
    found = script.compare(lambda: model_of(script, nn.LSTM(7, 4)), rounds=2)
    assert {mode: len(values) for mode, values in found.items()} == {"inference": 2, "training": 2}
    assert min(value for values in found.values() for value in values) > 0


def test_a_model_without_a_recurrent_layer_is_refused(script):
    with pytest.raises(ValueError, match="no layer was accelerated"):
        script.compare(lambda: model_of(script, nn.Sequential(nn.Linear(7, 4))), rounds=2)


def test_other_numbers_than_those_of_torch_are_refused(script):
    def drawn():
        model = model_of(script, nn.GRU(7, 4))
        return script.Model(model.module, lambda m: model.infer(m) * torch.rand(()), model.train)

    with pytest.raises(ValueError, match="inference: another output"):
        script.compare(drawn, rounds=2)


def test_packages_that_are_missing_are_named(script, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["real_models", "--only", "graph", "--rounds", "2"])
    monkeypatch.setitem(sys.modules, "torch_geometric.nn", None)
    before = torch.get_num_threads()
    script.main()
    torch.set_num_threads(before)
    line = capsys.readouterr().out
    assert line.startswith("graph")
    assert "skipped: ModuleNotFoundError" in line


def test_median_and_quartiles_in_words(script):
    assert script.in_words([1.0, 2.0, 3.0]) == "2.00 (1.50–2.50)"
