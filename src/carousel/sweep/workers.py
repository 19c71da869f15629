"""Workers of a sweep on this machine: one in this process, or several in processes of their own."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from dataclasses import dataclass, field, replace
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import FrameType

from carousel.errors import CarouselError, RunError
from carousel.sweep.ledger import Ledger, Patience
from carousel.sweep.plan import Plan
from carousel.sweep.worker import Stopped, Work, work
from carousel.training.signals import handled

_MOST_DEATHS = 5  # until it is no accident that workers are killed
_STOPPED, _REFUSED = 3, 4


def silent(text: str) -> None:
    """Say nothing."""


@dataclass(frozen=True)
class Book:
    """All that it takes to open the ledger of a plan, in any process."""

    plan: Plan
    storage: str | Path
    name: str
    folder: Path
    patience: Patience = field(default_factory=Patience)

    def open(self) -> Ledger:
        """The ledger. Raises `RunError`."""
        self.folder.mkdir(parents=True, exist_ok=True)
        return Ledger(self.plan, self.storage, self.name, self.folder, self.patience)


def work_off(book: Book, how: Work, workers: int) -> None:
    """Train the trials of a book with so many workers; one that is killed is replaced. Raises
    `Stopped` where somebody interrupted them, and `RunError` where they cannot go on."""
    if workers == 1:
        try:
            work(book.open(), how)
        except KeyboardInterrupt:  # between two trials
            raise Stopped from None
        return
    context = multiprocessing.get_context("spawn")
    how, deaths = replace(how, parent=os.getpid()), 0

    def begin() -> BaseProcess:
        process = context.Process(target=_one, args=(book, how), daemon=True)
        process.start()
        return process

    going = [begin() for _ in range(workers)]
    with handled((signal.SIGTERM,), _interrupt):  # so that the workers are asked to end, too
        try:
            while going:
                process = going.pop(0)
                process.join(0.2 if going else None)
                if process.exitcode is None:
                    going.append(process)
                elif process.exitcode < 0 and deaths < _MOST_DEATHS:
                    deaths += 1
                    name = signal.Signals(-process.exitcode).name
                    how.said(f"a worker was ended by {name}: another takes its trial again")
                    going.append(begin())
                elif process.exitcode == _STOPPED:
                    raise KeyboardInterrupt
                elif process.exitcode:
                    raise RunError(
                        f"a worker of the sweep in {book.folder} ended with an error (its words "
                        "are above): mend that, then give the same command again"
                    )
        except BaseException as error:
            _end(going)
            if isinstance(error, KeyboardInterrupt):
                raise Stopped from None
            raise


def _one(book: Book, how: Work) -> None:
    """Body of a worker's process."""
    try:
        work(book.open(), how)
    except (Stopped, KeyboardInterrupt):
        sys.exit(_STOPPED)
    except CarouselError as error:
        how.said(f"carousel: {error}")
        sys.exit(_REFUSED)


def _end(processes: list[BaseProcess]) -> None:
    """Ask workers to end, and wait: one that is training gives its trial back first."""
    for process in processes:
        process.terminate()
    for process in processes:
        process.join()


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
