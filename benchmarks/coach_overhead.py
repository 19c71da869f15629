"""What the coach costs a run: the training loop with it and without, in turns.

Runs stretches of a recipe's training, alternately with `coach.enabled` on and off, and prints the
median of the paired ratios of CPU time (of the process) and the share that the coach itself
reports. Looks come when the budget has room for them, so stretches are of many seconds.

    python benchmarks/coach_overhead.py [recipe] [rounds] [steps] [threads]
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from pathlib import Path

import torch
from lightning_fabric import Fabric

from carousel import recipes, tasks
from carousel.config import Config
from carousel.run.writing import EventStore
from carousel.tasks.shared.task import Task
from carousel.training.display import Display
from carousel.training.loop import Trainer
from carousel.training.new_run import new_run


def stretch(task: Task, config: Config, steps: int) -> tuple[float, float, int]:
    """CPU seconds of so many steps from the start, validation left out; share and looks."""
    with tempfile.TemporaryDirectory() as folder:
        threads = torch.get_num_threads()
        run = new_run(Path(folder) / "run", config, seed=0, threads=threads, device="cpu")
        with EventStore(run.events) as store:
            fabric = Fabric(accelerator="cpu", devices=1)
            trainer = Trainer(task, run, store, Display(), fabric)
            trainer.coach.start(0)
            trainer.model.train()
            done, started = 0, time.process_time()
            while done < steps:
                for batch in task.train_batches(done // task.batches_per_epoch, 0):
                    _, values = trainer._step(fabric.to_device(batch))
                    store.record(done, values)
                    done += 1
                    if done == steps:
                        break
                trainer.carried.tensors = ()
            seconds = time.process_time() - started
        looks = len(trainer.coach._evidence.values("coach/share"))
        return seconds, trainer.coach.observer.budget.taken, looks


def main(recipe: str, rounds: int, steps: int) -> None:
    config, _ = recipes.load(recipe)
    off = config.override(["coach.enabled=false"])
    task = tasks.find(config.task)(config, 0)
    stretch(task, off, 20)
    ratios, shares, looks = [], [], []
    for number in range(rounds):
        pair = {}
        for kind in ("on", "off") if number % 2 else ("off", "on"):
            pair[kind] = stretch(task, config if kind == "on" else off, steps)
        ratios.append(pair["on"][0] / pair["off"][0])
        shares.append(pair["on"][1])
        looks.append(pair["on"][2])
        print(f"{recipe}: on {pair['on'][0]:.2f} s, off {pair['off'][0]:.2f} s", flush=True)
    print(
        f"{recipe}, {steps} steps, {rounds} rounds: CPU time with the coach to without, median "
        f"{statistics.median(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f}); it reports "
        f"{statistics.median(shares):.1%}; {statistics.median(looks):.0f} looks"
    )


if __name__ == "__main__":
    given = sys.argv[1:]
    torch.set_num_threads(int(given[3]) if len(given) > 3 else 1)
    main(
        given[0] if given else "mnist-rows",
        int(given[1]) if len(given) > 1 else 5,
        int(given[2]) if len(given) > 2 else 600,
    )
