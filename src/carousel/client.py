"""Client of `carousel serve`: streams over HTTP, or many at once over a WebSocket."""

from __future__ import annotations

import http.client
import json
import time
from collections import deque
from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import parse_qs, quote, urlsplit

from carousel.errors import CarouselError, require_extra

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


class ServerRefused(CarouselError):  # noqa: N818  # it names what happened
    """A refusal of the server: its message, its `code`, and `facts` that came with it."""

    def __init__(self, code: str, message: str, **facts: Any) -> None:
        super().__init__(message)
        self.code, self.facts = code, facts


class Client:
    """A server by its address, as `carousel serve` printed it, with its token.

    patience: seconds in which a server that does not answer is tried again.

    >>> client = Client("http://127.0.0.1:8866")                      # doctest: +SKIP
    >>> stream = client.stream("pumps", "pump-17")                    # doctest: +SKIP
    >>> stream.step({"flow": 1.5, "pressure": 2.0})["class"]          # doctest: +SKIP
    'normal'
    """

    def __init__(self, url: str, token: str | None = None, patience: float = 30.0) -> None:
        parts = urlsplit(url)
        self.host, self.tls, self.patience = parts.netloc, parts.scheme == "https", patience
        self.token = token or next(iter(parse_qs(parts.query).get("token", [])), None)
        self._line: http.client.HTTPConnection | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def models(self) -> list[dict[str, Any]]:
        """Models of the server, with their columns and the names in their answers."""
        found: list[dict[str, Any]] = self.ask("GET", "/v1/models")["models"]
        return found

    def stream(self, model: str, name: str) -> RemoteStream:
        """A stream that goes on where the server has it, or begins."""
        return RemoteStream(self, model, name)

    def predict(self, model: str, sequences: Sequence[Any]) -> Any:
        """Answers to whole sequences, each a list of steps."""
        path = f"/v1/models/{quote(model, safe='')}/predict"
        return self.ask("POST", path, {"sequences": list(sequences)})["answers"]

    def socket(self, model: str) -> RemoteSocket:
        """A connection for many streams, to be used as a context."""
        return RemoteSocket(self, model)

    def ask(self, method: str, path: str, content: Any = None) -> Any:
        """Answer of the server. Raises `ServerRefused`, and OSError for a server that is not
        there, after `patience`."""
        end, wait = time.monotonic() + self.patience, 0.05
        while True:
            try:
                status, told = self._once(method, path, content)
            except (OSError, http.client.HTTPException):
                self.close()
                if time.monotonic() + wait > end:
                    raise
            else:
                if status < 400:
                    return told
                problem = told.get("error", {})
                again = problem.get("code") in ("draining", "busy", "no_store", "too_fast")
                if not again or time.monotonic() + wait > end:
                    facts = {k: v for k, v in problem.items() if k not in ("code", "message")}
                    raise ServerRefused(problem.get("code", str(status)),
                                        problem.get("message", str(told)), **facts)  # fmt: skip
            time.sleep(wait)
            wait = min(1.0, 2 * wait)

    def close(self) -> None:
        """Close the connection; the next request opens one."""
        if self._line is not None:
            self._line.close()
            self._line = None

    @property
    def headers(self) -> dict[str, str]:
        """Headers of every request."""
        return {"Authorization": f"Bearer {self.token}"} if self.token else {}

    def _once(self, method: str, path: str, content: Any) -> tuple[int, Any]:
        if self._line is None:
            kind = http.client.HTTPSConnection if self.tls else http.client.HTTPConnection
            self._line = kind(self.host, timeout=30)
        body = None if content is None else json.dumps(content)
        headers = {"Content-Type": "application/json", **self.headers}
        self._line.request(method, path, body, headers)
        answer = self._line.getresponse()
        read = answer.read()
        if not read:
            return answer.status, {}
        if "json" not in (answer.getheader("content-type") or ""):
            return answer.status, {"error": {"message": read.decode(errors="replace").strip()}}
        return answer.status, json.loads(read)


