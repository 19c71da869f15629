"""Training in several processes: the weights are those of one process."""

import pickle

import pytest
import safetensors.torch
from every_task import SMALL
from processes import TESTS, alone, torchrun
from small import small_config
from small_text import text_config, write_text

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


def _started(folder, processes, step, *run, options=(), fails=False):
    program = (TESTS / "dying_ranks.py", folder, step, *run)
    return torchrun(processes, *program, options=options, fails=fails)


def _config(folder):
    """A small language model with dropout, whose streams carry states: every step is saved."""
    folder.mkdir()
    config = text_config(write_text(folder)).override(
        [*_SAME, "training.checkpoint_seconds=1e-6", "regularization.dropout=0.2"]
    )
    (folder / "config").write_bytes(pickle.dumps(config))
    return folder


def _run_of(folder):
    (run,) = (folder / "runs").iterdir()
    return run


def _bits(folder):
    return (_run_of(folder) / "model" / "weights.safetensors").read_bytes()


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    folder = _config(tmp_path_factory.mktemp("together") / "undisturbed")
    done = _started(folder, 2, 0)
    assert sorted(done.stdout.split()[1::3]) == ["0", "1"], done.stdout
    return folder


@pytest.mark.slow
def test_a_process_is_killed_and_the_run_resumed_with_the_same_bits(tmp_path, undisturbed):
    folder = _config(tmp_path / "killed")
    died = _started(folder, 2, 9, fails=True)
    assert "TeamEnded another process of this training has ended" in died.stdout
    run = _run_of(folder)
    assert f"carousel train --resume runs/{run.name}" in died.stdout
    _started(folder, 2, 0, run)
    assert _bits(folder) == _bits(undisturbed)


@pytest.mark.slow
def test_torchrun_starts_the_processes_anew_and_the_run_ends_with_the_same_bits(
    tmp_path, undisturbed
):
    folder = _config(tmp_path / "restarted")
    _started(folder, 2, 9, options=("--max-restarts", "1"))
    assert _bits(folder) == _bits(undisturbed)


@pytest.mark.slow
def test_a_run_goes_on_with_another_number_of_processes_and_says_so(tmp_path):
    folder = _config(tmp_path / "fewer")
    _started(folder, 3, 9, fails=True)
    done = _started(folder, 2, 0, _run_of(folder))
    said = "was begun by 3 processes and goes on with 2, of"
    assert said in done.stdout + done.stderr
    assert (_run_of(folder) / "result.json").is_file()
