"""Files of one's own for the validation and the test part: every task reads them as its training
file, trains on all of that, and judges by all of the other."""

import json
import shutil

import numpy as np
import polars as pl
import pytest
from small_frames import frames_config, write_recordings
from small_images import images_config as own_images_config
from small_images import write_images as write_own_images
from small_measured import measured_config, write_measured
from small_pairs import pair_config, some_pairs
from small_recordings import recordings_config, write_classes
from small_scenes import images_config, write_images
from small_sentences import sentence_config, write_sentences
from small_series import series_config, write_series
from small_text import text_config, write_lines, write_text
from small_watched import watched_config, write_watched
from small_whole import only_area, whole_config, write_whole
from small_words import words_config, write_columns

import carousel
from carousel import tasks, training
from carousel.config import Config
from carousel.data.alike import as_training
from carousel.data.table import read_table
from carousel.errors import CarouselError, ConfigError, DataError

QUICK = ["training.epochs=1", "model.hidden_size=8", "coach.enabled=false"]


def pairs_of(folder, seed=0):
    path = folder / "pairs.tsv"
    rows = some_pairs(150, seed)
    path.write_text("".join(f"{a}\t{b}\n" for a, b in rows), encoding="utf-8")
    return path


def cut_in_three(path, *folders):
    """A series in three files, one after another, under the same name."""
    header, *rows = path.read_text().splitlines()
    for folder, part in zip(folders, np.array_split(rows, 3), strict=True):
        folder.mkdir(exist_ok=True)
        (folder / path.name).write_text("\n".join([header, *part]) + "\n")
    return [folder / path.name for folder in folders]


WRITERS = {
    "classify": (lambda d, s: write_own_images(d, 6, seed=s), own_images_config),
    "classify_text": (lambda d, s: write_sentences(d, 150, s), sentence_config),
    "label_words": (lambda d, s: write_columns(d, 60, s), words_config),
    "translate": (pairs_of, pair_config),
    "classify_recordings": (lambda d, s: write_classes(d, 5, s), recordings_config),
    "label_frames": (lambda d, s: write_recordings(d, 4, 60, s), frames_config),
    "regress": (lambda d, s: write_measured(d, 4, 40, s), measured_config),
    "regress_whole": (lambda d, s: only_area(write_whole(d, 6, s)), whole_config),
    "caption": (lambda d, s: write_images(d, 8, s), images_config),
    "generate": (lambda d, s: write_text(d, 200, s), text_config),
    "generate_lines": (lambda d, s: write_lines(d, 120, s), text_config),
}


def three(name, tmp_path):
    """The configuration of a task with three files that were written alike."""
    write, config = WRITERS[name]
    paths = []
    for seed, part in enumerate(("train", "validation", "test")):
        (tmp_path / part).mkdir()
        paths.append(write(tmp_path / part, seed))
    return config(paths[0], *QUICK).override(
        {"data.validation": str(paths[1]), "data.test": str(paths[2])}
    ), paths


def first_count(part):
    return next(iter(part.counts.values()))


@pytest.mark.slow
@pytest.mark.parametrize("name", WRITERS)
def test_a_run_trains_on_all_of_one_file_and_is_judged_by_all_of_another(name, tmp_path):
    config, paths = three(name, tmp_path)
    run = training.train(config, run_dir=tmp_path / "run", quiet=True)
    for part, path in zip(("train", "validation", "test"), paths, strict=True):
        held = "data.validation", "data.test"
        alone = config.override({"data.path": str(path), **dict.fromkeys(held, "")})
        alone = alone.override({"data.validation": 5000})
        drawn = tasks.find(alone.task)(alone, 0).parted
        every = sum(first_count(drawn.part(one)) for one in ("train", "validation", "test"))
        assert next(iter(run.result["parts"][part].values())) == every, part
    told = run.result["held_files"]
    assert told["test"]["source"] == str(paths[2])
    again = run.load().evaluate("test")
    metric = run.result["metric"]
    assert again[metric] == pytest.approx(run.result["test"][metric], abs=1e-6)


