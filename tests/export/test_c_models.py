"""Models that were trained, as C: on this processor, on aarch64 and on a Cortex-M4."""

import numpy as np
import pytest
from c_programs import library, need, passes, passes_on_cortex
from every_task import SMALL

import carousel
from carousel.export.exporting import export
from carousel.recipes import configured
from carousel.training import train

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    """The run of a small `mnist-rows`."""
    folder = tmp_path_factory.mktemp("digits") / "run"
    config, _ = configured("mnist-rows", {"training.epochs": 1, "model.hidden_size": 20})
    train(config, seed=0, threads=1, run_dir=folder, quiet=True)
    return folder


def runs_on_three_processors(run, folder):
    """Export a run, and run its test on this processor, on aarch64 and on a Cortex-M4."""
    done = export(run, folder / "net.c")
    assert [path.name for path in done.files] == ["net.c", "net.h", "net_test.c", "net.c.json"]
    assert done.comparison.cases
    assert 0 < done.comparison.difference <= 1e-5
    passes(folder)
    passes_on_cortex(folder)
    need("qemu-aarch64-static")
    cross = {"cc": "aarch64-linux-gnu-gcc", "run": ("qemu-aarch64-static",)}
    passes(folder, flags=("-std=c99", "-O2", "-static"), **cross)


def test_a_classifier_of_digits_runs_on_three_processors(digits, tmp_path):
    runs_on_three_processors(digits, tmp_path)


def test_a_forecaster_of_sunspots_runs_on_three_processors(tmp_path, shared_data):
    shared_data("sunspots")
    config, _ = configured("forecast-sunspots", {"training.epochs": 1})
    train(config, seed=0, threads=1, run_dir=tmp_path / "run", quiet=True)
    runs_on_three_processors(tmp_path / "run", tmp_path)


def test_a_model_of_characters_runs_on_three_processors(tmp_path):
    config = SMALL["generate"](tmp_path)
    train(config, seed=0, threads=1, run_dir=tmp_path / "run", quiet=True)
    runs_on_three_processors(tmp_path / "run", tmp_path)


def test_c_reads_images_as_the_model_does(digits, tmp_path):
    model = carousel.load(digits)
    images = np.random.default_rng(0).integers(0, 256, (40, 28, 28)).astype(np.uint8)
    found = library(model, tmp_path)
    state = found.state()
    for image, wanted in zip(images, model.predict_proba(images), strict=True):
        found.call("reset", state)
        (probabilities,) = found.run(state, image.astype(np.float32), 10)
        np.testing.assert_allclose(probabilities, wanted, atol=1e-5)
