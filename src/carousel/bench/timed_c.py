"""Steps of the C that `carousel.export` writes, in a timed loop of C inside this process."""

from __future__ import annotations

import ctypes
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from carousel.bench.cases import Array
from carousel.bench.peers.base import PeerError
from carousel.export.c import building

_TIMER = """
#define _POSIX_C_SOURCE 199309L
#include <time.h>
#include "{stem}.h"
static {stem}_state state;
void timed_begin(void) {{ {stem}_init(&state); }}
double timed_steps(const float *x, float *y, int steps) {{
    struct timespec from, to;
    int i;
    clock_gettime(CLOCK_MONOTONIC, &from);
    for (i = 0; i < steps; ++i) {stem}_step(&state, x, y);
    clock_gettime(CLOCK_MONOTONIC, &to);
    return (to.tv_sec - from.tv_sec) + (to.tv_nsec - from.tv_nsec) * 1e-9;
}}
"""


def flags_for(march: str = "native") -> tuple[str, ...]:
    """Flags of the compiler for the fastest code of a processor, such as haswell."""
    return ("-std=gnu99", "-O3", f"-march={march}")


class TimedC:
    """A network's C in a folder, compiled, with a state of its own.

    stem: name of its files. x: the input of each step. outputs: how many numbers a step gives.
    Raises PeerError where the compiler refuses it.
    """

    def __init__(
        self, folder: Path, stem: str, x: Array, outputs: int, cc: str, flags: Sequence[str]
    ) -> None:
        number = len([*folder.glob("*.so")])  # a library of a name is loaded once
        source, library = folder / "timer.c", folder / f"{stem}-{number}.so"
        source.write_text(_TIMER.format(stem=stem))
        command = [cc, *flags, "-shared", "-fPIC", f"{stem}.c", source.name, "-o", library.name]
        done = subprocess.run(
            command,
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=building.LONGEST,
            check=False,
        )
        if done.returncode:
            said = re.sub(r"\s+", " ", done.stderr).strip()
            raise PeerError(f"the compiler refuses it: {said[:200]}")
        loaded = ctypes.CDLL(str(library))
        self._begin, self._steps = loaded.timed_begin, loaded.timed_steps
        self._steps.restype = ctypes.c_double
        self._x, self._y = np.ascontiguousarray(x, np.float32), np.zeros(outputs, np.float32)
        floats = ctypes.POINTER(ctypes.c_float)
        self._given = tuple(array.ctypes.data_as(floats) for array in (self._x, self._y))
        self._begin()

    def run(self, steps: int) -> float:
        """Seconds that so many steps take together; they go on from those before."""
        return float(self._steps(*self._given, steps))

    def first(self) -> Array:
        """Answer to the first step of a sequence."""
        self._begin()
        self.run(1)
        return self._y.copy()