@pytest.mark.parametrize("name", ["classify_text", "classify_recordings", "label_frames"])
def test_the_test_file_gives_what_evaluating_it_as_new_data_gives(name, tmp_path):
    config, paths = three(name, tmp_path)
    run = training.train(config, run_dir=tmp_path / "run", quiet=True)
    other = tmp_path / "elsewhere"
    copy = shutil.copytree if paths[2].is_dir() else shutil.copy
    other.mkdir()
    new = other / paths[2].name
    copy(paths[2], new)
    metric = run.result["metric"]
    assert run.load().evaluate_new(new)[metric] == pytest.approx(run.result["test"][metric])


@pytest.mark.parametrize("name", ["forecast", "anomaly"])
def test_a_series_in_three_files_is_the_series_in_one(name, tmp_path):
    write, config = {
        "forecast": (lambda: write_series(tmp_path, 360), series_config),
        "anomaly": (lambda: write_watched(tmp_path), watched_config),
    }[name]
    whole = write()
    files = cut_in_three(whole, *(tmp_path / part for part in ("a", "b", "c")))
    given = {"data.validation": str(files[1]), "data.test": str(files[2])}
    apart = config(files[0], *QUICK).override(given)
    third = f"{1 / 3:.6f}"
    section = apart.task
    together = config(whole, *QUICK, f"{section}.validation={third}", f"{section}.test={third}")
    for part in ("train", "validation", "test"):
        one, other = (tasks.find(section)(c, 0).parted.part(part) for c in (apart, together))
        assert np.array_equal(
            np.concatenate([*map(np.asarray, [one.values])]).ravel(),
            np.concatenate([*map(np.asarray, [other.values])]).ravel(),
        ), part
    run = training.train(apart, run_dir=tmp_path / "run", quiet=True)
    whole_run = training.train(together, run_dir=tmp_path / "whole", quiet=True)
    metric = run.result["metric"]
    assert run.result["test"][metric] == whole_run.result["test"][metric]


def test_a_test_file_alone_leaves_the_validation_part_to_be_drawn(tmp_path):
    config, _ = three("classify_text", tmp_path)
    alone = config.override({"data.validation": 5000})
    data = tasks.find("classify_text")(alone, 0).parted
    assert {n: len(data.part(n)) for n in ("train", "validation", "test")} == {
        "train": 128,
        "validation": 22,
        "test": 150,
    }


# ---- tables


def pumps(first, count, seed, states=("worn", "good"), **more):
    rng = np.random.default_rng(seed)
    lengths = rng.integers(4, 9, count)
    state = [states[i % len(states)] for i in range(count)]
    rows = {
        "pump": np.repeat([f"p{first + i:02}" for i in range(count)], lengths),
        "at": np.concatenate([np.arange(n) for n in lengths]),
        "flow": rng.normal(size=lengths.sum()).round(3)
        + np.repeat([float(s == "worn") for s in state], lengths),
        "mode": rng.choice(["slow", "fast"], lengths.sum()),
        "state": np.repeat(state, lengths),
    }
    return pl.DataFrame({**rows, **{name: np.full(len(rows["at"]), v) for name, v in more.items()}})


@pytest.fixture
def tables(tmp_path):
    for name, first, count in (("train", 0, 10), ("v", 20, 6), ("t", 40, 8)):
        pumps(first, count, first).write_csv(tmp_path / f"{name}.csv")
    return tmp_path


def table_config(folder, **settings):
    return Config(task="classify_recordings").override(
        {
            "data.path": str(folder / "train.csv"),
            "data.test": str(folder / "t.csv"),
            "columns.id": "pump",
            "columns.time": "at",
            "columns.target": "state",
            "columns.category": "mode",
            "training.epochs": 1,
            **settings,
        }
    )


def parts_of(config):
    return tasks.find(config.task)(config, 0).parted


