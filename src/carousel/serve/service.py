"""A model that is served: its streams by name, its engine, and the calls of an event loop."""

from __future__ import annotations

import asyncio
import hashlib
import json
import math
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from carousel.errors import DataError
from carousel.runtime.files import Bundle, read
from carousel.runtime.loading import assembled
from carousel.serve.columns import Columns
from carousel.serve.engine import Engine
from carousel.serve.events import Listeners
from carousel.serve.kinds import kind_of
from carousel.serve.latencies import Latencies
from carousel.serve.scheduler import Group, Limits, Piece, Slots
from carousel.serve.sessions import Refused, Reply, Sessions

Numbers = NDArray[Any]
_LONG = 0.002  # seconds of a batch beyond which it is computed beside the event loop


@dataclass(frozen=True)
class Settings:
    """Limits of a server.

    threads: of a batch. queue: steps of streams that wait, of a model. body: bytes of a request or
    a frame. most, idle: see `Sessions`. calibration: a file with steps like those to come, an
    object or a list of JSON in each line: then the recurrent layers of streams run in eight bits.
    lines: log in lines of JSON, requests too.
    key: signs the states that clients carry; servers that have one take each other's. rate, each:
    steps a second and new streams of one client; None for any.
    """

    threads: int = 1
    limits: Limits = field(default_factory=Limits)
    most: int = 100_000
    idle: float = 3600.0
    queue: int = 1_000_000
    calibration: Path | None = None
    lines: bool = False
    body: int = 8 << 20
    rate: float | None = None
    each: int | None = None
    key: bytes = field(default_factory=lambda: secrets.token_bytes(32), repr=False)


