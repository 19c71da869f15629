"""Ctrl-C and SIGTERM, which end training after the current step."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def handled(
    numbers: tuple[signal.Signals, ...], handler: Callable[[int, FrameType | None], None]
) -> Iterator[None]:
    """Call a function at signals inside the block; outside the main thread they go elsewhere."""
    try:
        previous = {number: signal.signal(number, handler) for number in numbers}
    except ValueError:  # not in the main thread
        yield
        return
    try:
        yield
    finally:
        for number, before in previous.items():
            signal.signal(number, before)


class StopRequest:
    """A wish that training end, if there is one; a second signal ends it at once."""

    def __init__(self) -> None:
        self.made = False

    @contextmanager
    def awaited(self) -> Iterator[None]:
        """Note signals inside the block; outside the main thread they go elsewhere.

        Raises KeyboardInterrupt at the second one.
        """
        with handled((signal.SIGINT, signal.SIGTERM), self._note):
            yield

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.made:
            raise KeyboardInterrupt
        self.made = True
