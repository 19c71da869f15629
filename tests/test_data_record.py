"""A run remembers its data: nobody is judged on, or goes on with, other parts unawares."""

import gzip
import json
import shutil
from dataclasses import replace

import pytest
import torch
from every_task import SMALL
from small import small_config
from small_pairs import pair_config, write_pairs
from small_recordings import recordings_config, write_classes, write_sounds
from small_scenes import images_config, scenes_config, write_images

import carousel as product
from carousel import bundle, training
from carousel.data import mnist
from carousel.data.labelled_text import LabelledText
from carousel.data.origin import Origin
from carousel.data.record import DataRecord
from carousel.errors import ConfigError, DataError, RunError
from carousel.run.layout import RunFolder
from carousel.tasks import find

OWN = {name: make for name, make in SMALL.items() if name != "classify"} | {
    "translate": lambda folder: pair_config(write_pairs(folder)),
    "classify_recordings": lambda folder: recordings_config(write_classes(folder)),
    "groups": lambda folder: recordings_config(write_classes(folder, groups=("x", "y", "z", "w"))),
    "sounds": lambda folder: recordings_config(write_sounds(folder)),
    "caption": lambda folder: images_config(write_images(folder)),
}
each = pytest.mark.parametrize("name", OWN)


class Prepared:
    """A task, its untrained model with a record, and the data it came from."""

    def __init__(self, name, folder):
        self.config = OWN[name](folder)
        self.path = type(folder)(self.config.data.path)
        self.task = find(self.config.task)(self.config, 0)
        self.record = DataRecord.of(self.config, self.task.parted).with_test(self.task.parted)
        self.model = self.task.finish(self.task.build_model())
        self.model.record = self.record

    def files(self):
        inside = sorted(file for file in self.path.rglob("*") if file.is_file())
        return [self.path] if self.path.is_file() else inside


def add(data):
    """One thing more at the end: a row, or the last file of a folder once more."""
    files = data.files()
    last = files[-1]
    if data.path.is_file() or data.config.task == "generate":
        text = last.read_text().rstrip("\n")
        gap = "\n\n" if data.config.task == "label_words" else "\n"
        timed = data.config.task in ("forecast", "forecast_many", "anomaly")
        rows = text.split("\n\n") if data.config.task == "label_words" else text.split("\n")
        more = next_row(rows, data.config.columns.time) if timed else rows[0]
        last.write_text(text + gap + more.replace("abc", "abd") + "x" * (not timed) + "\n")
    elif data.config.task == "caption":
        table = next(file for file in files if file.name == "captions.csv")
        image = next(file for file in files if file.suffix != ".csv")
        shutil.copy(image, image.with_name(f"zz{image.suffix}"))
        table.write_text(table.read_text() + f"zz{image.suffix},a new one\n")
    elif (targets := data.path / "targets.csv") in files:
        name = next(file.name for file in files if file != targets)
        shutil.copy(data.path / name, data.path / "zz.csv")
        *_, row = (r for r in targets.read_text().splitlines() if r.startswith(name.split(".")[0]))
        targets.write_text(targets.read_text() + "zz.csv," + row.split(",", 1)[1] + "\n")
    else:
        more = last.with_name(f"zz{last.suffix}")
        shutil.copy(last, more)
        if (table := data.path / "targets.csv").is_file():  # where each file has a row
            of_last = table.read_text().splitlines()[-1]
            table.write_text(table.read_text() + of_last.replace(last.name, more.name) + "\n")


def next_row(rows, time):
    import numpy as np

    header = rows[0].split(",")
    place = header.index(time) if time else 0
    one, other = (np.datetime64(row.split(",")[place]) for row in rows[-2:])
    cells = rows[-1].split(",")
    cells[place] = str(other + (other - one))
    return ",".join(cells)


def change(data):
    """Other contents in as many rows or files."""
    file = next(f for f in data.files() if f.name != "captions.csv")
    content = file.read_bytes()
    if file.suffix == ".csv":  # the last digit there is
        place = max(content.rfind(digit) for digit in b"0123456789")
        other = b"7" if content[place : place + 1] != b"7" else b"8"
        file.write_bytes(content[:place] + other + content[place + 1 :])
    elif file.suffix in (".tsv", ".txt"):
        file.write_bytes(content[:-2] + b"q\n")
    else:
        file.write_bytes(content + b"\0")
    return file


@each
@pytest.mark.parametrize("part", ["test", "validation"])
def test_data_that_are_as_they_were_are_judged_and_counted(name, part, tmp_path):
    data = Prepared(name, tmp_path)
    data.model.evaluate(part)
    for counts in data.record.parts.values():
        assert all(count > 0 for count in counts.counts.values())
    assert list(data.record.parts) == ["train", "validation", "test"]


