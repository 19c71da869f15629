"""Served is predicted: over HTTP and WebSocket, in every form of body; what is wrong is named."""

import asyncio
import json
import re

import msgpack
import numpy as np
import pytest
from starlette.testclient import TestClient

from carousel import runtime
from carousel.client import RemoteStream, ServerRefused
from carousel.errors import ConfigError, DataError
from carousel.serve.app import Server
from carousel.serve.scheduler import Limits
from carousel.serve.server import prepare
from carousel.serve.service import Settings

URL = "/v1/models/frames"


@pytest.fixture
def server(models):
    settings = Settings(limits=Limits(rows=8, steps=3), most=20, body=20_000)
    return prepare(models, settings, None)


@pytest.fixture
def client(server):
    with TestClient(server.app()) as client:
        yield client


@pytest.fixture(scope="session")
def frames(models):
    return runtime.load(models["frames"])


def steps(count, seed=0, features=2):
    return np.random.default_rng(seed).standard_normal((count, features))


def chances(answers):
    return [[*answer["probabilities"].values()] for answer in answers]


def told(client, method, path, **given):
    answer = client.request(method, path, **given)
    return answer.status_code, answer.json() if answer.content else None


def test_steps_in_pieces_are_told_what_the_whole_is(client, frames):
    x, found = steps(17), []
    for first, last in ((0, 1), (1, 9), (9, 17)):
        given = {"steps": x[first:last].tolist(), "number": first}
        status, answer = told(client, "POST", f"{URL}/streams/a%2Fb ü/steps", json=given)
        assert (status, answer["steps"], answer["saved"]) == (200, last, 0)
        found += answer["answers"]
    whole = frames.predict(x)
    np.testing.assert_array_equal(np.float32(chances(found)), whole)
    assert [one["class"] for one in found] == [frames.names[i] for i in whole.argmax(1)]
    status, answer = told(client, "POST", f"{URL}/predict",
                          json={"sequences": [x.tolist(), x[:4].tolist()]})  # fmt: skip
    assert answer["answers"][0] == found
    assert [len(row) for row in answer["answers"]] == [17, 4]
    assert told(client, "GET", f"{URL}/streams/a%2Fb ü")[1]["steps"] == 17


def test_lines_and_messagepack_say_what_json_says(client):
    x = steps(4)
    _, plain = told(client, "POST", f"{URL}/streams/a/steps", json={"steps": x.tolist()})
    lines = "".join(json.dumps({"x1": a, "x2": b}) + "\n" for a, b in x.tolist())
    answer = client.post(f"{URL}/streams/b/steps?number=0", content=lines,
                         headers={"content-type": "application/x-ndjson"})  # fmt: skip
    assert [json.loads(line) for line in answer.text.splitlines()] == plain["answers"]
    answer = client.post(f"{URL}/streams/c/steps", content=msgpack.packb({"steps": x.tolist()}),
                         headers={"content-type": "application/msgpack"})  # fmt: skip
    assert msgpack.unpackb(answer.content)["answers"] == plain["answers"]


def test_many_streams_in_one_request_are_each_told_their_own(client, frames):
    items = [
        {"stream": f"s{n}", "steps": steps(1 + n % 3, n).tolist(), "number": 0} for n in range(9)
    ]
    items[4]["number"] = 7
    status, answer = told(client, "POST", f"{URL}/steps", json={"items": items})
    assert status == 200
    for n, item in enumerate(answer["items"]):
        assert item["stream"] == f"s{n}"
        if n == 4:
            assert item["error"]["code"] == "gap"
            assert item["error"]["expected"] == 0
        else:
            whole = frames.predict(steps(1 + n % 3, n))
            np.testing.assert_array_equal(np.float32(chances(item["answers"])), whole)


def test_a_repeated_step_is_answered_again_and_not_taken_twice(client, frames):
    x = steps(6).tolist()
    path = f"{URL}/streams/a/steps"
    first = told(client, "POST", path, json={"steps": x[:2], "number": 0})[1]
    assert told(client, "POST", path, json={"steps": x[:2], "number": 0})[1] == first
    status, answer = told(client, "POST", path, json={"steps": x[4:], "number": 4})
    assert (status, answer["error"]["code"], answer["error"]["expected"]) == (409, "gap", 2)
    last = told(client, "POST", path, json={"steps": x[2:], "number": 2})[1]
    found = first["answers"] + last["answers"]
    np.testing.assert_array_equal(np.float32(chances(found)), frames.predict(x))


