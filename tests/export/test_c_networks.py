"""The C of a network says what the network says: whole, step by step, and cut in two."""

import numpy as np
import pytest
import torch
from c_programs import library, passes, uneven, written
from every_task import EXPORTED
from torch import nn

import carousel
from carousel import tasks
from carousel.export.describing import subject_of
from carousel.export.exporting import export
from carousel.layers.pooling import Pooling

QUICK = {
    "LSTM of two layers": lambda: carousel.LSTM(5, 9, num_layers=2),
    "LSTM with a projection": lambda: carousel.LSTM(3, 70, proj_size=5),
    "LSTM with everything": lambda: carousel.LSTM(
        3, 7, peephole=True, layer_norm=True, activation="softsign", zoneout=(0.1, 0.2)
    ),
    "GRU": lambda: carousel.GRU(3, 23),
    "GRU, reset first": lambda: carousel.GRU(3, 7, reset_after=False),
    "RNN": lambda: carousel.RNN(3, 9, num_layers=2),
    "both directions": lambda: nn.Sequential(
        carousel.GRU(3, 6, 2, bidirectional=True), Pooling("last", 12)
    ),
    "tokens": lambda: nn.Sequential(nn.Embedding(11, 5), nn.LSTM(5, 6), nn.Linear(6, 130)),
    "attention": lambda: nn.Sequential(
        carousel.GRU(3, 6, batch_first=True),
        Pooling("attention", 6),
        nn.Linear(6, 5),
        nn.Softmax(-1),
    ),
    "convolution": lambda: nn.Sequential(
        nn.Conv1d(4, 6, 3, stride=2, padding=1, groups=2), nn.ReLU(), nn.RNN(6, 5)
    ),
}
LSTMS = {
    "peepholes": {"peephole": True},
    "peepholes and zoneout": {"peephole": True, "zoneout": (0.1, 0.2)},
    "coupled": {"coupled": True},
    "coupled with peepholes": {"coupled": True, "peephole": True},
    "normalised": {"layer_norm": True},
    "no biases": {"bias": False, "layer_norm": True},
    "hard gates": {"gate_activation": "hard_sigmoid"},
    "relu": {"activation": "relu"},
    "hard tanh": {"activation": "hard_tanh", "bias": False},
    **{name: {"variant": name} for name in ("NIG", "NFG", "NOG", "NIAF", "NOAF")},
}
GRUS = {
    "normalised": {"layer_norm": True},
    "zoneout": {"zoneout": 0.2},
    "soft": {"activation": "softsign", "gate_activation": "hard_sigmoid", "bias": False},
    "reset first, relu": {"reset_after": False, "activation": "relu"},
}
OTHERS = {
    "normalised RNN": lambda: carousel.RNN(3, 9, layer_norm=True, nonlinearity="relu"),
    "RNN, hard tanh": lambda: carousel.RNN(3, 70, activation="hard_tanh", bias=False),
    "minGRU": lambda: carousel.MinGRU(3, 9, num_layers=2),
    "linear minGRU": lambda: carousel.MinGRU(3, 9, nonlinearity="linear"),
    "minLSTM": lambda: carousel.MinLSTM(3, 9, num_layers=2),
    "linear minLSTM": lambda: carousel.MinLSTM(3, 9, nonlinearity="linear", bias=False),
    "IndRNN": lambda: carousel.IndRNN(3, 9),
    "IndRNN, tanh": lambda: carousel.IndRNN(3, 9, nonlinearity="tanh"),
    "sLSTM": lambda: carousel.SLSTM(3, 9, num_layers=2),
    "sLSTM of three heads": lambda: carousel.SLSTM(3, 12, heads=3, nonlinearity="exp"),
    "SRU": lambda: carousel.SRU(3, 9, num_layers=2),
    "SRU without biases": lambda: carousel.SRU(9, 9, bias=False),
    "RG-LRU": lambda: carousel.RGLRU(3, 9, num_layers=2),
    "QRNN": lambda: carousel.QRNN(3, 9, bias=False),
    "QRNN of two inputs": lambda: carousel.QRNN(3, 9, num_layers=2, window=2),
    "LRU": lambda: carousel.LRU(3, 9, num_layers=2),
    "S6": lambda: carousel.S6(3, 9, num_layers=2, order=5),
    "S6 both ways": lambda: carousel.S6(9, 9, bias=False, bidirectional=True),
    "LRU both ways": lambda: carousel.LRU(9, 7, bias=False, bidirectional=True),
    "LMU": lambda: carousel.LMU(3, 9, 2, order=5, theta=7.0),
    "minGRU both ways": lambda: carousel.MinGRU(3, 5, 2, bidirectional=True),
    "LSTM both ways": lambda: carousel.LSTM(3, 6, 2, bidirectional=True, proj_size=2),
    "two stacks": lambda: nn.Sequential(
        carousel.LSTM(3, 6), nn.LayerNorm(6), carousel.GRU(6, 5), nn.LogSoftmax(-1)
    ),
    "functions": lambda: nn.Sequential(
        nn.Linear(3, 70),
        nn.GELU(),
        nn.ELU(),
        nn.Linear(70, 9),
        nn.SiLU(),
        nn.LeakyReLU(),
        nn.Tanh(),
    ),
    "dilated": lambda: nn.Sequential(
        nn.Conv1d(3, 4, 4, dilation=2, padding=5), nn.Softsign(), nn.Hardsigmoid(), nn.Sigmoid()
    ),
    "128 units": lambda: nn.LSTM(40, 128),
}


