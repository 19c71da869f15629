"""Several processes that train together: messages between them, and their speed against threads.

python benchmarks/processes.py messages [--delay-ms 1]: latency and bandwidth of gloo's sums over
two processes on the loopback, and sums of gradients as one buffer or in buckets.
python benchmarks/processes.py training [--rounds 3] [RECIPE ...]: steps a second of two processes
with one thread against one process with two threads, a few hundred steps each, in turns.

Both print JSON; `training` starts torchrun itself. Run it on a machine that does nothing else.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

_RECIPES = ("mnist-rows", "speech-digits", "ptb-small")
_SIZES = (1, 1_000, 10_000, 100_000, 1_000_000, 10_000_000)  # numbers of four bytes
_BUCKETS = (1, 4, 16)
_STEPS = 300


def _torchrun(*command: str) -> str:
    launch = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2"]
    where = ["--rdzv-backend", "c10d", "--rdzv-endpoint", "127.0.0.1:0"]
    known = {**os.environ, "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"}
    done = subprocess.run(
        [*launch, *where, *command], env=known, check=True, stdout=subprocess.PIPE, text=True
    )
    return done.stdout


def _times(act, rounds: int) -> tuple[float, float]:
    """The least and the median of some rounds, in milliseconds."""
    taken = []
    for _ in range(rounds):
        started = time.perf_counter()
        act()
        taken.append(1e3 * (time.perf_counter() - started))
    return round(min(taken), 4), round(statistics.median(taken), 4)


def messages(delay: float) -> None:
    """What one of the processes does and measures (both run it)."""
    import torch
    from torch import distributed

    distributed.init_process_group("gloo")
    torch.set_num_threads(1)
    found = {}
    for size in _SIZES:
        values = torch.ones(size)

        def one_sum(values=values) -> None:
            time.sleep(delay / 1e3)
            distributed.all_reduce(values)

        rounds = 200 if size <= 100_000 else 20
        least, median = _times(one_sum, rounds)
        found[size] = {"least_ms": least, "median_ms": median}
        found[size]["gigabytes_a_second"] = round(4 * size / median / 1e6, 3)
    buckets = {}
    for parts in _BUCKETS:
        pieces = torch.ones(1_000_000).split(1_000_000 // parts)

        def in_parts(pieces=pieces) -> None:
            for piece in pieces:
                time.sleep(delay / 1e3)
                distributed.all_reduce(piece)

        buckets[parts] = _times(in_parts, 20)[1]
    if distributed.get_rank() == 0:
        print(
            json.dumps({"sums": found, "million_numbers_in_buckets_median_ms": buckets}, indent=1)
        )
    distributed.destroy_process_group()


def _train(recipe: str, processes: int, folder: Path) -> tuple[float, float]:
    """Seconds of training, validation included, and its best validation."""
    run = str(folder / f"{recipe}-{processes}-{time.monotonic_ns()}")
    command = [__file__, "one", recipe, run, str(3 - processes)]
    if processes == 1:
        subprocess.run([sys.executable, *command], check=True, stdout=subprocess.DEVNULL)
    else:
        _torchrun(*command)
    result = json.loads((Path(run) / "result.json").read_text())
    return result["seconds"], next(iter(result["validation"].values()))


def one(recipe: str, run: str, threads: str) -> None:
    """One training, without what comes after it: the test part stays closed."""
    from carousel.training import train

    settings = [f"training.max_steps={_STEPS}", "coach.enabled=false", "training.samples=0"]
    train(recipe, settings, threads=int(threads), run_dir=run, quiet=True, trial=lambda epoch: True)


def training(recipes: list[str], rounds: int) -> None:
    """Two processes with one thread against one with two, in turns."""
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for recipe in recipes:
            pairs = []
            for number in range(rounds):
                order = (1, 2) if number % 2 == 0 else (2, 1)
                taken = {n: _train(recipe, n, Path(folder)) for n in order}
                pairs.append((taken[1], taken[2]))
            ratios = [one[0] / two[0] for one, two in pairs]
            found[recipe] = {
                "throughput_of_two_processes": round(statistics.median(ratios), 3),
                "best": round(max(ratios), 3),
                "seconds": [[one[0], two[0]] for one, two in pairs],
                "validation": [[one[1], two[1]] for one, two in pairs],
            }
    print(json.dumps(found, indent=1))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("what", choices=("messages", "training", "one"))
    parser.add_argument("recipes", nargs="*", default=list(_RECIPES))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--delay-ms", type=float, default=0.0)
    asked = parser.parse_intermixed_args()
    if asked.what == "training":
        training(asked.recipes, asked.rounds)
    elif asked.what == "one":
        one(*asked.recipes)
    elif "RANK" in os.environ:
        messages(asked.delay_ms)
    else:
        print(_torchrun(__file__, *sys.argv[1:]), end="")


if __name__ == "__main__":
    main()
