"""The command line with sentences, words, frames, series and numbers: one way to ask them all."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from json_output import check
from small_frames import frames_config, write_recordings
from small_measured import measured_config, write_measured
from small_recordings import recordings_config, write_classes
from small_sentences import sentence_config, write_sentences
from small_series import series_config, write_series
from small_watched import watched_config, write_watched
from small_whole import whole_config, write_whole
from small_words import words_config, write_columns

from carousel.cli.train import _beside_baselines, _noteworthy
from carousel.training import train

CAROUSEL = Path(sys.executable).with_name("carousel")
MAKERS = {
    "classify_text": (write_sentences, sentence_config),
    "label_words": (write_columns, words_config),
    "label_frames": (write_recordings, frames_config),
    "forecast": (write_series, series_config),
    "anomaly": (write_watched, watched_config),
    "classify_recordings": (write_classes, recordings_config),
    "regress": (write_measured, measured_config),
    "regress_whole": (write_whole, whole_config),
}


def carousel(*arguments):
    done = subprocess.run(
        [CAROUSEL, *map(str, arguments)], capture_output=True, text=True, timeout=120
    )
    check(arguments, done.returncode, done.stdout)
    return done


QUICK = {"classify_text", "forecast", "regress_whole"}  # words, a series, numbers of a whole
KINDS = [pytest.param(k, marks=[] if k in QUICK else pytest.mark.slow) for k in MAKERS]


@pytest.fixture(scope="module", params=KINDS)
def run(request, tmp_path_factory):
    """The folder of a run of one epoch, and something to predict from."""
    write, config = MAKERS[request.param]
    folder = tmp_path_factory.mktemp(request.param)
    data = write(folder)
    path = train(
        config(data, "training.epochs=1"), run_dir=folder / "run", threads=1, quiet=True
    ).path
    source = {"classify_text": "a dull film", "label_words": "go to rome"}.get(request.param)
    return path, source or (data if data.is_file() else sorted(data.rglob("*.csv"))[-1])


def test_predict_shows_a_table_or_json(run):
    path, source = run
    done = carousel("predict", path, source)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) > 3
    done = carousel("predict", path, source, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)


@pytest.mark.slow
def test_evaluate_shows_the_metrics_and_writes_the_report(run):
    path, _ = run
    done = carousel("evaluate", path)
    assert done.returncode == 0, done.stderr
    assert "test " in done.stdout
    report = json.loads((path / "evaluation.json").read_text())
    result = json.loads((path / "result.json").read_text())
    assert {name: report[name] for name in result["test"]} == pytest.approx(result["test"])
    validation = carousel("evaluate", path, "--part", "validation", "--json")
    wanted = set(result["test"])
    if result["metric"] == "window_f1":  # nothing is anomalous there: what judges is undefined
        wanted = {"mse_standardised", "false_alarms_per_1000"}
    assert set(json.loads(validation.stdout)) >= wanted


@pytest.mark.slow
def test_what_cannot_be_asked_is_one_line_and_code_2(run):
    path, _ = run
    for arguments in (("nowhere.csv",), ("--prompt", "x"), ()):
        done = carousel("predict", path, *arguments)
        assert done.returncode == 2
        assert done.stdout == ""
        (line,) = done.stderr.splitlines()
        assert line.startswith("carousel: ")


def test_a_network_that_a_baseline_beats_is_told_so(tmp_path):
    result = {
        "monitor": "mae",
        "test": {"mae": 3.0},
        "baseline": {"last_value": {"mae": 2.0}, "mean": {"mae": 9.0}, "odd": {"rmse": 1.0}},
    }
    assert _beside_baselines(result, tmp_path) == ["the network does not beat last value"]
    accuracy = {
        "monitor": "accuracy",
        "test": {"accuracy": 0.8},
        "baseline": {"linear": {"accuracy": 0.7}, "other": {"accuracy": 0.8}},
    }
    assert _beside_baselines(accuracy, tmp_path) == ["the network does not beat other"]
    chosen_by_loss = {**accuracy, "monitor": "loss", "metric": "accuracy"}
    assert _beside_baselines(chosen_by_loss, tmp_path) == ["the network does not beat other"]


def test_what_became_of_the_data_is_said_where_there_is_anything_to_say():
    assert _noteworthy({"sizes": {"train": 5}, "empty": {"train": 0}}) == []
    data = {
        "also_in_training": {"validation": 0, "test": 1548},
        "unlabelled": {"train": 3, "test": 4},
        "missing_values_filled": 7,
    }
    assert _noteworthy(data) == [
        "1,548 of the test part: the training part has the same ones as well",
        "3 of the train part, 4 of the test part: without a label, in no metric",
        "7 missing values filled from before them, or where nothing is, at the start",
    ]
