"""Columns of recordings: matched by their names, in training and in use, in every such task."""

import csv
import json
import shutil

import numpy as np
import pytest
from small_frames import frames_config, write_recordings
from small_measured import measured_config, write_measured
from small_recordings import recordings_config, write_classes

import carousel as library
from carousel import tasks
from carousel.cli.given import Request
from carousel.cli.respond import respond
from carousel.errors import DataError
from carousel.tasks.shared.task import Json, Notice
from carousel.training import train

MADE = {
    "classify_recordings": (write_classes, recordings_config),
    "label_frames": (write_recordings, frames_config),
    "regress": (write_measured, measured_config),
}


class Frame:
    """A data frame as pandas has it, as far as it is read."""

    def __init__(self, columns, values):
        self.columns, self._values = columns, np.asarray(values, float)

    def to_numpy(self):
        return self._values


def rewritten(source, target, change):
    """The CSV file again, with its columns as `change` (names to names in the file) has them."""
    with source.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    with target.open("w", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(change)
        writer.writerows([row.get(old, "0.5") for old in change.values()] for row in rows)
    return target


def answer(model, path):
    shown = list(respond(model, Request(path, as_json=True)))
    return shown[-1].content, [line.text for line in shown if isinstance(line, Notice)]


@pytest.fixture(scope="module", params=MADE)
def made(request, tmp_path_factory):
    """The task's name, a folder of recordings, and a run of one epoch on it."""
    write, config = MADE[request.param]
    folder = write(tmp_path_factory.mktemp("data"))
    path = tmp_path_factory.mktemp("run") / "run"
    run = train(config(folder, "training.epochs=1"), run_dir=path, threads=1, quiet=True)
    return request.param, folder, run


def columns_of(file):
    return file.read_text().splitlines()[0].split(",")


def files_of(folder):
    return sorted(folder.rglob("*.csv"))


def test_swapped_columns_of_one_file_are_put_right_in_training(made, tmp_path):
    name, folder, _ = made
    other = tmp_path / "data"
    shutil.copytree(folder, other)
    for file in files_of(other)[1::2]:
        rewritten(file, file, {column: column for column in reversed(columns_of(file))})
    config = MADE[name][1]
    one, two = (tasks.find(name)(config(path), 0) for path in (folder, other))
    for part in ("train", "validation", "test"):
        assert one.data.part(part).values.values.equal(two.data.part(part).values.values)


def test_other_names_are_refused_in_training_and_named(made, tmp_path):
    name, folder, _ = made
    other = tmp_path / "data"
    shutil.copytree(folder, other)
    last = files_of(other)[-1]
    rewritten(last, last, {"p" if c == "noise" else c: c for c in columns_of(last)})
    with pytest.raises(
        DataError, match=rf"{last.name} has no column 'noise' and has the column 'p'"
    ):
        tasks.find(name)(MADE[name][1](other), 0)


def test_swapped_columns_get_the_same_answer(made, tmp_path):
    _, folder, run = made
    model, file = run.load(), files_of(folder)[0]
    names = [c for c in columns_of(file) if c != "label"]
    swapped = rewritten(file, tmp_path / file.name, {c: c for c in reversed(names)})
    (one, _), (two, said) = answer(model, file), answer(model, swapped)
    for found in (one, two):
        for row in found if isinstance(found, list) else []:
            del row["recording"]
    assert one == two
    assert said == []


def test_a_missing_column_is_named_and_a_new_one_is_not_read(made, tmp_path):
    _, folder, run = made
    model, file = run.load(), files_of(folder)[0]
    names = [c for c in columns_of(file) if c != "label"]
    less = rewritten(file, tmp_path / "less.csv", {c: c for c in names[1:]})
    with pytest.raises(DataError, match=rf"less\.csv has no column '{names[0]}'.*'noise'"):
        list(respond(model, Request(less)))
    more = rewritten(file, tmp_path / file.name, {"extra": "extra", **{c: c for c in names}})
    (one, _), (two, said) = answer(model, file), answer(model, more)
    for found in (one, two):
        for row in found if isinstance(found, list) else []:
            del row["recording"]
    assert one == two
    assert [line for line in said if "not read: the column 'extra'" in line] == said != []


def test_a_bundle_knows_its_columns_and_one_without_names_says_it_goes_by_place(made, tmp_path):
    _, folder, run = made
    file = files_of(folder)[0]
    names = [c for c in columns_of(file) if c != "label"]
    shutil.copytree(run.path / "model", tmp_path / "old")
    path = tmp_path / "old" / "model.json"
    facts = json.loads(path.read_text())
    assert facts.pop("columns") == names
    path.write_text(json.dumps(facts))
    now, said_now = answer(run.load(), file)
    then, said_then = answer(library.load(tmp_path / "old"), file)
    assert now == then
    assert said_now == []
    assert said_then == ["the model knows no names of columns: they are taken by their places"]


def test_files_and_data_frames_are_read_by_name_in_python(made, tmp_path):
    name, folder, run = made
    model, file = run.load(), files_of(folder)[0]
    names = [c for c in columns_of(file) if c != "label"]
    with file.open(newline="") as stream:
        rows = [[float(row[c]) for c in names] for row in csv.DictReader(stream)]
    if name == "classify_recordings":

        def ask(one):
            return model.predict_proba([one])

        assert model.predict(str(file)) == model.predict([file])
    else:
        ask = model.label_proba if name == "label_frames" else model.numbers
    wanted = ask(np.array(rows))
    turned = Frame([*reversed(names)], [row[::-1] for row in rows])
    for one in (file, str(file), turned):
        np.testing.assert_array_equal(ask(one), wanted)
    with pytest.warns(UserWarning, match="not read: the column 'z'"):
        np.testing.assert_array_equal(
            ask(Frame([*names, "z"], [[*row, 9.0] for row in rows])), wanted
        )
    with pytest.raises(DataError, match="the data frame has no"):
        ask(Frame(["q", "r"], rows))


def test_evaluation_goes_by_name_too(made, tmp_path):
    _, folder, run = made
    model = run.load()
    before = model.evaluate("validation")
    kept = {file: file.read_text() for file in files_of(folder)}
    try:
        for file in kept:
            rewritten(file, file, {c: c for c in reversed(columns_of(file))})
        after = model.evaluate("validation")
    finally:
        for file, text in kept.items():
            file.write_text(text)
    del before["columns"], after["columns"]
    assert before == after


def test_a_name_that_comes_twice_is_refused(tmp_path):
    for number in range(3):
        (tmp_path / f"{number}.csv").write_text("x,x,label\n1,2,a\n")
    with pytest.raises(DataError, match="more than one column with the name 'x'"):
        tasks.find("label_frames")(frames_config(tmp_path), 0)


def test_a_folder_in_place_of_a_file_is_called_a_folder(made, carousel):
    name, folder, run = made
    code, out, err = carousel("predict", run.path, folder)
    assert (code, out) == (2, "")
    if name == "classify_recordings":  # which reads folders of files
        assert "has no file of the kind .csv" in err
        code, out, err = carousel("predict", run.path, folder / "up-down")
        assert code == 0
    else:
        assert f"{folder} is a folder, not a file: name a file, such as" in err


@pytest.mark.slow
def test_inspect_looks_into_a_recording_of_ones_own_and_into_those_of_a_part(made, carousel):
    _, folder, run = made
    for more in ([files_of(folder)[0]], ["--part", "validation"], ["--part", "test"]):
        code, out, err = carousel("inspect", run.path, *more)
        assert code == 0, err
        assert "gradient of the" in out


def test_what_is_done_to_the_data_is_said_before_training(made):
    name, folder, _ = made
    task = tasks.find(name)(MADE[name][1](folder, "frames.noise=0.25"), 0)
    assert "noise of 0.25 is added" in task.describe(task.build_model())
    task = tasks.find(name)(MADE[name][1](folder), 0)
    assert "noise" not in task.describe(task.build_model())


def test_json_of_an_answer_is_one_object(made):
    _, folder, run = made
    shown = list(respond(run.load(), Request(files_of(folder)[0], as_json=True)))
    assert [type(line) for line in shown] == [Json]


def test_check_tells_the_time_for_the_data_from_that_for_the_checks(made, carousel):
    name, folder, _ = made
    own = f"own-{name.replace('_', '-')}"
    given = ("check", own, "--set", f"data.path='{folder}'", "--seconds", "0.1")
    _, out, err = carousel(*given, "--json", "--lang", "en")
    found = json.loads(out)
    assert found["seconds"].keys() == {"data", "checks"}, err
    assert found["seconds"]["data"] > 0
    assert found["seconds"]["checks"] == pytest.approx(sum(c["seconds"] for c in found["checks"]))
