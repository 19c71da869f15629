"""Recordings with numbers: the engines of C-MAPSS, own folders, and what is wrong with them."""

import pytest
import torch
from small_measured import write_measured

from carousel.config import Config, DataConfig
from carousel.data.measured import MeasuredRecordings
from carousel.data.whole_targets import WholeRecordings
from carousel.errors import ConfigError, DataError


def load(name, **settings):
    return MeasuredRecordings.read(Config(data=DataConfig(name=name, **settings)))


def test_engines_count_down_to_their_failure_and_are_judged_at_their_last_cycle(shared_data):
    shared_data("c-mapss")
    data = load("c-mapss")
    account = data.account()
    assert {n: len(names) for n, names in account["recordings"].items()} == {
        "train": 80, "validation": 20, "test": 100,
    }  # fmt: skip
    assert account["steps"]["train"] + account["steps"]["validation"] == 20_631
    assert account["steps"]["test"] == 13_096
    assert account["targets"]["test"] == 100
    for part in (data.train, data.validation):
        ends = part.values.offsets[1:] - 1
        assert (part.targets[ends] == 0).all()
        assert (part.targets.diff()[ends[:-1]] > 0).all()
        inside = torch.ones(len(part.targets) - 1, dtype=torch.bool)
        inside[ends[:-1]] = False
        assert (part.targets.diff()[inside] == -1).all()
    assert data.test.values.values.shape[1] == 24
    assert float(data.test.targets[data.test.values.offsets[1:] - 1].min()) == 7


def test_own_recordings_are_drawn_whole_and_steps_without_a_number_are_kept(tmp_path):
    data = load("recordings", path=str(write_measured(tmp_path)))
    account = data.account()
    assert {n: len(names) for n, names in account["recordings"].items()} == {
        "train": 6, "validation": 2, "test": 2,
    }  # fmt: skip
    assert sum(account["steps"].values()) == 600
    assert 400 < sum(account["targets"].values()) < 540


def test_what_cannot_be_used_says_why(tmp_path):
    for n in range(3):
        (tmp_path / f"{n}.csv").write_text("a,label\n1,\n2,\n")
    with pytest.raises(DataError, match=r"no step of .* column 'label', .*; other columns: a"):
        load("recordings", path=str(tmp_path))
    for n in range(3):
        (tmp_path / f"{n}.csv").write_text("a,label\n1,high\n")
    with pytest.raises(DataError, match="line 2, column 'label': must hold numbers, got 'high'"):
        load("recordings", path=str(tmp_path))
    with pytest.raises(ConfigError, match=r"needs data\.path"):
        load("recordings")
    with pytest.raises(ConfigError, match="c-mapss, covid3month, recordings, table; got 'mnist'"):
        load("mnist")


def test_covid3month_has_its_published_parts(shared_data):
    shared_data("covid3month")
    data = WholeRecordings.read(Config(task="regress", data=DataConfig(name="covid3month")))
    assert [len(data.part(name)) for name in ("train", "validation", "test")] == [112, 28, 61]
    assert set(data.train.values.lengths.tolist()) == {84}
    assert float(data.test.targets.max()) == 0.18181818181818182
    assert data.targets == ("death rate",)
