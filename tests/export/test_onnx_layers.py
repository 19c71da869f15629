"""ONNX files of layers, run by ONNX Runtime: every cell and option, whole and step by step.

`export` itself compares with the layer and raises where they differ; what it returns is looked at
here, and what it does not try.
"""

import copy

import numpy as np
import pytest
import torch
from options import PLAIN
from torch import nn

import carousel
from carousel.errors import ConfigError
from carousel.export.describing import subject_of
from carousel.export.exporting import export
from carousel.export.parity import random_batch, random_states
from carousel.layers.ordinal import CumulativeLogits
from carousel.layers.pooling import Pooling

pytest.importorskip("onnx", reason="onnx is not installed")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")

from carousel.export.onnx import operator
from carousel.export.onnx.format import runner

CELLS = {
    "LSTM": carousel.LSTM, "GRU": carousel.GRU, "RNN": carousel.RNN, "MinGRU": carousel.MinGRU,
    "MinLSTM": carousel.MinLSTM, "IndRNN": carousel.IndRNN, "SLSTM": carousel.SLSTM,
    "LMU": carousel.LMU, "RGLRU": carousel.RGLRU, "SRU": carousel.SRU, "QRNN": carousel.QRNN,
    "LRU": carousel.LRU, "S6": carousel.S6,
    "torch.LSTM": nn.LSTM, "torch.GRU": nn.GRU, "torch.RNN": nn.RNN,
}  # fmt: skip
CASES = [
    *((name, {}) for name in CELLS),
    *((name, options) for name, several in PLAIN.items() for options in several),
    ("LSTM", {"proj_size": 3, "peephole": True}),
    ("torch.LSTM", {"proj_size": 2, "bias": False}),
    ("LSTM", {"bias": False, "coupled": True}),
    ("LSTM", {"zoneout": (0.3, 0.1)}),
    ("GRU", {"zoneout": 0.3, "bias": False}),
    ("torch.RNN", {"nonlinearity": "relu"}),
    ("MinGRU", {"nonlinearity": "linear"}),
    ("SLSTM", {"nonlinearity": "exp", "bias": False}),
    ("SLSTM", {"heads": 5}),
    ("QRNN", {"window": 2, "bias": False}),
    ("IndRNN", {"nonlinearity": "tanh", "bias": False}),
]


def layer(name, options, **shape):
    made = CELLS[name](3, 5, **shape, **options)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter += 0.3 * torch.randn_like(parameter)
    return made


def name_of(case):
    return f"{case[0]}-{'-'.join(f'{k}={v}' for k, v in case[1].items())}"


@pytest.mark.parametrize("case", CASES, ids=name_of)
def test_files_of_a_layer_compute_what_it_does_of_any_batch_and_length(case, tmp_path):
    torch.manual_seed(3)
    path = tmp_path / "layer.onnx"
    done = export(layer(*case), path)  # goes on step by step, too
    assert done.comparison.cases == 5
    export(layer(*case), path, stream=True, force=True)
    deep = layer(*case, num_layers=2, bidirectional=True, batch_first=True)
    assert export(deep, path, force=True).comparison.difference < 1e-5
    subject = subject_of(deep)
    rng = np.random.default_rng(5)
    given = random_batch(subject.network, 6, 37, rng) | random_states(subject, 6, rng)
    found, wanted = runner(path)(given), subject.run(given)
    most = 1e-4 if "layer_norm" in case[1] else 1e-5  # of five numbers it magnifies rounding
    for key, right in wanted.items():
        np.testing.assert_allclose(found[key], right, atol=most, err_msg=key)


@pytest.mark.parametrize("name", ["LSTM", "GRU", "RNN", "MinLSTM"])
def test_a_row_without_steps_keeps_its_states(name, tmp_path):
    made = layer(name, {}, num_layers=2, bidirectional=True)
    subject = subject_of(made)
    export(made, tmp_path / "m.onnx")
    rng = np.random.default_rng(0)
    given = random_batch(subject.network, 3, 6, rng) | random_states(subject, 3, rng)
    given["lengths"] = np.array([6, 0, 2])
    found, wanted = runner(tmp_path / "m.onnx")(given), subject.run(given)
    for key, right in wanted.items():
        np.testing.assert_allclose(found[key], right, atol=1e-5, err_msg=key)


