"""What the training loop costs per step, on top of the bare layer, loss and optimiser.

Runs epochs of the recipe mnist-rows in turn: (a) a bare loop over ready float batches; (b) the
same with batches gathered, moved and scaled; (c) Carousel's loop with events, gradient norm,
finiteness checks, display and checkpoints. Prints the medians of each and of the paired
differences: (b) - (a) is what the data cost, (c) - (b) what the loop costs.

    python benchmarks/loop_overhead.py [rounds] [threads]
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from pathlib import Path

import torch
from lightning_fabric import Fabric
from torch.nn import functional as F

from carousel import recipes
from carousel.optim.optimizers import make_optimizer
from carousel.run.writing import EventStore
from carousel.tasks.classify.task import ClassifyTask
from carousel.training.display import Display
from carousel.training.loop import Trainer
from carousel.training.new_run import new_run

STEPS = 200


def main(rounds: int) -> None:
    config, _ = recipes.load("mnist-rows")
    config = config.override([f"data.train_limit={STEPS * 128}", "training.epochs=1000"])
    task = ClassifyTask(config, seed=0)
    ready = [(task.scaler(x), y) for x, y in task.train_batches(0, 0)]

    torch.manual_seed(0)
    model = task.build_model()
    optimizer = make_optimizer(config.optimizer, model.parameters())

    def bare() -> None:
        for x, y in ready:
            optimizer.zero_grad()
            F.cross_entropy(model(x), y).backward()
            optimizer.step()

    def with_data() -> None:
        for images, y in task.train_batches(0, 0):
            optimizer.zero_grad()
            F.cross_entropy(model(task.scaler(images)), y).backward()
            optimizer.step()

    with tempfile.TemporaryDirectory() as folder:
        run = new_run(Path(folder), config, seed=0, threads=torch.get_num_threads(), device="cpu")
        with EventStore(run.events) as store:
            trainer = Trainer(task, run, store, Display(), Fabric(accelerator="cpu", devices=1))

            def ours() -> None:
                trainer.progress.batch = 0
                trainer._train_epoch()

            loops = {"bare": bare, "with data": with_data, "carousel": ours}
            times: dict[str, list[float]] = {name: [] for name in loops}
            for number in range(rounds + 1):
                for name, loop in loops.items():
                    started = time.perf_counter()
                    loop()
                    if number:  # the first round warms up
                        times[name].append((time.perf_counter() - started) / STEPS * 1e3)
    for name, values in times.items():
        print(f"{name:>10}: {statistics.median(values):.3f} ms per step")
    for name, base, what in (
        ("with data", "bare", "data"),
        ("carousel", "with data", "loop"),
        ("carousel", "bare", "data and loop"),
    ):
        extra = [a - b for a, b in zip(times[name], times[base], strict=True)]
        print(f"{what} ({name} - {base}): median {statistics.median(extra):.3f} ms per step")


if __name__ == "__main__":
    if len(sys.argv) > 2:
        torch.set_num_threads(int(sys.argv[2]))
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 9)
