"""`evaluate --int8`: metrics of eight bits beside float32's, and words where they are worse."""

import json

import numpy as np
import pytest
import torch
from small import small_config
from small_series import series_config, write_series
from small_text import text_config, write_text

from carousel import bundle, tasks
from carousel.errors import ConfigError
from carousel.tasks.shared.int8 import TOLERATED, compared, shown
from carousel.tasks.shared.task import Notice, Table


def trained_and_task(config):
    """A model with weights at random, and its task."""
    torch.manual_seed(3)
    task = tasks.find(config.task)(config, 0)
    return task.finish(task.build_model()), task


SMALL = {
    "classify": lambda folder: small_config("data.train_limit=300", "model.cell=gru"),
    "forecast": lambda folder: series_config(write_series(folder), "model.num_layers=2"),
    "generate": lambda folder: text_config(write_text(folder), "model.cell=rnn"),
}


@pytest.mark.parametrize("name", SMALL)
def test_metrics_in_eight_bits_are_near_and_the_model_is_as_it_was(name, tmp_path):
    trained, task = trained_and_task(SMALL[name](tmp_path))
    exact = trained.evaluate("validation")
    found = compared(trained, task, lambda: trained.evaluate("validation"), exact)
    assert found["metric"] == (task.headline or task.validation_metrics[0])
    assert found["batches"] == min(200, task.batches_per_epoch)
    assert found["inputs"] > 0
    one = found["metrics"]["loss" if "loss" in exact else found["metric"]]
    same = exact["loss" if "loss" in exact else found["metric"]]
    assert one != same  # something was rounded
    assert one == pytest.approx(same, rel=0.05)
    again = trained.evaluate("validation")
    assert [again[metric] for metric in found["metrics"]] == [
        exact[metric] for metric in found["metrics"]
    ]


@pytest.mark.slow
def test_evaluate_prints_both_and_keeps_both(carousel, run):
    code, out, err = carousel("evaluate", run, "--part", "validation", "--int8")
    assert code == 0
    assert "float32" in out
    assert "int8" in out
    assert "batches of the training part" in err
    kept = json.loads((run / "evaluation-validation.json").read_text())
    assert kept["int8"]["metrics"].keys() == {"accuracy", "macro_f1", "loss"}
    wide = kept["int8"]["metrics"]["accuracy"]
    assert kept["int8"]["worse"] == pytest.approx(1 - wide / kept["accuracy"])
    code, out, _ = carousel("evaluate", run, "--part", "validation", "--int8", "--json")
    assert code == 0
    assert json.loads(out)["int8"] == kept["int8"]


def test_a_model_without_a_form_in_eight_bits_is_refused(tmp_path):
    trained, task = trained_and_task(small_config("model.bidirectional=true"))
    with pytest.raises(ConfigError, match="both directions"):
        compared(trained, task, dict, {})
    bundle.save(trained, tmp_path / "model")
    with pytest.raises(ConfigError, match="both directions"):
        bundle.evaluate_run(tmp_path / "model", "validation", int8=True)


@pytest.mark.parametrize(("accuracy", "warned"), [(0.80, True), (0.899, False), (0.95, False)])
def test_a_loss_of_more_than_half_a_percent_is_said_in_words(accuracy, warned):
    told = {"metrics": {"accuracy": accuracy}, "metric": "accuracy", "worse": 1 - accuracy / 0.9}
    counts = {"batches": 3, "of": 5, "inputs": 1000, "saturated": 0}
    table, *notes = shown({"accuracy": 0.9, "int8": told | counts})
    assert isinstance(table, Table)
    assert len(table.rows) == 1
    words = [note.text for note in notes if isinstance(note, Notice)]
    assert "3 of 5 batches" in words[0]
    assert any("worse, more than 0.5%" in line for line in words) is warned
    assert np.isclose(TOLERATED, 0.005)


def test_inputs_beyond_the_range_are_counted_in_words():
    told = {"metrics": {"loss": 1.0}, "metric": "loss", "worse": 0.0}
    counts = {"batches": 3, "of": 5, "inputs": 1000, "saturated": 20}
    _, _, note = shown({"loss": 1.0, "int8": told | counts})
    assert "20 of 1,000 inputs (2.00%)" in note.text
