"""The server as a process: killed, ended, restarted, guarded; and its client."""

import http.client
import threading

import numpy as np
import pytest
from served import chances, steps

from carousel import runtime
from carousel.client import Client, ServerRefused


@pytest.fixture
def connect():
    """Make clients that are closed at the end."""
    made = []

    def make(*given, **named):
        made.append(Client(*given, **named))
        return made[-1]

    yield make
    for one in made:
        one.close()


def port_of(url):
    return url.rstrip("/").rpartition(":")[2]


@pytest.mark.slow
def test_killed_again_and_again_every_numbered_stream_is_told_the_whole(serve, connect, models):
    x = np.stack([steps(40, n) for n in range(3)])
    server = serve()
    port = port_of(server.url)
    client = connect(server.url, patience=60)
    streams = [client.stream("frames", f"s{n}") for n in range(3)]
    found = [[] for _ in streams]
    draw = np.random.default_rng(5)
    kills = set(draw.choice(np.arange(2, 38), 3, replace=False).tolist())
    for at in range(40):
        if at in kills:
            server.kill()
            server = serve("--port", port)
        for stream, values, told in zip(streams, x, found, strict=True):
            told += stream.steps(values[at : at + 1].tolist())
    np.testing.assert_array_equal(
        [chances(told) for told in found], runtime.load(models["frames"]).predict(x)
    )
    assert server.end() == 0
    server = serve("--port", port)
    assert [client.stream("frames", f"s{n}").taken for n in range(3)] == [40] * 3


def test_an_end_answers_what_was_taken_in_and_keeps_all(serve, connect, models):
    server = serve("--max-wait", "200")
    x, told, errors = steps(400), [], []
    client = connect(server.url, patience=0)
    with client.socket("frames") as socket:
        (handle,) = socket.open(["a"])
        number = socket.send([handle], x[None])

        def read():
            try:
                told.append(socket.receive(number))
            except Exception as error:
                errors.append(error)

        reader = threading.Thread(target=read)
        reader.start()
        # Its steps wait for others, so that the end comes while they are under way.
        assert connect(server.url).models()[0]["streams"] == 1
        assert server.end() == 0
        reader.join(20)
    assert errors == []
    np.testing.assert_array_equal(told[0][0], runtime.load(models["frames"]).predict(x))
    server = serve()
    assert connect(server.url).stream("frames", "a").taken == 400


def test_elsewhere_a_token_is_asked_for(serve, connect):
    server = serve("--host", "0.0.0.0")
    url, _, token = server.url.replace("0.0.0.0", "127.0.0.1").partition("?token=")
    assert len(token) > 20
    with pytest.raises(ServerRefused, match="token"):
        connect(url, patience=0).models()
    with pytest.raises(ServerRefused, match="token"):
        connect(url, "wrong", patience=0).models()
    client = connect(url, token)
    assert client.models()[0]["model"] == "frames"
    with client.socket("frames") as socket:
        assert socket.steps(socket.open(["a"]), [[1.0, 2.0]]).shape == (1, 1, 3)
    assert connect(f"{url}?token={token}").models()
    assert server.end() == 0


@pytest.mark.slow
def test_clients_that_vanish_or_send_half_a_frame_harm_nobody(serve, connect, models):
    server = serve()
    host, port = "127.0.0.1", int(port_of(server.url))
    head = b"POST /v1/models/frames/streams/a/steps HTTP/1.1\r\nContent-Length: 99\r\n\r\n"
    for content in (head + b"{", b"\x00" * 50, b"GET / HTTP/9\r\n\r\n"):
        line = http.client.HTTPConnection(host, port)
        line.connect()
        line.sock.sendall(content)
        line.close()
    client = connect(server.url)
    for _ in range(5):
        socket = client.socket("frames")
        handles = socket.open(["v"])
        for _ in range(20):
            socket.send(handles, steps(50)[None])
        socket._line.socket.close()  # without a word
    x = steps(9)
    told = client.stream("frames", "b").steps(x.tolist())
    np.testing.assert_array_equal(chances(told), runtime.load(models["frames"]).predict(x))
    assert server.end() == 0


def test_what_cannot_be_served_is_one_line(carousel, models, tmp_path):
    code, out, err = carousel("serve", tmp_path / "nothing")
    assert (code, out) == (2, "")
    assert "is no saved model" in err
    code, _, err = carousel("serve", f"a b={models['frames']}")
    assert (code, "a model's name is letters" in err) == (2, True)
    code, _, err = carousel("serve", models["frames"], models["frames"])
    assert (code, "two models are named frames" in err) == (2, True)
    code, _, err = carousel("serve", models["frames"], "--certificate", "x.pem")
    assert (code, "--certificate and --key" in err) == (2, True)
    junk = tmp_path / "junk.pem"
    junk.write_text("junk")
    for certificate in (junk, tmp_path / "none.pem"):
        given = ("--certificate", certificate, "--key", junk)
        code, _, err = carousel("serve", models["frames"], *given)
        assert (code, len(err.strip().splitlines())) == (2, 1)
        assert certificate.name in err
