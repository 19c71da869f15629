"""Series to watch, as files have them: times or none, labels, windows, gaps, folders."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from small_watched import ANOMALIES, rows, watched_args, watched_config, write_watched

from carousel import recipes
from carousel.config import Config
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
    assert data.part("train").counts == {"steps": 720, "sequences": 2}
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


def test_series_that_are_handed_in_need_names_of_their_own():
    one = Watched("a", ("x",), tuple("0123"), np.zeros((4, 1)), ends=(2, 3))
    with pytest.raises(DataError, match="two series are called 'a'"):
        WatchedSeries((one, one))


# ---- tables with roles


def long_table(folder, name="long.csv"):
    """Two series one under the other, the first of them not in order of time."""
    import polars

    found = []
    for number, unit in enumerate(("pump", "fan")):
        one = rows(600, seed=number, anomalies=((500, 519),))
        frame = polars.DataFrame(
            {
                "unit": [unit] * 600,
                "at": [row[0] for row in one],
                "wave": [row[1] for row in one],
                "other": [row[2] for row in one],
                "bad": [row[3] for row in one],
                "remark": ["x"] * 600,
            }
        )
        found.append(frame.reverse() if number == 0 else frame)
    table = polars.concat(found)
    path = folder / name
    table.write_parquet(path) if path.suffix == ".parquet" else table.write_csv(path)
    return path


ROLES = ["columns.id=unit", "columns.time=at", "columns.target=bad", "columns.ignore=remark"]


@pytest.mark.parametrize("name", ["long.csv", "long.parquet"])
def test_a_table_with_roles_has_a_series_for_each_id_in_order_of_time(name, tmp_path):
    config = Config(task="anomaly").override([*ROLES, f"data.path='{long_table(tmp_path, name)}'"])
    assert config.data.name == "table"
    data = WatchedSeries.read(config)
    assert [one.name for one in data.series] == ["pump", "fan"]
    for number, one in enumerate(data.series):
        wanted = rows(600, seed=number, anomalies=((500, 519),))
        assert one.columns == ("wave", "other")
        np.testing.assert_allclose(one.values, [row[1:3] for row in wanted])
        assert runs(one.labels) == [(500, 519)]
        assert one.ends == (240, 360)
        assert np.datetime64(one.times[1]) - np.datetime64(one.times[0]) == np.timedelta64(1, "h")


def test_a_table_is_predicted_by_its_ids_and_needs_no_label(tmp_path):
    import polars

    path = long_table(tmp_path)
    given = [*ROLES, f"data.path='{path}'", *watched_args()]
    config = Config(task="anomaly").override(given)
    task = find("anomaly")(config, 0)
    torch.manual_seed(0)
    model = task.finish(task.build_model())
    new = tmp_path / "new.csv"
    polars.read_csv(path).drop("bad", "remark").write_csv(new)
    given = model.read(new)
    assert given.names == ("pump", "fan")
    of_file = model.predict(given.inputs)
    of_frame = model.predict(polars.read_csv(new, try_parse_dates=True))
    for one, other in zip(of_file, of_frame, strict=True):
        assert len(one.scores) == 600
        np.testing.assert_array_equal(one.scores, other.scores)


def test_a_target_of_anything_else_than_0_and_1_is_refused(tmp_path):
    path = long_table(tmp_path)
    config = Config(task="anomaly").override(
        ["columns.id=unit", "columns.target=wave", "columns.ignore='remark, at, bad'",
         f"data.path='{path}'"]
    )  # fmt: skip
    with pytest.raises(DataError, match="the column 'wave' must hold 0"):
        WatchedSeries.read(config)


def test_init_writes_a_recipe_that_reads_the_table_as_it_is(tmp_path, carousel):
    path = long_table(tmp_path)
    code, out, err = carousel(
        "init", path, "--task", "anomaly", "--target", "bad", "-o", "mine.toml"
    )
    assert code == 0, err
    assert "labels only judge" in out
    config = recipes.load(str(tmp_path / "mine.toml"))[0]
    assert config.columns.id == "unit"
    assert (config.columns.time, config.columns.target) == ("at", "bad")
    data = WatchedSeries.read(config)
    assert data.column_names == ("wave", "other")
    assert all(runs(one.labels) == [(500, 519)] for one in data.series)
    find("anomaly")(config, 0)
