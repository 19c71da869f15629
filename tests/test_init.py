"""`carousel init` and `carousel train DATA`: from a table to a recipe that trains."""

import json
import tomllib

import numpy as np
import polars as pl
import pytest

from carousel import recipes
from carousel.config import refuse_idle
from carousel.data.guesses import guess
from carousel.data.proposal import propose
from carousel.data.sizes import season_of
from carousel.data.table import of_frame
from carousel.errors import ConfigError, DataError

RNG = np.random.default_rng(0)


def hours(count, start="2024-01-01"):
    stamps = np.datetime64(start, "h") + np.arange(count) * np.timedelta64(1, "h")
    return [str(stamp) for stamp in stamps]


def sequences(count=24, steps=6, **columns):
    """Sequences with odd names: `aa` tells them apart, `k` counts their steps."""
    n = count * steps
    base = {
        "aa": [f"z{i // steps}" for i in range(n)],
        "k": [i % steps for i in range(n)],
        "m1": RNG.normal(size=n).round(3),
        "m2": RNG.normal(size=n).round(3),
    }
    return pl.DataFrame(
        {**base, **{k: [v(i // steps, i % steps) for i in range(n)] for k, v in columns.items()}}
    )


def sentences(count=60, words=6):
    return [" ".join(f"w{(i * 7 + j) % 50}" for j in range(words)) + f" n{i}" for i in range(count)]


SERIES = pl.DataFrame({"wann": hours(200), "x": RNG.normal(size=200), "v": RNG.normal(size=200)})
#: A table, what is asked, and the task, the roles and the split that follow.
SHAPES = {
    "label constant in a sequence": (
        sequences(zz=lambda i, t: i % 3),
        {},
        "classify_recordings",
        {"aa": "id", "k": "time", "m1": "number", "zz": "target"},
        "sequence",
    ),
    "label that changes": (
        sequences(zz=lambda i, t: "ab"[t // 3]),
        {},
        "label_frames",
        {"aa": "id", "zz": "target"},
        "sequence",
    ),
    "number in each row of sequences": (
        sequences(left=lambda i, t: 100.5 - t - i / 7),
        {"target": "left"},
        "regress",
        {"aa": "id", "left": "target"},
        "sequence",
    ),
    "one number for a sequence": (
        sequences(age=lambda i, t: 20.25 + i),
        {"target": "age"},
        "regress",
        {"aa": "id", "age": "target"},
        "sequence",
    ),
    "time and numbers": (SERIES, {}, "forecast", {"wann": "time", "x": "number"}, "sequence"),
    "time and a number to come": (
        SERIES,
        {"target": "x"},
        "forecast",
        {"wann": "time", "x": "target", "v": "number"},
        "sequence",
    ),
    "one series with a label that changes": (
        SERIES.with_columns(busy=pl.Series([i % 24 > 8 for i in range(200)])),
        {},
        "label_frames",
        {"wann": "time", "busy": "target"},
        "time",
    ),
    "text and class": (
        pl.DataFrame({"nr": range(60), "q": sentences(), "r": ["x", "y", "z"] * 20}),
        {},
        "classify_text",
        {"nr": "ignore", "q": "text", "r": "target"},
        "sequence",
    ),
    "two texts": (
        pl.DataFrame({"q": sentences(), "r": sentences(words=9)}),
        {},
        "translate",
        {"q": "text", "r": "target"},
        "sequence",
    ),
    "words and tags": (
        pl.DataFrame(
            {
                "s": [i // 5 for i in range(200)],
                "w": [f"w{i * 13 % 71}" for i in range(200)],
                "t": [["D", "N"][i % 2] for i in range(200)],
            }
        ),
        {},
        "label_words",
        {"s": "id", "w": "text", "t": "target"},
        "sequence",
    ),
    "ids that alternate": (
        SERIES.with_columns(dev=pl.lit("a"), ok=pl.Series([i % 3 for i in range(200)]))
        .vstack(SERIES.with_columns(dev=pl.lit("b"), ok=pl.Series([i % 3 for i in range(200)])))
        .sort("wann", maintain_order=True),
        {"target": "ok"},
        "label_frames",
        {"dev": "id", "wann": "time"},
        "time",
    ),
    "persons with several sequences": (
        sequences(person=lambda i, t: f"p{i // 4}", zz=lambda i, t: i % 2),
        {"target": "zz"},
        "classify_recordings",
        {"person": "split"},
        "group",
    ),
    "a column that names the part": (
        sequences(
            zz=lambda i, t: i % 2, fold=lambda i, t: ["train", "train", "dev", "test"][i // 2 % 4]
        ),
        {"target": "zz"},
        "classify_recordings",
        {"fold": "split"},
        "column",
    ),
    "static and category": (
        sequences(
            zz=lambda i, t: i % 2, site=lambda i, t: f"s{i % 5}", mode=lambda i, t: "onf"[t % 3],
            name=lambda i, t: f"n{i}", one=lambda i, t: 7,
        ),
        {"target": "zz"},
        "classify_recordings",
        {"site": "static", "mode": "category", "one": "ignore"},
        "sequence",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SHAPES)
def test_task_roles_and_split_follow_from_the_shape_of_the_table(name, tmp_path):
    frame, asked, task, roles, split = SHAPES[name]
    found = guess(of_frame(frame), **asked)
    assert (found.task, found.split) == (task, split)
    assert {column: found.roles[column].role for column in roles} == roles
    assert all(role.why for role in found.roles.values())


@pytest.mark.parametrize("name", SHAPES)
def test_the_recipe_is_complete_commented_and_read_by_everything(name, tmp_path):
    frame, asked, task, _, _ = SHAPES[name]
    path = tmp_path / "t.parquet"
    frame.write_parquet(path)
    made = propose(path, **asked)
    file = tmp_path / "t.toml"
    file.write_text(made.toml())
    config, _ = recipes.load(str(file))
    refuse_idle(config)
    assert config == made.config
    assert (config.task, config.data.name) == (task, "table")
    assert made.toml().count("#") > 8
    assert set(tomllib.loads(made.toml())) >= {"columns", "model", "training", "optimizer"}


def test_what_is_asked_for_is_taken():
    frame = sequences(zz=lambda i, t: i % 3)
    found = guess(of_frame(frame), target="m1", id="aa", time="k", task="regress")
    assert found.task == "regress"
    assert found.roles["m1"].role == "target"
    with pytest.raises(DataError, match=r"no column 'mm'\. Did you mean 'm"):
        guess(of_frame(frame), target="mm")
    with pytest.raises(ConfigError, match=r"can train the tasks.*got 'caption'"):
        guess(of_frame(frame), task="caption")


def test_nothing_is_learnt_without_a_target_that_is_plain():
    frame = sequences()
    with pytest.raises(DataError, match=r"no column that is plainly what is to be learnt.*m1, m2"):
        guess(of_frame(frame))


def test_several_numbers_of_each_sequence_get_a_recipe_that_trains(carousel, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    frame = sequences(age=lambda i, t: 20.25 + i, size=lambda i, t: 1.5 * i)
    frame.write_parquet("t.parquet")
    made = propose(frame_path := tmp_path / "t.parquet", target="age, size")
    assert (made.config.task, made.config.frames.passes) == ("regress", 1)
    assert made.config.model.bidirectional
    assert dict(made.config.to_dict())["recipe"]["mapping"] == "many-to-one"
    small = ["--set", "training.epochs=1", "--set", "model.hidden_size=4", "--run-dir", "run"]
    code, _, err = carousel("train", str(frame_path), "--target", "age, size", *small)
    assert code == 0, err
    assert json.loads((tmp_path / "run" / "result.json").read_text())["test"]["rmse"] > 0


@pytest.mark.parametrize(
    ("step", "rows", "wanted"),
    [
        ("1 hour", 20_000, (24, 168, 24)),
        ("1 hour", 900, (24, 90, 24)),
        ("3 hours", 20_000, (8, 56, 8)),
        ("15 minutes", 20_000, (96, 192, 48)),
        ("1 day", 3_000, (7, 24, 7)),
        ("1 month", 1_000, (12, 24, 12)),
        ("", 1_000, (1, 24, 6)),
    ],
)
def test_season_context_and_horizon_follow_from_the_step(step, rows, wanted):
    assert season_of(step, rows) == wanted


def test_larger_data_get_larger_networks_and_fewer_epochs(tmp_path):
    small = propose(write(sequences(zz=lambda i, t: i % 3), tmp_path / "a.csv"))
    large = propose(write(sequences(1500, zz=lambda i, t: i % 3), tmp_path / "b.csv"))
    assert small.config.model.hidden_size < large.config.model.hidden_size
    assert small.config.training.epochs >= large.config.training.epochs
    assert small.config.training.batch_size < large.config.training.batch_size
    assert small.config.regularization.dropout > large.config.regularization.dropout


def write(frame, path):
    frame.write_csv(path)
    return path


# ---- the command line


def test_init_prints_every_column_and_writes_a_recipe_that_trains(carousel, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(sequences(zz=lambda i, t: i % 3), tmp_path / "pumps.csv")
    code, out, err = carousel("init", "pumps.csv")
    assert (code, err) == (0, "")
    for word in ("aa", "sequence", "24 sequences of 6 steps", "task: classify_recordings"):
        assert word in out
    assert "carousel train pumps.toml" in out
    settings = ["--set", "training.epochs=1", "--set", "model.hidden_size=4", "--quiet"]
    code, out, err = carousel("train", "pumps.toml", *settings)
    assert (code, err) == (0, "")
    code, said, _ = carousel("predict", out.strip(), "pumps.csv", "--json")
    assert [row["sequence"] for row in json.loads(said)][:2] == ["z0", "z1"]
    code, _, err = carousel("init", "pumps.csv")
    assert code == 2
    assert "is there already: name another --output" in err


def test_init_can_print_json_or_the_recipe_alone(carousel, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(sequences(zz=lambda i, t: i % 3), tmp_path / "pumps.csv")
    code, out, _ = carousel("init", "pumps.csv", "-o", "-")
    assert code == 0
    assert tomllib.loads(out)["columns"]["id"] == "aa"
    assert not (tmp_path / "pumps.toml").exists()
    code, out, _ = carousel("init", "pumps.csv", "-o", "other.toml", "--json")
    said = json.loads(out)
    assert said["task"]["name"] == "classify_recordings"
    assert {column["name"]: column["role"] for column in said["columns"]}["k"] == "time"
    assert (tmp_path / said["wrote"]).is_file()


def test_a_table_is_trained_at_once(carousel, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(sequences(zz=lambda i, t: i % 3), tmp_path / "pumps.csv")
    settings = ["--set", "training.epochs=1", "--set", "model.hidden_size=4", "--quiet"]
    code, out, err = carousel("train", "pumps.csv", "--target", "zz", *settings)
    assert code == 0
    assert err == ""
    assert (tmp_path / out.strip() / "result.json").is_file()
    code, _, err = carousel("train", "pumps.csv", "--target", "zz", *settings[:-1])
    assert "classify_recordings, as 'zz' keeps one of 3 values" in err
    code, _, err = carousel("train", "mnist-rows", "--target", "zz")
    assert code == 2
    assert "--target names a column of a table, and mnist-rows is none" in err


def test_init_of_what_is_no_table_writes_the_recipe_for_its_kind(carousel, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "book.txt").write_text("once upon a time\n" * 500)
    code, _, err = carousel("init", "book.txt")
    assert (code, err) == (0, "")
    config, _ = recipes.load("book.toml")
    assert (config.task, config.data.path) == ("generate", "book.txt")
    (tmp_path / "mood.tsv").write_text("good\tvery nice\nbad\tnot so\n" * 20)
    code, _, err = carousel("init", "mood.tsv")
    assert (code, err) == (0, "")
    assert recipes.load("mood.toml")[0].task == "classify_text"
    code, _, err = carousel("init", "nothing.csv")
    assert (code, err) == (2, "carousel: there is no nothing.csv\n")


# ---- a file with nothing of the network


def test_a_bare_file_gets_what_init_would_write(tmp_path, monkeypatch):
    from carousel.training.preparation import Preparation

    monkeypatch.chdir(tmp_path)
    path = write(sequences(zz=lambda i, t: i % 3), tmp_path / "pumps.csv")
    (tmp_path / "bare.toml").write_text(
        "task = 'classify_recordings'\n[data]\npath = 'pumps.csv'\n"
    )
    config = Preparation.of("bare.toml", {"model.hidden_size": 5}).config
    wanted = propose(path).config
    assert config.columns == wanted.columns
    assert (config.training, config.regularization) == (wanted.training, wanted.regularization)
    assert (config.model.hidden_size, config.model.bidirectional) == (5, True)
    assert "by the size of the data" in config.recipe.summary
    (tmp_path / "full.toml").write_text(
        "task = 'classify_recordings'\n[data]\npath = 'pumps.csv'\n[columns]\nid = 'aa'\n"
        "target = 'zz'\n[training]\nepochs = 3\n"
    )
    full = Preparation.of("full.toml").config
    assert (full.columns.time, full.training.batch_size) == ("", 128)


def test_a_bare_file_for_a_folder_gets_the_recipe_for_its_kind(tmp_path):
    from carousel.training.preparation import Preparation

    file = tmp_path / "bare.toml"
    file.write_text(f"task = 'classify_recordings'\n[data]\npath = '{tmp_path}'\n")
    config, own = Preparation.of(str(file)).config, recipes.load("own-classify-recordings")[0]
    assert (config.model, config.training) == (own.model, own.training)


def test_a_bare_file_for_many_series_gets_what_init_would_write(tmp_path):
    from carousel.training.preparation import Preparation

    path = write(sequences(zz=lambda i, t: i + t), tmp_path / "pumps.csv")
    file = tmp_path / "bare.toml"
    file.write_text(
        f"task = 'forecast_many'\n[data]\npath = '{path}'\n"
        "[columns]\nid = 'aa'\ntarget = 'zz'\n[forecast]\ncontext = 5\n"
    )
    config = Preparation.of(str(file)).config
    wanted = propose(path, "zz", "aa", task="forecast_many").config
    assert (config.model, config.training) == (wanted.model, wanted.training)
    assert (config.forecast.context, config.forecast.horizon) == (5, wanted.forecast.horizon)
    assert (config.columns.id, config.columns.target) == ("aa", "zz")


def test_comments_of_many_series_say_where_roles_and_horizon_come_from(tmp_path):
    days = [str(np.datetime64("2024-01-01") + i) for i in range(120)]
    rows = [
        (shop, kind, day, i % 5, None if i > 109 else i * number % 17 + 0.5)
        for number, (shop, kind) in enumerate([("a", "x"), ("a", "y"), ("b", "x"), ("b", "y")], 3)
        for i, day in enumerate(days)
    ]
    names = ["shop", "kind", "day", "price", "sold"]
    frame = pl.DataFrame(rows, schema=names, orient="row")
    made = propose(write(frame, tmp_path / "t.csv"), target="sold").toml()
    assert "id = \"shop, kind\"  # 2 values; with both, no time in 'day' stands twice" in made
    assert "horizon = 10  # as many as the usual series has rows to come" in made
    one = frame.filter((pl.col("shop") == "a") & (pl.col("kind") == "x")).drop("shop", "kind")
    alone = propose(write(one, tmp_path / "u.csv"), target="sold").toml()
    assert 'gap = "fill"  # or error: where steps are missing' in alone  # cut is refused there


def test_a_forecast_of_many_series_is_refused_in_words():
    frame = SHAPES["ids that alternate"][0].drop("ok")
    with pytest.raises(
        DataError, match=r"reads one series.*has 2 by 'dev': ask for .*forecast_many"
    ):
        guess(of_frame(frame), task="forecast")
