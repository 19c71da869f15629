"""The kernels under several Python threads, after fork, and with fewer threads than asked for."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from child import run_python
from compiled import assert_same_bits, by_native, layer_of, threads
from oracle import KINDS, randn


def problem(kind, seed):
    layer = layer_of(kind, 17, 70, seed=seed, bidirectional=True)
    return layer, randn(12, 9, 17, seed=seed, dtype=torch.float32), None, [12, 3, 7] * 3


@pytest.mark.parametrize("count", [1, 2])
def test_python_threads_with_layers_of_their_own_get_the_bits_they_get_alone(count):
    problems = [problem(kind, seed) for seed, kind in enumerate([*KINDS, *KINDS])]
    with threads(count):
        alone = [by_native(*arguments) for arguments in problems]
        with ThreadPoolExecutor(4) as pool:
            together = list(pool.map(lambda arguments: in_thread(count, arguments), 3 * problems))
    for actual, expected in zip(together, 3 * alone, strict=True):
        assert_same_bits(actual, expected)


@pytest.mark.parametrize("kind", KINDS)
def test_python_threads_that_share_a_layer_get_the_bits_they_get_alone(kind):
    layer, x, hx, lengths = problem(kind, 1)
    inputs = [x * scale for scale in (1, -0.5, 2, 0.1)]
    alone = [by_native(layer, x, hx, lengths) for x in inputs]
    with ThreadPoolExecutor(4) as pool:
        arguments = [(layer, x, hx, lengths) for x in 3 * inputs]
        together = list(pool.map(lambda a: in_thread(torch.get_num_threads(), a), arguments))
    for actual, expected in zip(together, 3 * alone, strict=True):
        assert_same_bits(actual, expected)


def in_thread(count, arguments):
    torch.set_num_threads(count)  # torch keeps the number for each Python thread
    return by_native(*arguments)


FORK = """
import os, sys, torch
from compiled import assert_same_bits, by_native, layer_of
from oracle import assert_same, randn

torch.set_num_threads(2)
problems = [
    (layer_of(kind, 64, 80, bidirectional=True), randn(9, rows, 64, dtype=torch.float32))
    for kind in ("RNN-tanh", "GRU", "LSTM")
    for rows in (1, 16)
]
expected = [by_native(*problem) for problem in problems]
child = os.fork()
if child == 0:
    code = 1
    try:
        torch.save([by_native(*problem) for problem in problems], sys.argv[1])
        code = 0
    finally:
        os._exit(code)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
for problem, before, results in zip(problems, expected, torch.load(sys.argv[1]), strict=True):
    assert_same(results, before)
    forward = [name for name in before if not name.startswith("gradient")]
    assert_same_bits({n: results[n] for n in forward}, {n: before[n] for n in forward})
    assert_same_bits(by_native(*problem), before)  # the parent goes on as it was
print("done")
"""


def test_child_of_a_process_that_has_used_threads_computes_the_same(tmp_path):
    assert run_python(FORK, str(tmp_path / "results.pt")).strip() == "done"


WORKER = """
import torch
from compiled import assert_same_bits, by_native, layer_of
from oracle import randn
from torch.utils.data import DataLoader, Dataset

class Encoded(Dataset):
    def __init__(self, layer):
        self.layer = layer
    def __len__(self):
        return 6
    def __getitem__(self, index):
        x = randn(9, 20, 64, seed=index, dtype=torch.float32)
        return by_native(self.layer, x)["gradient of x"]

torch.set_num_threads(2)
data = Encoded(layer_of("LSTM", 64, 100))
by_native(data.layer, randn(9, 20, 64, dtype=torch.float32))
loaded = list(DataLoader(data, batch_size=None, num_workers=2, multiprocessing_context="fork"))
torch.set_num_threads(1)
assert_same_bits(loaded, [data[index] for index in range(6)])
print("done")
"""


@pytest.mark.slow
def test_workers_of_a_data_loader_compute_the_same():
    assert run_python(WORKER).strip() == "done"


LIMITED = """
import torch
from compiled import by_native, by_oracle, layer_of
from oracle import assert_same, randn

torch.set_num_threads({threads})
for kind, rows, size in (("LSTM", 2, 120), ("GRU", 100, 330), ("RNN-tanh", 2, 300)):
    problem = layer_of(kind, size, size), randn(3, rows, size, dtype=torch.float32)
    assert_same(by_native(*problem), by_oracle(*problem))
print("done")
"""


@pytest.mark.slow
@pytest.mark.parametrize(("limit", "count"), [(2, 3), (1, 2), (3, 8)])
def test_fewer_threads_than_asked_for_suffice(limit, count):
    """Two threads may share rows, and need memory, where three would have shared units."""
    code = LIMITED.format(threads=count)
    environment = {"OMP_THREAD_LIMIT": str(limit), "MALLOC_CHECK_": "3", "MALLOC_PERTURB_": "77"}
    assert run_python(code, **environment).strip() == "done"


PREDICT = """
import os, sys, numpy, torch, carousel

torch.set_num_threads(2)
model = carousel.load(sys.argv[1])
images = numpy.random.default_rng(0).integers(0, 256, (600, 28, 28), dtype=numpy.uint8)
before = model.predict_proba(images)
child = os.fork()
if child == 0:
    code = 1
    try:
        # As large as torch shares among threads: products, sums and sorts of its own.
        square = torch.ones(500, 500)
        assert float((square @ square).exp().clamp(max=1).sum()) == 250_000
        assert torch.randn(100_000).sort().values.diff().min() >= 0
        numpy.testing.assert_allclose(model.predict_proba(images), before, rtol=1e-4, atol=1e-6)
        numpy.testing.assert_array_equal(
            carousel.load(sys.argv[1]).predict_proba(images), model.predict_proba(images)
        )
        code = 0
    finally:
        os._exit(code)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
assert torch.get_num_threads() == 2  # the parent goes on as it was
numpy.testing.assert_array_equal(model.predict_proba(images), before)
print("done")
"""


@pytest.mark.slow
def test_a_loaded_model_predicts_in_a_child_of_a_process_that_has_used_torchs_threads(trained):
    assert run_python(PREDICT, str(trained.path)).strip() == "done"


TRAIN = """
import os, sys, torch, carousel
from pathlib import Path
from small import small_config

torch.set_num_threads(2)
carousel.train(small_config("training.epochs=1"), run_dir=Path(sys.argv[1], "a"), quiet=True)
child = os.fork()
if child == 0:
    code = 1
    try:
        config = small_config("training.epochs=1")
        done = carousel.train(config, run_dir=Path(sys.argv[1], "b"), quiet=True)
        assert "threads = 1" in (done.path / "config.toml").read_text()
        code = 0
    finally:
        os._exit(code)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
print("done")
"""


@pytest.mark.slow
def test_a_child_of_a_process_that_has_trained_trains(tmp_path):
    assert run_python(TRAIN, str(tmp_path)).strip() == "done"


def test_python_threads_that_share_a_loaded_model_get_the_answers_they_get_alone(trained):
    model = trained.load()
    rng = np.random.default_rng(0)
    several = [rng.integers(0, 256, (50, 28, 28), dtype=np.uint8) for _ in range(12)]

    def chances(images):
        with threads(1):
            return model.predict_proba(images)

    alone = [chances(images) for images in several]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(chances, several))
    for actual, expected in zip(together, alone, strict=True):
        np.testing.assert_array_equal(actual, expected)