def test_levels_of_categories_and_columns_are_those_of_the_training_file(tables):
    odd = pumps(40, 8, 5, new=1.0).with_columns(
        pl.when(pl.col("at") == 0).then(pl.lit("stop")).otherwise(pl.col("mode")).alias("mode")
    )
    odd.select("mode", "state", "flow", "new", "at", "pump").write_csv(tables / "t.csv")
    data = parts_of(table_config(tables))
    assert data.columns == ("flow", "mode=fast", "mode=slow")
    assert data.test.values.values.shape[1] == 3
    said = " ".join(data.held["test"].lines("test"))
    assert "8 cells of 'mode' have a value that training did not have" in said
    assert "not read: the column 'new'" in said


@pytest.mark.parametrize("column", ["pump", "at", "flow", "state", "mode"])
def test_a_test_file_without_a_column_of_training_is_refused_by_its_name(tables, column):
    pl.read_csv(tables / "t.csv").drop(column).write_csv(tables / "t.csv")
    with pytest.raises(DataError, match=f"'{column}'"):
        parts_of(table_config(tables))


def test_classes_that_training_lacks_are_counted_and_in_no_metric(tables):
    pumps(40, 9, 1, states=("worn", "good", "broken")).write_csv(tables / "t.csv")
    data = parts_of(table_config(tables))
    assert data.classes == ("good", "worn")
    assert len(data.test) == 6
    assert data.held["test"].unknown == {"broken": 3}
    pumps(40, 9, 1, states=("broken", "lost")).write_csv(tables / "t.csv")
    with pytest.raises(DataError, match="none of the model's classes"):
        parts_of(table_config(tables))


def test_examples_that_stand_in_two_files_are_counted(tables):
    train = pl.read_csv(tables / "train.csv")
    again = train.filter(pl.col("pump").is_in(["p03", "p07"]))
    pl.concat([pl.read_csv(tables / "t.csv"), again]).write_csv(tables / "t.csv")
    data = parts_of(table_config(tables))
    assert data.held["test"].doubles == 2
    assert "test: 2 of its examples stand in the training part, too" in data.held["test"].lines(
        "test"
    )


def test_the_scaler_is_fitted_to_the_training_file_alone(tables):
    wild = pl.read_csv(tables / "t.csv").with_columns(pl.col("flow") * 1000)
    wild.write_csv(tables / "t.csv")
    held = {"data.validation": str(tables / "v.csv")}
    task = tasks.find("classify_recordings")(table_config(tables, **held), 0)
    flow = pl.read_csv(tables / "train.csv")["flow"]
    assert float(task.scaler.mean[0]) == pytest.approx(flow.mean(), rel=1e-4)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"data.path": ""}, "data.path"),
        ({"data.test": "{}/train.csv"}, "is the file of data.path too"),
        ({"data.validation": "{}/t.csv"}, "data.test|data.validation"),
        ({"data.test": "{}/none.csv"}, "there is no file"),
        ({"split.by": "sequence", "split.test": "p01"}, "split.test names"),
        ({"data.validation": 100}, "no effect"),
    ],
)
def test_what_cannot_be_is_refused_with_what_to_do(tables, settings, said):
    from carousel.config import refuse_idle

    filled = {k: v.format(tables) if isinstance(v, str) else v for k, v in settings.items()}

    def read():
        config = table_config(tables, **filled).check_data()
        refuse_idle(config)
        parts_of(config)

    with pytest.raises(CarouselError, match=said):
        read()


def test_a_series_refuses_a_file_that_begins_too_early_or_has_another_step(tmp_path):
    path = write_series(tmp_path, 360)
    files = cut_in_three(path, *(tmp_path / part for part in ("a", "b", "c")))
    early = series_config(files[1], *QUICK).override({"data.test": str(files[0])})
    with pytest.raises(DataError, match="before what comes first ends"):
        parts_of(early)
    header, *rows = files[2].read_text().splitlines()
    files[2].write_text("\n".join([header, *rows[::2]]) + "\n")
    with pytest.raises(DataError, match="one step"):
        parts_of(series_config(files[0], *QUICK).override({"data.test": str(files[2])}))
    with pytest.raises(ConfigError, match=r"data\.test"):
        parts_of(series_config(files[0], *QUICK).override({"data.validation": str(files[1])}))


