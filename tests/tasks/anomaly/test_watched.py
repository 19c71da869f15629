"""Series to watch, as files have them: times or none, labels, windows, gaps, folders."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from small_watched import ANOMALIES, watched_config, write_watched

from carousel.data.files.watched import read_watched, read_windows
from carousel.data.watched import Watched, WatchedSeries, filled, probation, runs
from carousel.errors import DataError
from carousel.tasks import find


def read(text, label="label"):
    return read_watched(text, "a.csv", "a", label)


def test_times_are_optional_and_labels_are_read_apart():
    timed = read("when,x,label\n2024-01-01,1,0\n2024-01-02,2,1\n")
    assert (timed.columns, timed.times) == (("x",), ("2024-01-01", "2024-01-02"))
    assert timed.labels.tolist() == [False, True]
    plain = read("x,y\n1,2\n3,4\n5,6\n")
    assert (plain.columns, plain.times) == (("x", "y"), ("0", "1", "2"))
    assert plain.labels is None
    assert read("timestamp,x\n1700000000,1\n1700000060,2\n").times[1] == "2023-11-14T22:14:20"


def test_times_that_are_not_steady_are_counted_and_rows_stay_in_their_order():
    text = "t,x\n2024-01-01T00,1\n2024-01-01T01,2\n2024-01-01T01,3\n2024-01-01T00,4\n"
    text += "2024-01-01T01,5\n2024-01-01T02,6\n2024-01-01T05,7\n"
    one = read(text)
    assert one.values[:, 0].tolist() == [1, 2, 3, 4, 5, 6, 7]
    (note,) = one.notes
    assert "1 stand before" in note
    assert "1 stand twice" in note
    assert "1 come later" in note


@pytest.mark.parametrize("cell", ["2", "", "0.5"])
def test_a_label_that_is_neither_0_nor_1_is_refused_with_its_row(cell):
    with pytest.raises(DataError, match=r"a\.csv row 3: the column 'label' must hold 0"):
        read(f"x,label\n1,0\n2,{cell}\n")


def test_missing_values_are_those_before_and_counted():
    one = read("x,y\n,1\n2,\n,3\n")
    assert one.values.tolist() == [[2, 1], [2, 1], [2, 3]]
    assert one.filled == 3
    values, missing = filled(np.array([[np.nan], [np.inf]]))
    assert values.tolist() == [[0], [0]]
    assert missing.all()


def test_windows_in_a_file_judge_in_place_of_a_column(tmp_path):
    path = write_watched(tmp_path, label=False)
    labels = read_watched(
        write_watched(tmp_path, "other.csv").read_text(), "o", "o", "label"
    ).labels
    times = read(path.read_text()).times
    windows = [[times[first], times[last]] for first, last in ANOMALIES]
    (tmp_path / "w.json").write_text(json.dumps({"series.csv": windows}))
    rows = "".join(f"series,{start},{end}\n" for start, end in windows)
    (tmp_path / "w.csv").write_text("series,start,end\n" + rows)
    for name in ("w.json", "w.csv"):
        config = watched_config(path, f"anomaly.windows='{tmp_path / name}'")
        (one,) = WatchedSeries.read(config).series
        assert np.array_equal(one.labels, labels)
    (tmp_path / "w.json").write_text(json.dumps([["2030-01-01", "2030-01-02"]]))
    with pytest.raises(DataError, match="holds no row"):
        WatchedSeries.read(watched_config(path, f"anomaly.windows='{tmp_path / 'w.json'}'"))
    (tmp_path / "w.json").write_text(json.dumps({"else": windows}))
    with pytest.raises(DataError, match="windows of else, of which there is no series"):
        WatchedSeries.read(watched_config(path, f"anomaly.windows='{tmp_path / 'w.json'}'"))


def test_windows_of_a_series_without_times_are_rows(tmp_path):
    (tmp_path / "a.csv").write_text("x\n" + "".join(f"{i % 3}.5\n" for i in range(20)))
    (tmp_path / "w.csv").write_text("start,end\n12,14\n")
    config = watched_config(tmp_path / "a.csv", f"anomaly.windows='{tmp_path / 'w.csv'}'")
    (one,) = WatchedSeries.read(config).series
    assert runs(one.labels) == [(12, 14)]
    (tmp_path / "bad.csv").write_text("from,to\n1,2\n")
    with pytest.raises(DataError, match="must have the columns start and end"):
        read_windows(str(tmp_path / "bad.csv"))


def test_a_folder_has_a_series_in_each_file_and_they_have_the_same_columns(tmp_path):
    folder = tmp_path / "all"
    folder.mkdir()
    write_watched(folder, "b.csv")
    write_watched(folder, "a.csv", seed=1)
    data = WatchedSeries.read(watched_config(folder))
    assert [one.name for one in data.series] == ["a", "b"]
    assert data.part("train").counts == {"steps": 720, "series": 2}
    (folder / "c.csv").write_text("time,wave\n2024-01-01,1\n2024-01-02,2\n")
    with pytest.raises(DataError, match="a has wave, other, c has wave"):
        WatchedSeries.read(watched_config(folder))
    empty = tmp_path / "none"
    empty.mkdir()
    with pytest.raises(DataError, match=r"has no \.csv file"):
        WatchedSeries.read(watched_config(empty))


def test_shares_that_leave_nothing_are_refused(tmp_path):
    path = write_watched(tmp_path)
    with pytest.raises(DataError, match="leave nothing to train on"):
        WatchedSeries.read(watched_config(path, "anomaly.validation=0.5", "anomaly.test=0.5"))


def test_the_test_labels_alone_are_part_of_what_a_run_remembers(tmp_path):
    data = WatchedSeries.read(watched_config(write_watched(tmp_path)))
    assert data.part("train").labels == (None,)
    assert data.part("test").labels[0].sum() == 35


def test_the_probationary_period_is_the_benchmarks():
    assert [probation(n) for n in (100, 4032, 5000, 22_695)] == [15, 604, 750, 750]


def test_the_published_set_is_whole_and_its_windows_are_those_of_the_benchmark(shared_data):
    shared_data("nab-known-cause")
    folder = Path(os.environ["CAROUSEL_DATA"]) / "nab-known-cause"
    config = watched_config("x").override(["data.path=''", "data.name=nab-known-cause"])
    data = WatchedSeries.read(config)
    assert sum(map(len, data.series)) == 69_561
    published = json.loads((folder / "windows.json").read_text())
    for one in data.series:
        windows = published[f"{one.name}.csv"]
        found = runs(one.labels)
        assert len(found) == len(windows)
        for (first, last), (start, end) in zip(found, windows, strict=True):
            assert np.datetime64(one.times[first]) >= np.datetime64(start)
            assert np.datetime64(one.times[last]) <= np.datetime64(end)
        assert not one.labels[: one.ends[1]].any()
        assert one.ends[1] == probation(len(one))


def test_series_that_are_handed_in_need_names_of_their_own(tmp_path):
    one = Watched("a", ("x",), tuple("0123"), np.zeros((4, 1)), ends=(2, 3))
    with pytest.raises(Exception, match="two series are called 'a'"):
        find("anomaly")(watched_config("x"), 0, WatchedSeries((one, one)))
