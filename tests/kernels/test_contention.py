"""Threads that want more cores than there are: what they compute, and how they come to wait."""

import os
import sys

import pytest
import torch
from child import run_python
from compiled import assert_same_bits, threads

import carousel

CALLS = """
import os
for name in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY"):
    os.environ.pop(name, None)
if sys.argv[1]:
    os.environ["GOMP_SPINCOUNT"] = sys.argv[1]
import torch
import carousel
torch.set_num_threads(2)
os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])
layer, x = carousel.LSTM(64, 64), torch.randn(20, 8, 64)
layer(x)
def count():
    return len(os.listdir("/proc/self/task"))
before = count()
for _ in range(100):
    layer(x)
while not sys.argv[1] and count() <= before + os.cpu_count():
    layer(x)
print(count() - before)
"""
linux = pytest.mark.skipif(sys.platform != "linux", reason="libgomp's threads are Linux's")


@linux
@pytest.mark.skipif((os.cpu_count() or 1) > 64, reason="more CPUs than threads are made for")
def test_threads_that_have_to_give_up_their_core_make_a_team_larger_than_the_machine():
    """libgomp then spins for microseconds, also after what torch computes."""
    assert int(run_python(CALLS, "")) == (os.cpu_count() or 1) + 1


@linux
def test_how_the_user_wants_threads_to_wait_stays():
    assert int(run_python(CALLS, "500")) == 0


@pytest.mark.parametrize("shape", [(9, 1, 300), (9, 40, 70)], ids=["by units", "by rows"])
def test_more_threads_than_cores_compute_the_same_bits(shape):
    steps, batch, hidden = shape
    layer, x = carousel.LSTM(hidden, hidden), torch.randn(steps, batch, hidden)
    with threads(1):
        expected = layer(x)[0]
    with threads(3 * (os.cpu_count() or 1)):
        assert_same_bits(layer(x)[0], expected)