def _checked(model, folder):
    said = passes(written(uneven(model), folder))
    assert " numbers, largest difference " in said


@pytest.mark.parametrize("make", QUICK.values(), ids=QUICK)
def test_c_says_what_the_model_says(make, tmp_path):
    _checked(make(), tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("options", LSTMS.values(), ids=LSTMS)
def test_options_of_the_lstm(options, tmp_path):
    _checked(carousel.LSTM(3, 9, **options), tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("options", GRUS.values(), ids=GRUS)
def test_options_of_the_gru(options, tmp_path):
    _checked(carousel.GRU(3, 9, **options), tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("make", OTHERS.values(), ids=OTHERS)
def test_other_cells_and_layers(make, tmp_path):
    _checked(make(), tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("how", ["last", "mean", "max", "attention"])
@pytest.mark.parametrize("both", [False, True], ids=["forward", "both directions"])
def test_summaries(how, both, tmp_path):
    layer = carousel.LSTM(3, 6, batch_first=True, bidirectional=both)
    features = 12 if both else 6
    _checked(nn.Sequential(layer, Pooling(how, features), nn.Linear(features, 5)), tmp_path)


@pytest.mark.parametrize("how", ["mean", "max"])
def test_steps_of_a_pooled_stream_answer_as_the_model_does_of_the_steps_so_far(how, tmp_path):
    layer = carousel.GRU(3, 6, 2, batch_first=True)
    model = uneven(nn.Sequential(layer, Pooling(how, 6), nn.Linear(6, 5), nn.Softmax(-1)))
    assert export(model, tmp_path / "net.c", stream=True).comparison.cases == 3
    assert "steps so far" in (tmp_path / "net_test.c").read_text()
    found = library(model, tmp_path)
    x = np.random.default_rng(1).normal(size=(1, 11, 3)).astype(np.float32)
    state, y = found.state(), np.empty(5, np.float32)
    for t in range(11):
        found.call("step", state, x[0, t], y)
        wanted = subject_of(model).run({"x": x[:, : t + 1]})["y"]
        np.testing.assert_allclose(y, wanted[0], atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("hidden", [1, 2, 4, 8, 16, 31, 32, 33, 64])
@pytest.mark.parametrize("cell", [carousel.LSTM, carousel.GRU, carousel.RNN])
def test_sizes_at_the_edges_of_vectors_and_panels(cell, hidden, tmp_path):
    said = passes(written(uneven(cell(1, hidden)), tmp_path), flags=("-std=gnu99", "-O3"))
    assert "largest difference" in said


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in EXPORTED if name != "anomaly"])
def test_models_of_every_task(name, tmp_path):
    config = EXPORTED[name](tmp_path)
    task = tasks.find(config.task)(config, 0)
    torch.manual_seed(0)
    trained = task.finish(task.build_model())
    said = passes(written(trained, tmp_path))
    assert " numbers, largest difference " in said
