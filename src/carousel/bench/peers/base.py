"""Interface of an adapter, and the timed loop of those that run in this process."""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Callable
from typing import Any, Protocol

from carousel.bench.cases import Array, Case, Problem


class PeerError(Exception):
    """A peer cannot compute a case; the message says why, and stands in the results."""


class Contestant(Protocol):
    """A case, ready to be computed by one peer as often as wanted."""

    def run(self, calls: int, warm_up: bool = True) -> float:
        """Seconds that so many calls take together; `warm_up`: after one that is not timed."""
        ...

    def results(self) -> dict[str, Array]:
        """Outputs of a call: "y" (T, B, D * H) and, in training, "dx" (T, B, I)."""
        ...

    def close(self) -> None:
        """Give back what the case took."""
        ...


class Local:
    """A contestant in this process: a function without arguments, called in a loop."""

    def __init__(self, call: Callable[[], Any], results: Callable[[Any], dict[str, Array]]) -> None:
        self._call: Callable[[], Any] | None = call
        self._results = results

    def run(self, calls: int, warm_up: bool = True) -> float:
        call = self._call
        assert call is not None
        if warm_up:
            call()  # brings back the caches and threads that another contestant had
        start = time.perf_counter()
        for _ in range(calls):
            call()
        return time.perf_counter() - start

    def results(self) -> dict[str, Array]:
        assert self._call is not None
        return self._results(self._call())

    def close(self) -> None:
        self._call = None


class Peer(Protocol):
    """An adapter: makes contestants of one library.

    pool: the thread pool it computes in. Between contestants of different pools the benchmark
    waits until idle threads have stopped spinning. baseline: whether "the best peer" includes it.
    """

    name: str
    pool: str
    baseline: bool

    def missing(self) -> str:
        """Packages to install first; "" if none."""
        ...

    def why_not(self, case: Case) -> str:
        """Why this peer is not asked to compute the case; "" if it is."""
        ...

    def prepare(self, problem: Problem, threads: int) -> Contestant:
        """A contestant. Raises PeerError."""
        ...

    def close(self) -> None:
        """End processes that were started."""
        ...


def missing_modules(*names: str) -> str:
    """Modules that are not installed, in words; "" if all are."""
    absent = [name for name in names if importlib.util.find_spec(name) is None]
    return f"not installed: {', '.join(absent)} (pip install 'carousel-rnn[bench]')" * bool(absent)
