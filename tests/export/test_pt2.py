"""Programs of torch.export: torch's own operators, any batch and time, loaded without Carousel.

`export` itself compares with the model and raises where they differ.
"""

import json
import subprocess
import sys

import numpy as np
import pytest
import torch
from every_task import EXPORTED
from small_frames import frames_config, write_recordings
from torch import nn

import carousel
from carousel import tasks
from carousel.errors import ConfigError
from carousel.export.describing import subject_of
from carousel.export.exporting import export
from carousel.export.formats import held_by
from carousel.export.parity import random_batch, random_states
from carousel.export.pt2 import format as pt2
from carousel.export.pt2.operators import OPERATORS, kept_whole
from carousel.export.pt2.recurrent import is_torchs
from carousel.layers.pooling import Pooling

TORCHS = {
    "LSTM": lambda **more: nn.LSTM(3, 5, batch_first=True, **more),
    "projected": lambda **more: carousel.LSTM(3, 5, proj_size=2, bias=False, **more),
    "GRU": lambda **more: carousel.GRU(3, 5, **more),
    "RNN": lambda **more: nn.RNN(3, 5, nonlinearity="relu", **more),
}


@pytest.mark.parametrize("name", TORCHS)
def test_programs_of_what_torch_has_are_its_operators_for_any_batch_and_time(name, tmp_path):
    torch.manual_seed(0)
    path = tmp_path / "m.pt2"
    export(TORCHS[name](), path)  # goes on step by step, too
    export(TORCHS[name](), path, stream=True, force=True)
    deep = TORCHS[name](num_layers=2, bidirectional=True)
    export(deep, path, force=True)
    targets = [str(node.target) for node in torch.export.load(path).graph.nodes]
    assert len([t for t in targets if t.endswith(".input")]) == 1
    subject = held_by(pt2, subject_of(deep))
    rng = np.random.default_rng(0)
    given = random_batch(subject.network, 5, 41, rng) | random_states(subject, 5, rng)
    found = pt2.runner(path, subject.network, stream=False)(given)
    for key, right in subject.run(given).items():
        np.testing.assert_allclose(found[key], right, atol=1e-5, err_msg=key)


def test_a_program_has_the_differences_of_frames(tmp_path):
    config = frames_config(write_recordings(tmp_path), "frames.differences=true")
    task = tasks.find(config.task)(config, 0)
    done = export(task.finish(task.build_model()), tmp_path / "m.pt2")
    assert done.comparison.difference <= 1e-5
    program = torch.export.load(tmp_path / "m.pt2").module()
    program(torch.zeros(2, 1, 2), *[torch.zeros(1, 2, 16)] * 2)  # of one step, too


@pytest.mark.slow
@pytest.mark.parametrize(
    "layer",
    [
        lambda: carousel.LSTM(3, 5, peephole=True, zoneout=0.2),
        lambda: carousel.GRU(3, 5, 2, layer_norm=True, bidirectional=True),
        lambda: carousel.MinLSTM(3, 5, 2),
        lambda: carousel.QRNN(3, 5, bidirectional=True),
        lambda: carousel.LRU(3, 5, 2),
        lambda: carousel.S6(3, 5, 2, order=4),
        lambda: carousel.SLSTM(3, 6, heads=2),
    ],
)
def test_programs_of_other_cells_are_scans_over_their_equations(layer, tmp_path):
    made = layer()
    assert not is_torchs(subject_of(made).network.recurrent[0])
    assert export(made, tmp_path / "m.pt2").comparison.difference < 1e-5


@pytest.mark.parametrize(
    "how",
    ["last", pytest.param("mean", marks=pytest.mark.slow), "max", "attention"],
)
def test_rows_of_different_lengths_are_told_apart_where_one_answer_is_asked_for(how, tmp_path):
    torch.manual_seed(0)
    row = nn.Sequential(
        nn.Embedding(9, 4), carousel.GRU(4, 5, 2, bidirectional=True), Pooling(how, 10)
    )
    export(row, tmp_path / "m.pt2")
    card = json.loads((tmp_path / "m.pt2.json").read_text())
    assert [one["name"] for one in card["inputs"]] == ["tokens", "lengths"]


QUICK = ("classify", "classify_text", "forecast")


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=() if name in QUICK else pytest.mark.slow)
        for name in EXPORTED
        if name != "anomaly"
    ],
)
def test_programs_of_trained_models_compute_what_these_do(name, tmp_path):
    config = EXPORTED[name](tmp_path)
    task = tasks.find(config.task)(config, 0)
    trained = task.finish(task.build_model())
    assert export(trained, tmp_path / "m.pt2").comparison.difference <= 1e-5


@pytest.mark.slow
def test_a_program_runs_where_carousel_is_not_installed(tmp_path):
    row = nn.Sequential(carousel.LSTM(3, 5), nn.Linear(5, 2), nn.Softmax(-1))
    export(row, tmp_path / "m.pt2")
    example = json.loads((tmp_path / "m.pt2.json").read_text())["example"]
    blocked = "import sys\nsys.modules['carousel'] = None\n"
    done = subprocess.run(
        [sys.executable, "-c", blocked + "\n".join(example)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("tensor(")


def test_the_operators_are_torchs_again_after_a_trace():
    before = [dict(operator.py_kernels) for operator in OPERATORS.values()]
    with kept_whole(), pytest.raises(ZeroDivisionError):
        _ = 1 // 0
    assert [dict(operator.py_kernels) for operator in OPERATORS.values()] == before


def test_eight_bits_are_refused(tmp_path):
    with pytest.raises(ConfigError, match="float32 alone"):
        export(nn.GRU(3, 5), tmp_path / "m.pt2", int8=True)
