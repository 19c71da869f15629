"""Saved models without torch answer as they answered with it: `python alone.py FOLDER`.

The folder has bundles with an input and the answer of `carousel predict --json` beside it; run by
tools/wheel/check.py, where nothing but the wheel, NumPy and nanobind-backend is installed.
"""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path

import numpy as np

import carousel
from carousel import runtime


def main(folder: Path) -> None:
    """Raise AssertionError unless frames are labelled and a series is forecast as they were."""
    assert importlib.util.find_spec("torch") is None
    home = folder / "label_frames"
    model, told = runtime.load(home), json.loads((home / "predict.json").read_text())
    x = np.loadtxt(home / "input.csv", delimiter=",", skiprows=1)
    whole = model.predict(x)
    assert [model.names[i] for i in whole.argmax(1)] == told["labels"]
    steps = np.concatenate([model.step(row[None]) for row in x])
    np.testing.assert_allclose(steps, whole, atol=1e-6)
    home = folder / "forecast"
    x = np.loadtxt(home / "input.csv", delimiter=",", skiprows=1, usecols=(1, 2))
    told = json.loads((home / "predict.json").read_text())
    found = runtime.load(home).predict(x)[1, :, 0]
    wanted = np.array([row["wave"] for row in told])
    np.testing.assert_allclose(found[: len(wanted)], wanted, rtol=1e-4)
    print(f"carousel {carousel.__version__} predicts and streams without torch")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
