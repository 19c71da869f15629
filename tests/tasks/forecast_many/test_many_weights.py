"""Weights of series: how they are read, what they change, and what is told of them."""

import numpy as np
import polars as pl
import pytest
import torch
from small_many import many_config, many_rows

from carousel import tasks
from carousel.data.files.table_many import many_series_of
from carousel.data.table import read_table
from carousel.errors import DataError
from carousel.tasks.forecast_many.scores import means
from carousel.training import memory

NAN = np.nan


def table_of(folder, weights, rows=None, name="weighed.csv"):
    """weights: by the name of a series, None for an empty cell; 1 of those that are not named."""
    lines = ["shop,day,sold,offer,region,price"]
    for row in many_rows() if rows is None else rows:
        weight = weights.get(row[0], 1)
        lines.append(",".join(map(str, (*row, "" if weight is None else weight))))
    path = folder / name
    path.write_text("\n".join(lines) + "\n")
    return path


def config_of(path, *more):
    return many_config(path, "columns.weight=price", *more)


def task_of(folder, weights, *more):
    return tasks.find("forecast_many")(config_of(table_of(folder, weights), *more), 0)


def test_weights_are_over_their_mean_said_and_not_read(tmp_path):
    task = task_of(tmp_path, {"s1": 7, "s2": 0})
    series = task.series
    assert "price" not in series.columns
    assert "price" not in series.static_columns
    weights = dict(zip(series.names, series.weights.tolist(), strict=True))
    assert series.weights.mean() == pytest.approx(1.0)
    assert weights["s1"] == pytest.approx(7 * weights["s3"])
    assert weights["s2"] == 0
    (note,) = [note for note in series.notes if "price" in note]
    assert "'s1' has 0.41 of all weight" in note
    assert "1 count nothing" in note
    assert "1 count nothing" in task.describe(task.build_model())


def test_rows_that_were_put_in_and_empty_cells_do_not_matter(tmp_path):
    rows = [row for number, row in enumerate(many_rows()) if number % 9]
    path = table_of(tmp_path, {"s1": 7}, rows)
    lines = path.read_text().splitlines()
    lines[3] = lines[3].rpartition(",")[0] + ","
    path.write_text("\n".join(lines) + "\n")
    series, _ = many_series_of(read_table(path), config_of(path))
    assert series.missing.any()
    assert series.weights.max() == pytest.approx(7 * series.weights.min())


@pytest.mark.parametrize(
    ("weights", "said"),
    [
        ({"s4": -1}, "one number from 0 on for each series.*'s4' has -1"),
        ({"s4": None}, "'s4' has none"),
        ({"s4": "much"}, "'s4' has none"),
        ({f"s{number}": 0 for number in range(12)}, "is 0 for every series"),
    ],
)
def test_weights_that_say_nothing_are_refused(weights, said, tmp_path):
    with pytest.raises(DataError, match=said):
        task_of(tmp_path, weights)


def test_a_weight_that_changes_within_a_series_is_refused(tmp_path):
    path = table_of(tmp_path, {"s1": 7})
    lines = path.read_text().splitlines()
    lines[1] = lines[1].rpartition(",")[0] + ",3"
    path.write_text("\n".join(lines) + "\n")
    with pytest.raises(DataError, match="'s0' has 1, 3"):
        tasks.find("forecast_many")(config_of(path), 0)


def test_a_loss_is_weighed_window_by_window(tmp_path):
    weights = {"s1": 7, "s2": 0.5}
    task = task_of(tmp_path, weights, "regularization.dropout=0")
    plain = tasks.find("forecast_many")(
        many_config(tmp_path / "weighed.csv", "columns.ignore=price", "regularization.dropout=0"), 0
    )
    model = task.build_model()
    windows = task.drawing.epoch(0, 0).take(torch.arange(23))
    weighed = float(task.loss(model, task.batch(windows)).objective.detach())
    total, count = 0.0, 0
    for number in range(23):
        one = windows.take(torch.tensor([number]))
        found = plain.loss(model, plain.batch(one))
        total += (
            float(found.objective.detach()) * found.weight * task.series.weights[int(one.series)]
        )
        count += found.weight
    assert weighed == pytest.approx(total / count, rel=1e-5)


def test_equal_weights_train_to_the_same_network(tmp_path):
    path = table_of(tmp_path, {})
    both = [
        memory.fit(many_config(path, word, "training.epochs=2"), threads=1).model.predict(path)
        for word in ("columns.weight=price", "columns.ignore=price")
    ]
    for one, other in zip(*both, strict=True):
        assert one.values["sold"] == pytest.approx(other.values["sold"], rel=1e-6)


def test_a_series_that_counts_nothing_gives_no_window(tmp_path):
    task = task_of(tmp_path, {"s2": 0})
    drawn = set(task.drawing.epoch(0, 0).series.tolist())
    assert drawn == {number for number, name in enumerate(task.series.names) if name != "s2"}
    assert task.series.names.index("s2") in task.held.series.tolist()  # it is judged


def test_metrics_are_told_by_weight_besides():
    found = {"mase": np.array([1.0, NAN, 3.0]), "smape": np.array([0.1, 0.2, 0.4])}
    weighed = means(found, np.array([3.0, 5.0, 1.0]))
    assert weighed["mase"] == 2.0
    assert weighed["mase_weighted"] == (3 * 1 + 3) / 4
    assert weighed["smape_weighted"] == pytest.approx((0.3 + 1.0 + 0.4) / 9)
    assert means(found) == {name: weighed[name] for name in ("mase", "smape")}
    assert "mase_weighted" not in means({"mase": np.array([1.0, NAN])}, np.array([0.0, 1.0]))


def test_the_epoch_is_chosen_and_everything_judged_by_weight(tmp_path):
    config = config_of(
        table_of(tmp_path, {"s1": 7}), "forecast.distribution=conformal", "training.epochs=2"
    )
    task = tasks.find("forecast_many")(config, 0)
    assert task.validation_metrics == ("mase_weighted", "smape_weighted", "mase", "smape", "mae")
    assert all("mase_weighted" in found for found in task.baselines().values())
    trained = memory.fit(config, threads=1)
    report = trained.model.evaluate()
    assert {"mase", "mase_weighted", "coverage_weighted", "crps"} <= report.keys()
    assert report["mase"] != report["mase_weighted"]


def test_a_table_to_forecast_needs_no_weights(tmp_path):
    path = table_of(tmp_path, {"s1": 7})
    model = memory.fit(config_of(path, "training.epochs=1"), threads=1).model
    without = pl.read_csv(path).drop("price")
    assert model.predict(without)[3].values == model.predict(path)[3].values


def test_weights_stay_with_their_series(tmp_path):
    series = task_of(tmp_path, {"s1": 7}).series
    some = series.take(np.array([4, 1]))
    assert some.weights.tolist() == [series.weights[4], series.weights[1]]
