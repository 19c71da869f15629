"""Memory that one training step takes, ours and torch.nn's.

Measured from outside, as resident memory, because a custom operator may keep what no hook of torch
sees. Each measurement is made by a process forked for it from one that has imported everything and
computed nothing: `python -m carousel.bench.memory FD`. Blocks of 64 KiB and more are mapped and
unmapped one by one there, so that freed memory does not stay resident.
"""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from carousel.bench.cases import Case
from carousel.bench.peers.base import PeerError
from carousel.bench.results import OURS, TORCH, Memory

_ENVIRONMENT = {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "65536"}


def why_not() -> str:
    """Why memory cannot be measured here; "" if it can."""
    return "" if Path("/proc/self/clear_refs").exists() else "needs Linux's /proc"


class MemoryMeter:
    """Measures in processes of its own. Use as a context."""

    def __init__(self, threads: int) -> None:
        self._connection, far = multiprocessing.Pipe()
        assert isinstance(far, Connection)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "carousel.bench.memory", str(far.fileno()), str(threads)],
            pass_fds=[far.fileno()],
            env={**os.environ, **_ENVIRONMENT},
            stdin=subprocess.DEVNULL,
        )
        far.close()

    def __enter__(self) -> MemoryMeter:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()
        self._process.wait()

    def measure(self, case: Case) -> Memory:
        """Raises PeerError if a step fails."""
        found = {name: self._ask(name, case) for name in (OURS, TORCH)}
        return Memory(
            case,
            {name: peak for name, (peak, _) in found.items()},
            {name: held for name, (_, held) in found.items()},
        )

    def _ask(self, name: str, case: Case) -> tuple[int, int]:
        try:
            self._connection.send((name, case))
            answer = self._connection.recv()
        except (EOFError, OSError):
            raise PeerError("the process that measures memory ended") from None
        if isinstance(answer, str):
            raise PeerError(answer)
        peak, held = answer
        return peak, held


def main(descriptor: str, threads: str) -> None:
    """Serve: fork a process for each request."""
    import torch

    import carousel.bench.peers.torch_layers  # noqa: F401  # imported once, for every fork

    torch.set_num_threads(int(threads))
    connection: Any = Connection(int(descriptor))
    while True:
        try:
            name, case = connection.recv()
        except EOFError:
            return
        child = os.fork()
        if child == 0:
            try:
                connection.send(measure_here(name, case))
            except Exception as error:
                connection.send(f"{type(error).__name__}: {error}".splitlines()[0])
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if status:
            connection.send(f"the process ended with status {status}")


def measure_here(name: str, case: Case) -> tuple[int, int]:
    """Bytes (peak, held) of one training step in this process, after a tiny one."""
    forward_and_backward(name, replace(case, **_tiny(case)))
    return forward_and_backward(name, case)


def _tiny(case: Case) -> dict[str, Any]:
    lengths = None if case.lengths is None else (2, 1)
    return {"steps": 2, "batch": 2, "inputs": 3, "hidden": 16, "lengths": lengths}


def forward_and_backward(name: str, case: Case) -> tuple[int, int]:
    """Bytes of a step of one contestant. The results live until the end, as gradients do."""
    import torch

    from carousel.bench.cases import make_problem
    from carousel.bench.peers.torch_layers import training_parts

    forward, inputs, cotangent = training_parts(name, make_problem(case))
    before = _resident()
    _forget_peak()
    y = forward()
    held = _resident() - before
    gradients = torch.autograd.grad(y, inputs, cotangent)
    peak = _peak() - before
    del gradients
    return max(peak, 0), max(held, 0)


def _status(key: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(key + ":"):
            return int(line.split()[1]) * 1024
    raise OSError(f"no {key} in /proc/self/status")


def _resident() -> int:
    return _status("RssAnon")


def _peak() -> int:
    # The peak counts pages of files, too: code that ran for the first time.
    return _status("VmHWM") - _status("RssFile") - _status("RssShmem")


def _forget_peak() -> None:
    Path("/proc/self/clear_refs").write_text("5")


if __name__ == "__main__":
    main(*sys.argv[1:])
