"""Training in several processes: the weights are those of one process."""

import json

import pytest
import safetensors.torch
import torch
from every_task import SMALL
from processes import TESTS, alone, torchrun
from small import small_config
from small_sentences import sentence_config, write_sentences
from small_text import text_config, write_text

from carousel import tasks
from carousel.errors import ConfigError
from carousel.training import train_folds
from carousel.training.team import Place, Team

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
        jobs = [
            (config.to_dict(), str(folder / kind / name), double)
            for name, config in configs.items()
        ]
        (folder / kind).mkdir()
        (folder / kind / "jobs").write_text(json.dumps(jobs), "utf-8")
        program = (TESTS / "ranks.py", folder / kind / "jobs")
        if kind == "alone":
            alone(*program)
        else:
            torchrun(processes, *program)
        files[kind] = {name: folder / kind / name for name in configs}
    return files["alone"], files["together"]


@pytest.mark.slow
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
    (folder / "config.json").write_text(json.dumps(config.to_dict()), "utf-8")
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


@pytest.mark.slow
def test_two_processes_that_are_killed_in_their_pre_training_go_on_to_the_same_bits(tmp_path):
    folders = [tmp_path / "whole", tmp_path / "killed"]
    for folder in folders:
        folder.mkdir()
        config = sentence_config(
            write_sentences(folder),
            *(*_SAME, "pretraining.epochs=2", "pretraining.unfreeze=1"),
            "training.checkpoint_seconds=1e-6",
        )
        (folder / "config.json").write_text(json.dumps(config.to_dict()), "utf-8")
    _started(folders[0], 2, 0)
    _started(folders[1], 2, 23, fails=True)
    assert not (_run_of(folders[1]) / "checkpoints").exists()
    _started(folders[1], 2, 0, _run_of(folders[1]))
    assert _bits(folders[1]) == _bits(folders[0])


def test_cross_validation_of_several_processes_is_refused(monkeypatch):
    for name, value in {"RANK": "0", "WORLD_SIZE": "2"}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError, match="start it without torchrun"):
        train_folds(small_config(), folds=3)


def test_a_share_has_every_nth_row_and_one_that_stands_in_where_there_is_none(tmp_path):
    task = tasks.find("classify")(small_config(), 0)
    images, labels = next(task.train_batches(0, 0))
    batch = (images[:3], labels[:3])
    shares = [Team(Place(rank, 4)).share(task.subject, batch) for rank in range(4)]
    assert [idle for _, idle in shares] == [False, False, False, True]
    for rank, ((mine, _), _) in enumerate(shares):
        assert torch.equal(mine, images[[rank % 3]])
    (mine, _), idle = Team(Place(1, 2)).share(task.subject, (images[:5], labels[:5]))
    assert torch.equal(mine, images[[1, 3]])
    assert not idle


def test_the_names_that_torchrun_gives_say_which_place_a_process_has(monkeypatch, tmp_path):
    errors = tmp_path / "none_x" / "attempt_1" / "0" / "error.json"
    given = {"RANK": "3", "WORLD_SIZE": "4", "LOCAL_RANK": "1", "LOCAL_WORLD_SIZE": "2"}
    given |= {"TORCHELASTIC_RUN_ID": "none", "TORCHELASTIC_ERROR_FILE": str(errors)}
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    assert Place.found() == Place(3, 4, 1, 2, str(tmp_path / "none_x"))
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "speech")
    assert Place.found() == Place(3, 4, 1, 2, "speech")
    assert not Place.found().leads


@pytest.mark.parametrize(("rank", "order"), [(0, ["made", "told"]), (1, ["told", "made"])])
def test_what_is_made_in_turn_is_made_by_the_first_before_the_others(monkeypatch, rank, order):
    found = []

    def all_reduce(message):
        assert message.numel()  # gloo sends no empty message, and nobody would wait for it
        found.append("told")

    monkeypatch.setattr("carousel.training.team.distributed.all_reduce", all_reduce)
    Team(Place(rank, 2, rank, 2)).in_turn(lambda: found.append("made"))
    assert found == order
