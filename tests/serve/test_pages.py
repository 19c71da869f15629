"""What people see of a server: its pages, its figures, its addresses, answers as they come."""

import http.client
import json
import re
from pathlib import Path

import numpy as np
import pytest
from board_server import CHROMIUM, needs_chromium
from served import Served, chances, steps
from starlette.routing import Route
from starlette.testclient import TestClient

from carousel import runtime, serve
from carousel.client import Client
from carousel.serve.openapi import described
from carousel.serve.server import prepare
from carousel.serve.service import Settings

STATIC = Path(serve.__file__).parent / "static"
ODD = "<img src=x onerror=alert(1)>"


@pytest.fixture
def server(models):
    return prepare({"frames": models["frames"]}, Settings(), None)


@pytest.fixture
def client(server):
    with TestClient(server.app()) as client:
        yield client


def stepped(client, name, count):
    content = {"steps": steps(count).tolist()}
    return client.post(f"/v1/models/frames/streams/{name}/steps", json=content).json()


def test_pages_load_nothing_from_other_hosts_and_make_no_html_of_text(client):
    for path in ("/", "/docs"):
        page = client.get(path)
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        assert "default-src 'none'; script-src 'self'" in page.headers["content-security-policy"]
        for loaded in re.findall(r'(?:src|href)="([^"]+)"', page.text):
            assert loaded == "data:," or client.get(loaded).status_code == 200, loaded
    for file in STATIC.iterdir():
        text = file.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
        assert not re.search(r"https?://|innerHTML|insertAdjacentHTML|document\.write|eval\(", text)


def test_every_word_of_the_page_is_there_in_both_languages():
    text = (STATIC / "console.js").read_text(encoding="utf-8")
    english, korean = re.search(r"en: \{(.*?)\n  \},\n  ko: \{(.*?)\n  \},", text, re.S).groups()
    words = [re.findall(r"(\w+): \"", part) for part in (english, korean)]
    assert words[0] == words[1]
    used = set(re.findall(r"\bt\.(\w+)", text)) | set(re.findall(r'\["(\w+)", shown', text))
    assert used <= set(words[0])


def test_the_status_counts_what_was_done(client):
    stepped(client, "a", 5)
    stepped(client, "b", 3)
    stepped(client, "a", 2)
    client.get("/v1/models/nobody")
    status = client.get("/v1/status").json()
    (model,) = status["models"]
    assert (model["model"], model["streams"], model["steps"], model["waiting"]) == (
        "frames", 2, 10, 0,
    )  # fmt: skip
    assert sum(model["batch_sizes"].values()) == model["batches"]
    assert 0 < model["p50_ms"] <= model["p99_ms"]
    assert model["unsaved"] is None  # nothing keeps them
    assert (status["errors"], status["draining"]) == (1, False)
    listed = client.get("/v1/models/frames/streams").json()
    assert [(one["stream"], one["steps"]) for one in listed["streams"]] == [("a", 7), ("b", 3)]
    assert listed["count"] == 2
    few = client.get("/v1/models/frames/streams?most=1").json()["streams"]
    assert [one["stream"] for one in few] == ["a"]
    assert "most is how many" in client.get("/v1/models/frames/streams?most=x").text


def test_every_address_is_described_and_every_reference_leads_somewhere(client, server):
    document = client.get("/openapi.json").json()
    assert document == described(["frames"])
    paths = {
        (route.path.replace(":path", ""), method.lower())
        for route in server.app().routes
        if isinstance(route, Route)
        for method in route.methods - {"HEAD"}
    }
    pages = {"/", "/docs", "/openapi.json"}
    wanted = {pair for pair in paths if pair[0] not in pages and "/static/" not in pair[0]}
    told = {(path, method) for path, found in document["paths"].items() for method in found}
    assert told == wanted
    schemas = document["components"]["schemas"]
    for name in re.findall(r'"#/components/schemas/(\w+)"', json.dumps(document)):
        assert name in schemas
    for path, found in document["paths"].items():
        for operation in found.values():
            named = {one["name"] for one in operation.get("parameters", ()) if one["in"] == "path"}
            assert named == set(re.findall(r"\{(\w+)\}", path))
    example = document["paths"]["/v1/models/{model}/streams/{stream}/steps"]["post"]
    sent = example["requestBody"]["content"]["application/json"]["example"]
    assert client.post("/v1/models/frames/streams/z/steps", json=sent).status_code == 200


