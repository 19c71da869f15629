"""Models with weights at random, saved as bundles: what the runtime and the server read."""

import json
from pathlib import Path

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
