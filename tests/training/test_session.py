"""A run from recipe to result, through the Python interface."""

import json

import pytest
import torch
from small import SETTINGS, small_config

import carousel
from carousel.config import Config
from carousel.errors import ConfigError, RunError
from carousel.run.layout import RunFolder
from carousel.run.reading import events
from carousel.run.writing import EventStore
from carousel.tasks.classify.task import ClassifyTask
from carousel.tasks.classify.trained import TrainedClassifier
from carousel.training import resume, train
from carousel.training.loop import Interrupted, Trainer


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(trained, tmp_path):
    def weights(seed, name):
        config = small_config("training.epochs=1")
        done = carousel.train(config, seed=seed, threads=1, run_dir=tmp_path / name, quiet=True)
        return (done.path / "model" / "weights.safetensors").read_bytes()

    first = weights(3, "a")
    torch.rand(5)  # what others draw does not matter
    assert weights(3, "b") == first
    assert weights(4, "c") != first


def test_a_recipe_by_name_takes_overrides_and_says_which_it_was(tmp_path):
    settings = [*SETTINGS, "training.epochs=1", "model.cell=gru"]
    done = train("mnist-rows", settings, threads=1, run_dir=tmp_path / "run", quiet=True)
    assert done.result["recipe"] == "mnist-rows"
    assert done.result["parameters"] == 3 * 12 * (28 + 12 + 2) + 10 * 13
    assert RunFolder.open(done.path).config.model.cell == "gru"


def test_the_test_part_is_used_once_after_everything_else(trained):
    order = [event["kind"] for event in events(trained.path / "events.sqlite")]
    assert order.count("test_used") == 1
    assert "epoch" not in order[order.index("stopped") :]
    assert order.index("stopped") < order.index("test_used")


def test_no_test_image_is_read_before_training_has_stopped(tmp_path, monkeypatch):
    seen = []
    judge = TrainedClassifier._judge

    def noted(self, part):
        seen.append([event["kind"] for event in events(tmp_path / "run" / "events.sqlite")])
        return judge(self, part)

    monkeypatch.setattr(TrainedClassifier, "_judge", noted)
    monkeypatch.setattr(EventStore, "_flush_if_due", EventStore.flush)
    config = small_config("training.epochs=1")
    train(config, threads=1, run_dir=tmp_path / "run", quiet=True)
    assert len(seen) == 1
    assert "stopped" in seen[0]


def test_the_kept_epoch_is_the_best_one_or_the_last(trained, tmp_path):
    result = trained.result
    assert result["kept_epoch"] == result["best_epoch"]
    best = max(
        event["validation"]["accuracy"] for event in events(trained.path / "events.sqlite", "epoch")
    )
    assert result["validation"]["accuracy"] == best
    config = small_config("training.restore_best=false")
    last = train(config, seed=3, threads=1, run_dir=tmp_path / "run", quiet=True).result
    assert last["kept_epoch"] == last["epochs"]


def test_threads_are_set_for_the_run_and_given_back(tmp_path, monkeypatch):
    during = []
    validate = ClassifyTask.validate

    def noted(self, model):
        during.append(torch.get_num_threads())
        return validate(self, model)

    monkeypatch.setattr(ClassifyTask, "validate", noted)
    before = torch.get_num_threads()
    config = small_config("training.epochs=1")
    train(config, threads=before + 1, run_dir=tmp_path / "run", quiet=True)
    assert during == [before + 1]
    assert torch.get_num_threads() == before


@pytest.mark.parametrize("arguments", [{"threads": 0}, {"seed": -1}, {"seed": 2**31}])
def test_bad_arguments_raise_before_anything_is_made(tmp_path, arguments):
    with pytest.raises(ConfigError):
        train(Config(), run_dir=tmp_path / "run", **arguments)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("device", "says"),
    [("tpu", "must be cpu, cuda"), ("cpu:1", "must be cpu, cuda"), ("cuda:99", "sees no device")],
)
def test_a_device_that_is_not_there_is_refused(tmp_path, device, says):
    with pytest.raises(ConfigError, match=says):
        train(Config(), run_dir=tmp_path / "run", device=device)
    assert not (tmp_path / "run").exists()


def test_a_finished_run_is_not_resumed_and_a_running_one_is_refused(trained, run):
    with pytest.raises(RunError, match="is finished"):
        resume(trained.path)
    (run / "result.json").unlink()
    with (
        RunFolder.open(run).locked(),
        pytest.raises(RunError, match="another process is working on the run"),
    ):
        resume(run)


def test_a_run_that_lost_its_result_is_finished_from_its_last_checkpoint(trained, run):
    """As after a kill while the baselines are fitted."""
    for file in ("result.json", "evaluation.json", "confusion.png"):
        (run / file).unlink()
    done = resume(run, quiet=True)
    same = [name for name in trained.result if name != "coach"]  # who looks when there is time
    assert [done.result[name] for name in same] == [trained.result[name] for name in same]
    assert (run / "confusion.png").is_file()
    assert json.loads((run / "evaluation.json").read_text())["part"] == "test"


@pytest.mark.slow
def test_every_cell_view_and_pooling_trains(tmp_path):
    few = ["data.train_limit=128", "data.validation=64", "training.epochs=1"]
    for number, settings in enumerate(
        (
            ["model.cell=rnn", "model.nonlinearity=relu", "data.view=image"],
            ["model.cell=gru", "model.pooling=mean", "model.bidirectional=true"],
            ["model.num_layers=2", "model.pooling=max", "data.scaling=unit"],
            ["data.view=pixels", "model.hidden_size=2"],
        )
    ):
        config = small_config(*few, *settings)
        done = train(config, threads=1, run_dir=tmp_path / str(number), quiet=True)
        assert 0 < done.result["test"]["accuracy"] < 1


@pytest.mark.slow
def test_the_one_to_one_recipe_in_small_form_learns_more_than_a_line(tmp_path):
    settings = [*SETTINGS, "model.hidden_size=64", "training.epochs=8", "data.shift=0"]
    done = train("digits-dense", settings, threads=1, run_dir=tmp_path / "run", quiet=True)
    assert done.result["test"]["accuracy"] > done.result["baseline"]["most_frequent"]["accuracy"]
    assert done.result["test"]["accuracy"] > 0.85


def test_a_run_that_is_interrupted_says_so(tmp_path, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(Trainer, "_end_epoch", interrupted)
    with pytest.raises(Interrupted):
        train(small_config(), run_dir=tmp_path / "run", threads=1, quiet=True)
    (event,) = events(tmp_path / "run" / "events.sqlite", "interrupted")
    assert event["step"] > 0
