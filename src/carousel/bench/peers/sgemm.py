"""A large single-precision matrix product: the yardstick of what the machine can do.

`torch.mm` runs in this process; NumPy's product, from OpenBLAS, in a worker. Which of the two is
faster depends on the maker of the CPU, so both are measured, and the faster one counts.
"""

from __future__ import annotations

import numpy as np
import torch

from carousel.bench.cases import Array, Case, Problem
from carousel.bench.peers.base import Contestant, Local
from carousel.bench.peers.remote import RemotePeer

SIZE = 1024
FLOPS = 2 * SIZE**3
NAMES = ("sgemm torch", "sgemm numpy")


class TorchSgemm:
    """`torch.mm` of two square matrices."""

    name = NAMES[0]
    pool = "OpenMP of torch"
    baseline = False

    def missing(self) -> str:
        return ""

    def why_not(self, case: Case) -> str:
        tiny = case.mode == "stream" or case.suite == "small"
        return "not compared with so little work" if tiny else ""

    def prepare(self, problem: Problem, threads: int) -> Contestant:
        torch.set_num_threads(threads)
        a, b = (torch.from_numpy(factor) for factor in _factors())
        c = torch.empty(SIZE, SIZE)
        return Local(lambda: torch.mm(a, b, out=c), lambda _: {"product": c.numpy()})

    def close(self) -> None:
        pass


class NumpySgemm(RemotePeer):
    """`numpy.matmul` of the same matrices."""

    baseline = False

    def __init__(self) -> None:
        super().__init__(NAMES[1], __name__, ())

    def why_not(self, case: Case) -> str:
        return TorchSgemm().why_not(case)


def prepare(problem: Problem, threads: int) -> Contestant:
    """Make NumPy's contestant (runs in the worker)."""
    a, b = _factors()
    c = np.empty((SIZE, SIZE), np.float32)
    return Local(lambda: np.matmul(a, b, out=c), lambda _: {"product": c})


def versions() -> dict[str, str]:
    """Versions of NumPy and of its linear algebra library (runs in the worker)."""
    from threadpoolctl import threadpool_info

    found = {"numpy": np.__version__}
    for library in threadpool_info():
        if library["internal_api"] == "openblas" and "numpy" in library["filepath"]:
            found["openblas"] = f"{library['version']} for {library['architecture']}"
    return found


def _factors() -> tuple[Array, Array]:
    random = np.random.default_rng(0)
    a, b = random.standard_normal((2, SIZE, SIZE), np.float32)
    return a, b
