"""Bundles of earlier epochs: what was kept is what the network was, and costs the run nothing."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from small import small_config

import carousel
from carousel.bundle import evaluate_run
from carousel.run.reading import events
from carousel.training import train

CAROUSEL = Path(sys.executable).with_name("carousel")


def trained(folder, *settings):
    return train(small_config(*settings), seed=3, threads=1, run_dir=folder, quiet=True)


def weights(folder):
    return load_file(folder / "weights.safetensors")


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    folder = tmp_path_factory.mktemp("kept") / "run"
    return trained(folder, "training.keep_epochs=2", "training.restore_best=false").path


@pytest.mark.slow
def test_every_second_epoch_is_kept_and_the_last_is_the_final_one(kept, tmp_path):
    assert sorted(path.name for path in (kept / "epochs").iterdir()) == ["2", "4"]
    final, second = weights(kept / "model"), weights(kept / "epochs" / "2")
    last = weights(kept / "epochs" / "4")
    assert all(torch.equal(final[name], last[name]) for name in final)
    assert not all(torch.equal(final[name], second[name]) for name in final)
    without = weights(trained(tmp_path / "run", "training.restore_best=false").path / "model")
    assert all(torch.equal(final[name], without[name]) for name in final)
    assert not (tmp_path / "run" / "epochs").exists()


def test_a_kept_epoch_is_judged_as_it_was_then(kept):
    ends = list(events(kept / "events.sqlite", "epoch"))
    report = evaluate_run(kept / "epochs" / "2", "validation").report
    assert report["accuracy"] == ends[1]["validation"]["accuracy"]
    assert (kept / "epochs" / "2" / "evaluation-validation.json").is_file()


@pytest.mark.slow
def test_the_averaged_weights_are_kept_where_they_are_validated(tmp_path):
    run = trained(tmp_path / "run", "training.keep_epochs=1", "averaging.name='ema'").path
    ends = list(events(run / "events.sqlite", "epoch"))
    for end in ends:
        report = carousel.load(run / "epochs" / str(end["epoch"])).evaluate("validation")
        assert report["accuracy"] == end["validation"]["accuracy"]


@pytest.mark.slow
def test_looks_and_uses_of_the_test_part_belong_to_the_run(kept):
    before = len(list(events(kept / "events.sqlite", "test_used")))
    command = [CAROUSEL, "inspect", kept / "epochs" / "2", "--part", "test"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (kept / "inspect" / "test-0-epoch-2" / "inside.json").is_file()
    evaluate_run(kept / "epochs" / "4")
    uses = [use["by"] for use in events(kept / "events.sqlite", "test_used")]
    assert uses[before:] == ["inspect", "evaluate"]
