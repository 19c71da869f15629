"""`carousel predict RUN DATA --out FILE`: what is written is what the model says, whole or not."""

import csv
import io
import json
import shutil
import sys

import numpy as np
import polars
import pytest
from bulk_runs import small_run
from PIL import Image
from small_sentences import read_rows, write_sentences
from small_series import write_series
from small_words import write_columns

import carousel as library
from carousel.bulk import Picture
from carousel.data.files.series import read_series
from carousel.data.files.text import read_text
from carousel.tasks.shared.answers import ClassAnswer
from carousel.tasks.shared.label_answers import LabelSetAnswer


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    return small_run(tmp_path_factory.mktemp("runs"))


def read(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_sentences_are_answered_in_their_order_in_every_format(runs, carousel, tmp_path):
    run, data = runs("classify_text")
    model, texts = library.load(run), [text for _, text in read_rows(data / "sentences.tsv")]
    wanted = model.predict(texts)
    for name in ("a.csv", "a.ndjson", "a.parquet"):
        code, out, err = carousel("predict", run, data / "sentences.tsv", "--out", name)
        assert code == 0, err
        assert f"{name}: 400 answers; 400 rows" in out
    rows = read(tmp_path / "a.csv")
    assert [row["row"] for row in rows] == [str(n) for n in range(1, 401)]
    assert [row["text"] for row in rows] == texts
    assert [row["prediction"] for row in rows] == [answer.label for answer in wanted]
    chances = [[float(row["p_bad"]), float(row["p_good"])] for row in rows]
    np.testing.assert_allclose(chances, model.predict_proba(texts), rtol=1e-6)
    found = lines(tmp_path / "a.ndjson")
    assert [one["class"] for one in found] == [answer.label for answer in wanted]
    assert not any("influences" in one for one in found)
    table = polars.read_parquet(tmp_path / "a.parquet")
    assert table["prediction"].to_list() == [answer.label for answer in wanted]
    assert table["p_good"].to_list() == pytest.approx([p[1] for p in chances], rel=1e-6)


def test_pieces_and_batches_change_no_answer(runs, carousel, tmp_path, monkeypatch):
    run, data = runs("classify_text")
    table = tmp_path / "mine.csv"
    with table.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "text"])
        for number, (_, text) in enumerate(read_rows(data / "sentences.tsv")):
            writer.writerow([number, text.replace(" ", "\n", 1) if number % 3 else text])
    whole, cut = tmp_path / "whole.csv", tmp_path / "cut.csv"
    assert carousel("predict", run, table, "--out", whole)[0] == 0
    monkeypatch.setattr("carousel.data.files.pieces.SIZE", 500)
    monkeypatch.setattr("carousel.bulk.inputs.AT_ONCE", 7)
    for out in (cut, tmp_path / "cut.parquet"):
        code, said, err = carousel("predict", run, table, "--out", out)
        assert code == 0, err
        assert "400 answers" in said
    one, other = read(whole), read(cut)
    assert [row["prediction"] for row in one] == [row["prediction"] for row in other]
    assert [row["row"] for row in one] == [row["row"] for row in other]
    a, b = ([float(row["p_good"]) for row in rows] for rows in (one, other))
    assert a == pytest.approx(b, rel=1e-4)
    parquet = polars.read_parquet(tmp_path / "cut.parquet")
    assert parquet["row"].to_list() == list(range(1, 401))
    assert parquet["prediction"].to_list() == [row["prediction"] for row in one]


def test_influences_come_with_why_alone(runs, carousel, tmp_path):
    run, _data = runs("classify_text")
    few = tmp_path / "few.txt"
    few.write_text("the film was great\nan awful plot\n")
    assert carousel("predict", run, few, "--out", "a.ndjson", "--why")[0] == 0
    assert carousel("predict", run, few, "--out", "a.csv", "--why")[0] == 0
    model = library.load(run)
    for found, row, text in zip(
        lines(tmp_path / "a.ndjson"),
        read(tmp_path / "a.csv"),
        few.read_text().splitlines(),
        strict=True,
    ):
        words = [[i.word, i.log_odds] for i in model.influences(text)]
        assert [[*i.values()] for i in found["influences"]] == words
        assert json.loads(row["influences"]) == words
    shown = carousel("predict", run, few)[1]
    assert "words that moved it most" in shown
    assert "words that moved it most" not in carousel("predict", run, few, "--no-why")[1]


