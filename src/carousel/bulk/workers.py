"""Answers to files by several processes, each with the model once; a killed one is replaced.

Processes are begun before there is work for them (`begun`): what they need takes seconds to import,
in which whoever begins them reads the model and looks for what is done.
"""

from __future__ import annotations

import multiprocessing
import os
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import TYPE_CHECKING, Any

from carousel.bulk.memory import keep_memory, tidied
from carousel.errors import CarouselError

if TYPE_CHECKING:
    from carousel.bulk.parts import Part, PartOutcome, Work

_THREADS = "POLARS_MAX_THREADS"
TRIES = 3
"""Workers that a file may cost before it is given up."""


@contextmanager
def begun(workers: int, threads: int) -> Iterator[list[_Worker]]:
    """So many processes, with so many threads each, that wait for work. Those that were not taken
    have ended after the block."""
    found: list[_Worker] = []
    try:
        for _ in range(workers):
            found.append(_begin(threads))
        yield found
    finally:
        for one in found:
            one.process.terminate()
            one.end()


def by_workers(
    parts: Sequence[Part], work: Work, workers: int, ready: list[_Worker] | None = None
) -> Iterator[PartOutcome]:
    """Answers by so many processes, as they come. A file whose worker ends before its answers are
    written is given to another one, twice; then its outcome says so. ready: processes that were
    begun, which are taken first."""
    from carousel.bulk.parts import PartOutcome

    todo = deque(parts)
    tries: Counter[Part] = Counter()
    team: dict[Connection, _Worker] = {}
    ready = [] if ready is None else ready
    try:
        for _ in range(min(workers, len(parts))):
            _start(team, work, todo, ready)
        while team:
            for told in wait([*team, *(one.process.sentinel for one in team.values())]):
                one = next((w for c, w in team.items() if told in (c, w.process.sentinel)), None)
                if one is None:
                    continue
                outcome = one.receive()
                if outcome is not None:
                    yield outcome
                    if not one.give(todo):
                        one.end()
                        del team[one.connection]
                    continue
                del team[one.connection]
                one.end()
                tries[one.part] += 1
                if tries[one.part] < TRIES:
                    todo.appendleft(one.part)
                else:
                    yield PartOutcome(
                        str(one.part.source),
                        str(one.part.out),
                        error=f"{one.part.source}: {TRIES} workers ended while they answered it "
                        f"(the last with {one.process.exitcode}), perhaps for lack of memory: make "
                        f"smaller files of it, or have fewer workers",
                    )
                if todo:
                    _start(team, work, todo, ready)
    finally:
        for one in team.values():
            one.process.terminate()
            one.end()


class _Worker:
    """A process that answers one file at a time. part: the one that it was given last."""

    part: Part

    def __init__(self, process: BaseProcess, connection: Connection) -> None:
        self.process, self.connection = process, connection

    def give(self, todo: deque[Part]) -> bool:
        """Give it the next file; False if there is none."""
        if not todo:
            return False
        self.part = todo.popleft()
        with suppress(OSError):  # it has ended, which its sentinel tells next
            self.connection.send(self.part)
        return True

    def receive(self) -> PartOutcome | None:
        """The outcome of its file; None if the process has ended without one."""
        try:
            if not self.connection.poll():
                return None
            found: PartOutcome = self.connection.recv()
        except (EOFError, OSError):
            return None
        return found

    def end(self) -> None:
        """Let it end, and wait for that."""
        self.connection.close()
        self.process.join()


def _begin(threads: int) -> _Worker:
    context: Any = multiprocessing.get_context("spawn")
    mine, theirs = context.Pipe()
    process = context.Process(target=_answer_all, args=(theirs,), daemon=True)
    before = os.environ.get(_THREADS)
    os.environ[_THREADS] = str(threads)  # polars reads it once, when it is imported
    try:
        process.start()
    finally:
        if before is None:
            del os.environ[_THREADS]
        else:
            os.environ[_THREADS] = before
    theirs.close()
    return _Worker(process, mine)


def _start(
    team: dict[Connection, _Worker], work: Work, todo: deque[Part], ready: list[_Worker]
) -> None:
    worker = ready.pop() if ready else _begin(work.threads)
    with suppress(OSError):  # it has ended, which its sentinel tells next
        worker.connection.send(work)
    worker.give(todo)
    team[worker.connection] = worker


def _answer_all(connection: Connection) -> None:
    """Answer files until there are no more (in a process of its own)."""
    keep_memory()
    try:
        import torch

        from carousel.bulk.parts import PartOutcome, answer_part  # a second or two

        work: Work = connection.recv()
    except (EOFError, KeyboardInterrupt):
        return
    torch.set_num_threads(work.threads)
    try:
        model, error = work.load(work.run), ""
    except CarouselError as found:
        model, error = None, str(found)
    for part in tidied(_given(connection)):
        if model is None:
            connection.send(PartOutcome(str(part.source), str(part.out), error=error))
        else:
            connection.send(answer_part(model, part, work))


def _given(connection: Connection) -> Iterator[Part]:
    """The files that come, until there are no more."""
    while True:
        try:
            yield connection.recv()
        except (EOFError, KeyboardInterrupt):
            return