def test_answers_have_the_form_of_their_task(client, models):
    x = steps(5)
    given = [{"flow": a, "city": b} for a, b in x.tolist()]
    _, answer = told(client, "POST", "/v1/models/changes/streams/a/steps", json={"steps": given})
    model = runtime.load(models["changes"])
    for step, one in zip(x, answer["answers"], strict=True):
        np.testing.assert_array_equal(np.float32(chances([one])), model.step(step[None]))
    _, answer = told(client, "POST", "/v1/models/numbers/streams/a/steps", json={"step": [1, 2]})
    assert answer["answers"] == [
        {"number": runtime.load(models["numbers"]).predict([[1, 2]])[0, 0]}
    ]
    words = {"steps": ["dogs", "chase"]}
    _, answer = told(client, "POST", "/v1/models/words/streams/a/steps", json=words)
    model = runtime.load(models["words"])
    wanted = model.predict([model.names.index(word) for word in words["steps"]])
    assert [one["next"] for one in answer["answers"]] == [model.names[i] for i in wanted.argmax(1)]
    _, known = told(client, "GET", "/v1/models")
    assert {one["model"]: one["answer"] for one in known["models"]} == {
        "frames": "class", "changes": "class", "words": "next", "numbers": "numbers",
    }  # fmt: skip


REFUSED = [
    ("POST", "/v1/models/none/streams/a/steps", {"json": {}}, 404, "there is no model 'none'"),
    ("POST", f"{URL}/streams/a/steps", {"json": {"rows": 1}}, 400, "steps come as"),
    ("POST", f"{URL}/streams/a/steps", {"json": {"steps": [[1]]}}, 400, "expected 2"),
    ("POST", f"{URL}/streams/a/steps", {"json": {"steps": [{"x1": 1}]}}, 400, "'x2' is missing"),
    ("POST", f"{URL}/streams/a/steps", {"content": b'{"steps": [[1, NaN]]}'}, 400, "'x2'.* nan"),
    ("POST", f"{URL}/streams/a/steps", {"content": b'{"steps": [[1, 1e30]]}'}, 400, "so far off"),
    ("POST", f"{URL}/streams/a/steps", {"content": b"{"}, 400, "the body is no json"),
    ("POST", f"{URL}/streams/a/steps", {"content": b"[" * 10_000}, 400, "no json|list of at least"),
    ("POST", f"{URL}/streams/a/steps", {"content": b" " * 30_000}, 413, "at most 20,000 bytes"),
    ("POST", f"{URL}/streams/a/steps", {"json": {"steps": [[1, 2]], "number": -1}}, 400, "number"),
    ("POST", f"{URL}/streams/a%09b/steps", {"json": {"steps": [[1, 2]]}}, 400, "name of a stream"),
    ("POST", f"{URL}/streams/{'a' * 201}/steps", {"json": {"steps": [[1, 2]]}}, 400, "1 to 200"),
    ("POST", f"{URL}/steps", {"json": {"items": [1]}}, 400, "item 0: steps come as"),
    ("POST", f"{URL}/steps", {"json": {"items": []}}, 400, "the body is"),
    ("POST", f"{URL}/predict", {"json": {"sequences": 1}}, 400, "the body is"),
    ("GET", f"{URL}/streams/none", {}, 404, "no stream 'none'"),
    ("DELETE", f"{URL}/streams/none", {}, 404, "no stream 'none'"),
    ("GET", "/v2", {}, 404, "no such address"),
    ("GET", f"{URL}/predict", {}, 405, "no such method"),
]


@pytest.mark.parametrize(("method", "path", "given", "status", "message"), REFUSED)
def test_what_is_wrong_is_named(client, method, path, given, status, message):
    got, answer = told(client, method, path, **given)
    assert got == status, answer
    assert re.search(message, answer["error"]["message"]), answer
    assert len(answer["error"]["message"]) < 600


def test_a_body_of_another_kind_is_refused(client):
    answer = client.post(f"{URL}/streams/a/steps", content=b"x",
                         headers={"content-type": "text/xml"})  # fmt: skip
    assert answer.status_code == 415
    assert "application/msgpack" in answer.json()["error"]["message"]


def test_too_many_streams_are_refused_with_a_time_to_come_again(client):
    for n in range(20):
        assert told(client, "POST", f"{URL}/streams/{n}/steps", json={"step": [1, 2]})[0] == 200
    answer = client.post(f"{URL}/streams/20/steps", json={"step": [1, 2]})
    assert answer.status_code == 429
    assert 1 <= int(answer.headers["retry-after"]) <= 60
    assert told(client, "DELETE", f"{URL}/streams/7")[0] == 204
    assert told(client, "POST", f"{URL}/streams/20/steps", json={"step": [1, 2]})[0] == 200