def test_a_changed_test_file_is_named_when_the_run_is_judged_again(tables):
    run = training.train(table_config(tables), run_dir=tables / "run", quiet=True)
    assert str(tables / "t.csv") in json.loads((tables / "run" / "data.json").read_text())["held"]
    pumps(40, 8, 77).write_csv(tables / "t.csv")
    with pytest.raises(DataError, match=r"t\.csv is not what was trained on"):
        run.load().evaluate("test")


# ---- in memory


def test_fit_takes_frames_and_arrays_for_the_other_parts():
    quick = {"epochs": 1, "hidden_size": 4, "quiet": True}
    model = carousel.fit(
        pumps(0, 10, 0), target="state", id="pump", validation=pumps(20, 6, 1),
        test=pumps(40, 8, 2), **quick,
    )  # fmt: skip
    assert {n: len(model.parts.part(n)) for n in ("train", "validation", "test")} == {
        "train": 10,
        "validation": 6,
        "test": 8,
    }
    assert model.evaluate()["accuracy"] >= 0
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(20, 5, 2)), np.arange(20) % 2
    model = carousel.fit(X, y, test=(X[:4] + 1, y[:4]), **quick)
    assert len(model.parts.test) == 4
    with pytest.raises(ConfigError, match="kind of the training data"):
        carousel.fit(X, y, test=pumps(0, 4, 0), **quick)


# ---- the command line


def test_init_and_train_take_the_files_of_parts(tables, carousel, monkeypatch):
    monkeypatch.chdir(tables)
    named = ["--target", "state", "--validation", "v.csv", "--test", "t.csv"]
    code, out, _ = carousel("init", "train.csv", *named, "-o", "made.toml")
    assert code == 0
    assert "split: the validation part is v.csv, the test part is t.csv" in out
    made = (tables / "made.toml").read_text()
    assert 'test = "t.csv"' in made
    assert "[split]" not in made
    quick = ["--set", "training.epochs=1", "--quiet", "--run-dir"]
    runs = [
        json.loads((tables / name / "result.json").read_text())
        for name, recipe in (("one", ["train.csv", *named]), ("two", ["made.toml"]))
        if carousel("train", *recipe, *quick, name)[0] == 0
    ]
    assert runs[0]["parts"] == runs[1]["parts"]
    assert runs[0]["test"] == runs[1]["test"]
    assert runs[0]["parts"]["train"]["recordings"] == 10
    pl.read_csv(tables / "t.csv").drop("flow").write_csv(tables / "t.csv")
    code, out, err = carousel("init", "train.csv", *named, "-o", "again.toml")
    assert (code, out) == (2, "")
    assert "flow" in err


# ---- groups by name


def by_person(**settings):
    table = pl.concat(
        [pumps(10 * i, 6, i, person=name) for i, name in enumerate(("anna", "ben", "cy", "di"))]
    )
    config = Config(task="classify_recordings").override(
        {
            "data.path": "in memory.csv",
            "columns.id": "pump",
            "columns.target": "state",
            "columns.category": "mode",
            "split.by": "group",
            "split.column": "person",
            **settings,
        }
    )
    return config, table


def read_by_person(**settings):
    from carousel.data.files.table_steps import read_classes
    from carousel.data.table import of_frame

    config, table = by_person(**settings)
    return read_classes(config, of_frame(table))


def people(data):
    return {n: set(data.part(n).groups) for n in ("train", "validation", "test")}


def test_named_groups_judge_and_choose_the_epoch():
    data = read_by_person(**{"split.test": "anna, ben", "split.validation": "di"})
    assert people(data) == {"train": {"cy"}, "validation": {"di"}, "test": {"anna", "ben"}}
    drawn = people(read_by_person(**{"split.test": "anna, ben"}))
    assert drawn["test"] == {"anna", "ben"}
    assert len(drawn["validation"]) == len(drawn["train"]) == 1


