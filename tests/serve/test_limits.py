"""Limits of one client: steps a second and streams, over HTTP and WebSocket; clocks that jump."""

import json
import time

import msgpack
import numpy as np
import pytest
from starlette.testclient import TestClient

from carousel.serve.clients import Clients
from carousel.serve.server import prepare
from carousel.serve.service import Settings
from carousel.serve.sessions import Refused

PATH = "/v1/models/frames/streams/a/steps"


@pytest.fixture
def begin(models):
    made = []

    def make(**settings):
        server = prepare({"frames": models["frames"]}, Settings(most=50, **settings), None)
        made.append(TestClient(server.app()))
        made[-1].__enter__()
        return server, made[-1]

    yield make
    for one in made:
        one.__exit__()


def post(client, path=PATH, **body):
    answer = client.post(path, json=body)
    return answer.status_code, answer.json(), answer.headers


def test_a_client_has_its_steps_a_second_and_others_have_theirs():
    now = [5.0]
    clients = Clients(10, lambda: now[0])
    clients.take("a", 25)  # more than a second's: taken, and paid for
    for wait, left in ((1.0, False), (1.61, True)):
        now[0] = 5.0 + wait
        if left:
            clients.take("a", 1)
        else:
            with pytest.raises(Refused, match="10 steps a second") as refused:
                clients.take("a", 1)
            assert refused.value.status == 429
            assert refused.value.facts["retry_after"] == 1
    clients.take("b", 10)
    with pytest.raises(Refused):
        clients.take("b", 1)


def test_who_was_never_too_fast_is_forgotten():
    now = [0.0]
    clients = Clients(10, lambda: now[0])
    for n in range(30_000):
        now[0] += 1
        clients.take(str(n), 1)
    assert len(clients._left) <= 10_001


def test_a_client_that_is_too_fast_is_told_when_to_come_again(begin):
    server, client = begin(rate=4)
    server.clients._clock = lambda: 0.0
    x = np.zeros((4, 2)).tolist()
    assert post(client, steps=x)[0] == 200
    status, answer, headers = post(client, steps=x)
    assert (status, answer["error"]["code"]) == (429, "too_fast")
    assert headers["retry-after"] == "1"
    items = [{"stream": "b", "steps": x}, {"stream": "c", "steps": x, "return_state": True}]
    assert post(client, "/v1/models/frames/steps", items=items)[0] == 429
    assert post(client, "/v1/models/frames/predict", sequences=[x])[0] == 429
    with client.websocket_connect("/v1/models/frames/socket") as socket:
        socket.send_bytes(msgpack.packb({"op": "open", "id": 1, "streams": ["d"]}))
        assert msgpack.unpackb(socket.receive_bytes())["count"] == 1
        frame = {"op": "steps", "id": 2, "handles": b"\0\0\0\0", "values": b"\0" * 8}
        socket.send_bytes(msgpack.packb(frame))
        assert msgpack.unpackb(socket.receive_bytes())["error"]["code"] == "too_fast"
        socket.send_text(json.dumps({"op": "steps", "stream": "d", "steps": x}))
        assert json.loads(socket.receive_text())["error"]["code"] == "too_fast"
    assert server.services["frames"].sessions.accepted.sum() == 4


def test_a_client_has_so_many_streams_until_it_closes_some(begin):
    server, client = begin(each=2)
    for name, status in (("a", 200), ("b", 200), ("c", 429), ("a", 200)):
        told = post(client, PATH.replace("/a/", f"/{name}/"), steps=[[1, 2]])
        assert told[0] == status
    assert client.delete(PATH.removesuffix("/steps")).status_code == 204
    with client.websocket_connect("/v1/models/frames/socket") as socket:
        socket.send_text(json.dumps({"op": "open", "id": 1, "streams": ["c", "d"]}))
        told = json.loads(socket.receive_text())["error"]
        assert told["code"] == "too_many_streams"
        assert "1 streams of this client are open and 2 is the most" in told["message"]
        socket.send_text(json.dumps({"op": "open", "id": 1, "streams": ["c", "b"]}))
        assert json.loads(socket.receive_text())["count"] == 2
    assert len(server.services["frames"].sessions) == 2


def test_a_clock_that_jumps_neither_holds_up_steps_nor_ends_streams(begin, monkeypatch):
    server, client = begin(idle=100.0)
    sessions = server.services["frames"].sessions
    for jump in (86_400, -86_400, 1e9):
        now = time.time() + jump
        monkeypatch.setattr(time, "time", lambda now=now: now)
        assert post(client, steps=[[1, 2]])[0] == 200
        assert sessions.expire(server.services["frames"].engine.clock()) == 0
    assert post(client, steps=[[1, 2]])[1]["steps"] == 4
