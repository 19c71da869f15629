"""Processes that train together, as `torchrun` starts them on one machine."""

import os
import subprocess
import sys
from pathlib import Path

TESTS = Path(__file__).parent
SECONDS = 240  # only what hangs takes so long


def torchrun(processes, *command, options=(), fails=False):
    """Run Python in so many processes that find each other by the loopback; returns how it ended.

    command: a module ("-m", name) or a file, and its arguments.
    """
    launch = ["-m", "torch.distributed.run", "--nproc-per-node", str(processes)]
    where = ["--rdzv-backend", "c10d", "--rdzv-endpoint", "127.0.0.1:0", *options]
    return run([*launch, *where, *command], fails)


def alone(*command):
    """Run Python in one process; returns how it ended."""
    return run(command)


def run(arguments, fails=False):
    done = subprocess.run(
        [sys.executable, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=SECONDS,
        env=environment(),
    )
    assert (done.returncode != 0) == fails, done.stdout + done.stderr
    return done


def environment():
    """Variables of a process that finds the tests' helpers, and others by the loopback."""
    helpers = {"PYTHONPATH": str(TESTS), "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"}
    return {**os.environ, **helpers}
