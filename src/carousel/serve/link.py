"""A worker's side of its line to the process that keeps the streams of all workers."""

from __future__ import annotations

import itertools
import socket
import struct
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import suppress
from typing import Any

import msgpack

from carousel.serve.shared import Wanted
from carousel.serve.store import Kept, NotKept

SIZE = struct.Struct(">I")
_ANSWER = 10.0  # seconds in which the keeper answers


def message(*content: Any) -> bytes:
    """Content with its length before it."""
    packed: bytes = msgpack.packb(content)
    return SIZE.pack(len(packed)) + packed


class Link:
    """Store of a worker: every call is a message to the keeper, whose answer has its number.

    ended: called once, from a thread, when the keeper is gone.
    """

    def __init__(self, line: socket.socket, ended: Callable[[], None]) -> None:
        self._line, self._ended = line, ended
        self._numbers, self._lock = itertools.count(1), threading.Lock()
        self._waiting: dict[int, Future[Any]] = {}
        self._wanted: Wanted = lambda model, print, names: None
        self._closed = False
        self._listener = threading.Thread(target=self._listen, name="carousel-link", daemon=True)
        self._listener.start()

    def ask(self, what: str, *given: Any) -> Any:
        """The keeper's answer. Raises `NotKept`."""
        number, future = next(self._numbers), Future[Any]()
        with self._lock:
            if self._closed:
                raise NotKept("the process that keeps the states is gone")
            self._waiting[number] = future
            self._line.sendall(message(number, what, *given))
        try:
            return future.result(_ANSWER)
        except TimeoutError:
            raise NotKept(f"the process that keeps the states took over {_ANSWER:g} s") from None
        finally:
            self._waiting.pop(number, None)

    def write(self, model: str, print: str, kept: Sequence[Kept], gone: Sequence[str]) -> list[str]:
        """Keep these, and forget those. Returns names that another worker has now. Raises
        `NotKept`."""
        lost: list[str] = self.ask("write", model, print, list(kept), list(gone))
        return lost

    def give(self, model: str, print: str, kept: Sequence[Kept], names: Sequence[str]) -> None:
        """Keep these, and own neither them nor those named. Raises `NotKept`."""
        self.ask("give", model, print, list(kept), list(names))

    def take(self, model: str, print: str, names: Sequence[str], make: bool) -> list[Kept | None]:
        """Own these streams, as `SharedStore.take` says. Raises `NotKept`."""
        told = self.ask("take", model, print, list(names), make)
        return [None if one is None else Kept(*one) for one in told]

    def listen(self, wanted: Wanted) -> None:
        """Call `wanted` from a thread for streams that another worker asks for."""
        self._wanted = wanted

    def forgot(self) -> bool:
        """Never: who keeps the states outlives its workers."""
        return False

    def read(self, model: str, print: str) -> Iterator[Kept]:
        """Nothing at first: a stream is read when it is asked for."""
        return iter(())

    def strangers(self, model: str, print: str) -> int:
        """Number of streams of this name that belong to other weights."""
        return int(self.ask("strangers", model, print))

    def close(self) -> None:
        """Let go of the keeper."""
        with self._lock:
            self._closed = True
        with suppress(OSError):
            self._line.shutdown(socket.SHUT_RDWR)  # which wakes the thread that reads
        self._listener.join()
        self._line.close()

    # ---- what the keeper says

    def _listen(self) -> None:
        try:
            while True:
                size = self._read(SIZE.size)
                number, *told = msgpack.unpackb(
                    self._read(SIZE.unpack(size)[0]), strict_map_key=False
                )
                if number:
                    self._tell(number, *told)
                else:
                    self._wanted(*told)
        except (OSError, EOFError):
            pass
        finally:
            with self._lock:
                closed, self._closed = self._closed, True
            for future in list(self._waiting.values()):
                future.set_exception(NotKept("the process that keeps the states is gone"))
            if not closed:
                self._ended()

    def _tell(self, number: int, answer: Any, problem: str | None) -> None:
        future = self._waiting.get(number)
        if future is None:
            return
        if problem is None:
            future.set_result(answer)
        else:
            future.set_exception(NotKept(problem))

    def _read(self, size: int) -> bytes:
        found = bytearray()
        while len(found) < size:
            part = self._line.recv(min(1 << 20, size - len(found)))
            if not part:
                raise EOFError
            found += part
        return bytes(found)