class Service:
    """One model with its streams, on the event loop of the caller."""

    def __init__(self, name: str, folder: Path, settings: Settings) -> None:
        """Raises `RunError` and `ConfigError` as `carousel.runtime.load` does, and `ConfigError`
        for a model that has no answer step by step."""
        bundle = read(folder)
        model = assembled(bundle, settings.threads)
        self.name, self.settings, self.task = name, settings, model.task
        known: list[Numbers | None] = []

        def calibration(columns: Columns) -> Numbers | None:
            known.append(_steps_in(settings.calibration, columns))
            return known[0]

        self.kind = kind_of(bundle, model, calibration)
        self.columns, self.streams = self.kind.columns, self.kind.streams
        self.folder, self.print, self.reloads = folder, fingerprint(bundle, known[0]), 0
        self.answers = self.kind.answers
        self.design = {
            "task": model.task,
            "layers": bundle.config.model,
            "weights": {name: weight.shape for name, weight in sorted(bundle.weights.items())},
            "columns": self.columns.wanted,
            "first numbers of a step": self.columns.facts(),
            "facts of its states": self.kind.kept,
            "answers": self.answers.names,
        }
        self.engine = Engine(self.streams, self.kind.limits(settings.limits))
        self.sessions = Sessions(
            self.engine.grow,
            self._forget,
            most=settings.most,
            idle=settings.idle,
            each=settings.each,
        )
        self.latencies, self.listeners = Latencies(), Listeners()
        self.waiting = 0  # steps of streams under way
        self._computing = self._held = False
        self._timer: asyncio.Handle | None = None
        self._at = math.inf
        self._usual = math.inf  # groups in the last batch
        self.errors = 0

    def facts(self) -> dict[str, Any]:
        """Description of the model for clients."""
        return {
            "model": self.name,
            "task": self.task,
            "columns": self.columns.wanted,
            "features": self.columns.width,
            "answer": self.answers.kind,
            "names": list(self.answers.names) if self.answers.kind != "next" else [],
            "streams": len(self.sessions),
            "state_bytes": self.streams.state_bytes,
            **self.columns.facts(),
        }

    def steps(
        self,
        names: Sequence[str],
        x: Numbers,
        numbers: NDArray[np.int64] | None = None,
        client: str | None = None,
    ) -> asyncio.Future[Numbers]:
        """Answers (n, k, C) to steps x (n, k, ...) of streams (n,), each once.

        numbers: see `Sessions.number`. client: who makes those that are new. Raises `Refused` at
        once for what cannot be taken.
        """
        slots = self.sessions.find(names, self.engine.clock(), client=client)
        return self.steps_of(slots, x, numbers)

    def steps_of(
        self, slots: Slots, x: Numbers, numbers: NDArray[np.int64] | None = None
    ) -> asyncio.Future[Numbers]:
        """Answers to steps of streams that are open, by slot; see `steps`."""
        count = x.shape[0] * x.shape[1]
        if self.waiting + count > self.settings.queue:
            self.sessions.figures.refused += 1
            raise Refused(
                "busy", 503,
                f"{self.waiting:,} steps wait and {self.settings.queue:,} is the most: send again "
                "in a second", retry_after=1,
            )  # fmt: skip
        fresh = self.sessions.number(slots, x.shape[1], numbers)
        self.sessions.seen[slots] = self.engine.clock()
        future: asyncio.Future[Numbers] = asyncio.get_running_loop().create_future()
        if fresh.all():
            self._submit(slots, x, numbers is not None, future)
        else:
            _Mixed(self, slots, x, fresh, future)
        return future

    def predict(self, x: Numbers, lengths: NDArray[np.int64] | None) -> Numbers:
        """Answers to whole sequences; from any thread."""
        return self.kind.predict(x, lengths)

    async def settle(self) -> None:
        """Wait until everything that was taken in is answered."""
        while self.waiting:
            await asyncio.sleep(0.001)

    async def finish(self) -> None:
        """Answer everything that was taken in; nothing is under way then until the caller waits."""
        self._held = True  # or there might always be a batch beside the loop
        try:
            while self._computing:
                await asyncio.sleep(0.001)
            while len(self.engine.scheduler):
                self.engine.turn()
        finally:
            self._held = False
            self._wake()

    def _submit(
        self, slots: Slots, x: Numbers, numbered: bool, future: asyncio.Future[Numbers]
    ) -> None:
        try:
            inputs = self.streams.read(slots, x)
        except DataError as error:
            raise Refused("bad_input", 400, str(error)) from None
        reply = Reply() if numbered else None
        steps = inputs.shape[1]
        firsts = self.sessions.accepted[slots] if self.listeners else None
        self.sessions.take_in(slots, steps, reply)
        self.waiting += len(slots) * steps

        def done(group: Group) -> None:
            self.waiting -= len(slots) * steps
            self.sessions.landed(slots)
            if group.error is not None:
                self._fail(slots, group.error, reply, future)
                return
            answers, now = group.answers, self.engine.clock()
            self.latencies.add(now, now - group.arrived)
            if firsts is not None:
                names = [self.sessions.names[slot] for slot in slots.tolist()]
                self.listeners.tell(names, firsts, answers)
            if reply is not None:
                # A part of what was computed for all of a batch would keep all of it.
                reply.answers = answers.copy() if answers.base is not None else answers
                _tell(reply)
            if not future.done():
                future.set_result(answers)

        self.engine.submit(slots, inputs, done)
        self._wake()

    def _fail(
        self,
        slots: Slots,
        error: BaseException,
        reply: Reply | None,
        future: asyncio.Future[Numbers],
    ) -> None:
        """Forget streams that stand nobody knows where, after a defect of ours."""
        self.errors += 1
        for name in [self.sessions.names[slot] for slot in slots.tolist()]:
            if name is not None:
                self.sessions.remove(name)
        if reply is not None:
            reply.error = error
            _tell(reply)
        if not future.done():
            future.set_exception(error)

    def _forget(self, names: list[str], slots: Slots) -> None:
        self.streams.clear(slots)

    # ---- when batches run

    def _wake(self) -> None:
        """See that the next batch runs when it is due."""
        if self._computing or self._held:
            return
        due = self.engine.due()
        if len(self.engine.scheduler) >= self._usual:
            due = -math.inf  # all are here who came the last time: nobody is to be waited for
        if due >= self._at:
            return
        if self._timer is not None:
            self._timer.cancel()
        loop, self._at = asyncio.get_running_loop(), due
        wait = due - self.engine.clock()
        if wait <= 0:
            self._timer = loop.call_soon(self._turn)
        else:
            self._timer = loop.call_later(wait, self._turn)

    def _turn(self) -> None:
        self._timer, self._at = None, math.inf
        if self._held:
            return
        batch = self.engine.take()
        if not batch:
            return
        self._usual = len(batch)
        counts = self.engine.counts
        steps = sum(len(piece.group.slots) * piece.steps for piece in batch)
        if counts.seconds / max(counts.steps, 1) * steps < _LONG:
            self.engine.compute(batch)
            self._landed(batch)
            return
        self._computing = True
        loop = asyncio.get_running_loop()
        beside = loop.run_in_executor(None, self.engine.compute, batch)
        beside.add_done_callback(lambda _: self._landed(batch))

    def _landed(self, batch: list[Piece]) -> None:
        self._computing = False
        self.engine.deliver(batch)
        if len(self.engine.scheduler):
            self._wake()