def test_figures_are_named_and_counted(client):
    told(client, "POST", f"{URL}/streams/a/steps", json={"steps": steps(5).tolist()})
    text = client.get("/metrics").text
    values = {line.rpartition(" ")[0]: line.rpartition(" ")[2] for line in text.splitlines()
              if not line.startswith("#")}  # fmt: skip
    assert all(name.startswith("carousel_") for name in values)
    assert values['carousel_steps_total{model="frames"}'] == "5"
    assert values['carousel_streams{model="frames"}'] == "1"
    assert values['carousel_batch_streams_bucket{model="frames",le="+Inf"}'] == "2"
    assert client.get("/healthz").text == "ok\n"


def test_while_it_drains_nothing_more_is_taken(client, server):
    assert client.get("/readyz").status_code == 200
    server.draining = True
    assert client.get("/readyz").status_code == 503
    answer = client.post(f"{URL}/streams/a/steps", json={"step": [1, 2]})
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "draining")


def ask(socket, **frame):
    socket.send_bytes(msgpack.packb(frame))
    return msgpack.unpackb(socket.receive_bytes())


def sent(which, x, **more):
    return {
        "op": "steps", "handles": np.array(which, "<u4").tobytes(),
        "values": np.ascontiguousarray(x, "<f8").tobytes(), "type": "f8", "steps": x.shape[1],
    } | more  # fmt: skip


def test_many_streams_over_a_socket_are_told_the_bits_of_the_whole(client, frames):
    x = np.stack([steps(12, n) for n in range(7)])
    with client.websocket_connect(f"{URL}/socket") as socket:
        opened = ask(socket, op="open", id=1, streams=[f"s{n}" for n in range(7)])
        assert (opened["first"], opened["count"], opened["steps"]) == (0, 7, [0] * 7)
        found, order = [], [3, 1, 6, 0, 2, 5, 4]
        for first, last in ((0, 2), (2, 9), (9, 12)):
            frame = sent(order, x[order, first:last], id=9, numbers=np.full(7, first).tobytes())
            told = ask(socket, **frame)
            assert told["id"] == 9
            found.append(np.frombuffer(told["answers"], told["type"]).reshape(told["shape"]))
            again = ask(socket, **frame)
            assert again["answers"] == told["answers"]
        np.testing.assert_array_equal(np.concatenate(found, 1), frames.predict(x)[order])
        told = ask(socket, op="steps", id="j", stream="s3", steps=x[3, :1].tolist(), number=12)
        assert told["steps"] == 13
        assert ask(socket, op="close", streams=["s0", "none"])["closed"] == 1
        lost = ask(socket, **sent([1, 0], x[:2, :1]))
        assert lost["error"]["code"] == "forgotten"
        assert lost["error"]["handles"] == [0]


BAD_FRAMES = [
    ({"op": "fly"}, '"op" is "open"'),
    ({"op": "open", "streams": []}, "list of names"),
    ({"op": "open", "streams": ["a", "a"]}, "a name twice"),
    ({"op": "open", "streams": [3]}, "name of a stream"),
    (sent([9], np.zeros((1, 1, 2))), "handle 9 was not opened"),
    (sent([0, 0], np.zeros((2, 1, 2))), "each stream once"),
    (sent([0], np.zeros((1, 1, 3))), "that is 2; got 3"),
    (sent([0], np.zeros((1, 1, 2)), handles=b"123"), "binary"),
    (sent([0], np.zeros((1, 1, 2)), type="i4"), '"type" is f4 or f8'),
    (sent([0], np.zeros((1, 1, 2)), steps=0), '"steps" is how many'),
    (sent([0], np.full((1, 1, 2), np.nan)), "column 'x1' of step 0 is nan"),
    (sent([0], np.zeros((1, 1, 2)), numbers=b"12345678" * 2), "one for each"),
    ({"op": "steps", "stream": "a", "steps": [[1]]}, "expected 2"),
    ([1, 2], "a frame is an object"),
    ({"op": "close", "streams": ["\0" + "7"]}, "name of a stream"),  # of those the server makes
    ({"op": "steps", "id": [[]]}, '"id" is a number or a text'),
]


