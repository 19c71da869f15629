"""Looking at examples never touches the training, and never ends it."""

import pytest
import torch
from safetensors.torch import load_file
from small import small_config

from carousel.run.reading import events
from carousel.tasks.classify.task import ClassifyTask
from carousel.training import resume, train
from carousel.training.loop import Interrupted
from carousel.training.samples import Sampler


def trained(folder, *settings):
    return train(small_config(*settings), seed=3, threads=1, run_dir=folder, quiet=True)


def weights(run):
    return load_file(run.path / "model" / "weights.safetensors")


@pytest.mark.slow
def test_weights_are_the_same_bits_with_samples_and_without(tmp_path):
    with_, without = (trained(tmp_path / n, f"training.samples={n}") for n in ("9", "0"))
    a, b = weights(with_), weights(without)
    assert all(torch.equal(a[name], b[name]) for name in a)
    assert not list(events(without.path / "events.sqlite", "samples"))


def test_the_samples_are_recorded_once_and_the_answers_after_every_epoch(tmp_path):
    run = trained(tmp_path / "run", "training.samples=4")
    (first,) = events(run.path / "events.sqlite", "samples")
    said = list(events(run.path / "events.sqlite", "answers"))
    ends = list(events(run.path / "events.sqlite", "epoch"))
    assert len(first["samples"]) == 4
    assert [event["epoch"] for event in said] == [event["epoch"] for event in ends]
    assert all(len(event["answers"]) == 4 for event in said)


def test_an_error_is_told_once_and_the_run_goes_on(tmp_path, monkeypatch, capsys):
    def fail(self, model, most):
        raise ValueError("no such thing")

    monkeypatch.setattr(ClassifyTask, "answers", fail)
    run = train(small_config(), seed=3, threads=1, run_dir=tmp_path / "run")
    assert capsys.readouterr().err.count("ValueError: no such thing") == 1
    assert run.result["epochs"] > 1


def test_a_resumed_run_goes_on_with_the_same_samples(tmp_path, monkeypatch):
    real = Sampler.end_epoch

    def stop(self, step, epoch, model):
        real(self, step, epoch, model)
        if epoch == 1:
            raise KeyboardInterrupt

    monkeypatch.setattr(Sampler, "end_epoch", stop)
    with pytest.raises(Interrupted):
        trained(tmp_path / "run")
    monkeypatch.setattr(Sampler, "end_epoch", real)
    run = resume(tmp_path / "run", quiet=True)
    found = [event["samples"] for event in events(run.path / "events.sqlite", "samples")]
    assert all(one == found[0] for one in found)
    said = [event["epoch"] for event in events(run.path / "events.sqlite", "answers")]
    assert sorted(set(said)) == list(range(1, run.result["epochs"] + 1))
