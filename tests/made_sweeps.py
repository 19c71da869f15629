"""Folders of sweeps made by hand: what a sweep would have written, without the trainings."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

from made_runs import make_run

from carousel.run.sweep_results import write_sweep

CHOICE = "model.hidden_size"
RANGE = "optimizer.learning_rate"


def trials_of(count: int, seed: int = 0) -> list[dict[str, Any]]:
    """Trials whose loss falls with the rate; every third was given up."""
    draw = random.Random(seed)
    found = []
    for number in range(count):
        rate = 10 ** draw.uniform(-4, -1)
        found.append(
            {
                "number": number,
                "run": f"trial-{number:04d}",
                "state": "pruned" if number % 3 == 2 else "ended",
                "settings": {CHOICE: draw.choice([6, 12]), RANGE: rate},
                "unread": [],
                "value": 1e-3 / rate + 0.01 * draw.random(),
                "epochs": 1 if number % 3 == 2 else 3,
                "seconds": 1.5,
            }
        )
    return found


def content_of(trials: list[dict[str, Any]], **changed: Any) -> dict[str, Any]:
    """sweep.json of those trials, with other values of some of its keys."""
    ended = [one for one in trials if one["state"] == "ended"]
    best = min(ended, key=lambda one: float(one["value"])) if ended else None
    return {
        "format": 1,
        "name": "swept",
        "recipe": "small",
        "task": "classify",
        "sampler": "tpe",
        "pruner": "halving",
        "metric": "loss",
        "metric_higher_is_better": False,
        "epochs": 3,
        "seed": 0,
        "over": {
            CHOICE: {"values": [6, 12]},
            RANGE: {"low": 1e-4, "high": 1e-1, "log": True, "step": 0.0, "whole": False},
        },
        "runs": 9,
        "trials": trials,
        "best": None if best is None else best["number"],
        "importance": {RANGE: 0.9, CHOICE: 0.1},
        "epochs_trained": sum(one["epochs"] for one in trials),
        "finished": False,
        **changed,
    }


def make_sweep(
    path: Path,
    count: int = 7,
    runs: int = 2,
    trials: list[dict[str, Any]] | None = None,
    **changed: Any,
) -> Path:
    """A sweep of so many trials, or of these, the first few of which have their run."""
    for number in range(runs):
        make_run(path / f"trial-{number:04d}", epochs=1)
    write_sweep(path, content_of(trials_of(count) if trials is None else trials, **changed))
    return path


def confirmed(number: int) -> dict[str, Any]:
    """What was found of a trial with other seeds."""
    return {
        "trial": number,
        "folder": f"confirm/trial-{number:04d}",
        "seeds": 2,
        "chosen": "best",
        "validation": {
            "recipe": {"mean": 0.5, "std": 0.125, "values": {"1": 0.4, "2": 0.6}},
            "best": {"mean": 0.25, "std": None, "values": {"1": 0.25}},
        },
        "test": {"accuracy": {"mean": 0.875, "std": 0.0625, "values": {"a": 0.9, "b": 0.8}}},
    }
