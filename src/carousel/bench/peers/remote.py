"""Peers that want a process for themselves: their libraries bring thread pools of their own."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
from collections.abc import Mapping
from multiprocessing.connection import Connection
from typing import Any

from carousel.bench.cases import Array, Case, Problem
from carousel.bench.peers.base import Contestant, PeerError, missing_modules


class Worker:
    """A process that computes contestants, one at a time.

    module: has `prepare(problem, threads)` and `versions()`. Idle threads are told to sleep rather
    than to spin, where the library can be told.
    """

    def __init__(self, module: str, threads: int, environment: Mapping[str, str]) -> None:
        self._connection, far = multiprocessing.Pipe()
        assert isinstance(far, Connection)
        variables = {**os.environ, **_quiet(threads), **environment}
        # A forced core type, or a bad guess of one, makes OpenBLAS slower than it is.
        for name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):
            variables.pop(name, None)
        self._process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "carousel.bench.worker",
                str(far.fileno()),
                module,
                str(threads),
            ],
            pass_fds=[far.fileno()],
            env=variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        far.close()

    @property
    def pid(self) -> int:
        return self._process.pid

    def ask(self, *request: Any) -> Any:
        """The worker's answer. Raises PeerError if it has none."""
        try:
            self._connection.send(request)
            kind, value = self._connection.recv()
        except (EOFError, OSError):
            code = self._process.wait()
            raise PeerError(f"its process ended with exit code {code}") from None
        if kind == "error":
            raise PeerError(value)
        return value

    def end(self) -> None:
        """Close the connection, which ends the process."""
        self._connection.close()
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def _quiet(threads: int) -> dict[str, str]:
    return {
        "OMP_NUM_THREADS": str(threads),
        "OPENBLAS_NUM_THREADS": str(threads),
        "OPENBLAS_THREAD_TIMEOUT": "4",
        "TF_NUM_INTRAOP_THREADS": str(threads),
        "TF_NUM_INTEROP_THREADS": "1",
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "JAX_PLATFORMS": "cpu",
        "CUDA_VISIBLE_DEVICES": "",
    }


class RemoteContestant:
    """A contestant in a worker."""

    def __init__(self, worker: Worker, problem: Problem) -> None:
        self._worker = worker
        worker.ask("prepare", problem)

    def run(self, calls: int, warm_up: bool = True) -> float:
        seconds = self._worker.ask("run", calls, warm_up)
        assert isinstance(seconds, float)
        return seconds

    def results(self) -> dict[str, Array]:
        results: dict[str, Array] = self._worker.ask("results")
        return results

    def close(self) -> None:
        self._worker.ask("close")


class RemotePeer:
    """A peer whose contestants run in a worker, started when first needed and after a death."""

    baseline = True

    def __init__(
        self,
        name: str,
        module: str,
        needs: tuple[str, ...],
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.name = name
        self.pool = name
        self._module = module
        self._needs = needs
        self._environment = environment or {}
        self._workers: dict[int, Worker] = {}

    def missing(self) -> str:
        return missing_modules(*self._needs)

    def why_not(self, case: Case) -> str:
        if case.option:
            return "has no such cell"
        return "not made for streams" if case.mode == "stream" else ""

    def prepare(self, problem: Problem, threads: int) -> Contestant:
        if threads not in self._workers:
            self.close()
            self._workers[threads] = Worker(self._module, threads, self._environment)
        try:
            return RemoteContestant(self._workers[threads], problem)
        except PeerError:
            self.close()  # a fresh process for the next case
            raise

    def versions(self) -> dict[str, str]:
        """Versions of its libraries, from the running worker; {} if none runs."""
        for worker in self._workers.values():
            versions: dict[str, str] = worker.ask("versions")
            return versions
        return {}

    def pids(self) -> list[int]:
        """Process ids of its workers."""
        return [worker.pid for worker in self._workers.values()]

    def close(self) -> None:
        for worker in self._workers.values():
            worker.end()
        self._workers.clear()


def keras_peers() -> list[RemotePeer]:
    """Keras on each of its backends; the one on TensorFlow is what TensorFlow's users call."""
    return [
        RemotePeer(
            f"keras-{backend}",
            "carousel.bench.peers.keras_layers",
            ("keras", backend),
            {"KERAS_BACKEND": backend},
        )
        for backend in ("jax", "tensorflow", "torch")
    ]
