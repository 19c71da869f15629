"""Logs in lines of JSON: every line an object, whatever clients send."""

import json
import subprocess
from datetime import datetime

import pytest
from served import COMMAND, Served

from carousel.client import Client, ServerRefused


@pytest.mark.parametrize("workers", [(), pytest.param(("--workers", 2), marks=pytest.mark.slow)])
def test_every_line_is_an_object_and_requests_are_told_with_their_facts(models, tmp_path, workers):
    log = tmp_path / "log"
    server = Served(log, f"frames={models['frames']}", "--log", "json", *workers)
    odd = '"}\u00e4{"level": "error'
    with Client(server.url, patience=5) as client:
        client.stream("frames", odd).steps([[1.0, 2.0]])
        with pytest.raises(ServerRefused, match="has 3 numbers"):
            client.stream("frames", "b").steps([[1.0, 2.0, 3.0]])
    assert server.end() == 0
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    asked = [one for one in lines if one["message"] == "request"]
    steps = [one for one in asked if one["route"] == "stream_steps"]
    assert [(one["stream"], one["status"], one["code"]) for one in steps] == [
        (odd, 200, None), ("b", 400, "bad_input"),
    ]  # fmt: skip
    for one in asked:
        assert (one["level"], one["model"]) == ("info", "frames")
        assert one["ms"] >= 0
        assert datetime.fromisoformat(one["time"]).tzinfo is not None


def test_another_kind_of_log_is_refused(models):
    command = [*COMMAND, models["frames"], "--log", "xml"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "--log is text or json; got 'xml'" in done.stderr