def test_wrong_frames_are_answered_and_the_connection_goes_on(client):
    with client.websocket_connect(f"{URL}/socket") as socket:
        ask(socket, op="open", streams=["a"])
        for frame, message in BAD_FRAMES:
            socket.send_bytes(msgpack.packb(frame))
            told = msgpack.unpackb(socket.receive_bytes())
            assert message in told["error"]["message"], (frame, told)
        nested = b"\x82\xa2op\xa1x\xa2id" + b"\x91" * 700 + b"\x01"  # too deep to be said again
        socket.send_bytes(nested)
        assert '"id" is' in msgpack.unpackb(socket.receive_bytes())["error"]["message"]
        for damaged in (b"\xc1\xff", b"\x81\x90\x01"):  # the second is {[]: 1}
            socket.send_bytes(damaged)
            assert "no msgpack" in msgpack.unpackb(socket.receive_bytes())["error"]["message"]
        socket.send_text('{"op": "steps", "id": 5, "stream": "a", "steps": [[1, 2]]}')
        told = json.loads(socket.receive_text())
        assert (told["id"], told["steps"]) == (5, 1)


def test_a_key_that_is_a_list_is_no_messagepack(client):
    for path in (f"{URL}/streams/a/steps", f"{URL}/steps", f"{URL}/predict"):
        kind = {"content-type": "application/msgpack"}
        answer = client.post(path, content=b"\x81\x90\x01", headers=kind)
        assert answer.status_code == 400
        assert msgpack.unpackb(answer.content)["error"]["code"] == "damaged"


def test_noise_never_ends_the_server(client):
    draw = np.random.default_rng(7)
    for _ in range(300):
        content = draw.integers(0, 256, int(draw.integers(0, 60)), dtype=np.uint8).tobytes()
        kind = ["application/json", "application/msgpack", "application/x-ndjson"][draw.integers(3)]
        answer = client.post(f"{URL}/streams/a/steps", content=content,
                             headers={"content-type": kind})  # fmt: skip
        assert 400 <= answer.status_code < 500, (content, answer.text)
    assert told(client, "POST", f"{URL}/streams/a/steps", json={"step": [1, 2]})[1]["steps"] == 1


def test_in_eight_bits_answers_are_close_and_what_is_out_of_range_is_counted(
    models, frames, tmp_path
):
    (tmp_path / "steps.ndjson").write_text("".join(f"{json.dumps(x)}\n" for x in steps(9).tolist()))
    settings = Settings(calibration=tmp_path / "steps.ndjson")
    server = prepare({"frames": models["frames"]}, settings, None)
    x = steps(9)
    with TestClient(server.app()) as client:
        _, answer = told(client, "POST", f"{URL}/streams/a/steps", json={"steps": x.tolist()})
        found = np.float32(chances(answer["answers"]))
        assert 0 < np.abs(found - frames.predict(x)).max() < 0.05
        told(client, "POST", f"{URL}/streams/a/steps", json={"step": [900, 0]})
        assert 'carousel_saturated_total{model="frames"} 1' in client.get("/metrics").text
    with pytest.raises(ConfigError, match="serve one alone"):
        prepare(models, settings, None)
    (tmp_path / "steps.ndjson").write_text("[1]")
    with pytest.raises(DataError, match=r"steps\.ndjson, cannot be read: step 0 has 1 numbers"):
        prepare({"frames": models["frames"]}, settings, None)


def test_random_company_gives_every_stream_its_own_answers(server, frames):
    """Many callers at once, on one event loop, with blocks of any length."""
    service = server.services["frames"]
    x = np.stack([steps(15, n) for n in range(12)])
    found = [[] for _ in range(12)]

    async def one(row, seed):
        draw, at = np.random.default_rng(seed), 0
        while at < 15:
            size = int(draw.integers(1, 6))
            part = x[row : row + 1, at : at + size]
            found[row].append((await service.steps([f"s{row}"], part))[0])
            at += size
            if draw.random() < 0.3:
                await asyncio.sleep(0)

    async def everyone():
        await asyncio.gather(*(one(row, row) for row in range(12)))

    asyncio.run(everyone())
    np.testing.assert_array_equal([np.concatenate(parts) for parts in found], frames.predict(x))
    assert service.engine.counts.steps == 180
    assert isinstance(server, Server)


def test_who_reads_no_answer_is_cut_off(server, monkeypatch, caplog):
    """And the connection ends, with whatever it was waiting for."""
    from carousel.serve import sockets

    class Stuck:
        client = None

        frames = [msgpack.packb({"op": "open", "streams": ["a"]})] * 100
        closed = None

        async def receive(self):
            if self.frames:
                return {"type": "websocket.receive", "bytes": self.frames.pop()}
            return await asyncio.Event().wait()

        async def send_bytes(self, content):
            await asyncio.Event().wait()

        async def close(self, code):
            self.closed = code

    monkeypatch.setattr(sockets, "_PATIENCE", 0.01)
    socket = Stuck()
    asyncio.run(sockets.Connection(server, server.services["frames"], socket).run())
    assert socket.closed == 1013
    assert len(socket.frames) >= 100 - 2 * 64
    assert "read no answer" in caplog.text
    few = Stuck()
    few.frames = few.frames[:3]  # there is room for more, and it waits for none
    asyncio.run(sockets.Connection(server, server.services["frames"], few).run())
    assert few.closed == 1013


