"""Faults of a real process under load: killed again and again, a full disk, and noise."""

import http.client
import json
import socket
import urllib.request

import msgpack
import numpy as np
import pytest
from served import chances, steps
from starlette.testclient import TestClient

from carousel import runtime
from carousel.client import Client
from carousel.serve.server import prepare
from carousel.serve.service import Settings
from carousel.serve.store import Kept, NotKept, SQLiteStore


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_killed_fifty_times_every_numbered_stream_is_told_the_whole(serve, models):
    x, draw = np.stack([steps(200, n) for n in range(3)]), np.random.default_rng(11)
    kills = set(draw.choice(np.arange(2, 598), 50, replace=False).tolist())
    server = serve()
    port = server.url.rstrip("/").rpartition(":")[2]
    with Client(server.url, patience=60) as client:
        streams = [client.stream("frames", f"s{n}") for n in range(3)]
        told = [[] for _ in streams]
        for turn in range(600):
            if turn in kills:
                server.kill()
                server = serve("--port", port)
            at, row = divmod(turn, 3)
            told[row] += streams[row].steps(x[row, at : at + 1].tolist())
    for values, found in zip(x, told, strict=True):
        np.testing.assert_array_equal(
            chances(found), runtime.load(models["frames"]).predict(values)
        )
    assert server.end() == 0


def test_a_full_disk_keeps_what_it_has_and_takes_more_when_there_is_room(tmp_path):
    store = SQLiteStore(tmp_path / "s.sqlite")
    store.write("m", "p", [Kept("a", 1, 2.0, b"x" * 100)], [])
    store._base.execute("PRAGMA max_page_count=8")  # SQLite's word for a disk of 32 KB
    many = [Kept(f"s{n}", 1, 2.0, b"x" * 1000) for n in range(100)]
    for _ in range(2):
        with pytest.raises(NotKept, match="full"):
            store.write("m", "p", many, ["a"])
        assert [one.name for one in store.read("m", "p")] == ["a"]
    store._base.execute("PRAGMA max_page_count=1000000")
    store.write("m", "p", many, ["a"])
    assert len([*store.read("m", "p")]) == 100
    store.close()


def damaged(draw, sound):
    """Bytes like those of a request, and wrong somewhere."""
    content = bytearray(sound)
    how = draw.integers(6)
    if how == 0:  # half of it
        del content[draw.integers(len(content)) :]
    elif how == 1:  # noise alone
        content = bytearray(draw.bytes(int(draw.integers(1, 400))))
    elif how == 2:  # a part twice
        at = int(draw.integers(len(content)))
        content[at:at] = content[: draw.integers(len(content))]
    else:  # some bytes changed
        for _ in range(draw.integers(1, 9)):
            content[draw.integers(len(content))] = draw.integers(256)
    return bytes(content)


HEAD = """POST /v1/models/frames/{} HTTP/1.1\r
Host: 127.0.0.1\r
Content-Type: application/json\r
Content-Length: {}\r
Connection: close\r
\r
{}"""
UPGRADE = b"""GET /v1/models/frames/socket HTTP/1.1\r
Host: 127.0.0.1\r
Upgrade: websocket\r
Connection: Upgrade\r
Sec-WebSocket-Version: 13\r
Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r
\r
\x82\x85\x00\x00\x00\x00\x81\xa2op\x01"""


def sounds():
    """Requests that would be served."""
    bodies = {
        "streams/f/steps": {"steps": [[0.5, 1.5]] * 3, "number": 0},
        "steps": {"items": [{"stream": "a", "steps": [[1, 2]]}]},
        "predict": {"sequences": [[[1, 2], [3, 4]]]},
        "streams/g/steps": {"step": [1, 2], "return_state": True},
    }
    found = []
    for path, body in bodies.items():
        text = json.dumps(body)
        found.append(HEAD.format(path, len(text), text).encode())
    return [*found, UPGRADE]


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_ten_thousand_malformed_requests_harm_nobody(serve, models):
    server, draw = serve(), np.random.default_rng(7)
    port, kinds, x = int(server.url.rstrip("/").rpartition(":")[2]), sounds(), steps(100)
    told = []
    with Client(server.url) as client:
        stream = client.stream("frames", "well")
        for turn in range(10_000):
            with socket.create_connection(("127.0.0.1", port), 10) as line:
                line.sendall(damaged(draw, kinds[turn % len(kinds)]))
                if turn % 3:
                    line.shutdown(socket.SHUT_WR)
            if turn % 100 == 0:
                told += stream.steps(x[turn // 100 : turn // 100 + 1].tolist())
    np.testing.assert_array_equal(chances(told), runtime.load(models["frames"]).predict(x))
    with urllib.request.urlopen(f"{server.url}metrics") as answer:
        text = answer.read().decode()
    assert 'status="500"' not in text
    assert 'carousel_failures_total{model="frames"} 0' in text
    line = http.client.HTTPConnection("127.0.0.1", port)
    line.request("GET", "/healthz")
    assert line.getresponse().status == 200
    line.close()
    assert server.end() == 0


def test_a_defect_is_answered_500_in_every_way_and_the_log_has_its_trace(models, caplog):
    server = prepare({"frames": models["frames"]}, Settings(), None)

    def breaks(*given):
        raise ZeroDivisionError("a defect of ours")

    server.services["frames"].streams.step = breaks
    path, one = "/v1/models/frames/streams/{}/steps", {"steps": [[1.0, 2.0]]}
    handles = {"op": "steps", "id": 2, "handles": b"\0" * 4, "values": b"\0" * 8}
    with TestClient(server.app()) as client:
        told = [client.post(path.format(name), params=more, json=one)
                for name, more in (("short", {}), ("long", {"way": "long"}))]  # fmt: skip
        assert [answer.status_code for answer in told] == [500, 500]
        errors = [answer.json()["error"] for answer in told]
        with client.websocket_connect("/v1/models/frames/socket") as socket:
            socket.send_json({"op": "steps", "stream": "plain", **one})
            errors.append(socket.receive_json()["error"])
            socket.send_bytes(msgpack.packb({"op": "open", "id": 1, "streams": ["a"]}))
            socket.receive_bytes()
            socket.send_bytes(msgpack.packb(handles))
            errors.append(msgpack.unpackb(socket.receive_bytes())["error"])
    assert {error["code"] for error in errors} == {"defect"}
    assert all("its log says why" in error["message"] for error in errors)
    assert caplog.text.count("ZeroDivisionError: a defect of ours") == len(errors) == 4
    assert server.requests["stream_steps", 500] == 2