def test_blank_and_unknown_are_counted_and_said(runs, carousel, tmp_path):
    run, _ = runs("classify_text")
    (tmp_path / "some.txt").write_text("the film was great\n\n  \nthe zebra was awful\n")
    code, out, err = carousel("predict", run, "some.txt", "--out", "a.csv")
    assert code == 0
    assert "2 answers; 2 rows" in out
    assert [row["row"] for row in read(tmp_path / "a.csv")] == ["1", "4"]
    assert "2 blank sentences passed over" in err
    assert "1 sentences have what is not in the model's vocabulary, read as <unk>: zebra" in err
    code, out, _ = carousel("predict", run, "some.txt", "--out", "a.csv", "--json")
    counts = json.loads(out)
    assert (counts["answered"], counts["blank"], counts["with_unknown_words"]) == (2, 2, 1)


def test_one_bad_file_is_reported_and_the_others_are_answered(runs, carousel, tmp_path):
    run, data = runs("classify_recordings")
    folder = shutil.copytree(data / "classes", tmp_path / "mine")
    (folder / "down-up" / "bad.csv").write_text("pulse,noise\n1,x\n")
    (folder / "up-down" / "nan.csv").write_text("pulse\n1\n")
    (folder / "notes.md").write_text("no recording")
    for name in ("a.csv", "a.ndjson", "a.parquet"):
        code, out, err = carousel("predict", run, folder, "--out", name)
        assert code == 1
        assert "24 answers, 2 without one; 26 rows" in out
        assert "must hold numbers, got 'x'" in err
        assert "has no column 'noise'" in err
        assert "1 files of other kinds are not read" in err
    rows = read(tmp_path / "a.csv")
    files = sorted(p for p in folder.rglob("*.csv"))
    assert [row["file"] for row in rows] == [str(f.relative_to(folder)) for f in files]
    bad = {row["file"]: row for row in rows if row["error"]}
    assert set(bad) == {"down-up/bad.csv", "up-down/nan.csv"}
    assert not any(row["prediction"] for row in bad.values())
    answers = iter(library.load(run).predict([f for f in files if f.stem not in ("bad", "nan")]))
    assert all(r["prediction"] == next(answers).label for r in rows if r["file"] not in bad)
    assert [("error" in one) for one in lines(tmp_path / "a.ndjson")] == [
        row["file"] in bad for row in rows
    ]
    assert polars.read_parquet(tmp_path / "a.parquet")["error"].null_count() == 24


def test_an_input_that_the_model_refuses_leaves_the_others_their_answers(runs, tmp_path):
    from carousel.bulk.answer import Asking

    model = library.load(runs("classify_recordings")[0])
    good, bad = np.zeros((5, 2)), np.full((5, 2), np.nan)
    said = Asking(model, {})([good, good, bad, good])
    assert [type(one).__name__ for one in said] == [
        "ClassAnswer", "ClassAnswer", "DataError", "ClassAnswer",
    ]  # fmt: skip


def test_where_nothing_is_answered_there_is_no_file(runs, carousel, tmp_path):
    run, _ = runs("classify_recordings")
    folder = tmp_path / "mine"
    folder.mkdir()
    code, _, err = carousel("predict", run, folder, "--out", "a.csv")
    assert (code, err) == (2, f"carousel: {folder} has no file of the kind .csv\n")
    (folder / "a.csv").write_text("other\n1\n")
    code, _, err = carousel("predict", run, folder, "--out", "a.csv")
    assert code == 2
    assert "none of the 1 inputs" in err
    assert [p.name for p in tmp_path.iterdir()] == ["mine"]


@pytest.mark.parametrize("name", ["a.csv", "a.parquet", "a.ndjson"])
def test_interrupted_answers_are_not_there_and_older_ones_stay(
    runs, carousel, tmp_path, monkeypatch, name
):
    run, data = runs("classify_text")
    monkeypatch.setattr("carousel.bulk.inputs.AT_ONCE", 50)
    kind, asked = type(library.load(run)), []
    predict = kind.predict

    def interrupted(self, inputs, **options):
        asked.append(len(inputs))
        if len(asked) > 3:
            raise KeyboardInterrupt
        return predict(self, inputs, **options)

    monkeypatch.setattr(kind, "predict", interrupted)
    (tmp_path / name).write_text("what was there")
    code, _, err = carousel("predict", run, data / "sentences.tsv", "--out", name)
    assert code == 130
    assert err.endswith(f"carousel: interrupted: {name} was not written\n")
    assert [p.name for p in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_text() == "what was there"


def test_standard_input_is_read_like_a_file(runs, carousel, tmp_path, monkeypatch):
    run, data = runs("label_words")
    text = (data / "journeys.txt").read_bytes()
    assert carousel("predict", run, data / "journeys.txt", "--out", "file.csv")[0] == 0
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text)))
    assert carousel("predict", run, "-", "--out", "in.csv")[0] == 0
    assert (tmp_path / "in.csv").read_bytes() == (tmp_path / "file.csv").read_bytes()
    run, data = runs("classify_text")
    rows = "label,text\ngood,the film was great\n"
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(rows.encode())))
    code, out, err = carousel("predict", run, "-", "--format", "csv", "--json")
    assert code == 0, err
    assert [one["text"] for one in json.loads(out)] == ["the film was great"]