def events_of(answer, count):
    """So many events: fields by name."""
    found = []
    while len(found) < count:
        fields = {}
        while line := answer.readline().decode().rstrip("\n"):
            name, _, value = line.partition(": ")
            fields[name] = value
        if set(fields) - {""}:
            found.append(fields)
    return found


def test_who_listens_is_told_the_answers_as_they_come(models, tmp_path):
    server = Served(tmp_path / "log", f"frames={models['frames']}")
    host = server.url.removeprefix("http://").rstrip("/")
    line = http.client.HTTPConnection(host, timeout=20)
    line.request("GET", "/v1/models/frames/streams/a/events")
    answer = line.getresponse()
    assert answer.getheader("content-type").startswith("text/event-stream")
    assert answer.readline() == b": listening\n"
    answer.readline()
    x = steps(9)
    with Client(server.url) as client:
        client.stream("frames", "b").steps(x.tolist())  # whom nobody listens to
        stream = client.stream("frames", "a")
        told = stream.steps(x[:4].tolist()) + stream.steps(x[4:].tolist())
        found = events_of(answer, 9)
        assert [int(one["id"]) for one in found] == [*range(9)]
        assert [json.loads(one["data"]) for one in found] == told
    wanted = runtime.load(models["frames"]).predict(x)
    np.testing.assert_array_equal(chances(told), wanted)
    assert server.end() == 0
    assert events_of(answer, 1) == [{"event": "end", "data": '{"why": "draining"}'}]
    line.close()


@needs_chromium
@pytest.mark.slow
def test_the_page_shows_names_as_text_in_both_languages(models, tmp_path):
    playwright = pytest.importorskip("playwright.sync_api")
    server = Served(tmp_path / "log", f"frames={models['frames']}")
    with Client(server.url) as client:
        client.stream("frames", ODD).steps(steps(40).tolist())
    with playwright.sync_playwright() as p:
        browser = p.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(locale="ko-KR", viewport={"width": 1000, "height": 800})
        errors = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on(
            "console",
            lambda message: errors.append(message.text) if message.type == "error" else None,
        )
        page.goto(server.url)
        page.get_by_role("cell", name=ODD).wait_for()
        assert page.locator("html").get_attribute("lang") == "ko"
        assert "열린 스트림" in page.locator("main").inner_text()
        page.get_by_role("button", name="English").click()
        page.get_by_text("open streams").wait_for()
        page.goto(f"{server.url}docs")
        page.get_by_text("/v1/models/{model}/streams/{stream}/steps").wait_for()
        assert page.locator("img").count() == 0
        assert errors == []
        browser.close()
    assert server.end() == 0


def test_programs_are_told_of_states_that_clients_carry(client):
    """What is described is what is sent and answered."""
    schemas = client.get("/openapi.json").json()["components"]["schemas"]
    one = {"steps": steps(2).tolist(), "return_state": True}
    told = client.post("/v1/models/frames/streams/a/steps", json=one).json()
    assert {*told} < {*schemas["Answers"]["properties"]}
    again = {**one, "state": told["state"], "number": 2}
    assert {*again} == {*schemas["Steps"]["properties"]}
    many = {"items": [{"stream": "a", **again}]}
    item = schemas["Items"]["properties"]["items"]["items"]
    assert {*many["items"][0]} == {*item["properties"]}
    assert client.post("/v1/models/frames/steps", json=many).json()["items"][0]["steps"] == 4
