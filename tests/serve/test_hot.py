"""The shortest way of a request says what the long one says; who is alone waits for nobody."""

import json

import numpy as np
import pytest
from starlette.testclient import TestClient

from carousel.serve import hot
from carousel.serve.scheduler import Limits
from carousel.serve.server import prepare
from carousel.serve.service import Settings

PATH = "/v1/models/frames/streams/{}/steps"
BODIES = [
    ("a", '{"steps": [[1, 2], [3, 4]], "number": 0}'),
    ("a", '{"steps": [[1, 2]], "number": 5}'),
    ("a/b ü", '{"step": {"x1": 1, "x2": 2}}'),
    ("a", '{"steps": [[1, NaN]]}'),
    ("a", '{"steps": [[1, 1e999]]}'),
    ("a", '{"steps": [[1, 123456789012345678901234567890]], "number": 2}'),
    ("a", '{"steps": [[1]]}'),
    ("a", '{"steps": '),
    ("a", "[" * 100_000),
    ("a", '"\\ud800"'),
    ("a", '{"steps": [[1, "\\ud800"]]}'),
    ("a" * 201, '{"steps": [[1, 2]]}'),
    ("a", '{"steps": [[1, 2]], "pad": "' + "x" * 120_000 + '"}'),
]


@pytest.fixture
def ask(models):
    """Answers of servers with and without the short way."""
    clients = [
        TestClient(prepare({"frames": models["frames"]}, Settings(body=100_000), None).app())
        for _ in range(2)
    ]

    def send(path, content, **headers):
        given = {"content-type": "application/json", **headers}
        told = [client.post(path, content=content, headers=given) for client in clients]
        return [(one.status_code, one.headers["content-type"], one.json()) for one in told]

    for client in clients:
        client.__enter__()
    clients[1].app.middleware_stack = without(clients[1].app)
    yield send
    for client in clients:
        client.__exit__()


def without(app):
    """The layers of an application but for the short way."""
    app.user_middleware.clear()
    return app.build_middleware_stack()


@pytest.mark.parametrize(("stream", "body"), BODIES)
def test_both_ways_say_the_same(ask, stream, body):
    short, long = ask(PATH.format(stream), body)
    assert short == long


def test_models_that_are_not_there_are_refused_by_both(ask):
    for path in ("/v1/models/none/streams/a/steps", "/v1/models/frames/streams//steps",
                 "/v1/models/a/b/streams/c/steps"):  # fmt: skip
        short, long = ask(path, '{"steps": [[1, 2]]}')
        assert short == long
        assert short[0] in (400, 404)


def test_the_short_way_is_taken(ask, monkeypatch):
    monkeypatch.setattr(hot, "packed", lambda content, kind: b'"short"')
    short, long = ask(PATH.format("a"), '{"steps": [[1, 2]]}')
    assert short[2] == "short"
    assert long[2]["steps"] == 1


def test_who_is_alone_waits_for_nobody(models):
    """Else this test takes an hour, and is ended from outside."""
    limits = Limits(max_wait=60.0)
    server = prepare({"frames": models["frames"]}, Settings(limits=limits), None)
    service = server.services["frames"]
    service._usual = 1  # one came the last time
    with TestClient(server.app()) as client:
        for n in range(60):
            content = json.dumps({"steps": np.zeros((1, 2)).tolist(), "number": n})
            told = client.post(PATH.format("a"), content=content,
                               headers={"content-type": "application/json"})  # fmt: skip
            assert told.json()["steps"] == n + 1
