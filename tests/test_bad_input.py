"""Data that are not as they should be: a finding or an error in one line, never silence."""

import io
import json
import re

import numpy as np
import polars as pl
import pytest

from carousel.config.columns import ColumnsConfig
from carousel.data.guesses import guess
from carousel.data.sequences import sequences_of
from carousel.data.table import of_frame, read_table
from carousel.errors import DataError

RNG = np.random.default_rng(0)
SMALL = [
    *("--set", "training.epochs=1", "--set", "model.hidden_size=4"),
    *("--set", "coach.enabled=false", "--quiet"),
]


def sequences(count=20, steps=6, **columns):
    n = count * steps
    base = {
        "aa": [f"z{i // steps}" for i in range(n)],
        "k": [i % steps for i in range(n)],
        "m": RNG.normal(size=n).round(3),
        "y": ["ab"[(i // steps) % 2] for i in range(n)],
    }
    return pl.DataFrame({**base, **columns})


#: The content of a file, its name, and what its error says.
REFUSED = {
    "empty": (b"", "a.csv", "is empty"),
    "blank": (b"\n\n  \n", "a.csv", "is empty"),
    "header alone": (b"a,b,c\n", "a.csv", "names of columns and no row"),
    "one column": (b"a\n1\n2\n", "a.csv", r"1 column \('a'\), and a table needs at least two"),
    "one row": (b"a,b,c\n1,2,x\n", "a.csv", "no column that is plainly what is to be learnt"),
    "picture": (b"\x89PNG\r\n\x1a\n" + b"0" * 99, "a.csv", "is a PNG picture"),
    "JSON lines": (
        b'{"a":1,"b":2}\n{"a":2,"b":3}\n',
        "a.csv",
        "is JSON.*give it the suffix .ndjson",
    ),
    "JSON list": (b'[\n{"a":1,"b":2}]\n', "a.csv", "is JSON.*give it the suffix .ndjson"),
    "text as Parquet": (b"a,b\n1,2\n", "a.parquet", "a Parquet table was expected, and it is"),
    "text as Excel": (b"a,b\n1,2\n", "a.xlsx", "an Excel workbook was expected, and it is"),
    "empty Parquet": (b"", "a.parquet", "a Parquet table was expected, and it is empty"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_file_that_cannot_be_trained_on_is_refused_in_one_line(name, carousel, tmp_path):
    content, file, said = REFUSED[name]
    (tmp_path / file).write_bytes(content)
    for verb in (["init"], ["train"]):
        code, out, err = carousel(*verb, str(tmp_path / file))
        assert (code, out) == (2, "")
        assert err.count("\n") == 1
        assert re.search(said, err), err
    assert not [*tmp_path.glob("*.toml")]


def test_parquet_called_csv_is_named(carousel, tmp_path):
    buffer = io.BytesIO()
    sequences().write_parquet(buffer)
    (tmp_path / "a.csv").write_bytes(buffer.getvalue())
    code, _, err = carousel("init", str(tmp_path / "a.csv"))
    assert code == 2
    assert "is a Parquet table" in err


def init(carousel, tmp_path, frame, *more):
    """Code of init on a table, and all that it says as JSON."""
    frame.write_csv(tmp_path / "a.csv")
    made = tmp_path / "a.toml"
    made.unlink(missing_ok=True)
    code, out, err = carousel("init", str(tmp_path / "a.csv"), "-o", str(made), "--json", *more)
    return code, json.loads(out) if out else {}, err


def codes(said):
    return {finding["code"] for finding in said["audit"]}


def test_a_target_without_any_value_is_refused(carousel, tmp_path):
    table = sequences(y=pl.Series([None] * 120, dtype=pl.String))
    code, _, err = init(carousel, tmp_path, table, "--target", "y")
    assert code == 2
    assert "holds no value: every cell is empty" in err


def test_a_target_that_is_constant_is_severe_and_training_refuses_it(carousel, tmp_path):
    code, said, _ = init(carousel, tmp_path, sequences(y=["a"] * 120), "--target", "y")
    assert code == 1
    assert "D018" in codes(said)
    assert "one value in all rows, and nothing can be learnt" in said["task"]["why"]
    assert "at least two labels" in said["refused"]
    code, said, _ = init(carousel, tmp_path, sequences(y=[1.5] * 120), "--target", "y")
    assert (code, "D018" in codes(said)) == (1, True)


def test_times_in_the_future_are_found(carousel, tmp_path):
    days = [f"20{70 + i // 12}-{i % 12 + 1:02}-01" for i in range(120)]
    code, said, _ = init(carousel, tmp_path, pl.DataFrame({"day": days, "v": RNG.normal(size=120)}))
    assert (code, said["task"]["name"]) == (0, "forecast")
    assert "D010" in codes(said)


def test_sequences_glued_under_one_id_are_found(carousel, tmp_path):
    frame = sequences(aa=[f"z{i // 6 % 10}" for i in range(120)])
    code, said, _ = init(carousel, tmp_path, frame, "--target", "y")
    roles = {column["name"]: column["role"] for column in said["columns"]}
    assert (code, roles["aa"], roles["k"]) == (0, "id", "time")
    (found,) = (finding for finding in said["audit"] if finding["code"] == "D007")
    assert found["title"].startswith("60 rows have the same time")


def test_a_class_that_alternates_is_no_glued_id():
    frame = sequences().drop("aa")
    assert guess(of_frame(frame)).named("id") == []


def test_days_as_excel_counts_them_are_times(carousel, tmp_path):
    frame = pl.DataFrame({"when": [45000 + i for i in range(120)], "v": RNG.normal(size=120)})
    code, said, _ = init(carousel, tmp_path, frame)
    assert (code, said["task"]["name"], said["step"]) == (0, "forecast", "1 day")


def test_sequences_of_one_step_are_counted_and_train(carousel, tmp_path):
    rows = [(f"z{i}", k, i / 30, "ab"[i % 2]) for i in range(30) for k in range(1 if i % 3 else 5)]
    frame = pl.DataFrame(rows, schema=["aa", "k", "m", "y"], orient="row")
    code, said, _ = init(carousel, tmp_path, frame)
    assert code == 0
    assert "D023" in codes(said)
    run = str(tmp_path / "run")
    code, _, err = carousel("train", str(tmp_path / "a.toml"), *SMALL, "--run-dir", run)
    assert code == 0, err
    frame.write_csv(tmp_path / "new.csv")
    for verb in ("predict", "evaluate"):
        assert carousel(verb, run, str(tmp_path / "new.csv"))[0] == 0


def test_objects_in_a_column_are_left_out_and_it_is_said(carousel, tmp_path):
    frame = sequences().with_columns(o=pl.lit(1)).with_columns(pl.struct("o").alias("o"))
    frame.write_ndjson(tmp_path / "a.ndjson")
    made = str(tmp_path / "a.toml")
    code, out, _ = carousel("init", str(tmp_path / "a.ndjson"), "-o", made, "--json")
    (found,) = (c for c in json.loads(out)["columns"] if c["name"] == "o")
    assert (code, found["role"], found["why"]) == (0, "ignore", "its cells are lists or objects")
    other = str(tmp_path / "b.toml")
    code, _, err = carousel("init", str(tmp_path / "a.ndjson"), "--target", "o", "-o", other)
    assert code == 2
    assert "neither classes nor numbers" in err


@pytest.mark.parametrize(
    "frame",
    [
        sequences(2, 50),
        sequences(3, 4),
        pl.DataFrame({"a": [1, 3], "b": [2, 4], "label": ["x", "y"]}),
        pl.DataFrame(
            {"label": ["good", "bad"], "text": ["a nice film to see", "a dull one to see"]}
        ),
    ],
    ids=["two sequences", "three sequences", "two rows", "two texts"],
)
def test_no_recipe_is_written_for_a_tiny_table_without_saying_that_training_refuses_it(
    frame, carousel, tmp_path
):
    code, said, _ = init(carousel, tmp_path, frame)
    made = str(tmp_path / "a.toml")
    trained, _, err = carousel("train", made, *SMALL, "--run-dir", str(tmp_path / "run"))
    assert (code, trained) == (1, 2)
    assert said["refused"] in err


@pytest.mark.parametrize(
    ("name", "content"), [("a.txt", "a"), ("a.tsv", "good\ta film\n"), ("a.conll", "a O\n")]
)
def test_nor_for_another_tiny_file(name, content, carousel, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).write_text(content)
    code, out, _ = carousel("init", name)
    assert code == 1
    assert "training refuses it as it is: " in out
    assert "next:" not in out


def test_many_columns_take_a_few_lines(carousel, tmp_path):
    names = ["".join(RNG.choice(list("abcdefgh"), 9)) for _ in range(500)]
    wide = {name: RNG.normal(size=120) for name in names}
    sequences().with_columns(**wide).write_csv(tmp_path / "a.csv")
    made = str(tmp_path / "a.toml")
    code, out, _ = carousel("init", str(tmp_path / "a.csv"), "-o", made, "--target", "y")
    assert code in (0, 1)
    assert len(out.splitlines()) < 60
    assert "500 columns" in out


def test_errors_and_notes_of_standard_input_name_no_folder(tmp_path, carousel, monkeypatch):
    sequences().write_csv(tmp_path / "a.csv")
    run = str(tmp_path / "run")
    code, _, err = carousel("train", str(tmp_path / "a.csv"), *SMALL, "--run-dir", run)
    assert code == 0, err

    def ask(content, *more):
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content)))
        return carousel("predict", run, "-", *more)

    code, _, err = ask(b"m,k\n")
    assert (code, err) == (2, "carousel: standard input has the names of columns and no row\n")
    code, _, err = ask(b"m,k\n1,0\n2,1\n")
    assert code == 0
    assert "standard input has no column 'aa'" in err
    assert "/tmp" not in err
    code, _, err = ask(b"m,k\n1,0\n2,1\n", "--out", str(tmp_path / "q.csv"))
    assert code == 0
    assert "standard-input" not in err


def test_one_is_singular():
    frame = sequences(3, 4).with_columns(pl.Series("k", [1, 0, 2, 3] * 3))
    one = frame.slice(0, 4)
    notes = sequences_of(of_frame(one), ColumnsConfig(time="k")).notes
    assert "1 row stood before an earlier one: put in order of time" in notes


def test_columns_named_twice_and_rows_of_other_lengths_are_refused(tmp_path):
    (tmp_path / "a.csv").write_text("a,a\n1,2\n")
    with pytest.raises(DataError, match="more than one column with the name 'a'"):
        read_table(tmp_path / "a.csv")
    for rows in ("1,2,3\n", '"1","2","3"\n', ',,\n"1",2\n'):
        (tmp_path / "a.csv").write_text(f"a,b\n{rows}")
        with pytest.raises(DataError, match="line 2 has 3 cells, the header 2"):
            read_table(tmp_path / "a.csv")
