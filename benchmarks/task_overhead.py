"""What share of training a recipe spends outside the model's passes and the optimiser.

Runs whole epochs of Carousel's loop, up to so many steps, and measures the CPU time of this process
(not the clock, which other processes disturb) in all, and inside forward, loss, backward and
optimiser step; the forward passes of the validation count as passes. The rest is batches, metrics,
events, checkpoints and display.

    python benchmarks/task_overhead.py [steps] [recipe ...]
"""

from __future__ import annotations

import importlib
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric

from carousel import recipes, tasks
from carousel.run.writing import EventStore
from carousel.training.display import Display
from carousel.training.loop import Trainer
from carousel.training.new_run import new_run

RECIPES = ("sentiment-sst2", "slots-atis", "frames-utkinect", "forecast-sunspots", "rul-cmapss")


def measure(recipe: str, steps: int) -> tuple[float, float]:
    """Seconds of CPU in the passes and the optimiser, and in all."""
    config, _ = recipes.load(recipe)
    config = config.override([f"training.max_steps={steps}"])
    task = tasks.find(config.task)(config, 0)
    with tempfile.TemporaryDirectory() as folder:
        run = new_run(Path(folder), config, seed=0, threads=torch.get_num_threads(), device="cpu")
        with EventStore(run.events) as store:
            fabric = Fabric(accelerator="cpu", devices=1)
            trainer = Trainer(task, run, store, Display(), fabric)
            inside = [0.0]
            open_calls = [0]

            def timed(call: Callable[..., Any]) -> Callable[..., Any]:
                def wrapped(*args: Any, **kwargs: Any) -> Any:
                    open_calls[0] += 1
                    started = time.process_time()
                    try:
                        return call(*args, **kwargs)
                    finally:
                        open_calls[0] -= 1
                        if not open_calls[0]:  # a pass within the loss is counted there
                            inside[0] += time.process_time() - started

                return wrapped

            task.loss = timed(task.loss)  # type: ignore[method-assign]
            trainer.net.forward = timed(trainer.net.forward)
            fabric.backward = timed(fabric.backward)  # type: ignore[method-assign]
            trainer.optimizer.step = timed(trainer.optimizer.step)
            started = time.process_time()
            trainer.fit()
            return inside[0], time.process_time() - started


def main() -> None:
    steps = int(sys.argv[1]) if len(sys.argv) > 1 else 300
    torch.set_num_threads(1)
    importlib.import_module("sklearn.metrics")  # once a process, and no part of training
    for recipe in sys.argv[2:] or RECIPES:
        inside, whole = measure(recipe, steps)
        print(f"{recipe:<24} {1 - inside / whole:6.1%} outside, {whole:6.1f} s of CPU", flush=True)


if __name__ == "__main__":
    main()
