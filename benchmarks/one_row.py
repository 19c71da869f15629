"""Computes one row of `carousel bench` over and over, for a profiler to look at.

    perf record -g -- python benchmarks/one_row.py "rows LSTM training" --seconds 10
    python benchmarks/one_row.py "rows LSTM training" --peer torch.nn

Prints calls, milliseconds per call and GFLOP/s.
"""

from __future__ import annotations

import argparse
import time

import torch

from carousel.bench.cases import cases, make_problem
from carousel.bench.run import roster
from carousel.errors import CarouselError


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("row", help="words of the row's title; the first row that has them")
    parser.add_argument("--peer", default="carousel", help="who computes it")
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    arguments = parser.parse_args()

    peers = {peer.name: peer for peer in roster()}
    if arguments.peer not in peers:
        parser.error(f"no peer {arguments.peer!r}: choose from {', '.join(peers)}")
    try:
        case = cases(only=arguments.row)[0]
    except CarouselError as error:
        parser.error(str(error))
    peer = peers[arguments.peer]
    contestant = peer.prepare(make_problem(case), arguments.threads)
    calls, seconds = 0, 0.0
    end = time.monotonic() + arguments.seconds
    while time.monotonic() < end:
        seconds += contestant.run(10)
        calls += 10
    contestant.close()
    peer.close()
    rate = case.flops * calls / seconds / 1e9
    print(
        f"{case.title} ({case.shape}): {calls} calls, {seconds / calls * 1e3:.4g} ms each, "
        f"{rate:.1f} GFLOP/s"
    )


if __name__ == "__main__":
    main()