def test_words_have_a_row_each(runs, carousel, tmp_path):
    run, _data = runs("label_words")
    file = write_columns(tmp_path)
    assert carousel("predict", run, file, "--out", "a.csv")[0] == 0
    model = library.load(run)
    given = model.read(file)
    wanted = [
        (str(row), str(place), word.word, word.label)
        for row, answer in enumerate(model.predict(given.inputs), 1)
        for place, word in enumerate(answer.words, 1)
    ]
    found = [
        (row["row"], row["position"], row["word"], row["prediction"])
        for row in read(tmp_path / "a.csv")
    ]
    assert found == wanted


@pytest.mark.parametrize(
    ("task", "folder"), [("regress", "measured"), ("label_frames", "recordings")]
)
def test_steps_have_a_row_each(runs, carousel, tmp_path, task, folder):
    run, data = runs(task)
    code, _, err = carousel("predict", run, data / folder, "--out", "a.csv")
    assert code == 0, err
    model, rows = library.load(run), read(tmp_path / "a.csv")
    for file in sorted((data / folder).iterdir()):
        mine = [row for row in rows if row["file"] == file.name]
        assert [int(row["step"]) for row in mine] == [*range(len(mine))]
        (answer,) = model.predict([file])
        if task == "regress":
            numbers = [float(row["prediction"]) for row in mine]
            assert numbers == pytest.approx(answer.numbers, rel=1e-5)
        else:
            assert tuple(row["prediction"] for row in mine) == answer.labels
            chances = [[float(row[f"p_{c}"]) for c in model.classes] for row in mine]
            (wanted,) = model.predict_proba([file])
            np.testing.assert_allclose(chances, wanted, rtol=1e-4, atol=1e-6)


def test_images_have_a_row_each(runs, carousel, tmp_path):
    run, _ = runs("classify")
    images = np.random.default_rng(0).integers(0, 256, (5, 28, 28), dtype=np.uint8)
    np.save(tmp_path / "some.npy", images)
    code, _, err = carousel("predict", run, "some.npy", "--out", "a.csv")
    assert code == 0, err
    wanted = [answer.label for answer in library.load(run).predict(images)]
    assert [row["prediction"] for row in read(tmp_path / "a.csv")] == wanted


def test_rolling_forecasts_are_those_of_the_series_up_to_each_row(runs, carousel, tmp_path):
    run, _data = runs("forecast")
    file = write_series(tmp_path, count=60)
    code, _out, err = carousel("predict", run, file, "--rolling", "--every", 7, "--out", "a.csv")
    assert code == 0, err
    model, series = library.load(run), read_series(read_text(file), "x")
    rows, horizon = read(tmp_path / "a.csv"), model.config.forecast.horizon
    starts = range(model.config.forecast.context, len(series) + 1, 7)
    assert len(rows) == len(starts) * horizon
    for number, start in enumerate(starts):
        mine = rows[number * horizon : (number + 1) * horizon]
        head = file.read_text().splitlines()[: start + 1]
        (tmp_path / "head.csv").write_text("\n".join(head) + "\n")
        (answer,) = model.predict(tmp_path / "head.csv")
        assert {row["origin"] for row in mine} == {str(series.stamps[start - 1])}
        assert tuple(row["time"] for row in mine) == answer.times
        guess = [float(row["wave"]) for row in mine]
        assert guess == pytest.approx(answer.values["wave"], rel=1e-4, abs=1e-5)
        came = [*series.values[start : start + horizon, 0]]
        known = [float(row["wave_measured"]) for row in mine if row["wave_measured"]]
        assert known == pytest.approx(came)


