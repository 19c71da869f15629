"""Run folders made by hand: what the training would have written, without the training."""

from __future__ import annotations

import json
import math
from pathlib import Path

from small import small_config
from written import Written

from carousel.run.writing import EventStore
from carousel.training.new_run import new_run


def make_run(
    path: Path,
    *settings: str,
    epochs: int = 3,
    steps: int = 20,
    finished: bool = True,
    last: str = "",
    findings: tuple[dict, ...] = (),
    seed: int = 3,
    best: float | None = None,
) -> Path:
    """A run of some epochs of some steps, whose loss falls.

    last: the kind of its last event, such as "interrupted". best: the last accuracy.
    """
    config = small_config(*settings)
    new_run(path, config, seed=seed, threads=1, device="cpu")
    validation = {}
    with EventStore(path / "events.sqlite") as store:
        for epoch in range(1, epochs + 1):
            for step in range((epoch - 1) * steps + 1, epoch * steps + 1):
                loss = 2 / math.sqrt(step)
                store.record(step, {"train/loss": loss, "learning_rate": 1e-2, "gradient_norm": 1})
            validation = {"loss": 1 / epoch, "accuracy": 1 - 0.5 / epoch}
            if best is not None and epoch == epochs:
                validation["accuracy"] = best
            train = {"loss": 0.9 / epoch, "accuracy": 1 - 0.4 / epoch}
            for part, values in (("train", train), ("validation", validation)):
                numbers = {f"epoch/{part}_{name}": value for name, value in values.items()}
                store.record(epoch * steps, numbers)
            said = {
                "epoch": epoch,
                "train": train,
                "validation": validation,
                "seconds": 2.5 * epoch,
            }
            store.event(epoch * steps, Written("epoch", monitor="accuracy", best=True, **said))
        for finding in findings:
            store.event(steps, Written("finding", **finding))
        if last:
            store.event(epochs * steps, Written(last, what="the loss is nan", tensor="head.weight"))
    (path / ".lock").touch()
    if finished:
        result = {
            "recipe": config.recipe.name,
            "seed": seed,
            "epochs": epochs,
            "steps": epochs * steps,
            "seconds": 2.5 * epochs,
            "parameters": 1234,
            "monitor": "accuracy",
            "best_epoch": epochs,
            "stop_reason": f"ran all {epochs} epochs",
            "validation": validation,
            "test": {"loss": 0.4, "accuracy": 0.8},
            "baseline": {"majority": {"accuracy": 0.1}},
        }
        (path / "result.json").write_text(json.dumps(result))
    return path
