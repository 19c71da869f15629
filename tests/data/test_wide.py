"""Wide tables: a row for each sequence, its steps in columns."""

import csv
import json

import numpy as np
import polars as pl
import pytest

from carousel import fit, load, recipes
from carousel.bulk import answer_file
from carousel.config import Config
from carousel.data import sets
from carousel.data.guesses import guess
from carousel.data.proposal import propose
from carousel.data.table import of_frame
from carousel.data.wide import blocks_of, found_in, in_rows, numbered
from carousel.errors import ConfigError, DataError
from carousel.training import train

RNG = np.random.default_rng(0)


def waves(count=30, steps=12, start="t", **columns):
    """A wave in each row, slow or quick."""
    angles = np.arange(steps)[None] * (0.3 + 0.5 * (np.arange(count) % 2))[:, None]
    values = np.sin(angles + RNG.uniform(0, 6, count)[:, None])
    blocks = {f"{start}{i + 1}": values[:, i].round(4) for i in range(steps)}
    kinds = ["slow", "quick"] * (count // 2)
    return pl.DataFrame({"kind": kinds, **columns, **blocks})


def config(wide, task="classify_recordings", **columns):
    roles = {f"columns.{name}": value for name, value in {"wide": wide, **columns}.items()}
    return Config.from_dict({"task": task, "data": {"name": "table"}}).override(roles)


def test_a_long_table_has_the_cells_of_the_wide_one_in_their_order():
    frame = pl.DataFrame(
        {"who": ["p", "q"], "x_2": [2, 12], "y_1": [5, 15], "x_10": [3, 13], "x_1": [1, 11],
         "y_2": [6, 16], "y_10": [7, None]}
    )  # fmt: skip
    table, read = in_rows(of_frame(frame), config("x_1..x_10, y_1..y_10", id="who"))
    assert table["row"].texts() == ["p"] * 3 + ["q"] * 3
    assert table["x"].numbers().tolist() == [1, 2, 3, 11, 12, 13]
    np.testing.assert_array_equal(table["y"].numbers(), [5, 6, 7, 15, 16, np.nan])
    assert (read.columns.id, read.columns.wide, read.columns.ignore) == ("row", "", "who")


def test_empty_cells_at_the_end_make_a_sequence_shorter_and_others_are_missing_values():
    frame = pl.DataFrame({"t1": [1, None, 3], "t2": [None, None, 4], "t3": [2, None, None]})
    table, _ = in_rows(of_frame(frame), config("t1..t3"))
    assert table["row"].texts() == ["1", "1", "1", "3", "3"]
    np.testing.assert_array_equal(table["t"].numbers(), [1, np.nan, 2, 3, 4])
    assert "1 row with empty cells at the end: sequences of 2 to 3 steps" in table.notes
    assert "1 row without any value: left out" in table.notes


def test_an_id_that_stands_twice_does_not_glue_rows():
    frame = pl.DataFrame({"who": ["p", "p"], "t1": [1, 2], "t2": [1, 2]})
    table, _ = in_rows(of_frame(frame), config("t1..t2", id="who"))
    assert sorted(set(table["row"].texts())) == ["p#1", "p#2"]
    assert "1 row with an id that stands before: numbered apart" in table.notes


def test_a_table_with_fewer_steps_than_training_has_shorter_sequences():
    frame = pl.DataFrame({"t1": [1, 2], "t2": [1, 2]})
    table, _ = in_rows(of_frame(frame), config("t1..t5"))
    assert len(table) == 4
    assert "3 of the 5 columns of 't' are not there: sequences are shorter" in table.notes


@pytest.mark.parametrize(
    ("wide", "error", "said"),
    [
        ("t1", ConfigError, "must name the first and the last"),
        ("t1..", ConfigError, "must name the first and the last"),
        ("z1..z9", DataError, "has no column 'z1'"),
        ("t1..t3, u1..u2", DataError, "unequal columns: 3 of 't', 2 of 'u'"),
        ("name..t2", DataError, "no numbers but texts"),
    ],
)
def test_columns_that_are_no_blocks_are_refused(wide, error, said):
    frame = pl.DataFrame({"name": ["a", "b"], **{f"t{i}": [1, 2] for i in (1, 2, 3)},
                          "u1": [1, 2], "u2": [1, 2]})  # fmt: skip
    with pytest.raises(error, match=said):
        in_rows(of_frame(frame), config(wide))


def test_columns_named_by_dates_are_a_block_in_the_order_of_the_table():
    days = [f"2024-0{m}-01" for m in range(1, 9)]
    frame = pl.DataFrame({"kind": ["a", "b"], **{day: [1.0, 2.0] for day in days}})
    (block,) = found_in(of_frame(frame), days)
    assert block.columns == tuple(days)
    assert blocks_of(block.setting, of_frame(frame))[0].columns == tuple(days)


def test_names_that_differ_in_a_number_are_a_block():
    assert [b.setting for b in numbered(["0", "1", "a_1", "a_2", "b", "c3"])] == [
        "0..1",
        "a_1..a_2",
    ]


def pairs(steps=10):
    values = RNG.normal(size=(30, 2, steps))
    names = {f"{n}_{i}": values[:, k, i] for i in range(steps) for k, n in enumerate("ab")}
    return pl.DataFrame({"score": values.mean((1, 2)), **names})


#: A wide table, what is asked, and the task, the blocks and some roles that follow.
WIDE = {
    "class": (waves(), {}, "classify_recordings", "t1..t12", {"kind": "target"}),
    "bare numbers": (waves(start=""), {}, "classify_recordings", "1..12", {"kind": "target"}),
    "smooth, odd names": (waves(start="q"), {}, "classify_recordings", "q1..q12", {}),
    "sorted by class": (waves().sort("kind"), {}, "classify_recordings", "t1..t12", {}),
    "a name for each row": (
        waves(name=[f"n{i}" for i in range(30)]),
        {},
        "classify_recordings",
        "t1..t12",
        {"name": "id", "kind": "target"},
    ),
    "persons": (
        waves(person=[f"p{i % 5}" for i in range(30)]),
        {"target": "kind"},
        "classify_recordings",
        "t1..t12",
        {"person": "split"},
    ),
    "two blocks, a number": (
        pairs(),
        {"target": "score"},
        "regress",
        "a_0..a_9, b_0..b_9",
        {"score": "target"},
    ),
}


@pytest.mark.parametrize("name", WIDE)
def test_wide_tables_are_recognised(name):
    frame, asked, task, wide, roles = WIDE[name]
    made = propose("x.csv", table=of_frame(frame), found=guess(of_frame(frame), **asked))
    assert (made.guess.task, made.config.columns.wide) == (task, wide)
    assert {column: made.guess.roles[column].role for column in roles} == roles
    assert "each row is a sequence of" in made.guess.why


def test_tables_whose_rows_are_steps_stay_long():
    sensors = {f"s{i}": RNG.normal(size=60) for i in range(1, 22)}
    engines = {"unit": np.repeat([1, 2, 3], 20), "cycle": np.tile(np.arange(1, 21), 3)}
    found = guess(of_frame(pl.DataFrame({**engines, **sensors, "rul": RNG.normal(size=60)})),
                  target="rul")  # fmt: skip
    assert (found.wide, found.roles["unit"].role) == ((), "id")
    speakers = {"who": np.repeat(list("abcdef"), 10), "vowel": np.repeat(list("xyxyxy"), 10)}
    found = guess(of_frame(pl.DataFrame({**speakers, **sensors})), target="vowel")
    assert (found.wide, found.roles["who"].role) == ((), "id")


def test_sensors_in_time_without_id_are_no_wide_table():
    walk = {f"p{i}": RNG.normal(size=200).cumsum() for i in range(10)}
    frame = pl.DataFrame({**walk, "load": RNG.normal(size=200)})
    assert guess(of_frame(frame), target="load").wide == ()


def test_many_series_in_rows_are_said_to_be_too_many_for_a_forecast(
    carousel, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    waves().drop("kind").with_row_index("V0").write_csv("m4.csv")
    code, _, err = carousel("init", "m4.csv", "--task", "forecast")
    assert code == 2
    assert "a series in each of its 30 rows" in err
    assert "a forecast reads one series" in err


def test_a_wide_table_trains_as_its_long_one_does():
    frame = waves()
    steps = [name for name in frame.columns if name != "kind"]
    long = (
        frame.with_row_index("row", offset=1)
        .unpivot(steps, index=["row", "kind"])
        .sort("row", maintain_order=True)
        .rename({"value": "t"})
        .drop("variable")
    )
    reader = sets.find("classify_recordings", "table")
    wide = reader(config("t1..t12", target="kind"), of_frame(frame))
    other = reader(config("", id="row", target="kind"), of_frame(long))
    for name in ("train", "validation", "test"):
        one, two = wide.part(name), other.part(name)
        assert (one.names, one.labels.tolist()) == (two.names, two.labels.tolist())
        assert np.array_equal(one.values.values.numpy(), two.values.values.numpy())


def test_init_train_predict_and_evaluate_read_a_wide_table(carousel, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    waves().write_csv("waves.csv")
    new = waves(20)[:, :10]
    new.write_csv("new.csv")
    code, out, err = carousel("init", "waves.csv")
    assert (code, err) == (0, "")
    for words in ("t1 … t12", "30 rows, each a sequence of 12 steps of 't'", "columns.wide"):
        assert words in out
    made = recipes.load("waves.toml")[0].override(["training.epochs=8", "coach.enabled=false"])
    run = train(made, run_dir=tmp_path / "run", threads=1, quiet=True)
    model = load(run.path)
    answer_file(model, tmp_path / "new.csv", tmp_path / "answers.csv")
    with (tmp_path / "answers.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["sequence"] for row in rows] == [str(i) for i in range(1, 21)]
    right = [row["prediction"] == kind for row, kind in zip(rows, new["kind"], strict=True)]
    report = model.evaluate_new("new.csv")
    assert report["accuracy"] == sum(right) / 20
    assert any("3 of the 12 columns of 't' are not there" in note for note in report["notes"])
    code, said, _ = carousel("predict", run.path, "new.csv", "--json")
    assert len(json.loads(said)) == 20


def test_one_number_of_each_row_is_learnt(tmp_path):
    model = fit(pairs(), target="score", epochs=1, hidden_size=4, quiet=True)
    assert model.config.task == "regress"
    assert len(model.predict(pairs())) == 30
