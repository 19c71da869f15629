"""Who is let through: this machine on its own address, elsewhere those who bring the token."""

import asyncio

import pytest

from carousel.errors import ConfigError
from carousel.web.address import beside, listen
from carousel.web.guard import Guard


def ask(token, headers, *, path="/", query="", kind="http"):
    """(status or "close" or "through", headers) of a request to a guarded server."""
    sent = []

    async def app(scope, receive, send):
        sent.append("through")
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def send(message):
        sent.append(message)

    scope = {
        "type": kind,
        "path": path,
        "query_string": query.encode(),
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }
    asyncio.run(Guard(app, token)(scope, None, send))
    if sent[0] == "through":
        return "through", dict(sent[1]["headers"])
    if sent[0]["type"] == "websocket.close":
        return "close", {}
    return sent[0]["status"], dict(sent[0]["headers"])


LOCAL = {"host": "127.0.0.1:8765"}


@pytest.mark.parametrize("host", ["127.0.0.1:8765", "localhost", "localhost:9", "[::1]:8765"])
def test_this_machine_by_its_own_names_is_let_through(host):
    outcome, headers = ask(None, {"host": host})
    assert outcome == "through"
    assert headers[b"x-frame-options"] == b"DENY"


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example:8765", "", "a@b:c:d", "[::1"]
)
@pytest.mark.parametrize("kind", ["http", "websocket"])
def test_another_name_that_leads_here_is_refused(host, kind):
    outcome, _ = ask(None, {"host": host}, kind=kind)
    assert outcome in (403, "close")


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://127.0.0.1:9999", "http://["]
)
def test_a_page_of_another_origin_gets_no_socket(origin):
    assert ask(None, {**LOCAL, "origin": origin}, kind="websocket")[0] == "close"
    own = {**LOCAL, "origin": "http://127.0.0.1:8765"}
    assert ask(None, own, kind="websocket")[0] == "through"


@pytest.mark.parametrize("leaves", [True, False])
def test_a_browser_that_leaves_early_is_no_error_and_others_are(leaves):
    async def app(scope, receive, send):
        await receive()
        raise RuntimeError("No response returned.")

    async def receive():
        return {"type": "http.disconnect" if leaves else "http.request"}

    scope = {"type": "http", "path": "/", "headers": [(b"host", b"localhost")]}
    served = Guard(app, None)(scope, receive, None)
    if leaves:
        asyncio.run(served)
    else:
        with pytest.raises(RuntimeError, match="No response"):
            asyncio.run(served)


OPEN = {"host": "10.0.0.5:8765"}


@pytest.mark.parametrize("kind", ["http", "websocket"])
@pytest.mark.parametrize("cookie", ["", "carousel_token=", "carousel_token=wrong", "=;;=", "x"])
def test_without_the_token_nothing_is_let_through(kind, cookie):
    outcome, _ = ask("right", {**OPEN, "cookie": cookie}, kind=kind)
    assert outcome in (403, "close")
    assert ask("right", OPEN, kind=kind, query="token=wrong")[0] in (403, "close")


def test_the_token_in_the_address_becomes_a_cookie_and_leaves_the_address():
    outcome, headers = ask("right", OPEN, path="/overview", query="run=a&token=right&run=b")
    assert outcome == 303
    assert headers[b"location"] == b"/overview?run=a&run=b"
    cookie = headers[b"set-cookie"].decode()
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert ask("right", {**OPEN, "cookie": cookie.partition(";")[0]})[0] == "through"


def test_the_welcome_leads_to_no_other_host():
    _, headers = ask("right", OPEN, path="//evil.example/x", query="token=right")
    assert headers[b"location"].startswith(b"/evil.example")


def test_servers_of_several_processes_do_not_take_the_port_of_another():
    first = listen("it", 0, several=True)
    port = first.listener.getsockname()[1]
    workers = beside(first.listener, 2)
    second = listen("it", port, several=True)
    assert second.listener.getsockname()[1] != port
    with pytest.raises(ConfigError, match="cannot listen"):
        listen("it", port, port=port, several=True)
    for one in (*workers, second.listener):
        one.close()
