"""Ctrl-C and SIGTERM, which end training after the current step."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class StopRequest:
    """A wish that training end, if there is one; a second signal ends it at once."""

    def __init__(self) -> None:
        self.made = False

    @contextmanager
    def awaited(self) -> Iterator[None]:
        """Note signals inside the block; outside the main thread they go elsewhere.

        Raises KeyboardInterrupt at the second one.
        """
        try:
            previous = {n: signal.signal(n, self._note) for n in (signal.SIGINT, signal.SIGTERM)}
        except ValueError:  # not in the main thread
            yield
            return
        try:
            yield
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.made:
            raise KeyboardInterrupt
        self.made = True
