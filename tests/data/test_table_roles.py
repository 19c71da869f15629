"""Tables with roles: sequences, gaps, categories and splits, as the tasks get them."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch

from carousel import bundle, tasks
from carousel.config import Config
from carousel.config.columns import listed, names_in
from carousel.data.parts import NAMES
from carousel.errors import ConfigError, DataError
from carousel.training import fit, train

SMALL = {"model.hidden_size": 3, "training.epochs": 1, "training.batch_size": 4}


def config_of(task, path, columns, **sections):
    values = {"task": task, "data": {"path": str(path)}, "columns": columns, **sections}
    return Config.from_dict(values).override(SMALL)


def parts_of(config):
    return tasks.find(config.task)(config, 0).parted


def long_table(count=30, steps=5):
    """Sequences of `steps` minutes: x tells the class, the label stands in every row."""
    rows = []
    for i in range(count):
        for t in range(steps):
            stamp = f"2024-01-01T{i % 24:02}:{t:02}:00"
            rows.append((f"p{i}", stamp, i % 3 + t / 10, "ab"[t % 2], "uvw"[i % 3], f"g{i % 5}"))
    names = ["unit", "at", "x", "mode", "state", "person"]
    return pl.DataFrame(rows, schema=names, orient="row")


def written(frame, path):
    frame.write_csv(path)
    return path


ROLES = {"id": "unit", "time": "at", "target": "state", "category": "mode", "ignore": "person"}


def test_names_with_commas_stand_in_quotation_marks():
    names = ("plain", "a, b", 'c "d"')
    assert names_in(listed(names)[: listed(names).index(', "c')]) == names[:2]
    assert names_in("") == ()


def test_rows_become_sequences_by_id_in_order_of_time_whatever_their_order(tmp_path):
    frame = long_table()
    shuffled = frame.sample(fraction=1, shuffle=True, seed=1)
    plain = parts_of(config_of("classify_recordings", written(frame, tmp_path / "a.csv"), ROLES))
    other = parts_of(config_of("classify_recordings", written(shuffled, tmp_path / "b.csv"), ROLES))
    assert plain.columns == ("x", "mode=a", "mode=b")
    assert plain.classes == ("u", "v", "w")
    everything = {
        name: data.part(part).values[i].tolist()
        for data in (plain, other)
        for part in NAMES
        for i, name in enumerate(data.part(part).names)
    }
    for i in range(30):
        wanted = [[i % 3 + t / 10, float(t % 2 == 0), float(t % 2 == 1)] for t in range(5)]
        assert everything[f"p{i}"] == wanted
    assert any("in order of time" in note for note in other.notes)
    assert {n: len(plain.part(n)) for n in NAMES} == {"train": 18, "validation": 6, "test": 6}


def test_every_kind_of_file_gives_the_same_parts(tmp_path):
    frame = long_table()
    frame.write_parquet(tmp_path / "a.parquet")
    frame.write_ndjson(tmp_path / "a.ndjson")
    written(frame, tmp_path / "a.csv")
    found = [
        parts_of(config_of("classify_recordings", tmp_path / f"a.{suffix}", ROLES)).train
        for suffix in ("csv", "parquet", "ndjson")
    ]
    for other in found[1:]:
        assert other.names == found[0].names
        assert other.values.values.equal(found[0].values.values)


def test_a_column_that_must_keep_one_value_and_does_not_is_told(tmp_path):
    path = written(long_table(), tmp_path / "a.csv")
    with pytest.raises(DataError, match=r"column 'mode' must keep one value.*'p0' has 2: a, b"):
        parts_of(
            config_of("classify_recordings", path, {**ROLES, "target": "mode", "category": "state"})
        )
    with pytest.raises(DataError, match="'mode' must keep one value"):
        parts_of(config_of("classify_recordings", path, {**ROLES, "static": "mode"}))


def test_a_text_without_a_role_is_refused_with_the_roles_it_could_have(tmp_path):
    path = written(long_table(), tmp_path / "a.csv")
    with pytest.raises(
        DataError, match=r"'person' holds texts.*columns\.category.*columns\.ignore"
    ):
        parts_of(config_of("classify_recordings", path, {**ROLES, "ignore": ""}))
    with pytest.raises(DataError, match=r"no column 'stat'\. Did you mean 'state'"):
        parts_of(config_of("classify_recordings", path, {**ROLES, "target": "stat"}))


@pytest.mark.parametrize(
    ("gap", "steps", "said"),
    [
        ("fill", {"p0": 7, "p1": 3}, "filled with 3 steps"),
        ("cut", {"p0#1": 2, "p0#2": 2, "p1": 3}, "1 sequences|cut: 5 sequences became 6"),
    ],
)
def test_gaps_are_filled_or_cut_and_counted(tmp_path, gap, steps, said):
    minutes = {"p0": [0, 1, 5, 6], **{f"p{i}": [0, 1, 2] for i in range(1, 5)}}
    rows = [
        (n, f"2024-01-01 10:{m:02}", m, "uv"[m > 1]) for n, some in minutes.items() for m in some
    ]
    frame = pl.DataFrame(rows, schema=["unit", "at", "x", "tag"], orient="row")
    columns = {"id": "unit", "time": "at", "target": "tag", "gap": gap, "step": "1 minute"}
    config = config_of("label_frames", written(frame, tmp_path / "a.csv"), columns)
    data = parts_of(config)
    found = {n: len(p.values[i]) for p in map(data.part, NAMES) for i, n in enumerate(p.names)}
    assert found.items() >= steps.items()
    assert any(one in note for note in data.notes for one in said.split("|"))
    if gap == "fill":
        place = next(p for p in map(data.part, NAMES) if "p0" in p.names)
        start = place.values.offsets[place.names.index("p0")]
        assert place.values[place.names.index("p0")].flatten().tolist() == [0, 1, 1, 1, 1, 5, 6]
        assert (place.labels[start + 2 : start + 5] == -1).all()


def test_a_gap_can_be_an_error(tmp_path):
    frame = pl.DataFrame({"t": [*range(20), 25], "x": range(21), "y": [0, 1] * 10 + [0]})
    columns = {"time": "t", "target": "y", "gap": "error"}
    with pytest.raises(DataError, match="gap of 6 before row 22"):
        parts_of(config_of("label_frames", written(frame, tmp_path / "a.csv"), columns))


def split_of(tmp_path, frame, roles=ROLES, task="classify_recordings", **split):
    path = written(frame, tmp_path / "s.csv")
    return parts_of(config_of(task, path, roles, split=split))


def test_a_group_stands_in_one_part(tmp_path):
    roles = {**ROLES, "ignore": ""}
    data = split_of(tmp_path, long_table(), roles, by="group", column="person")
    groups = [{int(name[1:]) % 5 for name in data.part(part).names} for part in NAMES]
    assert sum(map(len, groups)) == 5
    assert set.union(*groups) == set(range(5))


def test_the_latest_sequences_judge_where_time_splits(tmp_path):
    frame = long_table(24)
    data = split_of(tmp_path, frame.reverse(), by="time")
    numbers = [sorted(int(name[1:]) for name in data.part(part).names) for part in NAMES]
    assert max(numbers[0]) < min(numbers[1])
    assert max(numbers[1]) < min(numbers[2])


def test_a_column_can_name_the_parts(tmp_path):
    part = pl.Series("part", (["Train"] * 3 + ["dev"] * 3 + ["TEST"] * 4) * 3)
    frame = long_table().with_columns(part.gather(np.arange(150) // 5))
    data = split_of(tmp_path, frame, by="column", column="part")
    assert {int(name[1:]) % 10 for name in data.part("test").names} == {6, 7, 8, 9}
    wrong = frame.with_columns(pl.col("part").replace("dev", "later"))
    with pytest.raises(DataError, match=r"must say train, validation or test.*'later'"):
        split_of(tmp_path, wrong, by="column", column="part")


def test_one_sequence_is_cut_in_time_and_never_shared(tmp_path):
    frame = pl.DataFrame({"t": range(100), "x": range(100), "y": [0, 1] * 50})
    roles = {"time": "t", "target": "y"}
    data = split_of(tmp_path, frame, roles, "regress", by="time")
    values = [data.part(part).values.values.flatten().tolist() for part in NAMES]
    assert values == [[*range(60)], [*range(60, 80)], [*range(80, 100)]]
    with pytest.raises(
        DataError, match=r"1 sequences, and three are the least.*split\.by = 'time'"
    ):
        split_of(tmp_path, frame, roles, "regress")


def test_a_class_too_rare_to_split_is_told(tmp_path):
    frame = long_table().with_columns(
        state=pl.when(pl.col("unit") == "p0").then(pl.lit("rare")).otherwise("state")
    )
    with pytest.raises(DataError, match="class 'rare' has 1 sequences, and three are the least"):
        split_of(tmp_path, frame)


@pytest.mark.parametrize(("role", "task"), [("id", "forecast"), ("time", "classify_text")])
def test_a_role_that_a_task_does_not_read_is_refused(role, task, tmp_path):
    from carousel.config import refuse_idle

    path = written(long_table(), tmp_path / "a.csv")
    config = config_of(task, path, {role: "unit", "target": "x"})
    with pytest.raises(ConfigError, match=rf"columns\.{role} has no effect in the task '{task}'"):
        refuse_idle(config)


# ---- trained and asked again


def test_a_trained_model_reads_new_tables_by_the_names_of_columns(tmp_path):
    path = written(long_table(), tmp_path / "a.csv")
    config = config_of("classify_recordings", path, ROLES)
    run = train(config, run_dir=tmp_path / "run", quiet=True)
    model = bundle.load(run.path)
    frame = long_table(4).drop("state", "person")
    plain = model.read(written(frame, tmp_path / "new.csv"))
    assert plain.names == ("p0", "p1", "p2", "p3")
    turned = frame.select(reversed(frame.columns)).with_columns(extra=pl.lit("z"))
    other = model.read(written(turned, tmp_path / "turned.csv"))
    for one, two in zip(plain.inputs, other.inputs, strict=True):
        np.testing.assert_array_equal(one, two)
    assert any("'extra', which training did not have" in n.text for n in other.notes)
    answers = [a.probabilities for a in model.predict(plain.inputs)]
    assert [a.probabilities for a in model.predict(str(tmp_path / "new.csv"))] == answers
    with pytest.raises(DataError, match="no column 'x', which the model was trained on"):
        model.read(written(frame.drop("x"), tmp_path / "less.csv"))


def test_categories_that_training_did_not_have_are_counted(tmp_path):
    path = written(long_table(), tmp_path / "a.csv")
    model = fit(config_of("classify_recordings", path, ROLES)).model
    frame = long_table(4).with_columns(mode=pl.lit("c"))
    given = model.read(written(frame, tmp_path / "new.csv"))
    assert any(
        "20 cells of 'mode' have a value that training did not" in n.text for n in given.notes
    )
    assert not given.inputs[0][:, 1:].any()


def test_many_levels_share_one_column_beyond_the_most_frequent(tmp_path):
    frame = long_table(30).with_columns(code=pl.Series([f"c{i % 60}" for i in range(150)]))
    roles = {**ROLES, "category": "mode, code", "embed": False}
    data = parts_of(config_of("classify_recordings", written(frame, tmp_path / "a.csv"), roles))
    assert len(data.columns) == 3 + 51
    assert data.columns[-1] == "code=(other)"
    assert any("50 most frequent" in note for note in data.notes)


@pytest.mark.parametrize("task", ["label_frames", "regress"])
def test_steps_are_labelled_and_measured_and_asked_again(task, tmp_path):
    target = "mode" if task == "label_frames" else "y"
    frame = long_table().with_columns(y=pl.col("x") * 2 + 100)
    roles = {"id": "unit", "time": "at", "target": target, "ignore": "state, person"}
    if task == "regress":
        roles["category"] = "mode"
    else:
        frame = frame.drop("y")
    config = config_of(task, written(frame, tmp_path / "a.csv"), roles)
    model = fit(config).model
    given = model.read(written(frame.head(10).drop(target), tmp_path / "new.csv"))
    assert given.names == ("p0", "p1")
    answers = model.predict(given.inputs)
    steps = [len(a.labels) if task == "label_frames" else len(a.numbers) for a in answers]
    assert steps == [5, 5]


def hours(count=120):
    stamps = np.datetime64("2024-01-01T00:00") + np.arange(count) * np.timedelta64(1, "h")
    return pl.DataFrame(
        {
            "load": np.sin(np.arange(count) / 4) + 10,
            "when": [str(stamp) for stamp in stamps],
            "wind": ["N", "S", "E"] * (count // 3),
        }
    )


def test_a_table_is_forecast_from_its_columns_wherever_time_stands(tmp_path):
    roles = {"time": "when", "target": "load", "category": "wind"}
    sections = {"forecast": {"context": 12, "horizon": 3}}
    config = config_of("forecast", written(hours(), tmp_path / "a.csv"), roles, **sections)
    data = parts_of(config)
    assert data.series.columns == ("load", "wind=E", "wind=N", "wind=S")
    model = fit(config).model
    (answer,) = model.predict(str(tmp_path / "a.csv"))
    assert list(answer.values) == ["load"]
    assert answer.times[0] == "2024-01-06T00:00"
    (other,) = model.predict(
        str(written(hours().sample(fraction=1, shuffle=True, seed=0), tmp_path / "b.csv"))
    )
    assert other == answer
    with pytest.raises(DataError, match="no column 'wind', which the model was trained on"):
        model.predict(str(written(hours().drop("wind"), tmp_path / "c.csv")))


def test_what_is_known_beforehand_is_read_for_the_steps_to_come(tmp_path):
    frame = hours().with_columns(price=pl.Series([float(i * 7 % 5) for i in range(120)]))
    roles = {"time": "when", "target": "load", "category": "wind", "known": "price, wind"}
    sections = {"forecast": {"context": 12, "horizon": 3}}
    config = config_of("forecast", written(frame, tmp_path / "a.csv"), roles, **sections)
    task = tasks.find("forecast")(config, 0)
    assert task.frame.known.shape == (123, 4)
    x, before, after, *_ = task.frame.batch(task.windows["train"], torch.tensor([5]))
    torch.testing.assert_close(before[0], x[0][:, 1:])
    start = int(task.windows["train"].starts[5])
    torch.testing.assert_close(after[0], task.frame.scaled[start : start + 3, 1:])
    model = fit(config, task.parted).model
    asked = frame.with_columns(load=pl.when(pl.arange(120) < 117).then("load"))
    (answer,) = model.predict(str(written(asked, tmp_path / "b.csv")))
    assert answer.times[0] == "2024-01-05T21:00"
    dearer = asked.with_columns(price=pl.when(pl.arange(120) < 117).then("price").otherwise(50.0))
    (other,) = model.predict(str(written(dearer, tmp_path / "c.csv")))
    assert other.values != answer.values
    with pytest.raises(
        DataError, match=r"must end with rows for the 3 steps to come.*has 0 of them"
    ):
        model.predict(str(tmp_path / "a.csv"))
    with pytest.raises(DataError, match="must end with rows for the 3 steps to come"):
        model.example(model.read(tmp_path / "a.csv"), 0)
    wrong = config_of("forecast", tmp_path / "a.csv", {**roles, "known": "load"}, **sections)
    with pytest.raises(ConfigError, match=r"can name no target"):
        tasks.find("forecast")(wrong, 0)


def test_a_table_of_texts_trains_every_task_on_sentences(tmp_path):
    frame = pl.DataFrame(
        {
            "nr": range(40),
            "said": [f"word{i % 4} and w{i % 2} {'good' if i % 2 else 'bad'}" for i in range(40)],
            "mood": ["up" if i % 2 else "down" for i in range(40)],
            "other": [f"wort{i % 4} und {i}" for i in range(40)],
        }
    )
    path = tmp_path / "t.parquet"
    frame.write_parquet(path)
    roles = {"text": "said", "target": "mood", "ignore": "nr, other"}
    config = config_of("classify_text", path, roles, text={"test": 0.2, "validation": 0.2})
    data = parts_of(config)
    assert data.classes == ("down", "up")
    assert {name: len(data.part(name)) for name in NAMES} == {
        "train": 24,
        "validation": 8,
        "test": 8,
    }
    model = fit(config).model
    assert [*model.read(path).inputs] == frame["said"].to_list()
    pairs = config_of("translate", path, {**roles, "target": "other", "ignore": ""})
    assert parts_of(pairs).train.sources[0].startswith("word")


def test_a_table_of_words_is_read_by_sentence(tmp_path):
    rows = [(i, w, t) for i in range(30) for w, t in (("the", "D"), (f"n{i % 3}", "N"))]
    frame = pl.DataFrame(rows, schema=["s", "w", "tag"], orient="row")
    path = written(frame, tmp_path / "a.csv")
    config = config_of("label_words", path, {"id": "s", "text": "w", "target": "tag"})
    data = parts_of(config)
    assert sum(len(data.part(name)) for name in NAMES) == 30
    assert data.train.labels[0] == ["D", "N"]
    model = fit(config).model
    given = model.read(written(frame.head(4).drop("tag"), tmp_path / "new.csv"))
    assert given.inputs == [["the", "n0"], ["the", "n1"]]
    assert [len(answer.words) for answer in model.predict(given.inputs)] == [2, 2]


def test_a_manifest_names_the_recordings(tmp_path):
    folder = Path(tmp_path)
    for i in range(9):
        pl.DataFrame({"x": [i % 3 + 0.5, i % 3 + 1.5]}).write_csv(folder / f"r{i}.csv")
    rows = [(f"r{i}.csv", "abc"[i % 3]) for i in range(9)]
    frame = pl.DataFrame(rows, schema=["wav", "kind"], orient="row")
    path = written(frame, tmp_path / "list.csv")
    data = parts_of(config_of("classify_recordings", path, {"file": "wav", "target": "kind"}))
    assert data.classes == ("a", "b", "c")
    assert {name: len(data.part(name)) for name in NAMES} == dict.fromkeys(NAMES, 3)
