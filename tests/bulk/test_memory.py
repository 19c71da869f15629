"""Memory of answers to many files: kept from file to file, and given back now and then."""

import os
import subprocess
import sys

from carousel.bulk import memory


def test_everything_that_is_free_is_given_back_before_every_eighth_file(monkeypatch):
    given = []

    class Library:
        def malloc_trim(self, pad):
            given.append(len(seen))

    monkeypatch.setattr(memory.ctypes, "CDLL", lambda name: Library())
    seen = []
    for file in memory.tidied(range(20)):
        seen.append(file)
    assert seen == [*range(20)]
    assert given == [7, 15]


def test_a_c_library_without_such_settings_is_left_alone(monkeypatch):
    monkeypatch.setattr(memory.ctypes, "CDLL", lambda name: object())
    monkeypatch.setenv("_RJEM_MALLOC_CONF", "dirty_decay_ms:1")
    memory.keep_memory()
    assert os.environ["_RJEM_MALLOC_CONF"] == "dirty_decay_ms:1"
    assert [*memory.tidied(range(9))] == [*range(9)]


def test_what_is_freed_stays_with_a_process_that_keeps_memory():
    program = (
        "import numpy, resource, sys\n"
        "from carousel.bulk.memory import keep_memory\n"
        "if sys.argv[1] == 'keep': keep_memory()\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt\n"
        "for _ in range(8): numpy.ones(8 << 20)\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)\n"
    )

    def faults(how):
        done = subprocess.run([sys.executable, "-c", program, how], capture_output=True, check=True)
        return int(done.stdout)

    assert faults("keep") < faults("plain") / 2
