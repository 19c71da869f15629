"""Recordings in CSV as people hand them in: every digit, every form, and what is refused where."""

import numpy as np
import pytest
import torch
from small_recordings import recordings_config

from carousel.config import Config, DataConfig, SoundConfig
from carousel.data.files import recordings as recording_files
from carousel.data.files.classes import read_classes
from carousel.data.files.recordings import read_folder, read_frames
from carousel.data.labelled_recordings import LabelledRecordings
from carousel.data.measured import MeasuredRecordings
from carousel.data.recordings import LabelledFrames
from carousel.errors import DataError
from carousel.terminal import NOTICE


def written(folder, texts):
    folder.mkdir(parents=True)
    for number, text in enumerate(texts):
        (folder / f"{number}.csv").write_text(text)
    return folder


def test_places_a_centimetre_apart_and_seconds_keep_every_digit():
    rows = [f"{5400000 + 0.01 * i:.2f},{1700000000 + i}" for i in range(200)]
    values = read_frames("place,second\n" + "\n".join(rows), "f").values
    wanted = np.array([[5400000 + 0.01 * i, 1700000000 + i] for i in range(200)])
    np.testing.assert_allclose(values, wanted, rtol=1e-15)
    assert [len(np.unique(column)) for column in values.T] == [200, 200]


def test_every_reader_hands_on_float64(tmp_path):
    text = "x,label\n" + "".join(f"{5400000 + 0.01 * i:.2f},{'ab'[i % 2]}\n" for i in range(40))
    numbers = text.replace("a\n", "1e8\n").replace("b\n", "100000000.5\n")
    frames = written(tmp_path / "frames", [text] * 4)
    measured = written(tmp_path / "measured", [numbers] * 4)
    for label in "ab":
        written(tmp_path / "classes" / label, [text] * 4)
    parts = [
        LabelledFrames.read(Config(data=DataConfig("recordings", str(frames)))).train,
        MeasuredRecordings.read(Config(data=DataConfig("recordings", str(measured)))).train,
        LabelledRecordings.read(recordings_config(tmp_path / "classes")).train,
    ]
    for part in parts:
        assert part.values.values.dtype == torch.float64
        assert len(part.values.values.unique()) == 40
    assert parts[1].targets.unique().tolist() == [100000000, 100000000.5]


@pytest.mark.parametrize(
    ("text", "row"),
    [
        ("1,2,3\n4,5,6\n7,8,9\n", r"\(1, 2, 3\)"),
        ("0.1,0.2,rest\n0.3,0.4,walk\n", r"\(0.1, 0.2, rest\)"),
        ("-1\n2\n3\n", r"\(-1\)"),
    ],
)
def test_a_file_without_a_header_is_refused_with_its_first_row(tmp_path, text, row):
    says = rf"must begin with a row that names the columns.*{row}"
    for measured in (False, True):
        with pytest.raises(DataError, match=says):
            read_frames(text, "f.csv", measured)
    with pytest.raises(DataError, match=says):
        read_folder(written(tmp_path / "own", [text] * 3))
    written(tmp_path / "classes" / "a", [text])
    with pytest.raises(DataError, match=says):
        read_classes(tmp_path / "classes", SoundConfig())


@pytest.mark.parametrize(
    ("text", "note"),
    [
        ("a;b;label\n1,5;2;x\n-0,25;,5;y\n", "semicolons"),
        ("a\tb\tlabel\n1.5\t2\tx\n-0.25\t.5\ty\n", "tabs"),
        ('a,"b",label\n1.5,"2",x\n-0.25,.5,y\n', ""),
    ],
)
def test_semicolons_tabs_and_decimal_commas_are_read_and_said(text, note):
    frames = read_frames(text, "f.csv")
    assert frames.values.tolist() == [[1.5, 2], [-0.25, 0.5]]
    assert frames.labels == ["x", "y"]
    assert any(note in said for said in frames.notes) if note else frames.notes == ()


