"""States that clients carry: the bits of the whole through any server, and what is refused."""

import base64

import numpy as np
import pytest
from saved_models import save_model
from served import chances
from starlette.testclient import TestClient

from carousel import runtime
from carousel.serve.server import prepare
from carousel.serve.service import Settings

KEY = b"0123456789abcdef"
PATH = "/v1/models/frames/streams/a/steps"


def replica(folder, name="frames", **settings):
    """A server that shares a key with others, and nothing else."""
    return prepare({name: folder}, Settings(**{"key": KEY, "most": 9, **settings}), None)


@pytest.fixture
def ask(models):
    """Send a body to one of two servers, or to the application of another."""
    servers = [replica(models["frames"]) for _ in range(2)]
    clients = [TestClient(server.app()) for server in servers]

    def send(at, path=PATH, **body):
        if not isinstance(at, int):
            with TestClient(at.app()) as client:
                answer = client.post(path, json=body)
        else:
            answer = clients[at].post(path, json=body)
        return answer.status_code, answer.json()

    send.servers = servers
    for client in clients:
        client.__enter__()
    yield send
    for client in clients:
        client.__exit__()


def steps(count, seed=0):
    return np.random.default_rng(seed).standard_normal((count, 2)).tolist()


def refused(told):
    status, answer = told
    return status, answer["error"]["code"]


def test_a_state_goes_through_any_server_bit_for_bit(ask, models):
    x, found, state = steps(11), [], None
    for place, (first, last) in enumerate(((0, 1), (1, 6), (6, 7), (7, 11))):
        status, answer = ask(place % 2, steps=x[first:last], state=state, return_state=True,
                             number=first)  # fmt: skip
        assert (status, answer["steps"]) == (200, last)
        found, state = found + answer["answers"], answer["state"]
    np.testing.assert_array_equal(
        chances(found), runtime.load(models["frames"]).predict(np.array(x))
    )
    for server in ask.servers:
        service = server.services["frames"]
        assert len(service.sessions) == 0
        assert service.sessions.gone == []
        assert len(service.sessions.settled()) == 0


def test_many_states_in_one_request_are_each_told_their_own(ask, models):
    items = [{"stream": f"s{n}", "steps": steps(2, n), "return_state": True} for n in range(5)]
    _, first = ask(0, "/v1/models/frames/steps", items=items)
    again = [{"stream": f"s{n}", "steps": steps(3, n + 50), "state": one["state"]}
             for n, one in enumerate(first["items"])]  # fmt: skip
    again[3]["state"] = again[2]["state"]
    _, second = ask(1, "/v1/models/frames/steps", items=again)
    for n, one in enumerate(second["items"]):
        if n == 3:
            assert one["error"]["code"] == "other_stream"
            continue
        whole = runtime.load(models["frames"]).predict(np.array(steps(2, n) + steps(3, n + 50)))
        np.testing.assert_array_equal(chances(one["answers"]), whole[2:])


def test_a_state_that_is_used_again_is_answered_the_same(ask):
    _, first = ask(0, steps=steps(2), return_state=True)
    once = ask(0, steps=steps(3), state=first["state"])[1]
    assert ask(1, steps=steps(3), state=first["state"])[1]["answers"] == once["answers"]


def test_a_state_that_was_changed_anywhere_is_refused(ask):
    state = ask(0, steps=steps(2), return_state=True)[1]["state"]
    raw = base64.urlsafe_b64decode(state)
    for at in [*range(0, 60, 7), *range(60, len(raw), 97), len(raw) - 1]:
        changed = raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :]
        told = ask(0, steps=steps(1), state=base64.urlsafe_b64encode(changed).decode())
        assert refused(told) == (400, "bad_state")
    for bad in ("", "é", "AAAA", state[:-8], state + "AAAA"):
        assert refused(ask(0, steps=steps(1), state=bad)) == (400, "bad_state")
    for bad in ({"state": 3}, {"return_state": 1}):
        assert refused(ask(0, steps=steps(1), **bad)) == (400, "bad_input")


def test_a_state_of_others_is_refused_by_what_is_other(ask, models, tmp_path):
    state = ask(0, steps=steps(2), return_state=True)[1]["state"]
    other = replica(models["frames"], key=b"f" * 16)
    told = ask(other, steps=steps(1), state=state)
    assert refused(told) == (400, "bad_state")
    assert "another key" in told[1]["error"]["message"]
    path = PATH.replace("/a/", "/b/")
    assert refused(ask(0, path, steps=steps(1), state=state)) == (409, "other_stream")
    renamed = replica(models["frames"], name="else")
    path = PATH.replace("/frames/", "/else/")
    assert refused(ask(renamed, path, steps=steps(1), state=state)) == (409, "other_model")
    save_model(tmp_path, "label_frames", "model.hidden_size=9", "model.num_layers=2",
               scaler={"mean": [1.0, 2.0], "std": [3.0, 4.0]})  # fmt: skip
    assert refused(ask(replica(tmp_path), steps=steps(1), state=state)) == (409, "other_model")


def test_a_state_that_is_not_where_the_steps_go_on_or_is_too_old_is_refused(
    ask, models, monkeypatch
):
    state = ask(0, steps=steps(2), return_state=True)[1]["state"]
    status, answer = ask(0, steps=steps(1), state=state, number=3)
    assert (status, answer["error"]["code"], answer["error"]["expected"]) == (409, "stale", 2)
    assert refused(ask(0, steps=steps(1), return_state=True, number=1)) == (409, "stale")
    from carousel.serve import tokens

    now = tokens.time.time()
    monkeypatch.setattr(tokens.time, "time", lambda: now + 3601)
    status, answer = ask(0, steps=steps(1), state=state)
    assert (status, answer["error"]["code"]) == (410, "stale")
    assert "3600 s is the most" in answer["error"]["message"]


def test_keys_come_of_a_file_or_the_environment_and_are_no_short_ones(
    carousel, models, tmp_path, monkeypatch
):
    (tmp_path / "key").write_text("short")
    code, _, err = carousel("serve", models["frames"], "--state-key", tmp_path / "key")
    assert (code, "16 bytes at least, got 5" in err) == (2, True)
    code, _, err = carousel("serve", models["frames"], "--state-key", tmp_path / "none")
    assert (code, "cannot be read" in err) == (2, True)
    monkeypatch.setenv("CAROUSEL_STATE_KEY", "tiny")
    code, _, err = carousel("serve", models["frames"])
    assert (code, "16 bytes at least, got 4" in err) == (2, True)