def test_named_sequences_judge():
    data = read_by_person(
        **{"split.by": "sequence", "split.column": "", "split.test": "p01, p23",
           "columns.ignore": "person"}
    )  # fmt: skip
    assert data.test.names == ("p01", "p23")


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"split.test": "ana"}, "Did you mean 'anna'"),
        ({"split.test": "anna", "split.validation": "anna"}, "nothing can stand in two parts"),
        ({"split.test": "anna, ben, cy"}, "name fewer"),
        ({"split.test": "anna", "data.test": "t.csv"}, "leave one of them out"),
    ],
)
def test_names_of_groups_that_cannot_be_are_refused(settings, said):
    with pytest.raises(CarouselError, match=said):
        read_by_person(**settings)


def test_a_list_of_groups_is_taken_in_a_file_of_settings():
    config = Config.from_dict({"split": {"test": ["anna", "ben, junior"]}})
    assert config.split.test == 'anna, "ben, junior"'
    assert Config().override(['split.test=["anna","ben"]']).split.test == "anna, ben"


# ---- kinds of columns


def written(path, rows, separator=";"):
    lines = ["pump;flow;on;state", *(separator.join(row) for row in rows)]
    path.write_text("\n".join(lines) + "\n")
    return path


def test_numbers_and_booleans_are_read_as_in_the_training_file(tmp_path):
    rows = [
        (f"p{i // 2}", f"{i},5", "ja" if i % 3 else "nein", "ab"[i // 2 % 2]) for i in range(16)
    ]
    train = written(tmp_path / "train.csv", rows)
    # Alone, 1,500 would be a number of thousands, and a column of one word a text.
    test = written(
        tmp_path / "t.csv",
        [(f"q{i // 2}", f"{i + 1},500", "nein", "ab"[i // 2 % 2]) for i in range(8)],
    )
    alone = read_table(test)
    assert (alone["flow"].numbers()[0], alone["on"].kind) == (1500.0, "text")
    config = Config(task="classify_recordings").override(
        {
            "data.path": str(train),
            "data.test": str(test),
            "columns.id": "pump",
            "columns.target": "state",
        }
    )
    data = parts_of(config)
    place = data.columns.index("flow"), data.columns.index("on")
    found = data.test.values.values[:, list(place)]
    assert found[:, 0].tolist() == [i + 1.5 for i in range(8)]
    assert found[:, 1].tolist() == [0.0] * 8


@pytest.mark.parametrize(
    ("known", "month"), [("25/12/2023", "04"), ("12/25/2023", "03")], ids=["day", "month"]
)
def test_dates_that_do_not_tell_day_from_month_are_read_as_in_the_training_file(
    tmp_path, known, month
):
    train, new = tmp_path / "train.csv", tmp_path / "new.csv"
    train.write_text(f"when,load\n{known},1\n{known},2\n")
    new.write_text("when,load\n03/04/2024,1\n03/04/2024 10:30,2\n,3\n")
    alone = read_table(new)
    assert alone["when"].kind == "text"
    found = as_training(alone, read_table(train))["when"]
    assert (found.kind, found.missing) == ("time", 1)
    day = "03" if month == "04" else "04"
    wanted = np.array([f"2024-{month}-{day}T00:00", f"2024-{month}-{day}T10:30"], "datetime64[m]")
    assert (found.stamps[:2] == wanted).all()
    assert "as in the training data" in found.note


def test_texts_are_no_dates_because_the_training_file_has_some(tmp_path):
    train, new = tmp_path / "train.csv", tmp_path / "new.csv"
    train.write_text("when,load\n25/12/2023,1\n26/12/2023,2\n")
    new.write_text("when,load\n13/13/2024,1\nlater,2\n")
    assert as_training(read_table(new), read_table(train))["when"].kind == "text"
