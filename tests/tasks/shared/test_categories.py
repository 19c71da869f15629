"""Categories of many levels and columns of whole sequences, in every task that reads tables."""

import json

import numpy as np
import polars as pl
import pytest
import torch

from carousel import bundle, tasks
from carousel.config import Config
from carousel.data.coded import Coded, as_trained, codes_in, recoded
from carousel.errors import ConfigError
from carousel.training import fit

SMALL = {
    "model.hidden_size": 8,
    "training.epochs": 12,
    "training.batch_size": 16,
    "optimizer.learning_rate": 0.02,
}
CITIES = [f"city {k}" for k in range(12)]


def visits(count=160, seed=0):
    """Sequences whose class, and numbers, follow from nothing but the city that they are of."""
    rng = np.random.default_rng(seed)
    rows = []
    for i in range(count):
        k = int(rng.integers(12))
        for t in range(int(rng.integers(2, 5))):
            noise = float(rng.normal())
            rows.append((f"s{i}", t, noise, CITIES[k], k % 3 / 2, "uvw"[k % 3], k % 4 + 0.1 * t))
    names = ["unit", "at", "x", "city", "size", "state", "y"]
    return pl.DataFrame(rows, schema=names, orient="row")


def config_of(task, path, columns, **sections):
    values = {"task": task, "data": {"path": str(path)}, "columns": columns, **sections}
    return Config.from_dict(values).override(SMALL)


def written(frame, path):
    frame.write_csv(path)
    return path


def test_levels_are_those_of_the_training_part_the_most_frequent_first():
    train_values = [np.array([[5.0, 3.0], [5.0, 1.0]]), torch.tensor([[5.0, 3.0]]).double()]
    rest = [np.array([[5.0, 2.0], [5.0, 3.0]])]
    columns = ("n", Coded("city", ["a", "b", "c"]))
    found = as_trained(columns, train_values, rest)
    assert found == ("n", "city")
    assert found[1].levels == ("c", "a")
    assert [np.asarray(v)[:, 1].tolist() for v in (*train_values, *rest)] == [[1, 2], [1], [0, 1]]
    other = ("n", Coded("city", ["b", "a", "c"]))
    assert recoded(rest[0], found, other)[:, 1].tolist() == [0, 3]
    assert recoded(rest[0], found, found) is rest[0]
    assert as_trained(columns[:1], train_values) == ("n",)


def kept(model, folder):
    """The model as it is after it was saved."""
    model.save(folder)
    return bundle.load(folder)


ROLES = {"id": "unit", "time": "at", "category": "city"}
CASES = {
    "classify_recordings": {"target": "state", "ignore": "y, size", "static": "city"},
    "label_frames": {"target": "state", "ignore": "y, size"},
    "regress": {"target": "y", "ignore": "state, size"},
}


@pytest.mark.parametrize("task", CASES)
def test_a_category_alone_is_learnt_kept_and_read_by_name(task, tmp_path):
    roles = {**ROLES, **CASES[task]}
    config = config_of(task, written(visits(), tmp_path / "a.csv"), roles)
    model = kept(fit(config, threads=1).model, tmp_path / "model")
    assert codes_in(model.columns) == {1: 12}
    report = model.evaluate("test")
    if task == "regress":
        assert report["rmse"] < 0.5 * visits()["y"].std()
    else:
        assert report["accuracy"] > 0.9
    asked = visits(20, seed=1).drop("state", "y", "size")
    answers = model.predict(str(written(asked, tmp_path / "new.csv")))
    columns = list(asked.columns)
    turned = asked.select(columns[::-1])
    assert model.predict(str(written(turned, tmp_path / "turned.csv"))) == answers
    strange = asked.with_columns(city=pl.lit("elsewhere"))
    missing = asked.with_columns(city=pl.lit(""))
    with pytest.warns(UserWarning, match="have a value that training did not have"):
        one = model.predict(str(written(strange, tmp_path / "strange.csv")))
    with pytest.warns(UserWarning, match="have a value that training did not have"):
        other = model.predict(str(written(missing, tmp_path / "missing.csv")))
    assert one == other
    facts = json.loads((tmp_path / "model" / "model.json").read_text())
    assert set(facts["levels"]) == {"city"}
    assert sorted(facts["levels"]["city"]) == sorted(CITIES)


def test_padding_and_the_order_of_sequences_change_no_answer_with_categories(tmp_path):
    roles = {**ROLES, **CASES["classify_recordings"]}
    config = config_of("classify_recordings", written(visits(60), tmp_path / "a.csv"), roles)
    task = tasks.find("classify_recordings")(config, 0)
    model = task.build_model().eval()
    batch = next(task.train_batches(0, 0))
    plain = model(batch[0], batch[1])
    padded = task.subject.padded(batch, 3)
    torch.testing.assert_close(model(padded[0], padded[1]), plain)


def test_differences_and_noise_leave_codes_alone(tmp_path):
    roles = {**ROLES, **CASES["label_frames"]}
    frames = {"frames": {"differences": True, "noise": 0.5}}
    config = config_of("label_frames", written(visits(60), tmp_path / "a.csv"), roles, **frames)
    task = tasks.find("label_frames")(config, 0)
    codes = task._train.values[:, 1]
    assert torch.equal(codes, codes.round())
    assert codes.max() == 12
    assert not task._train.values[:, 3].any()  # differences of codes say nothing
    noised = task._noisy(task._train.values, training=True)
    assert torch.equal(noised[:, 1], codes)
    assert not torch.equal(noised[:, 0], task._train.values[:, 0])


