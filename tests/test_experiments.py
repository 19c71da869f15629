"""The experiments go on where they stopped, and their pages say what their runs say."""

import importlib
import json
import shutil
import sys
from pathlib import Path

import pytest
import torch
from small import SETTINGS

ROOT = Path(__file__).parent.parent
PAGES = ROOT / "docs" / "experiments"
SCRIPTS = ROOT / "benchmarks" / "experiments"
NAMES = sorted(path.stem for path in PAGES.glob("*.jsonl"))


@pytest.fixture
def common(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(SCRIPTS))
    monkeypatch.setattr(sys, "argv", ["experiment"])
    module = importlib.import_module("common")
    monkeypatch.setattr(module, "FOLDER", tmp_path)
    threads = torch.get_num_threads()
    yield module
    torch.set_num_threads(threads)


def counting(calls, value):
    def run():
        calls.append(value)
        return {"value": value}

    return run


def test_a_run_that_stands_in_the_file_is_not_done_again(common):
    calls = []
    for value in (1, 2):
        results = common.Results("made-up")
        for seed in (0, 1):
            row = results.once({"seed": seed, "settings": ["a=1"]}, counting(calls, value))
            assert row["value"] == 1
    assert calls == [1, 1]
    lines = (common.FOLDER / "made-up.jsonl").read_text().splitlines()
    assert [json.loads(line)["seed"] for line in lines] == [0, 1]


def test_another_setting_is_another_run(common):
    calls = []
    results = common.Results("made-up")
    results.once({"seed": 0, "settings": ["a=1"]}, counting(calls, 1))
    assert results.once({"seed": 0, "settings": ["a=2"]}, counting(calls, 2))["value"] == 2


def test_a_report_runs_nothing(common, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["experiment", "--report"])
    calls = []
    assert common.Results("made-up").once({"seed": 0}, counting(calls, 1)) is None
    assert not calls


def test_a_run_looks_at_the_test_part_only_where_that_is_asked(common):
    settings = [*SETTINGS, "training.epochs=2"]
    row = common.train("mnist-rows", settings, seed=3)
    assert "test" not in row
    assert len(row["epochs"]) == len(row["train_loss"]) == 2
    best = max(epoch["accuracy"] for epoch in row["epochs"])
    assert row["validation"]["accuracy"] == best
    again = common.train("mnist-rows", settings, seed=3, test=True)
    assert again["epochs"] == row["epochs"]
    assert 0 <= again["test"]["accuracy"] <= 1


def test_a_diverging_run_is_kept_with_its_reason(common):
    settings = [*SETTINGS, "training.epochs=1", "optimizer.name=sgd"]
    settings += ["optimizer.learning_rate=1e30", "optimizer.clip_norm=0.0"]
    row = common.train("mnist-rows", settings, seed=0)
    assert "training stopped at step" in row["diverged"]
    assert common.MNIST.of(row, "validation") == -float("inf")


@pytest.mark.parametrize("name", NAMES)
def test_the_tables_of_a_page_are_those_of_its_runs(name, common, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["experiment", "--report"])
    for suffix in (".jsonl", ".md"):
        shutil.copy(PAGES / f"{name}{suffix}", common.FOLDER)
    importlib.import_module(name.replace("-", "_")).main()
    assert (common.FOLDER / f"{name}.md").read_text() == (PAGES / f"{name}.md").read_text()
    assert (common.FOLDER / f"{name}.png").stat().st_size > 10_000


@pytest.mark.parametrize("name", NAMES)
def test_the_index_leads_to_every_page(name):
    assert f"]({name}.md)" in (PAGES / "README.md").read_text()
