"""CPU time of calls that take turns, for the benchmarks of single cells, and how their peers loop.

All run in one process, round after round, so that what slows the machine down slows all of them.
What is taken is the time of the processor, which what else the machine does touches least: of the
whole process, as torch's backward pass may run on a thread of its own.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence

from torch import Tensor


def seconds(call: Callable[[], object]) -> float:
    """CPU time of the process during one call."""
    start = time.process_time()
    call()
    return time.process_time() - start


def measure(runs: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Seconds of each run in each round, after a round that is not taken."""
    for call in runs.values():
        call()
    times: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, call in runs.items():
            times[name].append(seconds(call))
    return times


def ratio(over: Sequence[float], under: Sequence[float]) -> float:
    """Median of the ratios of the rounds.

    >>> ratio([2.0, 3.0, 9.0], [1.0, 1.0, 1.0])
    3.0
    """
    return statistics.median(a / b for a, b in zip(over, under, strict=True))


def steps_of(*sequences: Tensor) -> Iterator[tuple[Tensor, ...]]:
    """Parts of each step, of sequences (T, …).

    By `unbind`, whose gradient is one stack: that of an index is a whole sequence, of zeros but for
    a step, which may take two thirds of the time of a long loop.
    """
    return zip(*(sequence.unbind() for sequence in sequences), strict=True)
