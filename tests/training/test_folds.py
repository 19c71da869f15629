"""Cross-validation: every unit judges once, and the last model is trained on all of them."""

import json

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_recordings import recordings_config, write_classes
from small_sentences import sentence_config, write_sentences
from small_series import series_config, write_series
from small_text import text_config, write_text
from small_watched import watched_config, write_watched
from small_whole import only_area, whole_config, write_whole

import carousel
from carousel import bundle, tasks, training
from carousel.config import Config
from carousel.data.shares import Fold, ends_in_time
from carousel.data.splits import folds_of, split
from carousel.errors import CarouselError, ConfigError, DataError, RunError
from carousel.training import folds as module

QUICK = {"training.epochs": 1, "model.hidden_size": 4, "coach.enabled": False}
PEOPLE = ("anna", "ben", "cy", "di")


def pumps(count=20, seed=0, people=PEOPLE):
    """Sequences with a class each, by several people."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(4, 8, count)
    worn = [i // 4 % 2 for i in range(count)]
    return pl.DataFrame(
        {
            "pump": np.repeat([f"p{i:02}" for i in range(count)], lengths),
            "at": np.concatenate([np.arange(n) for n in lengths]),
            "flow": rng.normal(size=lengths.sum()).round(3) + np.repeat(worn, lengths),
            "person": np.repeat([people[i % len(people)] for i in range(count)], lengths),
            "state": np.repeat(["worn" if w else "good" for w in worn], lengths),
        }
    )


def config_for(path, **more):
    return Config(task="classify_recordings").override(
        {
            "data.path": str(path),
            "columns.id": "pump",
            "columns.time": "at",
            "columns.target": "state",
            "columns.ignore": "person",
            **QUICK,
            **more,
        }
    )


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    path = tmp_path_factory.mktemp("folds") / "pumps.csv"
    pumps().write_csv(path)
    return path


@pytest.fixture(scope="module")
def trained(table, tmp_path_factory):
    return training.train_folds(
        config_for(table), folds=3, run_dir=tmp_path_factory.mktemp("runs") / "all", quiet=True
    )


@pytest.fixture(scope="module")
def by_person(table, tmp_path_factory):
    return training.train_folds(
        config_for(table),
        leave_one_out="person",
        run_dir=tmp_path_factory.mktemp("people") / "all",
        quiet=True,
    )


def part(run, name):
    """Names of the sequences in a part of a run's data, as its folder says."""
    config = training.session.RunFolder.open(run).config
    return set(tasks.find(config.task)(config, 0).parted.part(name).names)


# ---- how units are cut


