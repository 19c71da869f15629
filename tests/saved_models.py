"""Models with weights at random, saved as bundles: what the runtime and the server read."""

import json
from pathlib import Path

import numpy as np
import torch

from carousel import bundle, tasks
from carousel.config import Config

FIRST = Path(__file__).parent / "fixtures" / "first_generation"


def save_model(folder, task, *settings, **facts):
    """Save a model of a task with settings of its own in folder/model."""
    known = json.loads((FIRST / task / "model.json").read_text())
    known |= facts
    config = Config.from_stored(known["config"]).override(settings)
    torch.manual_seed(len(settings))
    trained = tasks.find(task).trained.restore(config, known)
    with torch.no_grad():
        for parameter in trained.model.parameters():
            parameter.add_(0.3 * torch.randn(parameter.shape))
    bundle.save(trained, folder / "model")


def save_detector(folder, *settings, series=("north", "south")):
    """Save a detector with weights, scales and thresholds at random in folder/model; "" among the
    series: of the whole set."""
    given = ["anomaly.window=9", "anomaly.horizon=3", "anomaly.smooth=2", "anomaly.follow=0.2",
             "model.hidden_size=7", *settings]  # fmt: skip
    config = Config(task="anomaly").override(given)
    draw, size = np.random.default_rng(len(settings)), 2 * config.anomaly.horizon
    usual = {}
    for name in series:
        mix = draw.standard_normal((size, size))
        precision = (mix @ mix.T / size + np.eye(size)).tolist()
        usual[name] = {
            "scaler": {
                "mean": draw.normal(5, 1, 2).tolist(),
                "std": draw.uniform(1, 2, 2).tolist(),
            },
            "mean": draw.normal(0, 0.1, size).tolist(),
            "std": draw.uniform(0.5, 1, size).tolist(),
            "precision": precision if config.anomaly.score == "mahalanobis" else None,
        }
    limits = {name: {"value": 1.3 + n / 10, "steps": 99, "promised": 10.0}
              for n, name in enumerate({"": None, **usual})}  # fmt: skip
    facts = {"columns": ["flow", "heat"], "usual": usual, "limits": limits}
    torch.manual_seed(len(settings))
    trained = tasks.find("anomaly").trained.restore(config, facts)
    bundle.save(trained, folder / "model")