def test_what_was_recognised_is_counted_by_files_in_the_account(tmp_path):
    texts = ["a;label\n1,5;x\n2,5;y\n", "a;label\n3,5;x\n2;y\n", "a,label\n1,x\n2,y\n"]
    folder = written(tmp_path / "own", texts)
    data = LabelledFrames.read(Config(data=DataConfig("recordings", str(folder))))
    assert data.account()["recognised"] == {
        "cells are separated by semicolons": 2,
        "commas are read as decimal points": 2,
    }


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a,label\n1,well, a walk\n", "line 2 has 3 cells, the header 2"),
        ('a,label\n1,x\n2,"y\n3,x\n', "line 3 cannot be read as CSV: a quotation mark"),
        ("a,b\n1,2\n3,five\n", "line 3, column 'b': must hold numbers, got 'five'"),
        ("a,b\n1,2\n3,1e200\n", "line 3, column 'b': 1e\\+200 is beyond"),
        ("a,,\n1,2,3\n", "2 columns without a name"),
    ],
)
def test_what_cannot_be_read_is_named_with_its_row_and_column(text, says):
    for measured in (False, True):
        with pytest.raises(DataError, match=says):
            read_frames(text, "f.csv", measured)


def test_a_word_among_the_numbers_to_be_found_is_named_too():
    with pytest.raises(DataError, match="line 3, column 'label': must hold numbers, got 'high'"):
        read_frames("a,label\n1,2\n3,high\n", "f.csv", measured=True)


def test_values_of_1e38_stay_finite_and_apart():
    values = read_frames("a,b\n1e38,1\n-3e38,2\n5e37,3\n", "f.csv").values
    assert values.tolist() == [[1e38, 1], [-3e38, 2], [5e37, 3]]


def test_other_files_in_a_folder_are_named_and_tables_of_any_case_are_read(tmp_path):
    folder = tmp_path / "own"
    folder.mkdir()
    (folder / "a.parquet").write_bytes(b"PAR1")
    (folder / "b.xlsx").write_bytes(b"PK")
    with pytest.raises(DataError, match=r"it has 0, and files of the kind \.parquet, \.xlsx"):
        read_folder(folder)
    for name in ("a.CSV", "b.csv"):
        (folder / name).write_text("x,label\n1,a\n2,b\n")
    (folder / "c.tsv").write_text("x\tlabel\n1\ta\n2\tb\n")
    (folder / "._a.csv").write_bytes(b"\0\5")
    assert list(read_folder(folder)) == ["a", "b", "c"]


def test_a_binary_file_that_is_called_csv_is_named_for_what_it_is(tmp_path):
    folder = written(tmp_path / "own", ["a,label\n1,x\n"] * 3)
    (folder / "1.csv").write_bytes(b"PAR1" + bytes(range(200)) + b"PAR1")
    with pytest.raises(DataError, match="Parquet"):
        read_folder(folder)


def test_large_files_are_named_while_they_are_read_and_small_ones_are_not(
    tmp_path, caplog, capsys, monkeypatch
):
    folder = written(tmp_path / "own", ["a,label\n1,x\n2,y\n"] * 3)
    caplog.set_level(NOTICE, "carousel")
    read_folder(folder)
    assert caplog.text == ""
    monkeypatch.setattr(recording_files, "_LARGE", 30)
    read_folder(folder)
    assert "reading 3 files beside" in caplog.text
    assert capsys.readouterr() == ("", "")


def test_two_files_of_one_name_are_not_one_recording(tmp_path):
    for name in ("a.csv", "a.tsv", "b.csv", "c.csv"):
        (tmp_path / name).write_text("x\n1\n" if name != "a.tsv" else "x\ty\n1\t2\n")
    with pytest.raises(DataError, match=r"a\.csv and .*a\.tsv would be one recording"):
        read_folder(tmp_path)


def test_files_in_hidden_folders_are_no_recordings(tmp_path):
    for label in ("one", "two"):
        written(tmp_path / label, ["x\n1\n2\n"] * 4)
        written(tmp_path / label / ".ipynb_checkpoints", ["x\n1\n2\n"])
    found = read_classes(tmp_path, SoundConfig())
    names = [example.name for example in found[0]]
    assert len(names) == 8
    assert not any("checkpoints" in name for name in names)