def test_ten_thousand_levels_take_a_row_each_and_no_column(tmp_path):
    rng = np.random.default_rng(0)
    codes = [f"k{i}" for i in rng.permutation(np.arange(30_000) % 10_000)]
    frame = pl.DataFrame(
        {"unit": np.arange(30_000) // 5, "k": codes, "y": rng.normal(size=30_000).tolist()}
    )
    config = config_of("regress", written(frame, tmp_path / "a.csv"), {
        "id": "unit", "target": "y", "category": "k"})  # fmt: skip
    task = tasks.find("regress")(config, 0)
    assert task.data.train.values.values.shape[1] == 1
    (count,) = codes_in(task.data.columns).values()
    assert 7_000 < count <= 10_000  # those of the training part
    assert task.build_model().categories.embeddings[0].weight.shape == (count + 1, 50)


def test_levels_that_only_the_other_parts_have_are_not_known(tmp_path):
    frame = visits(60).with_columns(
        part=pl.when(pl.col("unit") == "s0").then(pl.lit("test"))
        .when(pl.col("unit").is_in(["s1", "s2"])).then(pl.lit("validation"))
        .otherwise(pl.lit("train")),
    ).with_columns(
        city=pl.when(pl.col("part") == "test").then(pl.lit("new")).otherwise("city")
    )  # fmt: skip
    roles = {**ROLES, **CASES["classify_recordings"]}
    split = {"split": {"by": "column", "column": "part"}}
    path = written(frame, tmp_path / "a.csv")
    data = tasks.find("classify_recordings")(
        config_of("classify_recordings", path, roles, **split), 0
    ).parted
    assert "new" not in data.columns[1].levels
    assert not data.test.values.values[:, 1].any()
    assert data.train.values.values[:, 1].min() == 1


def test_without_embedding_a_table_is_read_as_before_and_so_are_runs_of_before(tmp_path):
    roles = {**ROLES, **CASES["classify_recordings"], "embed": False}
    config = config_of("classify_recordings", written(visits(60), tmp_path / "a.csv"), roles)
    columns = tasks.find("classify_recordings")(config, 0).parted.columns
    assert columns == ("x", *(f"city={city}" for city in sorted(CITIES)))
    stored = config.to_dict()
    del stored["columns"]["embed"]
    assert Config.from_stored(stored) == config
    assert Config.from_dict(stored).columns.embed


def hours(count=240):
    stamps = np.datetime64("2024-01-01T00:00") + np.arange(count) * np.timedelta64(1, "h")
    rng = np.random.default_rng(0)
    shop = rng.integers(12, size=count)
    return pl.DataFrame(
        {
            "load": 2.0 * (shop % 3) + 0.01 * rng.normal(size=count),
            "when": [str(stamp) for stamp in stamps],
            "offer": [f"offer {k}" for k in shop],
        }
    )


@pytest.mark.parametrize("independent", [False, True])
def test_a_forecast_reads_the_category_that_is_known_of_the_steps_to_come(independent, tmp_path):
    roles = {"time": "when", "target": "load", "category": "offer", "known": "offer"}
    sections = {"forecast": {"context": 6, "horizon": 2, "independent": independent}}
    path = written(hours(), tmp_path / "a.csv")
    config = config_of("forecast", path, roles, **sections).override({"training.epochs": 25})
    model = kept(fit(config, threads=1).model, tmp_path / "model")
    assert codes_in(model.columns) == {1: 12}
    assert model.evaluate("test")["mse_standardised"] < 0.3  # 1: its own mean
    asked = hours(242).with_columns(
        load=pl.when(pl.arange(242) < 240).then("load"),
        offer=pl.when(pl.arange(242) < 240).then("offer").otherwise(pl.lit("offer 0")),
    )
    (low,) = model.predict(str(written(asked, tmp_path / "low.csv")))
    dear = asked.with_columns(
        offer=pl.when(pl.arange(242) < 240).then("offer").otherwise(pl.lit("offer 2"))
    )
    (high,) = model.predict(str(written(dear, tmp_path / "high.csv")))
    assert high.values["load"][0] > low.values["load"][0] + 2


def test_a_category_is_never_forecast(tmp_path):
    path = written(hours(), tmp_path / "a.csv")
    sections = {"forecast": {"context": 6, "horizon": 2}}
    all_numbers = config_of("forecast", path, {"time": "when", "category": "offer"}, **sections)
    assert tasks.find("forecast")(all_numbers, 0).frame.targets == [0]
    asked = {"time": "when", "category": "offer", "target": "offer"}
    with pytest.raises(ConfigError, match="is a category, and a forecast is of numbers"):
        tasks.find("forecast")(config_of("forecast", path, asked, **sections), 0)


def test_a_class_that_follows_from_a_static_number_alone_is_found(tmp_path):
    roles = {"id": "unit", "time": "at", "target": "state", "ignore": "y, city", "static": "size"}
    config = config_of("classify_recordings", written(visits(), tmp_path / "a.csv"), roles)
    model = fit(config, threads=1).model
    assert model.columns == ("x", "size")
    assert model.evaluate("test")["accuracy"] > 0.95
