"""Python in a process of its own, for what cannot be undone in this one or may hang it."""

import os
import subprocess
import sys
from pathlib import Path

TESTS = Path(__file__).parent
SECONDS = 120  # only a process that hangs takes that long; it says where before it is ended
HEADER = """
import faulthandler, sys
faulthandler.dump_traceback_later({dump}, exit=True)
sys.path[:0] = {paths!r}
"""


def run_python(code, *arguments, **environment):
    """What the code prints, in a process that can import the tests' helpers and layers' tests."""
    paths = [str(TESTS), str(TESTS / "layers")]
    header = HEADER.format(dump=SECONDS - 20, paths=paths)
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", header + code, *arguments],
        capture_output=True,
        text=True,
        timeout=SECONDS,
        env=os.environ | environment,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
