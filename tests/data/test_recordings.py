"""Recordings: whole ones on each side of a split, labels per frame, and what files may hold."""

from itertools import chain

import numpy as np
import pytest
import torch
from small_frames import write_recordings

from carousel.config import Config, DataConfig
from carousel.data.files.recordings import read_folder, read_frames
from carousel.data.recordings import LabelledFrames
from carousel.data.scaling import FeatureScaler
from carousel.data.sets.utkinect import actions, label
from carousel.errors import ConfigError, DataError


def load(name, **settings):
    return LabelledFrames.read(Config(data=DataConfig(name=name, **settings)))


@pytest.mark.parametrize(
    ("name", "sizes", "frames", "classes"),
    [("utkinect", (8, 2, 10), 15_318, 10), ("gesture-phase", (4, 1, 2), 9_901, 5)],
)
def test_published_sets_are_split_by_whole_recordings(shared_data, name, sizes, frames, classes):
    shared_data(name)
    data = load(name)
    account = data.account()
    names = [set(part) for part in account["recordings"].values()]
    assert tuple(map(len, names)) == sizes
    assert len(set.union(*names)) == sum(sizes)
    assert sum(account["frames"].values()) == frames
    assert len(data.classes) == classes
    for part in map(data.part, account["recordings"]):
        assert torch.isfinite(part.values.values).all()
        assert len(part.values.values) == len(part.labels)
    if name == "utkinect":
        people = [{recording[:3] for recording in part} for part in names]
        assert len(set.union(*people)) == sum(map(len, people)) == 10
    else:
        counts = torch.bincount(torch.cat([data.part(p).labels for p in account["frames"]]))
        assert counts.tolist() == [2769, 2097, 2950, 998, 1087]


def test_skeletons_are_turned_so_that_the_hips_lie_along_x(shared_data):
    shared_data("utkinect")
    joints = load("utkinect").train.values.values.view(-1, 20, 3)
    across = joints[:, 16] - joints[:, 12]
    assert across[:, 2].abs().max() < 1e-4
    assert (across[:, 0] >= 0).all()
    assert (joints[:, 0, ::2] == 0).all()


def test_gestures_have_the_size_of_the_body_as_their_unit(shared_data):
    shared_data("gesture-phase")
    data = load("gesture-phase")
    for part in ("train", "validation", "test"):
        held = data.part(part)
        for number in range(len(held)):
            head = held.values[number].view(-1, 6, 3)[:, 2]
            assert float(head.norm(dim=1).median()) == pytest.approx(1, abs=0.01)


def labels_of(part, number):
    first, end = part.values.offsets[number : number + 2].tolist()
    return part.labels[first:end].tolist()


def test_own_recordings_are_drawn_whole_and_every_frame_is_kept(tmp_path):
    folder = write_recordings(tmp_path, count=10, frames=20)
    data = load("recordings", path=str(folder))
    account = data.account()
    assert [len(names) for names in account["recordings"].values()] == [6, 2, 2]
    assert sorted(chain.from_iterable(account["recordings"].values())) == [
        f"r{n}" for n in range(10)
    ]
    assert sum(account["frames"].values()) == 200
    assert data.classes == ("high", "low", "mid")
    found = read_folder(folder)
    for part in (data.train, data.part("test")):
        for number, name in enumerate(part.names):
            assert np.array_equal(part.values[number].numpy(), found[name].values)
            labels = [data.classes[i] if i >= 0 else "" for i in labels_of(part, number)]
            assert labels == found[name].labels


def test_missing_numbers_are_carried_on_and_counted():
    frames = read_frames("a,label,b\n,x,1\n2,,nan\n,x,inf\n5,x,7\n", "f")
    assert frames.values.tolist() == [[0, 1], [2, 1], [2, 1], [5, 7]]
    assert frames.labels == ["x", "", "x", "x"]
    assert frames.filled == 4
    assert read_frames("a,b\n1,2\n", "f").labels == [""]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a,label\n", "a header and no frame"),
        ("label\nx\n", "no column of numbers"),
        ("a,label\n1,x\n2\n", "line 3 has 1 cells, the header 2"),
        ("a,label\nred,x\n", "must hold numbers, got 'red'"),
    ],
)
def test_a_file_that_cannot_be_used_says_where_and_why(text, says):
    with pytest.raises(DataError, match=says):
        read_frames(text, "f.csv")


def test_folders_that_cannot_be_used_say_why(tmp_path):
    with pytest.raises(DataError, match=r"at least three \.csv files"):
        load("recordings", path=str(tmp_path))
    for n in range(3):
        (tmp_path / f"{n}.csv").write_text("a,b,label\n1,2,x\n" if n else "a,label\n1,y\n")
    with pytest.raises(DataError, match="the same columns"):
        load("recordings", path=str(tmp_path))
    (tmp_path / "0.csv").write_text("a,b,label\n1,2,x\n")
    with pytest.raises(DataError, match="at least two labels, these have 1"):
        load("recordings", path=str(tmp_path))
    with pytest.raises(ConfigError, match=r"needs data\.path"):
        load("recordings")
    with pytest.raises(
        ConfigError, match="gesture-phase, moving-digits, utkinect, recordings, table; got 'mnist'"
    ):
        load("mnist")


def test_a_label_that_training_lacks_is_refused(tmp_path):
    for n in range(3):
        (tmp_path / f"{n}.csv").write_text(f"a,label\n1,all\n2,only{n}\n")
    with pytest.raises(DataError, match="no recording of the training part has the label"):
        load("recordings", path=str(tmp_path))


def test_the_table_of_actions_is_read_with_its_slip_mended():
    table = "s01_e01\nwalk: 252 390\npush: 2556 3622 \ns10_e02\ncarry: NaN NaN\nwalk: 1 2\n"
    assert actions(table) == {
        "s01_e01": [("walk", 252, 390), ("push", 3556, 3622)],
        "s10_e02": [("walk", 1, 2)],
    }
    assert label([1, 3, 4, 6, 9], [("b", 4, 6), ("a", 2, 4)]) == ["", "a", "b", "b", ""]


def test_scaling_is_that_of_each_column_and_a_constant_becomes_zero():
    values = torch.randn(500, 3) * torch.tensor([3.0, 0.01, 0.0]) + torch.tensor([5.0, -2.0, 0.1])
    scaler = FeatureScaler.fit(values)
    scaled = scaler(values)
    torch.testing.assert_close(scaled.mean(0), torch.zeros(3), atol=1e-4, rtol=0)
    torch.testing.assert_close(scaled.std(0, correction=0)[:2], torch.ones(2), atol=1e-3, rtol=0)
    assert scaled[:, 2].abs().max() < 1e-3
    again = FeatureScaler.restore(scaler.facts())
    assert torch.equal(again(values), scaled)
