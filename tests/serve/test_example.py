"""examples/feed.py, as a stranger runs it: a server, a file, and what it prints."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from saved_models import save_detector, save_model
from served import Served

from carousel import runtime

FEED = Path(__file__).parents[2] / "examples" / "feed.py"


@pytest.fixture
def served(tmp_path):
    """A detector and a forecaster, in a process."""
    for name in ("pumps", "waves"):
        (tmp_path / name).mkdir()
    save_detector(tmp_path / "pumps")
    save_model(tmp_path / "waves", "forecast", step=[86_400 * 10**9, "ns"])
    server = Served(tmp_path / "log", f"pumps={tmp_path / 'pumps'}", f"waves={tmp_path / 'waves'}")
    yield server
    if server.process.poll() is None:
        server.kill()


def fed(url, *arguments):
    command = [sys.executable, FEED, *map(str, arguments), "--url", url]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_alarms_of_a_file_are_printed_as_they_come(served, tmp_path):
    x = 5 + np.random.default_rng(1).standard_normal((80, 2)).cumsum(0)
    x[70] += 30
    lines = [
        f"2024-01-01T{t // 60:02}:{t % 60:02},{a!r},{b!r}" for t, (a, b) in enumerate(x.tolist())
    ]
    (tmp_path / "s.csv").write_text("\n".join(("when,flow,heat", *lines)))
    *alarms, said = fed(served.url, "pumps", "south", "--file", tmp_path / "s.csv", "--at-once", 7)
    wanted = runtime.load(tmp_path / "pumps").predict(x, "south")
    places = np.flatnonzero(wanted[:, 1])
    assert 70 in places
    assert said == f"80 steps of south, {len(places)} alarms"
    assert [line.partition(" ")[0] for line in alarms] == [lines[t][:16] for t in places]
    scores = [re.search(r"score (\S+)", line)[1] for line in alarms]
    assert scores == [f"{score:.2f}" for score in wanted[places, 0]]

    x = 2 + np.random.default_rng(2).standard_normal((25, 2))
    stamps = np.datetime64("2024-01-01") + np.arange(25)
    lines = [f"{stamp},{a!r},{b!r}" for stamp, (a, b) in zip(stamps, x.tolist(), strict=True)]
    (tmp_path / "w.csv").write_text("\n".join(("day,wave,size", *lines)))
    told = fed(served.url, "waves", "--file", tmp_path / "w.csv")
    wanted = runtime.load(tmp_path / "waves").predict(x)[1, :, 0]
    assert told == [str({"time": f"2024-01-{26 + k}", "wave": value})
                    for k, value in enumerate(wanted.tolist())]  # fmt: skip
    assert served.end() == 0
