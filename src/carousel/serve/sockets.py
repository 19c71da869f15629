"""Many streams over one WebSocket: frames of MessagePack, or of JSON (docs/serve.md)."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from carousel.serve.answering import refused
from carousel.serve.columns import bad
from carousel.serve.given import named, standing, steps_in
from carousel.serve.service import Numbers, Service
from carousel.serve.sessions import Refused
from carousel.serve.wire import JSON, PACKED, packed, problem, unpacked
from carousel.terminal import logger

if TYPE_CHECKING:
    from carousel.serve.app import Server

_UNDER_WAY = 64  # frames of a connection; then no more are read until some are answered
_PATIENCE = 10.0  # seconds that a client may take to read an answer
_TYPES: dict[str, np.dtype[Any]] = {name: np.dtype(f"<{name}") for name in ("f4", "f8", "i4", "i8")}


class Socket:
    """An endpoint of ASGI: each connection is a `Connection`."""

    def __init__(self, server: Server) -> None:
        self._server = server

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        socket = WebSocket(scope, receive, send)
        try:
            service = self._server.find(scope["path_params"]["model"])
        except Refused:
            await socket.close(1008)
            return
        await socket.accept()
        await Connection(self._server, service, socket).run()


class Connection:
    """One client: the streams that it has opened, by handle, and answers on their way to it."""

    def __init__(self, server: Server, service: Service, socket: WebSocket) -> None:
        self._server, self._service, self._socket = server, service, socket
        self._client = "" if socket.client is None else socket.client.host
        self._names: list[str] = []
        self._slots = np.zeros(0, np.int64)
        self._generations = np.zeros(0, np.int64)
        self._room = asyncio.Semaphore(_UNDER_WAY)
        self._out: asyncio.Queue[tuple[Any, str]] = asyncio.Queue()
        self._closed = False

    async def run(self) -> None:
        """Read frames and answer them until the client goes, or is cut off."""
        both = [asyncio.create_task(self._read()), asyncio.create_task(self._write())]
        try:
            ended, _ = await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._closed = True
            for task in both:
                task.cancel()
        for task in ended:
            task.result()  # or the defect that ended it

    async def _read(self) -> None:
        with suppress(WebSocketDisconnect, RuntimeError):  # the client is gone
            while True:
                await self._room.acquire()
                message = await self._socket.receive()
                if message["type"] == "websocket.disconnect":
                    break
                await self._take(message)

    async def _write(self) -> None:
        with suppress(WebSocketDisconnect, RuntimeError, OSError):
            while await self._send(*await self._out.get()):
                pass

    async def _send(self, content: Any, kind: str) -> bool:
        """Send an answer. Returns false where the client does not read it."""
        message = packed(content, kind)
        self._room.release()
        try:
            async with asyncio.timeout(_PATIENCE):
                if kind == PACKED:
                    await self._socket.send_bytes(message)
                else:
                    await self._socket.send_text(message.decode())
        except TimeoutError:
            logger.warning("a client that read no answer for %g s is cut off", _PATIENCE)
            async with asyncio.timeout(1):
                await self._socket.close(1013)
            return False
        return True

    async def _take(self, message: Any) -> None:
        """Begin to answer a frame."""
        content = message.get("bytes")
        kind = PACKED if content is not None else JSON
        number = None
        try:
            frame = unpacked(content if content is not None else message["text"], kind)
            if not isinstance(frame, dict):
                raise bad('a frame is an object with "op"')
            number = _id_of(frame)
            self._server.find(self._service.name)
            await self._present(frame)
            self._do(frame, kind, number)
        except Exception as error:
            self._out.put_nowait(({"id": number, **problem(refused(error))}, kind))

    async def _present(self, frame: dict[str, Any]) -> None:
        """Have the streams here that a frame names, where several servers share them."""
        if self._server.shared is None or "handles" in frame:
            return
        names = frame.get("streams") if "streams" in frame else [frame.get("stream")]
        if isinstance(names, list):
            given = [named(name) for name in names]
            await self._server.present(self._service, given, make=frame.get("op") != "close")

    def _do(self, frame: dict[str, Any], kind: str, number: Any) -> None:
        op = frame.get("op")
        if op == "open":
            self._out.put_nowait(({"id": number, **self._open(frame)}, kind))
        elif op == "steps" and "handles" in frame:
            if kind != PACKED:
                raise bad("frames with handles are of MessagePack; name the stream in one of JSON")
            self._steps(frame, number)
        elif op == "steps":
            self._plain(frame, kind, number)
        elif op == "close":
            self._out.put_nowait(({"id": number, **self._close(frame)}, kind))
        else:
            raise bad(f'"op" is "open", "steps" or "close"; got {str(op)[:40]!r}')

    def _open(self, frame: dict[str, Any]) -> dict[str, Any]:
        """Streams by name, to handles from the first one on."""
        names = frame.get("streams")
        if not isinstance(names, list) or not names:
            raise bad('"streams" is a list of names')
        given = [named(name) for name in names]
        if len(set(given)) != len(given):
            raise bad('"streams" has a name twice')
        sessions = self._service.sessions
        slots = sessions.find(given, self._service.engine.clock(), client=self._client)
        first = len(self._names)
        self._names += given
        self._slots = np.concatenate((self._slots, slots))
        self._generations = np.concatenate((self._generations, sessions.generation[slots]))
        return {
            "first": first,
            "count": len(given),
            "steps": sessions.accepted[slots].tolist(),
            "saved": sessions.saved[slots].tolist(),
            "columns": self._service.columns.names,
            "names": list(self._service.answers.names),
        }

    def _steps(self, frame: dict[str, Any], number: Any) -> None:
        handles = _array(frame, "handles", np.dtype("<u4")).astype(np.int64)
        if len(handles) and handles.max() >= len(self._names):
            raise bad(f"handle {handles.max()} was not opened: there are {len(self._names)}")
        slots, sessions = self._slots[handles], self._service.sessions
        if not len(slots) or len(set(slots.tolist())) != len(slots):  # a name may be opened twice
            raise bad('"handles" has each stream once, and one at least')
        same = sessions.generation[slots] == self._generations[handles]
        if not same.all():
            lost = np.flatnonzero(~same)
            name = self._names[handles[lost[0]]]
            raise Refused(
                "forgotten", 410, f"stream {name!r} was closed, or was idle for too long: open it "
                "again", stream=name, handles=handles[lost].tolist(),
            )  # fmt: skip
        x = self._values(frame, len(handles))
        numbers = None
        if frame.get("numbers") is not None:
            numbers = _array(frame, "numbers", np.dtype("<i8"))
            if len(numbers) != len(handles):
                raise bad('"numbers" has one for each of the handles')
        self._server.allow(self._client, x.shape[0] * x.shape[1])
        future = self._service.steps_of(slots, x, numbers)
        future.add_done_callback(lambda told: self._answer(told, number, slots))

    def _values(self, frame: dict[str, Any], rows: int) -> Numbers:
        steps, columns = frame.get("steps", 1), self._service.columns
        if type(steps) is not int or steps < 1:
            raise bad('"steps" is how many steps each stream has, 1 or more')
        kind = _TYPES.get(str(frame.get("type", "f4")))
        if kind is None or (columns.words is None) != (kind.kind == "f"):
            raise bad('"type" is f4 or f8 of numbers, i4 or i8 of tokens')
        x = _array(frame, "values", kind)
        if x.size != rows * steps * columns.width:
            raise bad(
                f'"values" has {rows} streams x {steps} steps x {columns.width} numbers, that is '
                f"{rows * steps * columns.width}; got {x.size}"
            )
        if columns.words is not None:
            return x.reshape(rows, steps) if columns.width == 1 else x.reshape(rows, steps, -1)
        return columns.checked(x.reshape(rows, steps, columns.width))

    def _answer(self, told: asyncio.Future[Numbers], number: Any, slots: Any) -> None:
        if self._closed:
            return
        if (error := told.exception()) is not None:
            self._out.put_nowait(({"id": number, **_failed(error)}, PACKED))
            return
        answers = told.result()
        kind = "f4" if answers.dtype == np.float32 else "f8"
        content = np.ascontiguousarray(answers, _TYPES[kind]).tobytes()
        saved = int(self._service.sessions.saved[slots].min())
        found = {"id": number, "answers": content, "type": kind, "shape": list(answers.shape),
                 "saved": saved}  # fmt: skip
        self._out.put_nowait((found, PACKED))

    def _plain(self, frame: dict[str, Any], kind: str, number: Any) -> None:
        service, name = self._service, named(frame.get("stream"))
        steps, first = steps_in(frame)
        if "state" in frame or "return_state" in frame:
            raise bad("states are carried over HTTP: here, the server keeps them")
        x = service.columns.read(steps, name)
        numbers = None if first is None else np.array([first], np.int64)
        self._server.allow(self._client, len(x))
        future = service.steps([name], x[None], numbers, self._client)

        def answer(told: asyncio.Future[Numbers]) -> None:
            if self._closed:
                return
            if (error := told.exception()) is not None:
                found = _failed(error)
            else:
                found = {"stream": name, "answers": service.answers.told(told.result()[0]),
                         **standing(service, name)}  # fmt: skip
            self._out.put_nowait(({"id": number, **found}, kind))

        future.add_done_callback(answer)

    def _close(self, frame: dict[str, Any]) -> dict[str, Any]:
        names = frame.get("streams")
        if not isinstance(names, list):
            raise bad('"streams" is a list of names')
        given = [named(name) for name in names]  # none of those that the server makes for itself
        return {"closed": sum(self._service.sessions.remove(name) for name in given)}


def _failed(error: BaseException) -> dict[str, Any]:
    """Answer to steps that failed, by a defect of ours; the log has the trace."""
    logger.error("a frame failed", exc_info=error)
    why = "the server failed, and forgot the streams of this frame: its log says why"
    return problem(Refused("defect", 500, why))


def _id_of(frame: dict[str, Any]) -> Any:
    """The id that an answer to a frame carries. Raises `Refused` for what cannot be said again."""
    number = frame.get("id")
    if not isinstance(number, int | float | str | bytes | None):
        raise bad('"id" is a number or a text')
    return number


def _array(frame: dict[str, Any], key: str, kind: np.dtype[Any]) -> Numbers:
    content = frame.get(key)
    if not isinstance(content, bytes) or len(content) % kind.itemsize:
        raise bad(f'"{key}" is binary, numbers of {kind.itemsize} bytes, little end first')
    return np.frombuffer(content, kind)