def test_a_single_forecast_is_what_predict_shows(runs, carousel, tmp_path):
    run, _ = runs("forecast")
    file = write_series(tmp_path, count=60)
    assert carousel("predict", run, file, "--out", "a.ndjson")[0] == 0
    assert lines(tmp_path / "a.ndjson") == [
        {"forecast": json.loads(carousel("predict", run, file, "--json")[1])}
    ]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--out", "a.xlsx"], "--out must end with .csv, .parquet, .ndjson"),
        (["--out", "nowhere/a.csv"], "there is no folder nowhere"),
        (["--out", "few.txt"], "--out must end with"),
        (["--rolling"], "--rolling writes a file: name it with --out"),
        (["--rolling", "--out", "a.csv"], "--rolling means nothing to a model of the task"),
        (["--every", "2"], "--every is of --rolling"),
        (["--format", "csv"], "--format is of standard input"),
        (["--out", "a.csv", "--beam", "3"], "--beam means nothing"),
    ],
)
def test_what_cannot_be_done_is_one_line(runs, carousel, tmp_path, options, said):
    run, _ = runs("classify_text")
    (tmp_path / "few.txt").write_text("a great film\n")
    code, out, err = carousel("predict", run, "few.txt", *options)
    assert (code, out) == (2, "")
    assert said in err
    assert err.count("\n") == 1


def test_the_input_is_not_replaced_by_its_answers(runs, carousel, tmp_path):
    run, _ = runs("classify_text")
    file = tmp_path / "mine.csv"
    file.write_text("text\na great film\n")
    code, _, err = carousel("predict", run, file, "--out", file)
    assert code == 2
    assert "is the input, which the answers would replace" in err
    assert file.read_text() == "text\na great film\n"


def test_names_that_the_answers_use_too_are_told_apart():
    from carousel.bulk.tables import Tables
    from carousel.tasks.shared.answers import NumbersAnswer

    tables = Tables({"step": "s", "error": "e"}, NumbersAnswer((1.5,)))
    table = tables.table([{"step": "s", "error": "e"}], [NumbersAnswer((1.5,))], {})
    assert table.columns == ["input_step", "input_error", "step", "prediction", "error"]
    assert table.row(0) == ("s", "e", 0, 1.5, None)


def test_sentences_of_several_files_are_told_by_file_and_row(runs, carousel, tmp_path):
    run, _data = runs("classify_text")
    folder = tmp_path / "mine"
    folder.mkdir()
    write_sentences(folder, count=5)
    (folder / "b.txt").write_text("one great film\n")
    (folder / "c.txt").write_bytes(b"caf\xe9\n")
    code, _, err = carousel("predict", run, folder, "--out", "a.csv")
    assert code == 1
    assert "c.txt is not UTF-8" in err
    found = [(row["file"], row["row"]) for row in read(tmp_path / "a.csv")]
    rows = [("sentences.tsv", str(n)) for n in range(1, 6)]
    assert found == [("b.txt", "1"), ("c.txt", ""), *rows]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("some.csv", "label,text\nup,the film was great\n\n,\ndown,the film was awful\n\n"),
        ("some.tsv", "label\ttext\nup\tthe film was great\n\n \t \ndown\tthe film was awful\n"),
        ("quoted.csv", 'label,text\nup,"the film\nwas great"\n\n,\ndown,the film was awful\n'),
        ("some.txt", "the film was great\n\n\nthe film was awful\n"),
    ],
)
def test_a_row_has_the_number_that_it_has_in_the_file_blank_ones_counted(
    runs, carousel, tmp_path, name, content
):
    run, _ = runs("classify_text")
    (tmp_path / name).write_text(content)
    assert carousel("predict", run, name, "--out", "a.csv")[0] == 0
    assert [row["row"] for row in read(tmp_path / "a.csv")] == ["1", "4"]


def test_a_series_too_short_for_any_score_is_one_without_an_answer(runs, carousel, tmp_path):
    run, data = runs("anomaly")
    (whole,) = (data / "series").glob("*.csv") if (data / "series").is_dir() else data.glob("*.csv")
    (tmp_path / "new").mkdir()
    lines = whole.read_text().splitlines(keepends=True)
    (tmp_path / "new" / "whole.csv").write_text("".join(lines))
    (tmp_path / "new" / "one.csv").write_text("".join(lines[:2]))
    code, out, err = carousel("predict", run, "new", "--out", "a.csv")
    assert code == 1
    assert "1 answer, 1 without one" in out
    assert "has 1 row, and none is judged: the first score is that of row" in err
    code, out, err = carousel("predict", run, "new/one.csv")
    assert (code, out) == (2, "")
    assert "none is judged" in err


SOURCES = {
    "classify_text": "sentences.tsv",
    "classify_recordings": "classes",
    "label_frames": "recordings",
    "regress": "recordings",
    "regress_whole": "whole",
    "forecast": "series.csv",
    "forecast_many": "many.csv",
    "anomaly": "series.csv",
}


