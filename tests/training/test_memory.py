"""Training in memory is training in a folder, without the folder."""

import numpy as np
import pytest
import torch
from every_task import SMALL

from carousel import tasks
from carousel.errors import ConfigError
from carousel.training import fit, train

FEW = (
    "classify_text",
    "label_frames",
    "regress",
    "regress_whole",
    "forecast",
    "anomaly",
    "generate",
)


def weights(model):
    return model.model.state_dict()


def same(one, other):
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("name", FEW)
def test_weights_and_metrics_are_those_of_a_run_in_a_folder_bit_for_bit(name, tmp_path):
    config = SMALL[name](tmp_path).override(["training.epochs=2"])
    run = train(config, seed=3, threads=1, run_dir=tmp_path / "run", quiet=True)
    fitted = fit(config, seed=3, threads=1)
    same(weights(run.load()), weights(fitted.model))
    assert fitted.validation == run.result["validation"]
    assert (fitted.epochs, fitted.reason) == (run.result["epochs"], run.result["stop_reason"])
    report = fitted.model.evaluate()
    assert {k: report[k] for k in run.result["test"]} == pytest.approx(run.result["test"])


def test_parts_that_are_handed_in_are_trained_on_and_judged(tmp_path):
    config = SMALL["label_frames"](tmp_path).override(["training.epochs=2"])
    parts = tasks.find("label_frames")(config, 3).parted
    nowhere = config.override(["data.path=''", "data.name=recordings"])
    fitted = fit(nowhere, parts, seed=3, threads=1)
    same(weights(fit(config, seed=3, threads=1).model), weights(fitted.model))
    assert fitted.model.evaluate()["accuracy"] == pytest.approx(
        fit(config, seed=3, threads=1).model.evaluate()["accuracy"]
    )


def test_no_file_is_written_and_the_process_is_left_as_it_was(tmp_path, monkeypatch, capsys):
    config = SMALL["classify_text"](tmp_path)
    empty = tmp_path / "empty"
    empty.mkdir()
    monkeypatch.chdir(empty)
    before, threads = torch.get_rng_state(), torch.get_num_threads()
    fitted = fit(config, settings={"training.epochs": 1, "training.keep_epochs": 1})
    assert list(empty.iterdir()) == []
    assert torch.equal(before, torch.get_rng_state())
    assert torch.get_num_threads() == threads
    assert capsys.readouterr() == ("", "")
    assert fitted.model.model.training is False
    assert np.isclose(fitted.model.predict_proba(["a great film"]).sum(), 1)


def test_the_epoch_that_is_kept_is_named(tmp_path):
    config = SMALL["regress"](tmp_path).override(["training.epochs=3"])
    assert 1 <= fit(config, threads=1).best_epoch <= 3
    last = fit(config, settings=["training.restore_best=false"], threads=1)
    assert last.best_epoch == last.epochs == 3


@pytest.mark.parametrize(("given", "says"), [({"seed": -1}, "seed"), ({"threads": 0}, "threads")])
def test_what_cannot_be_is_refused_before_anything_is_read(tmp_path, given, says):
    config = SMALL["classify_text"](tmp_path)
    with pytest.raises(ConfigError, match=says):
        fit(config, **given)
