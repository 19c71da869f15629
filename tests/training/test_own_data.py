"""`carousel.fit`: the network of the command line from frames and arrays, told, without files."""

import doctest
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch

import carousel
from carousel import training
from carousel.data.proposal import propose
from carousel.errors import ConfigError, DataError

QUICK = {"epochs": 2, "hidden_size": 8, "seed": 3, "threads": 1, "quiet": True}


def pumps(count=24, seed=0):
    """A long table: sequences of unequal length, a class each, a category and a number."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(4, 9, count)
    state = np.where(rng.random(count) > 0.5, "worn", "good")
    return pl.DataFrame(
        {
            "pump": np.repeat([f"p{i:02}" for i in range(count)], lengths),
            "at": np.concatenate([np.arange(n) for n in lengths]),
            "flow": rng.normal(size=lengths.sum()).round(3)
            + np.repeat(np.where(state == "worn", 1.5, 0.0), lengths),
            "mode": rng.choice(["slow", "fast"], lengths.sum()),
            "state": np.repeat(state, lengths),
        }
    )


def sequences(count=30, features=2, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.normal(size=(rng.integers(3, 9), features)) for _ in range(count)]


def weights(model):
    return model.model.state_dict()


def assert_same_network(one, other):
    assert weights(one).keys() == weights(other).keys()
    for name, tensor in weights(one).items():
        assert torch.equal(tensor, weights(other)[name]), name


@pytest.fixture(scope="module")
def table():
    return pumps()


@pytest.fixture(scope="module")
def fitted(table):
    return carousel.fit(table, target="state", **QUICK)


def test_a_frame_gives_the_weights_and_scores_of_training_from_a_file(table, fitted, tmp_path):
    file = tmp_path / "pumps.csv"
    table.write_csv(file)
    asked = {"training.epochs": 2, "model.hidden_size": 8}
    run = training.train(
        propose(file, target="state").config, asked, seed=3, threads=1,
        run_dir=tmp_path / "run", quiet=True,
    )  # fmt: skip
    trained = run.load()
    assert_same_network(fitted, trained)
    assert fitted.predict_proba(table).tolist() == trained.predict_proba(file).tolist()
    assert fitted.evaluate() == trained.evaluate()
    assert_same_network(fitted, carousel.fit(file, target="state", **QUICK))


def test_pandas_polars_and_arrow_give_the_same(table, fitted):
    pandas = pd.DataFrame(table.to_dict(as_series=False))
    for frame in (pandas, table.to_arrow(), pandas.set_index("pump")):
        assert_same_network(fitted, carousel.fit(frame, target="state", **QUICK))


def test_no_file_is_written_and_random_state_is_left_alone(table, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before = torch.random.get_rng_state()
    model = carousel.fit(table, target="state", **QUICK)
    assert torch.equal(torch.random.get_rng_state(), before)
    model.evaluate()
    assert list(Path().iterdir()) == []


def test_what_was_guessed_is_printed_and_kept(table, fitted, capsys):
    said = "\n".join(fitted.notices)
    for text in ("pump: id", "at: time", "mode: category", "task: classify_recordings", "split: "):
        assert text in said
    assert "2 epochs" in fitted.notices[-1]
    assert capsys.readouterr().out == ""
    model = carousel.fit(table, target="state", **{**QUICK, "quiet": False})
    out, printed = capsys.readouterr()
    assert out == ""
    assert [line for line in model.notices if line not in printed] == []


def test_what_is_missing_or_does_not_fit_is_told(table):
    holes = table.with_columns(pl.when(pl.col("at") == 2).then(None).otherwise("flow").alias("x"))
    said = "\n".join(carousel.fit(holes, target="state", **QUICK).notices)
    assert f"{holes['x'].null_count()} missing" in said


def test_sequences_without_a_class_are_left_out_and_counted():
    X = sequences()
    y = [None, *numbers_of(X, "classify_recordings")[1:]]
    assert "1 sequences have no class and are left out" in carousel.fit(X, y, **QUICK).notices


def test_a_model_of_a_frame_is_saved_loaded_and_then_judged_on_new_data(fitted, tmp_path):
    fitted.save(tmp_path / "model")
    again = carousel.load(tmp_path / "model")
    new = pumps(seed=1)
    assert again.predict(new) == fitted.predict(new)
    with pytest.raises(ConfigError, match="fitted in memory"):
        again.evaluate()
    new.write_csv(tmp_path / "new.csv")
    assert 0 <= again.evaluate_new(tmp_path / "new.csv")["accuracy"] <= 1


def test_a_model_of_a_file_knows_when_the_file_has_changed(table, tmp_path):
    file = tmp_path / "pumps.csv"
    table.write_csv(file)
    model = carousel.fit(file, target="state", **QUICK)
    model.save(tmp_path / "model")
    again = carousel.load(tmp_path / "model")
    assert again.evaluate() == model.evaluate()
    table.head(table.height - 20).write_csv(file)
    with pytest.raises(DataError):
        again.evaluate()


def numbers_of(X, kind):
    first = {
        "classify_recordings": lambda x: "up" if x[:, 0].mean() > 0 else "down",
        "regress": lambda x: x[:, 0].mean(),
        "several": lambda x: x.mean(0),
        "label_frames": lambda x: np.where(x[:, 0] > 0, "up", "down"),
        "steps": lambda x: x[:, 0] * 2,
    }
    return [first[kind](x) for x in X]


@pytest.mark.parametrize(
    ("kind", "task", "answer"),
    [
        ("classify_recordings", "classify_recordings", lambda a: a.label),
        ("label_frames", "label_frames", lambda a: len(a.labels)),
        ("regress", "regress", None),
        ("several", "regress", None),
        ("steps", "regress", None),
    ],
)
def test_unequal_lists_are_learnt_by_what_y_is(kind, task, answer):
    X = sequences()
    model = carousel.fit(X, numbers_of(X, kind), **QUICK)
    assert model.config.task == task
    answers = model.predict(X[:3])
    assert len(answers) == 3
    if kind == "label_frames":
        assert [answer(a) for a in answers] == [len(x) for x in X[:3]]
    if task == "regress":
        steps = kind == "steps"
        found = [one.numbers for one in answers] if steps else model.numbers(X[:3])
        wanted = {"regress": [(1,)] * 3, "several": [(2,)] * 3, "steps": [(len(x),) for x in X[:3]]}
        assert [np.shape(one) for one in found] == wanted[kind]
    assert all(np.isfinite(v) for v in model.evaluate().values() if isinstance(v, float))


def test_blocks_and_lists_of_the_same_numbers_give_the_same():
    block = np.random.default_rng(0).normal(size=(20, 5, 2))
    y = (block[:, :, 0].mean(1) > 0).astype(int)
    one = carousel.fit(block, y, **QUICK)
    assert one.config.task == "classify_recordings"
    assert_same_network(one, carousel.fit(list(block), y.tolist(), **QUICK))
    np.testing.assert_array_equal(one.predict_proba(block), one.predict_proba(list(block)))


def test_columns_of_arrays_are_all_read_constant_ones_and_copies_of_y_too():
    X = [np.c_[x, np.ones(len(x)), np.arange(len(x))] for x in sequences()]
    model = carousel.fit(X, numbers_of(X, "steps"), **QUICK)
    assert len(model.predict(X)) == 30
    assert model.columns == ("x0", "x1", "x2", "x3")


def test_series_without_y_are_watched():
    t = np.arange(700)
    noise = np.random.default_rng(0).normal(0, 0.05, (2, 700, 1))
    model = carousel.fit(np.sin(t / 5)[None, :, None] + noise, task="anomaly", **QUICK)
    (answer,) = model.predict(np.sin(t / 5)[:, None])
    assert len(answer.scores) == 700


def test_a_series_in_time_is_forecast_from_its_index():
    stamps = pd.date_range("2026-01-01", periods=300, freq="h")
    frame = pd.DataFrame({"load": np.sin(np.arange(300) / 5)}, index=stamps)
    model = carousel.fit(frame, target="load", **QUICK)
    assert model.config.task == "forecast"
    assert "the index is read as index" in model.notices
    assert len(model.predict(frame)) == 1


def test_sentences_in_a_frame_or_a_file_and_running_text_train_too(tmp_path):
    frame = pl.DataFrame(
        {"text": [f"this is the {w} film number {i}" for i in range(20) for w in ("good", "bad")],
         "label": ["pos", "neg"] * 20}
    )  # fmt: skip
    model = carousel.fit(frame, **QUICK)
    assert model.config.task == "classify_text"
    assert model.predict(["a good film"])[0].label in ("pos", "neg")
    file = tmp_path / "lines.tsv"
    file.write_text("".join(f"{a}\t{b}\n" for b, a in frame.rows()))
    other = carousel.fit(file, **QUICK)
    assert other.config.task == "classify_text"
    assert "lines.tsv: classify_text" in other.notices[0]
    running = tmp_path / "story.txt"
    running.write_text("the quick brown fox jumps over the lazy dog\n" * 60)
    text = carousel.fit(running, **QUICK)
    assert text.config.task == "generate"
    text.save(tmp_path / "model")
    assert carousel.load(tmp_path / "model").evaluate() == text.evaluate()


@pytest.mark.slow
def test_the_example_of_the_page_runs():
    page = Path(__file__).parents[2] / "docs" / "own-data.md"
    found = doctest.testfile(str(page), module_relative=False)
    assert found.attempted > 5
    assert found.failed == 0


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda X, t: carousel.fit(X), "arrays need y"),
        (lambda X, t: carousel.fit(X, 3), "y must have a value for each sequence"),
        (lambda X, t: carousel.fit(X, [0] * 30, data__path="x.csv"), "data.path says where"),
        (lambda X, t: carousel.fit(X, [0] * 5), "30 sequences, and y 5"),
        (lambda X, t: carousel.fit(X, ["a", "b"] * 15, target="y"), "arrays have none: give y"),
        (lambda X, t: carousel.fit([]), "empty list"),
        (lambda X, t: carousel.fit(X[0], [1]), r"got ndarray of the shape \(., 2\)"),
        (lambda X, t: carousel.fit([["a"]], [1]), "sequence 0 must hold numbers"),
        (lambda X, t: carousel.fit([X[0], np.ones((3, 5))], [0, 1]), "sequence 1 has 5 features"),
        (lambda X, t: carousel.fit([X[0], np.ones((0, 2))], [0, 1]), r"got \(0, 2\)"),
        (lambda X, t: carousel.fit(X[:2], ["a", "b"]), "three are the least"),
        (lambda X, t: carousel.fit(X, [x[:-1, 0] for x in X]), "sequence 0 has . steps, and y"),
        (lambda X, t: carousel.fit(X, ["a", "b"] * 15, task="translate"), "arrays can train"),
        (lambda X, t: carousel.fit(X, ["a", "b"] * 15, epoch=1), "Did you mean 'epochs'"),
        (lambda X, t: carousel.fit(X, ["a", "b"] * 15, frames__nose=1), "frames.nose"),
        (lambda X, t: carousel.fit(t, target="stat"), "no column 'stat'. Did you mean 'state'"),
        (lambda X, t: carousel.fit(t, [1, 2]), "y goes with arrays"),
        (lambda X, t: carousel.fit(t["flow"]), "got Series"),
        (lambda X, t: carousel.fit(t.lazy(), target="state"), "must be a data frame"),
        (lambda X, t: carousel.fit("nowhere.csv"), "there is no"),
        (lambda X, t: carousel.fit(7), "got int"),
    ],
)
@pytest.mark.filterwarnings("ignore::polars.exceptions.PerformanceWarning")
def test_what_cannot_be_fitted_is_said_in_words(table, call, says):
    with pytest.raises((ConfigError, DataError), match=says):
        call(sequences(), table)


def test_columns_of_data_frames_in_a_list_go_by_name():
    rng = np.random.default_rng(0)
    frames = [pd.DataFrame(rng.normal(size=(n, 2)), columns=["y", "sequence"]) for n in [4, 6] * 20]
    y = ["up" if one["y"].mean() > 0 else "down" for one in frames]
    turned = [one[["sequence", "y"]] if i % 2 else one for i, one in enumerate(frames)]
    models = [carousel.fit(some, y, epochs=2, quiet=True) for some in (frames, turned)]
    assert [model.columns for model in models] == [("y", "sequence")] * 2
    straight, other = (model.predict_proba(frames) for model in models)
    assert np.array_equal(straight, other)
    assert np.array_equal(straight, models[0].predict_proba([*map(pl.from_pandas, turned)]))
    with pytest.raises(DataError, match="sequence 1 has the columns y, and sequence 0 has y, seq"):
        carousel.fit([frames[0], frames[1][["y"]], *frames[2:]], y)
    with pytest.raises(DataError, match=r"sequence 0 is DataFrame.*sequence 1 ndarray"):
        carousel.fit([frames[0], frames[1].to_numpy(), *frames[2:]], y)


def test_steps_that_are_put_in_for_a_gap_are_not_missing_values_as_well():
    rows = [(i, t, float(i + t), i % 2) for i in range(40) for t in range(8) if (i, t) != (3, 4)]
    frame = pl.DataFrame(rows, schema=["id", "t", "x", "y"], orient="row")
    frame = frame.with_columns(pl.when((pl.col("id") == 5) & (pl.col("t") == 2)).then(None)
                               .otherwise(pl.col("x")).alias("x"))  # fmt: skip
    model = carousel.fit(frame, target="y", id="id", time="t", epochs=1, quiet=True)
    assert model.parts.account()["missing_values_filled"] == 1
    assert any("1 gap of more than 1 is filled with 1 step" in line for line in model.notices)
