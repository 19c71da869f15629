"""C files of a network, compiled, and their test run, where there is a compiler."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from carousel.errors import ConfigError

LONGEST = 600  # seconds that a compiler may take for the weights of a large network
FLAGS = ("-std=c99", "-O2")


def compiler() -> str | None:
    """The C compiler of this machine: $CC, else cc; None where there is none."""
    return shutil.which(os.environ.get("CC") or "cc")


def tested(folder: Path, stem: str, cc: str) -> float:
    """Largest difference that the test of a network's files finds.

    Raises `ConfigError` where they do not compile or do not run, with what was printed.
    """
    with tempfile.TemporaryDirectory() as aside:
        program = Path(aside) / "test"
        sources = [str(folder / f"{stem}.c"), str(folder / f"{stem}_test.c")]
        compiled = _run([cc, *FLAGS, *sources, "-o", str(program)])
        if compiled.returncode:
            raise ConfigError(f"{cc} does not compile {stem}.c: {_said(compiled)}")
        ran = _run([str(program)])
    found = re.search(r"largest difference (\S+?),", ran.stdout)
    if ran.returncode not in (0, 1) or found is None:
        raise ConfigError(f"the test of {stem}.c ended with {ran.returncode}: {_said(ran)}")
    return float(found[1]) if ran.returncode == 0 else float("inf")


def _run(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, timeout=LONGEST, check=False)


def _said(ran: subprocess.CompletedProcess[str]) -> str:
    return " ".join((ran.stderr + ran.stdout).split())[:300] or "nothing was printed"