def test_a_stream_that_is_opened_twice_is_stepped_once_in_a_frame(client, frames):
    with client.websocket_connect(f"{URL}/socket") as socket:
        ask(socket, op="open", streams=["a"])
        ask(socket, op="open", streams=["a", "b"])
        x = np.stack([steps(3, n) for n in range(2)])
        told = ask(socket, **sent([0, 1], x))
        assert "each stream once" in told["error"]["message"]
        told = ask(socket, **sent([1, 2], x))
        found = np.frombuffer(told["answers"], told["type"]).reshape(told["shape"])
        np.testing.assert_array_equal(found, frames.predict(x))


def test_a_part_of_the_last_steps_is_not_taken_for_them(client):
    """Its answers would be those of others."""
    x = steps(3).tolist()
    path = f"{URL}/streams/a/steps"
    assert told(client, "POST", path, json={"steps": x, "number": 0})[0] == 200
    code, found = told(client, "POST", path, json={"steps": x[2:], "number": 2})
    assert (code, found["error"]["code"]) == (409, "already_taken")
    items = [{"stream": "a", "steps": x[2:], "number": 2},
             {"stream": "b", "steps": x[2:], "number": 0}]  # fmt: skip
    code, found = told(client, "POST", f"{URL}/steps", json={"items": items})
    assert code == 200
    assert found["items"][0]["error"]["code"] == "already_taken"
    assert len(found["items"][1]["answers"]) == 1


def test_sequences_that_would_fill_the_memory_are_refused(models):
    server = prepare(models, Settings(queue=1000), None)
    with TestClient(server.app()) as client:
        given = {"sequences": [steps(400).tolist(), *[[[1.0, 2.0]]] * 2]}
        code, found = told(client, "POST", f"{URL}/predict", json=given)
        assert (code, found["error"]["code"]) == (413, "too_long")
        assert told(client, "POST", f"{URL}/predict", json={"sequences": [[[1, 2]]]})[0] == 200


def test_figures_have_all_their_digits_and_count_open_streams_alone(client, server):
    service = server.services["frames"]
    service.engine.counts.steps = 123_456_789
    told(client, "POST", f"{URL}/streams/a/steps", json={"steps": steps(5).tolist()})
    told(client, "DELETE", f"{URL}/streams/a")
    text = client.get("/metrics").text
    assert 'carousel_steps_total{model="frames"} 123456794' in text
    assert 'carousel_steps_unsaved{model="frames"} 0' in text


def test_errors_have_the_form_of_their_request(client):
    answer = client.post(
        f"{URL}/streams/a/steps", content=msgpack.packb({"steps": [[1]]}),
        headers={"content-type": "application/msgpack"},
    )  # fmt: skip
    assert msgpack.unpackb(answer.content)["error"]["code"] == "bad_input"
    lines = {"content-type": "application/jsonl"}
    answer = client.post(f"{URL}/streams/a/steps", content=b"[1]\n", headers=lines)
    assert answer.status_code == 400
    assert answer.headers["content-type"].startswith("application/x-ndjson")


def test_steps_whose_answer_is_lost_go_before_the_next_and_are_taken_once(client, frames):
    """On the way there, and on the way back."""
    x = steps(4)

    class Line:
        broken = None

        def ask(self, method, path, content=None):
            if self.broken == "before":
                raise ConnectionResetError
            code, found = told(client, method, path, json=content)
            if self.broken == "after":
                raise ConnectionResetError
            if code >= 400:
                error = found["error"]
                raise ServerRefused(error.pop("code"), error.pop("message"), **error)
            return found

    line = Line()
    stream = RemoteStream(line, "frames", "a")
    answers = [stream.step(x[0].tolist())]
    for line.broken, row in (("before", x[1]), ("after", x[2])):
        with pytest.raises(ConnectionResetError):
            stream.step(row.tolist())
    line.broken = None
    answers.append(stream.step(x[3].tolist()))
    whole = frames.predict(x[None])[0]
    np.testing.assert_allclose(chances(answers), whole[[0, 3]], rtol=1e-6)
    assert stream.taken == 4