def test_what_the_operators_hold_is_written_with_them_and_the_rest_as_a_scan():
    def own(module):
        return operator.fits(subject_of(module).network.recurrent[0])

    for module in (
        carousel.LSTM(3, 5, peephole=True, coupled=True, activation="softsign"),
        carousel.LSTM(3, 5, variant="NIAF", gate_activation="hard_sigmoid"),
        carousel.GRU(3, 5, reset_after=False),
        nn.RNN(3, 5),
    ):
        assert own(module), module
    for module in (
        carousel.LSTM(3, 5, proj_size=2),
        carousel.GRU(3, 5, layer_norm=True),
        carousel.GRU(3, 5, activation="hard_tanh"),
        carousel.MinGRU(3, 5),
    ):
        assert not own(module), module


ROWS = {
    "tokens": lambda: nn.Sequential(
        nn.Embedding(11, 4), nn.GRU(4, 6, batch_first=True), nn.Linear(6, 3), nn.LogSoftmax(-1)
    ),
    "convolution": lambda: nn.Sequential(
        nn.Conv1d(4, 6, 3, stride=2, padding=1, dilation=2, groups=2), nn.ReLU(),
        carousel.LSTM(6, 5, bidirectional=True), nn.LayerNorm(10), nn.Linear(10, 2),
    ),
    "two stacks": lambda: nn.Sequential(
        carousel.LSTM(3, 5), nn.Dropout(0.5), nn.Tanh(), carousel.MinGRU(5, 4), nn.GELU()
    ),
    "attention": lambda: nn.Sequential(
        carousel.GRU(3, 5, bidirectional=True), Pooling("attention", 10), nn.SiLU()
    ),
    "mean": lambda: nn.Sequential(carousel.RNN(3, 5), Pooling("mean", 5), nn.ELU(0.5)),
    "max": lambda: nn.Sequential(carousel.RNN(3, 5), Pooling("max", 5), nn.LeakyReLU(0.2)),
    "ranks": lambda: nn.Sequential(
        carousel.LSTM(3, 5, layer_norm=True), Pooling("last", 5), CumulativeLogits(5, 4)
    ),
    "functions": lambda: nn.Sequential(
        nn.Linear(4, 4, bias=False), nn.Softsign(), nn.Hardtanh(), nn.Hardsigmoid(), nn.Sigmoid()
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ROWS)
def test_files_of_layers_in_a_row_compute_what_they_do(name, tmp_path):
    torch.manual_seed(1)
    assert export(ROWS[name](), tmp_path / "row.onnx").comparison.difference < 1e-5
    if name in ("tokens", "two stacks", "ranks"):
        export(ROWS[name](), tmp_path / "row.onnx", stream=True, force=True)


def test_a_file_that_computes_something_else_is_not_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(operator, "_ACTIVATIONS", {"tanh": "Softsign"})
    with pytest.raises(ConfigError, match=r"m\.onnx computes something else than the model"):
        export(carousel.GRU(3, 5), tmp_path / "m.onnx")
    assert list(tmp_path.iterdir()) == []


def test_exporting_leaves_the_layer_as_it_was(tmp_path):
    made = carousel.GRU(3, 5, zoneout=0.2, dropout=0.3, num_layers=2).train()
    before = copy.deepcopy(made.state_dict())
    export(made, tmp_path / "m.onnx")
    assert made.training
    assert all(torch.equal(before[name], w) for name, w in made.state_dict().items())
    assert not made._forward_hooks
    assert not made._forward_pre_hooks


@pytest.mark.parametrize("name", ["LSTM", "GRU", "RNN", "MinGRU"])
def test_openvino_computes_the_same_of_rows_of_one_length(name, tmp_path):
    openvino = pytest.importorskip("openvino", reason="openvino is not installed: it is large")
    made = layer(name, {}, num_layers=2, bidirectional=True)
    export(made, tmp_path / "m.onnx")
    hint = {"INFERENCE_PRECISION_HINT": "f32"}
    compiled = openvino.Core().compile_model(str(tmp_path / "m.onnx"), "CPU", hint)
    subject = subject_of(made)
    rng = np.random.default_rng(2)
    given = random_batch(subject.network, 4, 9, rng, lengths=False)
    given |= random_states(subject, 4, rng)
    found = compiled(given)
    for key, right in subject.run(given).items():
        np.testing.assert_allclose(found[key], right, atol=1e-5, err_msg=key)