class _Mixed:
    """Answers of streams of which some take new steps and others are asked again."""

    def __init__(
        self,
        service: Service,
        slots: Slots,
        x: Numbers,
        fresh: NDArray[np.bool_],
        future: asyncio.Future[Numbers],
    ) -> None:
        self._rows: list[Numbers | None] = [None] * len(slots)
        self._lacking, self._future = len(slots), future
        new = np.flatnonzero(fresh)
        if len(new):
            part: asyncio.Future[Numbers] = asyncio.get_running_loop().create_future()
            part.add_done_callback(lambda told: self._new(new, told))
            service._submit(slots[new], x[new], True, part)
        for at in np.flatnonzero(~fresh).tolist():
            reply, row = service.sessions.reply_of(int(slots[at]))
            assert reply is not None
            self._again(reply, at, row)

    def _new(self, places: NDArray[np.int64], told: asyncio.Future[Numbers]) -> None:
        error = told.exception()
        for at, place in enumerate(places.tolist()):
            self._put(place, None if error else told.result()[at], error)

    def _again(self, reply: Reply, at: int, row: int) -> None:
        if reply.answers is None and reply.error is None:
            reply.waiting.append(lambda known: self._again(known, at, row))
        else:
            answers = None if reply.answers is None else reply.answers[row]
            self._put(at, answers, reply.error)

    def _put(self, at: int, answers: Numbers | None, error: BaseException | None) -> None:
        if self._future.done():
            return
        if error is not None:
            self._future.set_exception(error)
            return
        self._rows[at] = answers
        self._lacking -= 1
        if not self._lacking:
            self._future.set_result(np.stack([row for row in self._rows if row is not None]))


def _tell(reply: Reply) -> None:
    waiting, reply.waiting = reply.waiting, []
    for one in waiting:
        one(reply)


def _steps_in(file: Path | None, columns: Columns) -> Numbers | None:
    """Steps of a file of lines. Raises `DataError` for one that cannot be read."""
    if file is None:
        return None
    try:
        return columns.read([json.loads(line) for line in file.read_text().splitlines() if line])
    except (OSError, ValueError, Refused) as error:
        raise DataError(f"the steps to calibrate by, {file}, cannot be read: {error}") from None


def fingerprint(bundle: Bundle, calibration: Numbers | None = None) -> str:
    """Name of what a state belongs to: the weights and facts of a model, and its ranges in eight
    bits."""
    found = hashlib.sha256(b"" if calibration is None else calibration.tobytes())
    found.update(repr(sorted(bundle.facts.items())).encode())
    for name, weight in sorted(bundle.weights.items()):
        found.update(name.encode())
        found.update(weight.tobytes())
    return found.hexdigest()