class RemoteStream:
    """One stream of a server; every step has its number, so that none is taken twice or lost.

    Steps that the server has not kept yet are remembered (at most 1,000 requests), and sent again
    when it comes back from its last snapshot. Where it keeps nothing, a restart begins the stream
    anew from what is remembered, or raises `ServerRefused` where that is not all.
    """

    _MOST = 1000

    def __init__(self, client: Client, model: str, name: str) -> None:
        self._client = client
        self._path = f"/v1/models/{quote(model, safe='')}/streams/{quote(name, safe='')}"
        self._sent: deque[tuple[int, list[Any]]] = deque(maxlen=self._MOST)
        try:
            self.taken = int(client.ask("GET", self._path)["steps"])
        except ServerRefused as error:
            if error.code != "no_stream":
                raise
            self.taken = 0

    def step(self, step: Any) -> dict[str, Any]:
        """The answer after one more step: numbers by column, or in their order."""
        return self.steps([step])[0]

    def steps(self, steps: Sequence[Any]) -> list[dict[str, Any]]:
        """Answers after each of these steps.

        Raises `ServerRefused` for steps that were not taken, and OSError where no answer came:
        those steps are remembered and go before the next ones, so they are not to be given again.
        """
        self._sent.append((self.taken, list(steps)))
        self.taken += len(steps)
        try:
            told = self._deliver()
        except ServerRefused:
            self._sent.pop()
            self.taken -= len(steps)
            raise
        while self._sent and self._sent[0][0] + len(self._sent[0][1]) <= told["saved"]:
            self._sent.popleft()
        answers: list[dict[str, Any]] = told["answers"]
        return answers

    def close(self) -> None:
        """Let the server forget the stream."""
        self._client.ask("DELETE", self._path)

    def _deliver(self) -> Any:
        """The answer to the last request, after those that the server has lost."""
        first = len(self._sent) - 1
        while True:
            for number, steps in list(self._sent)[first:]:
                try:
                    told = self._client.ask(
                        "POST", f"{self._path}/steps", {"number": number, "steps": steps}
                    )
                except ServerRefused as error:
                    numbers = [number for number, _ in self._sent]
                    expected = error.facts.get("expected")
                    if error.code != "gap" or expected not in numbers or expected >= number:
                        raise
                    first = numbers.index(expected)
                    break
            else:
                return told


class RemoteSocket:
    """Many streams over one connection, in arrays: steps of any of them in a frame.

    Needs the extra: pip install 'carousel-rnn[serve]'.

    >>> with client.socket("pumps") as socket:                              # doctest: +SKIP
    ...     handles = socket.open([f"pump-{n}" for n in range(1000)])
    ...     answers = socket.steps(handles, values)  # (1000, F), to (1000, 1, C)
    """

    def __init__(self, client: Client, model: str) -> None:
        require_extra("a socket of the client", "serve", "websockets", "msgpack")
        from websockets.sync.client import connect

        scheme = "wss" if client.tls else "ws"
        address = f"{scheme}://{client.host}/v1/models/{quote(model, safe='')}/socket"
        self._line = connect(
            address, additional_headers=client.headers, compression=None, max_size=None, proxy=None
        ).__enter__()
        self._number = 0
        self._waiting: dict[int, dict[str, Any]] = {}  # answers nobody asked for yet
        self.names: list[str] = []
        self.taken: list[int] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def open(self, streams: Sequence[str]) -> NDArray[Any]:
        """Handles of streams, which are made where they are new. `taken` has how many steps the
        server has of each handle."""
        import numpy as np

        told = self._ask({"op": "open", "streams": list(streams)})
        self.names = told["names"]
        self.taken += told["steps"]
        return np.arange(told["first"], told["first"] + told["count"])

    def steps(
        self, handles: ArrayLike, values: ArrayLike, numbers: ArrayLike | None = None
    ) -> NDArray[Any]:
        """Answers (n, k, C) to steps (n, k, F), or (n, F) of one each. numbers (n,): of each first
        step, from 0; with them, steps that are sent again are not taken twice."""
        return self.receive(self.send(handles, values, numbers))

    def send(self, handles: ArrayLike, values: ArrayLike, numbers: ArrayLike | None = None) -> int:
        """Send steps without waiting; `receive` waits for their answers, in any order."""
        import numpy as np

        x = np.asarray(values)
        whole = x.dtype.kind in "iu"
        kind = ("i8" if whole else "f8") if x.dtype.itemsize == 8 else ("i4" if whole else "f4")
        frame = {
            "op": "steps",
            "handles": np.asarray(handles).astype("<u4").tobytes(),
            "values": np.ascontiguousarray(x, f"<{kind}").tobytes(),
            "type": kind,
            "steps": x.shape[1] if x.ndim > 2 else 1,
        }
        if numbers is not None:
            frame["numbers"] = np.asarray(numbers).astype("<i8").tobytes()
        return self._send(frame)

    def receive(self, number: int | None = None) -> NDArray[Any]:
        """Answers to the frame that `send` numbered so, or to the next one that is answered."""
        import numpy as np

        told = self._receive(number)
        return np.frombuffer(told["answers"], f"<{told['type']}").reshape(told["shape"])

    def close(self) -> None:
        """Close the connection; the server keeps the streams."""
        self._line.close()

    def _ask(self, frame: dict[str, Any]) -> dict[str, Any]:
        return self._receive(self._send(frame))

    def _send(self, frame: dict[str, Any]) -> int:
        import msgpack

        self._number += 1
        self._line.send(msgpack.packb({**frame, "id": self._number}))
        return self._number

    def _receive(self, number: int | None) -> dict[str, Any]:
        import msgpack

        waiting = self._waiting
        if number is None and waiting:
            number = next(iter(waiting))
        while number not in waiting:
            told: dict[str, Any] = msgpack.unpackb(self._line.recv())
            waiting[told["id"]] = told
            if number is None:
                number = told["id"]
        told = waiting.pop(number)
        if "error" in told:
            problem = dict(told["error"])
            raise ServerRefused(problem.pop("code"), problem.pop("message"), **problem)
        return told