@given(
    st.integers(2, 40),
    st.integers(2, 8),
    st.integers(0, 5),
    st.sampled_from(["", "class", "group"]),
)
@settings(deadline=None)
def test_every_unit_is_in_exactly_one_test_fold(count, folds, seed, kind):
    labels = [i % 5 for i in range(count)]
    how = {"class": {"classes": labels}, "group": {"groups": labels}}.get(kind, {})
    units = len(set(labels)) if kind == "group" else count
    if units < folds or units - -(-units // folds) < 2:
        with pytest.raises(DataError):
            folds_of(count, folds, seed, **how)
        return
    parts = [
        split(count, {"test": Fold(n, folds), "validation": 0.2}, seed, **how) for n in range(folds)
    ]
    assert sorted(i for p in parts for i in p["test"].tolist()) == list(range(count))
    for one in parts:
        whole = [i for name in ("train", "validation", "test") for i in one[name].tolist()]
        assert sorted(whole) == list(range(count))
        assert len(one["test"])
        if kind == "group":
            groups = [{labels[i] for i in one[name].tolist()} for name in one]
            assert sum(map(len, groups)) == len(set(labels))


@given(st.integers(4, 200), st.integers(2, 8), st.floats(0.05, 0.4))
def test_folds_in_time_judge_blocks_that_follow_each_other(count, folds, share):
    ends, judged = [], []
    for n in range(folds):
        try:
            ends.append(ends_in_time(count, {"test": Fold(n, folds), "validation": share}))
        except DataError:
            assert count < 4 * (folds + 1)
            return
    for train, validation, test in ends:
        assert 0 < train < validation < test <= count
        judged += range(validation, test)
    assert judged == list(range(round(count / (folds + 1)), count))


def test_classes_are_spread_evenly_over_folds():
    labels = ["a"] * 9 + ["b"] * 6
    places = folds_of(15, 3, 0, classes=labels)
    for n in range(3):
        inside = [labels[i] for i, place in enumerate(places) if place == n]
        assert (inside.count("a"), inside.count("b")) == (3, 2)


# ---- runs


def test_every_sequence_judges_once_in_ordinary_runs_beside_each_other(trained, table):
    names = {f"p{i:02}" for i in range(20)}
    tests = [part(trained.path / f"fold-{n}", "test") for n in (1, 2, 3)]
    assert set.union(*tests) == names
    assert sum(map(len, tests)) == len(names)
    for n, held in enumerate(tests, 1):
        run = trained.path / f"fold-{n}"
        assert json.loads((run / "result.json").read_text())["parts"]["test"]["recordings"] == len(
            held
        )
        assert (run / "report.html").is_file()


def test_metrics_of_the_folds_are_those_of_the_answers_pooled(trained, table):
    rows = pumps()
    truth = dict(rows.group_by("pump").agg(pl.col("state").first()).iter_rows())
    hits = []
    for one in trained.result["folds"]:
        run = trained.path / one["run"]
        held = sorted(part(run, "test"))
        answers = bundle.load(run).predict(rows.filter(pl.col("pump").is_in(held)))
        right = [a.label == truth[name] for a, name in zip(answers, held, strict=True)]
        assert np.mean(right) == pytest.approx(one["test"]["accuracy"])
        hits += right
    sizes = [one["parts"]["test"]["recordings"] for one in trained.result["folds"]]
    scores = [one["test"]["accuracy"] for one in trained.result["folds"]]
    assert np.mean(hits) == pytest.approx(np.average(scores, weights=sizes))
    assert trained.result["mean"]["accuracy"] == pytest.approx(np.mean(scores))
    assert trained.result["spread"]["accuracy"] == pytest.approx(np.std(scores, ddof=1))


def test_baselines_have_their_mean_beside_the_networks(trained):
    name, theirs = next(iter(trained.result["baseline"].items()))
    scores = [one["baseline"][name]["accuracy"] for one in trained.result["folds"]]
    assert theirs["mean"]["accuracy"] == pytest.approx(np.mean(scores))
    wins = sum(
        one["test"]["accuracy"] > score
        for one, score in zip(trained.result["folds"], scores, strict=True)
    )
    assert trained.result["beats"][name] == wins


def test_the_last_model_is_trained_on_all_but_the_validation_part(trained):
    final = trained.path / "final"
    assert part(final, "train") | part(final, "validation") == {f"p{i:02}" for i in range(20)}
    assert not part(final, "test")
    result = json.loads((final / "result.json").read_text())
    assert result["test"] == trained.result["mean"]
    assert result["judged_by"]["mean_of_folds"] == 3
    said = trained.result["final"]["how"]
    assert "drawn by its share with data.split_seed = 0" in said
    assert f"epoch {result['kept_epoch']} of" in said
    assert "mean of 3 folds" in (final / "report.html").read_text()
    assert "Mean of 3 folds" in (final / "README.md").read_text()
    with pytest.raises(DataError, match=r"folds\.json"):
        bundle.load(final).evaluate("test")
    assert bundle.load(final).evaluate("validation")["accuracy"] >= 0
    assert len(carousel.load(trained.path).predict(pumps(4))) == 4


def test_each_person_judges_once_and_stands_in_no_other_part(by_person):
    assert [one["judges"] for one in by_person.result["folds"]] == list(PEOPLE)
    of = dict(zip([f"p{i:02}" for i in range(20)], PEOPLE * 5, strict=True))
    for one in by_person.result["folds"]:
        run = by_person.path / one["run"]
        people = {n: {of[name] for name in part(run, n)} for n in ("train", "validation", "test")}
        assert people["test"] == {one["judges"]}
        assert len(people["validation"]) == 1
        assert not people["train"] & (people["validation"] | people["test"])
    last = by_person.path / "final"
    assert part(last, "train") | part(last, "validation") == set(of)


def test_interrupted_folds_go_on_and_repeat_nothing(table, trained, tmp_path, monkeypatch):
    real, ran = training.session.train, []

    def failing(*args, run_dir, **more):
        ran.append(run_dir.name)
        if run_dir.name == "fold-2" and ran.count("fold-2") == 1:
            raise training.Interrupted(run_dir)
        return real(*args, run_dir=run_dir, **more)

    monkeypatch.setattr(module.session, "train", failing)
    path = tmp_path / "again"
    with pytest.raises(training.Interrupted) as stopped:
        training.train_folds(config_for(table), folds=3, run_dir=path, quiet=True)
    assert stopped.value.run == path
    done = training.resume_folds(path, quiet=True)
    assert ran == ["fold-1", "fold-2", "fold-2", "fold-3", "final"]
    assert done.result["mean"] == trained.result["mean"]
    with pytest.raises(RunError, match="finished"):
        training.resume_folds(path)


# ---- other kinds of data


@pytest.mark.parametrize("name", ["classify_text", "regress", "forecast"])
def test_folds_of_other_tasks(name, tmp_path):
    config = {
        "classify_text": lambda: sentence_config(write_sentences(tmp_path, 90)),
        "regress": lambda: whole_config(only_area(write_whole(tmp_path, 9))),
        "forecast": lambda: series_config(write_series(tmp_path, 300)),
    }[name]().override(QUICK)
    done = training.train_folds(config, folds=2, run_dir=tmp_path / "run", quiet=True)
    assert len(done.result["folds"]) == 2
    assert done.result["finished"]
    if name == "forecast":
        assert "trains on what comes before" in done.result["how"]
        rows = [one["parts"]["test"]["rows"] for one in done.result["folds"]]
        assert rows == [100, 100]


def test_groups_of_a_folder_are_left_out_one_by_one(tmp_path):
    path = write_classes(tmp_path, 6, groups=("ann", "bob", "cy"))
    config = recordings_config(path).override(QUICK)
    done = training.train_folds(config, leave_one_out="group", run_dir=tmp_path / "run", quiet=True)
    assert [one["judges"] for one in done.result["folds"]] == ["ann", "bob", "cy"]
    assert done.result["final"]["parts"]["train"]["groups"] == 2


def test_a_column_that_split_before_is_not_read_where_another_is_left_out(table, tmp_path):
    rows = pumps().with_columns(
        (pl.col("pump").str.slice(1).cast(pl.Int64) % 3).cast(pl.String).replace(
            {"0": "north", "1": "south", "2": "west"}
        ).alias("site")
    )  # fmt: skip
    rows.write_csv(tmp_path / "t.csv")
    config = config_for(
        tmp_path / "t.csv",
        **{"split.by": "group", "split.column": "person", "columns.ignore": ""},
    )
    done = training.train_folds(config, leave_one_out="site", run_dir=tmp_path / "run", quiet=True)
    assert [one["judges"] for one in done.result["folds"]] == ["north", "south", "west"]
    last = training.session.RunFolder.open(tmp_path / "run" / "final").config
    assert tasks.find(last.task)(last, 0).parted.columns == ("flow",)


# ---- refusals


@pytest.mark.parametrize(
    ("more", "how", "said"),
    [
        ({}, {"folds": 21}, "21 folds need at least 21"),
        ({"split.by": "group", "split.column": "person", "columns.ignore": ""}, {"folds": 5},
         "5 folds need at least 5 groups, and there are 4"),
        ({"split.by": "column", "split.column": "person"}, {"folds": 3}, "nothing to fold"),
        ({"data.test": "other.csv"}, {"folds": 3}, "leave one of them out"),
        ({"data.test": "other.csv"}, {"leave_one_out": "person"}, "data.test"),
        ({}, {"leave_one_out": "persn"}, "Did you mean 'person'"),
        ({}, {"leave_one_out": "state"}, "2 values, and three are the least"),
        ({}, {"folds": 3, "leave_one_out": "person"}, "say how many folds"),
    ],
)  # fmt: skip
def test_folds_that_cannot_be_are_refused_and_leave_no_folder(table, tmp_path, more, how, said):
    with pytest.raises(CarouselError, match=said):
        training.train_folds(config_for(table, **more), run_dir=tmp_path / "no", quiet=True, **how)
    assert not (tmp_path / "no").exists()


def test_a_group_whose_class_nobody_else_has_is_refused_before_training(tmp_path):
    rows = pumps().with_columns(
        pl.when(pl.col("person") == "cy").then(pl.lit("odd")).otherwise("state").alias("state")
    )
    rows.write_csv(tmp_path / "t.csv")
    with pytest.raises(DataError, match="odd"):
        training.train_folds(
            config_for(tmp_path / "t.csv"), leave_one_out="person", run_dir=tmp_path / "no"
        )
    assert not (tmp_path / "no").exists()


def test_published_sets_texts_and_watched_series_make_no_folds(tmp_path):
    with pytest.raises(ConfigError, match="published set"):
        training.train_folds("mnist-rows", folds=3, run_dir=tmp_path / "a")
    with pytest.raises(ConfigError, match="no units"):
        training.train_folds(text_config(write_text(tmp_path)), folds=3, run_dir=tmp_path / "b")
    with pytest.raises(ConfigError, match="no folds"):
        training.train_folds(
            watched_config(write_watched(tmp_path)), folds=3, run_dir=tmp_path / "c"
        )


# ---- the command line


def test_train_prints_a_table_with_the_spread_and_json(table, tmp_path, carousel, monkeypatch):
    monkeypatch.chdir(tmp_path)
    given = ["train", str(table), "--target", "state", "--set", "training.epochs=1"]
    given += ["--set", "model.hidden_size=4", "--folds", "2", "--run-dir"]
    code, out, _ = carousel(*given, "runs/one")
    assert code == 0
    assert "2 folds of whole groups ('person')" in out
    for word in ("fold 1", "fold 2", "mean", "spread", "(baseline)", "better than"):
        assert word in out, word
    code, out, _ = carousel(*given, "runs/two", "--json")
    assert code == 0
    found = json.loads(out)
    saved = json.loads((tmp_path / "runs/two/folds.json").read_text())
    assert found["mean"] == saved["mean"]
    assert carousel("train", "--resume", "runs/two")[0] == 2
    code, out, _ = carousel("predict", "runs/two", str(table), "--json")
    assert code == 0