@pytest.mark.parametrize("task", SOURCES)
def test_answers_are_drawn_beside_them(runs, carousel, tmp_path, task):
    run, data = runs(task)
    source = data / SOURCES[task]
    if not source.exists():
        source = next(path for path in data.iterdir() if path.is_dir() or path.suffix == ".csv")
    code, out, err = carousel("predict", run, source, "--out", "a.parquet", "--plot")
    assert code == 0, err
    assert "picture: a.png" in out
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.format == "PNG"
        assert len(picture.convert("RGB").getcolors(1 << 24)) > 20  # something is drawn


def test_a_file_of_many_series_prints_its_steps_series_by_series(runs, carousel, tmp_path):
    run, data = runs("forecast_many")
    code, out, err = carousel("predict", run, data / "many.csv", "--json")  # held to the schema
    assert code == 0, err
    printed = json.loads(out)
    assert [one["series"] for one in printed] == [f"s{number}" for number in range(12)]
    assert {len(one["steps"]) for one in printed} == {4}
    alone = tmp_path / "one.csv"
    header, *rows = (data / "many.csv").read_text().splitlines()
    alone.write_text("\n".join([header, *(row for row in rows if row.startswith("s3,"))]) + "\n")
    one = json.loads(carousel("predict", run, alone, "--json")[1])
    (one,) = one if isinstance(one, list) else [one]
    assert one["series"] == "s3"
    assert carousel("predict", run, data / "many.csv", "--out", "a.ndjson")[0] == 0
    lines = [json.loads(line) for line in (tmp_path / "a.ndjson").read_text().splitlines()]
    assert lines == printed


@pytest.mark.parametrize(
    ("verb", "said"),
    [
        (("export", "RUN", "m.onnx"), "cannot be exported yet"),
        (("serve", "RUN"), "neither be served"),
    ],
)
def test_what_many_series_cannot_do_yet_is_said_plainly(runs, carousel, verb, said):
    run, _ = runs("forecast_many")
    code, _, err = carousel(*(str(run) if word == "RUN" else word for word in verb))
    assert code == 2
    assert said in err
    assert "'forecast_many'" in err
    assert "it is forecast_many" not in err
    assert err.count("\n") == 1


def test_rolling_forecasts_are_drawn_too(runs, carousel, tmp_path):
    run, data = runs("forecast")
    source = next(data.glob("*.csv"))
    assert carousel("predict", run, source, "--out", "a.csv", "--rolling", "--plot")[0] == 0
    assert (tmp_path / "a.png").is_file()


def test_a_picture_counts_every_answer():
    picture = Picture()
    for labels in ("aab", "bbb"):
        answers = [ClassAnswer(label, {"a": 0.5, "b": 0.5}) for label in labels]
        picture.add([{"row": i} for i in range(3)], [None] * 3, [*answers[:2], None])
    assert picture.counts == {"a": 2, "b": 2}


def test_a_picture_counts_every_label_of_answers_that_have_several(tmp_path):
    picture = Picture()
    chances = {"war": 0.9, "drama": 0.9}
    sets = [("war", "drama"), ("war",), ()]
    answers = [LabelSetAnswer(labels, chances) for labels in sets]
    picture.add([{"row": i} for i in range(3)], [None] * 3, answers)
    assert picture.counts == {"war": 2, "drama": 1}
    picture.draw(tmp_path / "a.png")
    empty = Picture()
    empty.add([{"row": 0}], [None], [LabelSetAnswer((), chances)])
    empty.draw(tmp_path / "none.png")
    assert (tmp_path / "none.png").is_file()


def test_a_picture_is_never_drawn_over_the_input(runs, carousel, tmp_path):
    run, data = runs("classify_text")
    source = tmp_path / "own.png"
    source.write_bytes((data / "sentences.tsv").read_bytes())
    code, _, err = carousel("predict", run, source, "--out", "own.csv", "--plot")
    assert code == 2
    assert "give --out another name" in err
    assert source.read_bytes() == (data / "sentences.tsv").read_bytes()


def test_a_picture_without_a_file_of_answers_is_refused(runs, carousel):
    run, data = runs("classify_text")
    code, _, err = carousel("predict", run, data / "sentences.tsv", "--plot")
    assert code == 2
    assert "name it with --out" in err
    run, data = runs("label_words")
    (file,) = [path for path in data.iterdir() if path.is_file()]
    code, _, err = carousel("predict", run, file, "--out", "a.csv", "--plot")
    assert code == 2
    assert "--plot means nothing to a model of the task 'label_words'" in err
