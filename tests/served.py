"""A server in a process of its own, steps of the model of frames, and what it is told of them."""

import os
import signal
import subprocess
import sys

import numpy as np

COMMAND = [sys.executable, "-c", "from carousel.cli import main; main()", "serve"]


def steps(count, seed=0):
    """Steps (count, 2)."""
    return np.random.default_rng(seed).standard_normal((count, 2))


def chances(answers):
    """Probabilities of the classes in answers, as they were computed."""
    return np.float32([[*answer["probabilities"].values()] for answer in answers])


class Served:
    """`carousel serve` on a free port; `url` is its address."""

    def __init__(self, log, *arguments):
        self._log = log
        with log.open("a") as errors:
            self.process = subprocess.Popen(
                [*COMMAND, "--port", "0", *map(str, arguments)],
                stdout=subprocess.PIPE, stderr=errors, text=True,
                env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
            )  # fmt: skip
        line = self.process.stdout.readline()
        found = [word for word in line.split() if word.startswith("http")]
        assert found, log.read_text()
        self.url = found[0]

    def kill(self):
        """SIGKILL: nothing is written any more."""
        self.process.kill()
        with self.process:
            self.process.wait()

    def end(self):
        """SIGTERM: everything is answered and kept. Returns the exit code."""
        self.process.send_signal(signal.SIGTERM)
        with self.process:
            code = self.process.wait(30)
        assert "Traceback" not in self._log.read_text(), self._log.read_text()
        return code