@each
@pytest.mark.parametrize("part", ["test", "validation"])
def test_what_was_added_is_refused_with_words_that_say_it(name, part, tmp_path):
    data = Prepared(name, tmp_path)
    add(data)
    with pytest.raises(DataError, match="is not what was trained on") as caught:
        data.model.evaluate(part)
    said = str(caught.value)
    assert str(data.path) in said
    assert (
        "was appended" in said
        or "were appended" in said
        or "file added" in said
        or ("changed" in said and data.config.task in ("generate", "caption"))
    )
    assert "put it back as it was, or train anew" in said
    assert "\n" not in said


@each
def test_what_was_changed_is_refused_with_words_that_say_it(name, tmp_path):
    data = Prepared(name, tmp_path)
    file = change(data)
    with pytest.raises(DataError, match="is not what was trained on") as caught:
        data.model.evaluate("test")
    said = str(caught.value)
    assert "changed" in said
    assert data.path.is_file() or file.name in said


def test_data_that_can_no_longer_be_read_are_said_to_have_changed(tmp_path):
    data = Prepared("label_frames", tmp_path)
    for file in data.files():
        file.write_text(file.read_text().replace("0.", "zero "))
    with pytest.raises(DataError, match=r"not what was trained on: 8 files changed \(") as caught:
        data.model.evaluate("test")
    assert isinstance(caught.value.__cause__, DataError)
    assert str(caught.value.__cause__) in str(caught.value)
    shutil.rmtree(data.path)
    with pytest.raises(DataError) as caught:
        data.model.evaluate("test")
    assert str(data.path) in str(caught.value)


@pytest.mark.parametrize("name", ["classify_text", "label_words", "generate_lines", "translate"])
def test_rows_in_another_order_are_refused_and_said_to_be_that(name, tmp_path):
    data = Prepared(name, tmp_path)
    for file in data.files():
        gap = "\n\n" if name == "label_words" else "\n"
        rows = file.read_text().rstrip("\n").split(gap)
        file.write_text(gap.join(rows[1:] + rows[:1]) + "\n")
    with pytest.raises(DataError) as caught:
        data.model.evaluate("test")
    assert "in another order" in str(caught.value) or "files changed" in str(caught.value)


@pytest.mark.parametrize("name", ["classify_text", "label_frames", "forecast", "translate"])
def test_how_the_files_write_it_says_nothing(name, tmp_path):
    data = Prepared(name, tmp_path)
    for file in data.files():
        file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes().replace(b"\n", b"\r\n"))
    data.model.evaluate("test")


def test_recordings_are_the_same_whatever_the_order_of_their_columns(tmp_path):
    data = Prepared("classify_recordings", tmp_path)
    for file in data.files():
        rows = [line.split(",")[::-1] for line in file.read_text().splitlines()]
        file.write_text("".join(",".join(row) + "\n" for row in rows))
    data.model.evaluate("test")


@pytest.mark.parametrize(
    "name", ["classify_text", "label_frames", "forecast", "anomaly", "regress"]
)
def test_an_example_of_changed_data_is_not_shown(name, tmp_path):
    data = Prepared(name, tmp_path)
    data.model.example("validation", 0)
    add(data)
    with pytest.raises(DataError, match="is not what was trained on"):
        data.model.example("validation", 0)


def test_a_published_test_part_stays_closed_until_it_judges(tmp_path, monkeypatch):
    opened = []
    load = mnist.load_test
    monkeypatch.setattr(mnist, "load_test", lambda: opened.append(1) or load())
    config = small_config()
    task = find("classify")(config, 0)
    record = DataRecord.of(config, task.parted)
    record.check(find("classify")(config, 0).parted, "validation")
    assert not opened
    assert list(record.parts) == ["train", "validation"]
    assert record.with_test(task.parted).parts["test"].counts == {"images": 10_000}
    assert len(opened) == 1


def test_made_pictures_are_the_same_when_they_are_made_again():
    config = scenes_config()
    task = find(config.task)(config, 0)
    record = DataRecord.of(config, task.parted)
    record.check(find(config.task)(config, 0).parted, "test")
    assert list(record.parts) == ["train", "validation"]


def test_a_reader_that_reads_otherwise_is_told_from_data_that_changed(tmp_path, monkeypatch):
    data = Prepared("classify_text", tmp_path)
    part = LabelledText.part
    monkeypatch.setattr(
        LabelledText, "part", lambda self, name: part(self, name).take(torch.arange(40).flip(0))
    )
    with pytest.raises(DataError, match="as it was, but read otherwise by this Carousel"):
        data.model.evaluate("test")


@each
def test_an_example_of_data_that_changed_is_not_shown(name, tmp_path):
    data = Prepared(name, tmp_path)
    add(data)
    shows_none = data.config.task in ("caption", "translate")
    error, says = (ConfigError, "shows no examples") if shows_none else (DataError, "is not what")
    with pytest.raises(error, match=says):
        data.model.example("validation", 0)


def test_a_file_that_was_cut_short_or_is_gone_is_told_as_the_reader_tells_it(tmp_path):
    text = tmp_path / "s.tsv.gz"
    text.write_bytes(gzip.compress(b"good\ta film\n" * 300, mtime=0))
    origin = Origin.of(text)
    text.write_bytes(text.read_bytes()[:-20])
    with pytest.raises(DataError, match="cannot be read"):
        origin.changes(text)
    text.unlink()
    with pytest.raises(DataError, match="there is no"):
        origin.changes(text)


