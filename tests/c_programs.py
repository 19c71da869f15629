"""C of networks, compiled and run by the compilers and emulators that this machine has."""

import ctypes
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch

from carousel.export.c import format as c_format
from carousel.export.describing import subject_of
from carousel.export.formats import Asked
from carousel.export.subject import Subject

CORTEX = Path(__file__).parent / "export" / "cortex"
STRICT = ("-Wall", "-Wextra", "-pedantic", "-Werror")
CORTEX_M4 = ("-mcpu=cortex-m4", "-mthumb", "-mfloat-abi=hard", "-mfpu=fpv4-sp-d16")
TIMEOUT = 300


def need(*programs):
    """Skip the test where a program is missing; returns the path of the first."""
    for program in programs:
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")
    return shutil.which(programs[0])


def uneven(model, seed=0):
    """The model with random weights, all of them: gains and biases of each gate differ.

    Matrices keep states from growing: where they grow, the last bits of a step do, too.
    """
    torch.manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            bound = 1.5 * parameter.size(1) ** -0.5 if parameter.dim() > 1 else 0.7
            parameter.uniform_(-bound, bound)
    return model.eval()


def written(model, folder, stem="net"):
    """The folder, with the C of a model, or of a subject, in it."""
    subject = model if isinstance(model, Subject) else subject_of(model)
    c_format.write(subject, Asked(stem), folder)
    return folder


def ran(command, folder):
    """What a command printed in a folder; fails, with that, where it ended badly."""
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=TIMEOUT, check=False
    )
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}{done.stderr}"
    return done.stdout


def passes(folder, stem="net", cc="gcc", flags=("-std=c99", "-O1"), run=()):
    """Compile the C and its test without a warning, and run that; returns what it printed."""
    ran([need(cc), *STRICT, *flags, f"{stem}.c", f"{stem}_test.c", "-o", "test"], folder)
    return ran([*run, "./test"], folder)


def passes_on_cortex(folder, stem="net", flags=("-std=c99", "-O2")):
    """The same on a Cortex-M4 that QEMU plays; returns what it printed."""
    cc = need("arm-none-eabi-gcc", "qemu-system-arm")
    board = ["--specs=rdimon.specs", "-nostartfiles", "-T", str(CORTEX / "mps2.ld")]
    sources = [f"{stem}.c", f"{stem}_test.c", str(CORTEX / "startup.c")]
    ran([cc, *CORTEX_M4, *STRICT, *flags, *board, *sources, "-o", "test.elf"], folder)
    machine = ["-M", "mps2-an386", "-display", "none", "-monitor", "none", "-serial", "none"]
    answers = ["-semihosting-config", "enable=on,target=native"]
    return ran(["qemu-system-arm", *machine, *answers, "-kernel", "test.elf"], folder)


@dataclass
class Library:
    """C of a model as a library in this process."""

    library: ctypes.CDLL
    stem: str

    def state(self):
        """A state before its first step."""
        size = getattr(self.library, f"{self.stem}_size")
        size.restype = ctypes.c_size_t
        memory = ctypes.create_string_buffer(size())
        self.call("init", memory)
        return memory

    def call(self, name, *arguments):
        """A function of the header; arrays are given as they lie in memory."""
        given = [_pointer(a) if isinstance(a, np.ndarray) else a for a in arguments]
        return getattr(self.library, f"{self.stem}_{name}")(*given)

    def run(self, state, x, outputs):
        """Answers (rows, outputs) to x (T, I)."""
        y = np.full((max(1, len(x)) + 64, outputs), np.nan, np.float32)
        answers = self.call("run", state, np.ascontiguousarray(x), len(x), y)
        return y[:answers] if answers >= 0 else None


def _pointer(array):
    kind = ctypes.c_int if array.dtype == np.int32 else ctypes.c_float
    assert array.dtype in (np.int32, np.float32)
    return array.ctypes.data_as(ctypes.POINTER(kind))


def library(model, folder, stem="net", flags=("-std=c99", "-O1")):
    """C of a model as a library in this process."""
    written(model, folder, stem)
    size = f'#include "{stem}.h"\nsize_t {stem}_size(void) {{ return sizeof({stem}_state); }}\n'
    (folder / "size.c").write_text(size)
    shared = ["-shared", "-fPIC", f"{stem}.c", "size.c", "-o", "net.so"]
    ran([need("gcc"), *flags, *shared], folder)
    return Library(ctypes.CDLL(str(folder / "net.so")), stem)
