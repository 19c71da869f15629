"""Processes that train together, as `torchrun` starts them on one machine."""

import os
import subprocess
import sys
from pathlib import Path

TESTS = Path(__file__).parent
SECONDS = 240  # only what hangs takes so long


def torchrun(processes, *command, options=(), seconds=SECONDS):
    """Run Python in so many processes that find each other by the loopback; returns how it ended.

    command: a module ("-m", name) or a file, and its arguments.
    """
    launch = ["-m", "torch.distributed.run", "--nproc-per-node", str(processes)]
    where = ["--rdzv-backend", "c10d", "--rdzv-endpoint", "127.0.0.1:0", *options]
    return run([*launch, *where, *command], seconds)


def alone(*command, seconds=SECONDS):
    """Run Python in one process; returns how it ended."""
    return run(command, seconds)


def run(arguments, seconds=SECONDS):
    done = subprocess.run(
        [sys.executable, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=seconds,
        env=environment(),
    )
    assert done.returncode == 0, done.stderr
    return done


def environment():
    """Variables of a process that finds the tests' helpers, and others by the loopback."""
    helpers = {"PYTHONPATH": str(TESTS), "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"}
    return {**os.environ, **helpers}
