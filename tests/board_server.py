"""A board in a process of its own, with runs that are made up, and a browser to look at it."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import urllib.parse

import pytest

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")
COMMAND = [sys.executable, "-c", "from carousel.cli import main; main()"]
ODD = "<img src=x onerror=pwned()> {{7*7}} </script><script>pwned()</script>"
ODD_NAME = "<img src=x onerror=pwned()>{{7*7}}&'\""


def start(log, *arguments):
    """A board in a process of its own, and the address that it prints. log: of its errors."""
    with log.open("w") as errors:
        process = subprocess.Popen(
            [*COMMAND, "board", *map(str, arguments), "--no-browser"],
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
    line = process.stdout.readline()
    return process, next(word for word in line.split() if word.startswith("http"))


def end(process, log):
    process.send_signal(signal.SIGINT)
    with process:
        assert process.wait() == 0
    assert "Traceback" not in log.read_text()


def address(board, path, *runs):
    return f"{board}{path}?{urllib.parse.urlencode([('run', run) for run in runs])}"


def take_away(path):
    """Remove a run that a board may be reading: SQLite's reader can write its index meanwhile, so
    that a folder emptied in place may stay."""
    away = tempfile.mkdtemp(dir=path.parent.parent)
    path.rename(f"{away}/{path.name}")
    shutil.rmtree(away, ignore_errors=True)
