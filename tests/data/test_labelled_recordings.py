"""Recordings with one label each: files of one's own, published sets, who stands on which side."""

import pytest
import torch
from small_recordings import recordings_config, write_classes

from carousel.config import SoundConfig
from carousel.data.files.classes import read_classes
from carousel.data.files.ts import read_ts
from carousel.data.labelled_recordings import LabelledRecordings
from carousel.errors import ConfigError, DataError

TS = """# a comment
@problemName Small
@timeStamps false
@classLabel true a b
@data
1,2,3:4,5,6:a
7,?:?,8:b
"""


def test_a_ts_file_is_read_with_its_gaps():
    examples, classes = read_ts(TS, "Small_TRAIN.ts")
    assert classes == ("a", "b")
    assert [e.label for e in examples] == ["a", "b"]
    assert examples[0].values.tolist() == [[1, 4], [2, 5], [3, 6]]
    assert examples[1].values.tolist() == [[7, 0], [7, 8]]
    assert [e.filled for e in examples] == [0, 2]


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("@data", "", "must be a .ts file"),
        ("timeStamps false", "timeStamps true", "without time stamps"),
        ("1,2,3", "1,2", "recording 0 is not rows of numbers"),
        ("1,2,3", "1,x,3", "recording 0 is not rows of numbers"),
        (":a\n", ":c\n", "the recording x-000 has the unknown class 'c'"),
    ],
)
def test_a_damaged_ts_file_is_refused(old, new, says):
    with pytest.raises(DataError, match=says):
        read_ts(TS.replace(old, new), "x.ts")


def test_each_class_is_in_every_part_and_no_recording_in_two(tmp_path):
    data = LabelledRecordings.read(recordings_config(write_classes(tmp_path)))
    names = []
    for part in ("train", "validation", "test"):
        held = data.part(part)
        assert set(held.labels.tolist()) == {0, 1}
        names += held.names
    assert len(names) == len(set(names)) == 24


def test_groups_are_held_out_whole(tmp_path):
    folder = write_classes(tmp_path, groups=("ann", "bob", "cyd", "dan", "eve", "fay"))
    for more in ([], ["data.hold_out=dan"]):
        data = LabelledRecordings.read(recordings_config(folder, *more))
        people = [
            {name.split("/")[1] for name in data.part(part).names}
            for part in ("train", "validation", "test")
        ]
        assert sum(map(len, people)) == len(set.union(*people)) == 6
        if more:
            assert people[1:] == [{"cyd"}, {"dan"}]
    with pytest.raises(ConfigError, match=r"one of at least three groups; got 'gus' of ann, bob"):
        LabelledRecordings.read(recordings_config(folder, "data.hold_out=gus"))


def test_a_recording_that_stands_in_two_parts_is_counted(tmp_path):
    folder = write_classes(tmp_path)
    content = (folder / "up-down" / "r0.csv").read_text()
    for file in (folder / "up-down").iterdir():
        file.write_text(content)
    account = LabelledRecordings.read(recordings_config(folder)).account()
    assert account["also_in_training"] == {"validation": 2, "test": 2}


def test_folders_that_do_not_fit_are_refused(tmp_path):
    def refused(says, path=tmp_path / "own"):
        with pytest.raises(DataError, match=says):
            read_classes(path, SoundConfig())

    refused("there is no folder")
    own = tmp_path / "own"
    own.mkdir()
    refused("it has no files")
    (own / "a.csv").write_text("x\n1\n")
    refused(r"must stand in .*own/CLASS/")
    (own / "a.csv").unlink()
    (own / "p").mkdir()
    (own / "p" / "a.csv").write_text("x\n1\n")
    (own / "p" / "b.csv").write_text("x,y\n1,2\n")
    refused("b.csv has the column .y. besides, unlike .*a.csv")
    (own / "p" / "b.csv").write_text("x\nfoo\n")
    refused("must hold numbers, got 'foo'")
    (own / "p" / "b.csv").unlink()
    with pytest.raises(DataError, match="too few recordings to be split"):
        LabelledRecordings.read(recordings_config(own))
    with pytest.raises(ConfigError, match=r"needs data.path"):
        LabelledRecordings.read(recordings_config(""))
    with pytest.raises(ConfigError, match="must be one of basic-motions, fsdd"):
        LabelledRecordings.read(recordings_config("", "data.name=mnist"))


SIZES = {
    "japanese-vowels": ("japanese-vowels", (216, 54, 370), 9, 12),
    "basic-motions": ("basic-motions", (32, 8, 40), 4, 6),
    "indoor-movement": ("indoor-movement", (188, 63, 63), 2, 4),
    "fsdd": ("fsdd", (2400, 300, 300), 10, 40),
}


@pytest.mark.parametrize("name", SIZES)
def test_published_sets_have_their_published_parts(name, shared_data):
    folder, sizes, classes, features = SIZES[name]
    shared_data(folder)
    config = recordings_config("", f"data.name={name}", "data.path=''")
    data = LabelledRecordings.read(config)
    assert tuple(len(data.part(part)) for part in ("train", "validation", "test")) == sizes
    assert len(data.classes) == classes
    assert data.train.values.values.size(1) == features
    assert data.account()["also_in_training"] == {"validation": 0, "test": 0}
    if name == "fsdd":
        assert {n.rpartition("_")[2] for n in data.part("test").names} == set("01234")
        speakers = {n.split("_")[1] for n in data.part("test").names}
        assert torch.bincount(data.part("test").labels).tolist() == [30] * 10
        assert len(speakers) == 6


def test_a_speaker_held_out_is_heard_by_nobody_else(shared_data):
    shared_data("fsdd")
    config = recordings_config("", "data.name=fsdd", "data.path=''", "data.hold_out=theo")
    data = LabelledRecordings.read(config)
    speakers = {p: {n.split("_")[1] for n in data.part(p).names} for p in ("validation", "test")}
    assert speakers == {"validation": {"nicolas"}, "test": {"theo"}}
    assert {n.split("_")[1] for n in data.train.names}.isdisjoint({"nicolas", "theo"})
