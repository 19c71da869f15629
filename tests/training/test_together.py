"""Training in several processes: the weights are those of one process."""

import pickle

import pytest
import safetensors.torch
from every_task import SMALL
from processes import TESTS, alone, torchrun
from small import small_config

_SAME = ("coach.enabled=false", "training.epochs=2", "training.restore_best=false")
_CHANCE = ("dropout", "input_dropout")  # each process draws its own


def _apart(one, other):
    """The largest difference of two models' weights."""
    one, other = (safetensors.torch.load_file(file) for file in (one, other))
    assert one.keys() == other.keys()
    return max(float((one[name] - other[name]).abs().max()) for name in one)


def _train(folder, configs, processes, double):
    """Train each configuration alone and in so many processes: the files of their weights."""
    files = {}
    for kind in ("alone", "together"):
        jobs = [(config, folder / kind / name, double) for name, config in configs.items()]
        (folder / kind).mkdir()
        (folder / kind / "jobs").write_bytes(pickle.dumps(jobs))
        program = (TESTS / "ranks.py", folder / kind / "jobs")
        if kind == "alone":
            alone(*program)
        else:
            torchrun(processes, *program)
        files[kind] = {name: folder / kind / name for name in configs}
    return files["alone"], files["together"]


def test_two_processes_have_the_weights_of_one_on_native_kernels(tmp_path):
    # 131 images in batches of 64: the last has three, and one process has one of them.
    few = ("data.train_limit=431", "regularization.dropout=0.0", *_SAME)
    configs = {
        cell: small_config(*few, f"model.cell={cell}", "model.num_layers=2")
        for cell in ("lstm", "gru", "rnn")
    }
    one, two = _train(tmp_path, configs, 2, double=False)
    for cell in configs:
        assert _apart(one[cell], two[cell]) < 2e-5, cell


@pytest.mark.slow
def test_three_processes_have_the_weights_of_one_to_ten_digits_in_every_task(tmp_path):
    configs = {}
    for name, make in SMALL.items():
        (tmp_path / name).mkdir()
        config = make(tmp_path / name).override([*_SAME, "training.batch_size=10"])
        chance = [k for k in _CHANCE if getattr(config.regularization, k)]
        configs[name] = config.override([f"regularization.{k}=0.0" for k in chance])
    one, three = _train(tmp_path, configs, 3, double=True)
    apart = {name: _apart(one[name], three[name]) for name in configs}
    assert max(apart.values()) < 1e-10, apart