# ---- runs


@pytest.fixture(scope="module")
def sentences_run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("record")
    config = SMALL["classify_text"](folder).override(["training.epochs=1", "coach.enabled=false"])
    return training.train(config, threads=1, run_dir=folder / "a run", quiet=True)


@pytest.fixture
def own(sentences_run, tmp_path):
    """A copy of a run on a file of one's own, and a copy of that file."""
    run = shutil.copytree(sentences_run.path, tmp_path / "a run")
    before = RunFolder.open(run).config.data.path
    file = tmp_path / "sentences.tsv"
    shutil.copy(before, file)
    for name in ("config.toml", "data.json", "model/model.json", "model/data.json"):
        text = (run / name).read_text()
        (run / name).write_text(text.replace(before, str(file)))
    return run, file


def append(file):
    file.write_text(file.read_text() + "good\ta lovely one\n")


def test_a_run_says_how_large_its_parts_are(own, capsys):
    run, _ = own
    result = json.loads((run / "result.json").read_text())
    assert result["parts"] == {
        "train": {"sentences": 280},
        "validation": {"sentences": 60},
        "test": {"sentences": 60},
    }
    record = DataRecord.read(run)
    assert result["fingerprint"] == record.fingerprint
    assert replace(DataRecord.read(run / "model"), run=run) == record
    assert (run / "data.json").read_text() == (run / "model" / "data.json").read_text()


def test_train_prints_the_parts_at_its_start(tmp_path, carousel):
    small = [f"--set={s}" for s in ("data.train_limit=64", "data.validation=32")]
    code, _, err = carousel("train", "mnist-rows", *small, "--set=training.epochs=1")
    assert code == 0
    assert "parts: train 64 images; validation 32 images; test: opened at the end" in err


def test_evaluate_and_inspect_refuse_changed_data_in_one_line(own, carousel):
    run, file = own
    code, _, err = carousel("evaluate", run)
    assert (code, err) == (0, "")
    append(file)
    for arguments in (
        ("evaluate", run),
        ("evaluate", run, "--part", "validation"),
        ("inspect", run),
        ("inspect", run, "--part", "train"),
        ("evaluate", run / "model"),
    ):
        code, _, err = carousel(*arguments)
        assert code == 2, arguments
        assert len(err.splitlines()) == 1
        assert f"{file} is not what was trained on: 1 line was appended (400 lines then, 401" in err
        assert f"carousel train '{run / 'config.toml'}'" in err


def test_nothing_is_written_and_no_use_of_the_test_part_noted_where_data_changed(own):
    run, file = own
    (run / "evaluation.json").unlink()
    append(file)
    with pytest.raises(DataError):
        bundle.evaluate_run(run)
    assert not (run / "evaluation.json").exists()


def test_a_bundle_alone_remembers(own, tmp_path):
    run, file = own
    alone = shutil.copytree(run / "model", tmp_path / "bundle")
    product.load(alone).evaluate()
    append(file)
    with pytest.raises(DataError, match="1 line was appended") as caught:
        product.load(alone).evaluate()
    assert str(caught.value).endswith("or train anew")


def test_a_run_is_not_resumed_with_other_data(own):
    run, file = own
    (run / "result.json").unlink()
    before = file.read_text()
    append(file)
    with pytest.raises(DataError, match="1 line was appended"):
        training.resume(run, quiet=True)
    file.write_text(before)
    training.resume(run, quiet=True)


def test_data_that_change_while_it_trains_are_not_judged(tmp_path, monkeypatch):
    config = SMALL["classify_text"](tmp_path).override(["training.epochs=1"])
    task = find(config.task)
    finish = task.finish

    def late(self, model):
        append(tmp_path / "sentences.tsv")
        return finish(self, model)

    monkeypatch.setattr(task, "finish", late)
    with pytest.raises(DataError, match="appended"):
        training.train(config, threads=1, run_dir=tmp_path / "run", quiet=True)
    assert not (tmp_path / "run" / "result.json").exists()


def test_runs_without_a_record_are_evaluated_with_a_notice(own, carousel):
    run, file = own
    for folder in (run, run / "model"):
        (folder / "data.json").unlink()
    append(file)
    code, out, err = carousel("evaluate", run)
    assert code == 0
    assert "has no record of its data" in err
    assert "cannot be told" in err
    assert "accuracy" in out
    (run / "result.json").unlink()
    assert training.resume(run, quiet=True).result["test"]


def test_a_damaged_or_newer_record_is_refused(own):
    run, _ = own
    text = (run / "data.json").read_text()
    (run / "data.json").write_text(text.replace('"format": 1', '"format": 2'))
    with pytest.raises(RunError, match=r"newer Carousel.*format 2"):
        bundle.load(run)
    (run / "data.json").write_text("{}")
    with pytest.raises(RunError, match="cannot be read"):
        bundle.load(run)
