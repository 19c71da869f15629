"""A checkpoint is whole or not there."""

import errno
import resource
import signal

import pytest
import torch

from carousel.errors import RunError
from carousel.training import checkpoint


def test_tensors_and_facts_come_back(tmp_path):
    tensors = {"a": torch.randn(3, 4), "b/c": torch.arange(5)}
    checkpoint.save(tmp_path / "c", 7, tensors, {"rate": 0.1 + 0.2, "epoch": 3})
    back, facts = checkpoint.load_latest(tmp_path / "c")
    assert facts == {"rate": 0.1 + 0.2, "epoch": 3}
    assert all(torch.equal(back[name], tensors[name]) for name in tensors)
    assert back.keys() == tensors.keys()


def test_the_newest_is_loaded_and_the_last_two_are_kept(tmp_path):
    for step in (9, 10, 100, 99):
        checkpoint.save(tmp_path, step, {"a": torch.tensor(step)}, {"step": step})
    assert checkpoint.load_latest(tmp_path)[1] == {"step": 100}
    assert [path.name for path in sorted(tmp_path.iterdir())] == [
        "step-000000099",
        "step-000000100",
    ]


def test_there_may_be_none_yet(tmp_path):
    assert checkpoint.load_latest(tmp_path / "nowhere") is None


def test_a_failed_write_keeps_the_previous_and_says_how_to_go_on(tmp_path, monkeypatch):
    folder = tmp_path / "checkpoints"
    checkpoint.save(folder, 1, {"a": torch.zeros(3)}, {"step": 1})

    def full(path, content):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(checkpoint, "write_durably", full)
    with pytest.raises(RunError, match=r"No space left.*step-000000001 is intact.*--resume"):
        checkpoint.save(folder, 2, {"a": torch.ones(3)}, {"step": 2})
    assert checkpoint.load_latest(folder)[1] == {"step": 1}
    assert [path.name for path in folder.iterdir()] == ["step-000000001"]


def test_a_file_system_that_refuses_mid_file_keeps_the_previous(tmp_path):
    folder = tmp_path / "checkpoints"
    checkpoint.save(folder, 1, {"a": torch.zeros(3)}, {"step": 1})
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limits[1]))
        with pytest.raises(RunError, match="step-000000001 is intact"):
            checkpoint.save(folder, 2, {"a": torch.ones(10_000)}, {"step": 2})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert checkpoint.load_latest(folder)[1] == {"step": 1}


def test_a_damaged_checkpoint_is_refused_by_name(tmp_path):
    checkpoint.save(tmp_path, 1, {"a": torch.zeros(3)}, {})
    (tmp_path / "step-000000001" / "state.safetensors").write_bytes(b"x")
    with pytest.raises(RunError, match=r"step-000000001 is damaged.*delete that folder"):
        checkpoint.load_latest(tmp_path)
