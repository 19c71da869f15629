"""The other end of a remote peer: `python -m carousel.bench.worker FD MODULE THREADS`.

Reads requests from the connection and answers each: ("prepare", problem), ("run", calls, warm_up),
("results",), ("close",), ("versions",). The answer is ("ok", value) or ("error", text).
"""

from __future__ import annotations

import importlib
import os
import sys
from multiprocessing.connection import Connection
from typing import Any


def main(descriptor: str, module: str, threads: str) -> None:
    """Serve until the other end closes the connection."""
    _stay_on(int(threads))
    serve(Connection(int(descriptor)), module, int(threads))


def serve(connection: Any, module: str, threads: int) -> None:
    """Answer requests with the contestants that `module.prepare` makes."""
    contestant: Any = None
    while True:
        try:
            request, *arguments = connection.recv()
        except EOFError:
            return
        try:
            if request == "prepare":
                contestant = importlib.import_module(module).prepare(*arguments, threads)
                value = None
            elif request == "versions":
                value = importlib.import_module(module).versions()
            else:
                value = getattr(contestant, request)(*arguments)
        except Exception as error:
            # Whatever went wrong over there is this peer's answer, not the end of the benchmark.
            connection.send(("error", f"{type(error).__name__}: {error}".splitlines()[0]))
        else:
            connection.send(("ok", value))


def _stay_on(threads: int) -> None:
    """Pin to as many CPUs as threads: not every library can be told a number of threads."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])


if __name__ == "__main__":
    main(*sys.argv[1:])
