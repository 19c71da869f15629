"""Answers to files by several processes, each with the model once; a killed one is replaced."""

from __future__ import annotations

import multiprocessing
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

from carousel.bulk.parts import Part, PartOutcome, Work, answer_part
from carousel.errors import CarouselError

TRIES = 3
"""Workers that a file may cost before it is given up."""


def by_workers(parts: Sequence[Part], work: Work, workers: int) -> Iterator[PartOutcome]:
    """Answers by so many processes, as they come. A file whose worker ends before its answers are
    written is given to another one, twice; then its outcome says so."""
    todo, tries = deque(parts), Counter[Part]()
    team: dict[Connection, _Worker] = {}
    try:
        for _ in range(min(workers, len(parts))):
            _start(team, work, todo)
        while team:
            for ready in wait([*team, *(one.process.sentinel for one in team.values())]):
                one = next((w for c, w in team.items() if ready in (c, w.process.sentinel)), None)
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
                    _start(team, work, todo)
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


def _start(team: dict[Connection, _Worker], work: Work, todo: deque[Part]) -> None:
    context: Any = multiprocessing.get_context("spawn")
    mine, theirs = context.Pipe()
    process = context.Process(target=_answer_all, args=(theirs, work), daemon=True)
    process.start()
    theirs.close()
    worker = _Worker(process, mine)
    worker.give(todo)
    team[mine] = worker


def _answer_all(connection: Connection, work: Work) -> None:
    """Answer files until there are no more (in a process of its own)."""
    import torch

    torch.set_num_threads(work.threads)
    try:
        model, error = work.load(work.run), ""
    except CarouselError as found:
        model, error = None, str(found)
    while True:
        try:
            part = connection.recv()
        except (EOFError, KeyboardInterrupt):
            return
        if model is None:
            connection.send(PartOutcome(str(part.source), str(part.out), error=error))
        else:
            connection.send(answer_part(model, part, work))
