"""What `export` writes beside a file, and what it refuses."""

import inspect
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from every_task import EXPORTED
from torch import nn

import carousel
from carousel import tasks
from carousel.errors import ConfigError
from carousel.export.exporting import export
from carousel.layers.pooling import Pooling

pytest.importorskip("onnx", reason="onnx is not installed")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")


def test_the_public_name_writes_files(tmp_path):
    done = carousel.export(carousel.GRU(3, 5), tmp_path / "gru.onnx")
    assert [path.name for path in done.files] == ["gru.onnx", "gru.onnx.json"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["gru.onnx", "gru.onnx.json"]
    assert done.comparison.difference <= done.comparison.tolerance == 1e-5


def test_the_public_name_takes_what_the_function_takes():
    public, function = inspect.signature(carousel.export), inspect.signature(export)
    assert str(public) == str(function)


def test_a_card_says_what_goes_in_and_comes_out(tmp_path):
    export(nn.Sequential(nn.Embedding(9, 4), carousel.LSTM(4, 6, 2)), tmp_path / "m.onnx")
    card = json.loads((tmp_path / "m.onnx.json").read_text())
    assert [(i["name"], i["dtype"], i["shape"]) for i in card["inputs"]] == [
        ("tokens", "int64", ["batch", "time"]),
        ("lengths", "int64", ["batch"]),
        ("h_in", "float32", [2, "batch", 6]),
        ("c_in", "float32", [2, "batch", 6]),
    ]
    assert [o["name"] for o in card["outputs"]] == ["y", "h_out", "c_out"]
    assert card["difference"] <= card["tolerance"]


@pytest.mark.parametrize("stream", [False, True])
def test_the_example_in_a_card_runs_without_carousel(stream, tmp_path):
    export(carousel.LSTM(3, 5), tmp_path / "m.onnx", stream=stream)
    card = json.loads((tmp_path / "m.onnx.json").read_text())
    blocked = "import sys\nsys.modules['carousel'] = sys.modules['torch'] = None\n"
    code = blocked + "\n".join(card["example"])
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=100
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("[[")
    assert len(card["example"]) <= 18


@pytest.mark.parametrize(
    ("model", "name", "more", "said"),
    [
        (carousel.GRU(3, 5, bidirectional=True), "m.onnx", {"stream": True}, "reads from the end"),
        (nn.Sequential(nn.Linear(2, 2)), "m.onnx", {"stream": True}, "no recurrent layer"),
        (nn.Sequential(nn.Conv1d(2, 2, 3), nn.GRU(2, 2)), "m.onnx", {"stream": True}, "several"),
        (
            nn.Sequential(carousel.GRU(3, 5), Pooling("max", 5)),
            "m.onnx",
            {"stream": True},
            r"Pooling\(max\) looks at several steps .* or as \.c",
        ),
        (nn.Sequential(nn.Conv1d(2, 2, 3), nn.GRU(2, 2)), "m.c", {"stream": True}, "several"),
        (carousel.GRU(3, 5), "m.tflite", {}, "the suffix says what is written"),
        (carousel.GRU(3, 5), "no/m.onnx", {}, "there is no folder"),
        (carousel.GRU(3, 5), "", {}, "the suffix says"),
        (carousel.GRU(3, 5), "m.onnx", {"int8": True}, "int8 is not written to ONNX"),
    ],
)
def test_what_cannot_be_written_is_refused_in_a_line(model, name, more, said, tmp_path):
    with pytest.raises(ConfigError, match=said) as refused:
        export(model, tmp_path / name, **more)
    assert "\n" not in str(refused.value)
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_there_is_kept_unless_forced(tmp_path):
    for there in ("m.onnx", "m.onnx.json"):
        (tmp_path / there).write_text("mine")
        with pytest.raises(ConfigError, match=f"{there} is there already") as refused:
            export(carousel.GRU(3, 5), tmp_path / "m.onnx")
        assert refused.value.arguments == ("force",)
        assert [p.read_text() for p in tmp_path.iterdir()] == ["mine"]
        if there == "m.onnx.json":
            export(carousel.GRU(3, 5), tmp_path / "m.onnx", force=True)
            assert json.loads((tmp_path / there).read_text())["inputs"]
        else:
            (tmp_path / there).unlink()


def test_a_folder_that_is_not_writable_is_named(tmp_path, monkeypatch):
    (tmp_path / "shut").mkdir(mode=0o555)
    if os.geteuid() == 0:  # who may write anywhere is told what another user is told
        monkeypatch.setattr(os, "access", lambda path, mode: Path(path).name != "shut")
    with pytest.raises(ConfigError, match="shut is not writable"):
        export(carousel.GRU(3, 5), tmp_path / "shut/m.onnx")


def test_a_missing_package_is_asked_for_by_its_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ConfigError, match=r"needs onnx, .* pip install 'carousel-rnn\[export\]'"):
        export(carousel.GRU(3, 5), tmp_path / "m.onnx")


@pytest.mark.parametrize("name", EXPORTED)
def test_files_of_trained_models_compute_what_these_do(name, tmp_path):
    config = EXPORTED[name](tmp_path)
    task = tasks.find(config.task)(config, 0)
    trained = task.finish(task.build_model())
    done = export(trained, tmp_path / "m.onnx")
    assert done.comparison.difference <= 1e-5
    card = json.loads((tmp_path / "m.onnx.json").read_text())
    assert card["task"] == config.task
    if "probabilities" in [o["name"] for o in card["outputs"]]:
        assert card["classes"] or card["vocabulary"]
    if card["scaler"]:
        assert np.isfinite(card["scaler"]["std"]).all()


@pytest.mark.parametrize("name", ["classify", "regress", "generate", "anomaly"])
def test_files_for_single_steps_follow_trained_models(name, tmp_path):
    config = EXPORTED[name](tmp_path)
    task = tasks.find(config.task)(config, 0)
    trained = task.finish(task.build_model())
    done = export(trained, tmp_path / "m.onnx", stream=True)
    assert done.comparison.cases == 2
