"""Anomalies of small series: found, blamed, streamed; what is missing, constant, short or new."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from small_watched import ANOMALIES, COUNT, rows, watched_config, write_watched

from carousel import bundle, tasks
from carousel.data.watched import Watched, WatchedSeries
from carousel.errors import DataError
from carousel.tasks.anomaly import baselines
from carousel.tasks.anomaly.errors import Usual, forecast_errors, scaler_of
from carousel.training import train

ERRORS = ("forecast", "reconstruction")
TOLERANCE = {"rtol": 1e-5, "atol": 1e-7}


def task_of(config, parts=None):
    return tasks.find("anomaly")(config, 0, parts)


def untrained(config, parts=None):
    torch.manual_seed(0)
    task = task_of(config, parts)
    return task, task.finish(task.build_model())


@pytest.fixture(scope="module", params=ERRORS)
def run(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    more = ["anomaly.horizon=6", "model.hidden_size=16"] * (request.param == "reconstruction")
    config = watched_config(write_watched(folder), f"anomaly.error={request.param}", *more)
    return train(config, run_dir=folder / "run", threads=1, quiet=True)


@pytest.fixture(scope="module")
def model(run):
    return bundle.load(run.path)


def values_of(count=COUNT, **how):
    return np.array([row[1:3] for row in rows(count, **how)])


def test_both_anomalies_are_found_and_the_right_column_is_blamed(model, tmp_path):
    (answer,) = model.predict(write_watched(tmp_path))
    for (first, last), column in zip(ANOMALIES, ("wave", "other"), strict=True):
        hits = [w for w in answer.windows if w.first <= last + 6 and w.last >= first]
        assert hits
        worst = max(hits, key=lambda window: window.score)
        assert worst.blamed[0] == column
    alarms = np.array(answer.alarms)
    inside = np.zeros(COUNT, bool)
    for first, last in ANOMALIES:
        inside[first : last + 8] = True
    assert alarms[~inside].sum() <= 0.03 * COUNT
    assert sum(window.last - window.first + 1 for window in answer.windows) < 150


def test_judgement_has_every_metric_and_baselines_the_same(run):
    result = json.loads((run.path / "result.json").read_text())
    wanted = {"precision", "recall", "window_f1", "pr_auc", "nab_standard", "nab_low_fp"}
    wanted |= {"nab_low_fn", "false_alarms_per_1000"}
    assert result["metric"] == "window_f1"
    assert set(result["test"]) == wanted | {"mse_standardised"}
    assert set(result["baseline"]) == {"rolling_z", "seasonal_naive", "isolation_forest"}
    for values in result["baseline"].values():
        assert set(values) <= wanted
    assert result["test"]["recall"] == 1
    assert result["data"]["calibrated_on"] == {"series": 180}


def test_step_by_step_scores_are_those_of_the_whole_series(model):
    values = values_of()
    whole = model.predict(values)[0]
    stream = model.stream()
    steps = [stream.step(row) for row in values]
    np.testing.assert_allclose([step.score for step in steps], whole.scores, **TOLERANCE)
    near = np.abs(np.array(whole.scores) - 1) < 1e-4
    same = np.array([step.alarm for step in steps]) == np.array(whole.alarms)
    assert same[~near].all()
    peak = whole.windows[0]
    said = steps[int(np.nanargmax(whole.scores))]
    assert sum(said.columns.values()) == pytest.approx(1)
    assert set(said.columns) == set(peak.columns)


def test_step_by_step_with_missing_values_is_the_same_too(model):
    values = values_of(200)
    values[[0, 40, 41, 90], [0, 1, 1, 0]] = np.nan
    values[120] = np.nan
    stream = model.stream()
    steps = [stream.step(row).score for row in values[1:]]
    assert stream.filled == 5
    np.testing.assert_allclose(steps, model.scores(values[1:]), **TOLERANCE)
    if model.config.anomaly.error == "forecast":
        assert math.isnan(steps[119])


def test_a_row_of_another_length_is_refused(model):
    with pytest.raises(DataError, match=r"2 numbers \(wave, other\), this one has 3"):
        model.stream().step([1, 2, 3])


def test_what_comes_later_changes_no_score(model):
    values = values_of(300)
    before = model.scores(values[:200])
    np.testing.assert_allclose(model.scores(values)[:200], before, **TOLERANCE)


def test_encode_network_and_decode_are_predict(model):
    series = [values_of(120), values_of(90, seed=3)]
    given = model.encode(series)
    with torch.no_grad():
        outputs = model.model.eval()(*given)
    for one, other in zip(model.decode(outputs, series), model.predict(series), strict=True):
        np.testing.assert_allclose(one.scores, other.scores, **TOLERANCE)


def test_columns_are_taken_by_name_and_others_are_told(model, tmp_path):
    text = write_watched(tmp_path, count=200).read_text().splitlines()
    cells = [line.split(",") for line in text]
    other = tmp_path / "other.csv"
    other.write_text("".join(f"{c[0]},{c[2]},{c[1]},{i}\n" for i, c in enumerate(cells)))
    content = other.read_text().replace("time,other,wave,0", "time,other,wave,more")
    other.write_text(content)
    given = model.read(other)
    assert any("not read: more" in note.text for note in given.notes)
    (answer,) = model.predict(given.inputs)
    np.testing.assert_array_equal(answer.scores, model.predict(tmp_path / "series.csv")[0].scores)
    other.write_text("time,wave\n2024-01-01,1\n")
    with pytest.raises(DataError, match="lacks other"):
        model.read(other)


def test_frames_and_arrays_are_read_as_files_are(model, tmp_path):
    import pandas
    import polars

    path = write_watched(tmp_path, count=120)
    wanted = model.scores(path)
    frame = pandas.read_csv(path)
    np.testing.assert_array_equal(model.scores(frame), wanted)
    np.testing.assert_array_equal(model.scores(frame.set_index("time")), wanted)
    np.testing.assert_array_equal(model.scores(polars.read_csv(path)), wanted)
    np.testing.assert_array_equal(model.scores(frame[["wave", "other"]].to_numpy()), wanted)
    for wrong in (3, np.zeros((4, 5)), np.zeros((0, 2)), "x"):
        with pytest.raises(DataError):
            model.predict([wrong])


def test_a_series_shorter_than_a_window_has_no_score_where_it_needs_one(model):
    assert np.isnan(model.raw_scores(values_of(2))).all()
    assert not model.alarms(values_of(2)).any()
    with pytest.raises(DataError, match="has 2 rows, and none is judged"):
        model.predict(values_of(2))


def test_a_loaded_model_says_the_same_and_examples_have_gradients(run, model):
    again = bundle.load(run.path)
    values = values_of(200)
    np.testing.assert_array_equal(model.scores(values), again.scores(values))
    example = model.example("validation", 3)
    assert example.output().requires_grad
    assert len(example.steps) == 24


def test_answers_go_out_as_a_row_for_each_step(run, model, carousel, tmp_path):
    import polars

    path = write_watched(tmp_path)
    code, _, err = carousel("predict", run.path, path, "--out", tmp_path / "a.parquet")
    assert code == 0, err
    (answer,) = model.predict(path)
    table = polars.read_parquet(tmp_path / "a.parquet")
    assert table["time"].to_list() == list(answer.times)
    scores = table["score"].fill_null(math.nan).to_numpy()
    np.testing.assert_allclose(scores, answer.scores, rtol=1e-12)
    assert table["alarm"].to_list() == list(answer.alarms)
    spans = table.drop_nulls("window").group_by("window", maintain_order=True)
    found = [(part["step"].min(), part["step"].max()) for _, part in spans]
    assert found == [(window.first, window.last) for window in answer.windows]


def test_labelled_series_it_never_saw_are_judged_whole(model, run, tmp_path):
    path = write_watched(tmp_path, seed=5)
    report = model.evaluate_new(path)
    (answer,) = model.predict(path)
    assert report["per_series"]["series"]["windows"] == len(answer.windows)
    assert report["recall"] == 1
    assert report["window_f1"] > 0.3
    with pytest.raises(DataError, match="has no labels to judge by"):
        model.evaluate_new(write_watched(tmp_path, "bare.csv", label=False))
    with pytest.raises(DataError, match="is what the model was trained on"):
        model.evaluate_new(model.config.data.path)


# ---- training


@pytest.mark.parametrize("error", ERRORS)
def test_training_never_sees_a_label(error, tmp_path):
    weights = []
    for label in (True, False):
        folder = tmp_path / str(label)
        folder.mkdir()
        # All of it is labelled anomalous, the beginning too.
        path = write_watched(folder, label=label, count=300, anomalies=())
        if label:
            path.write_text(path.read_text().replace(",0\n", ",1\n"))
        config = watched_config(path, f"anomaly.error={error}", "anomaly.false_alarms=20")
        config = config.override(["training.epochs=1"])
        run = train(config, run_dir=folder / "run", threads=1, quiet=True)
        weights.append((run.path / "model" / "weights.safetensors").read_bytes())
        data = json.loads((run.path / "result.json").read_text())["data"]
        assert data["labelled_anomalous_in_training"] == (180 if label else 0)
    assert weights[0] == weights[1]


def test_errors_are_of_the_forecasts_that_were_made_for_a_step():
    scaled, out = np.arange(6.0)[:, None] ** 2, np.zeros((6, 2, 1))
    out[:, 0, 0], out[:, 1, 0] = np.arange(6) * 10, np.arange(6) * 100
    errors = forecast_errors(scaled, out)
    assert np.isnan(errors[:2]).all()
    for t in range(2, 6):
        assert errors[t].flatten().tolist() == [t**2 - 10 * (t - 1), t**2 - 100 * (t - 2)]


def test_scores_are_mahalanobis_distances_of_the_errors():
    chance = np.random.default_rng(0)
    errors = chance.normal(size=(5000, 2, 2)) @ np.array([[1.0, 0.8], [0.0, 0.6]]) + 3
    scaler = scaler_of([Watched("a", ("x", "y"), (), np.zeros((3, 2)), ends=(3, 3))])
    usual = Usual.fit(scaler, errors, "mahalanobis", "a")
    flat = errors.reshape(5000, -1)
    inverse = np.linalg.inv(np.cov(flat.T, bias=True))
    off = flat[:50] - flat.mean(0)
    wanted = np.sqrt(np.einsum("ni,ij,nj->n", off, inverse, off) / 4)
    score, share = usual.judge(errors[:50])
    np.testing.assert_allclose(score, wanted, rtol=0.05)
    np.testing.assert_allclose(share.sum(1), 1)
    worst, _ = Usual.fit(scaler, errors, "worst", "a").judge(errors[:50])
    z = off / flat.std(0)
    np.testing.assert_allclose(worst, np.sqrt((z**2).reshape(50, 2, 2).mean(1)).max(1))
    again = Usual.restore(json.loads(json.dumps(usual.facts())))
    np.testing.assert_array_equal(again.judge(errors[:50])[0], score)


def watched(values, name="a", ends=None, missing=None):
    values = np.asarray(values, float)
    count = len(values)
    names = tuple("xyz"[: values.shape[1]])
    ends = ends or (count // 2, 3 * count // 4)
    return Watched(name, names, tuple(map(str, range(count))), values, missing, None, ends)


def noise(count, columns=2, seed=0):
    return np.random.default_rng(seed).normal(size=(count, columns))


def test_a_constant_column_is_told_and_any_change_in_it_is_unusual():
    values = noise(400)
    values[:, 1] = 7.0
    config = watched_config("x", "anomaly.false_alarms=20")
    task, model = untrained(config, WatchedSeries((watched(values),)))
    assert task.account()["constant_in_training"] == {"a": ["y"]}
    assert "constant in the training part: y" in task.describe(task.build_model())
    changed = values.copy()
    changed[350, 1] = 8.0
    (answer,) = model.predict(changed)
    assert answer.alarms[350]
    assert any(w.first <= 350 <= w.last and w.blamed == ["y"] for w in answer.windows)


def test_missing_values_are_never_judged():
    values = noise(400)
    missing = np.zeros(values.shape, bool)
    missing[300:310, 0] = missing[320] = True
    values[missing] = 1e3  # what was filled in says nothing
    one = watched(values, missing=missing)
    config = watched_config("x", "anomaly.false_alarms=20", "anomaly.horizon=1")
    task, model = untrained(config, WatchedSeries((one,)))
    assert task.account()["missing_values_filled"] == 12
    (answer,) = model.predict(one)
    assert math.isnan(answer.scores[320])
    filled = replace(one, values=np.where(missing, -1e3, values))
    measured = ~missing.any(1)
    assert np.isfinite(np.array(answer.scores)[7:][measured[7:]]).all()
    assert math.isnan(model.predict(filled)[0].scores[320])


def test_series_too_short_to_train_on_are_scored_and_counted():
    series = (watched(noise(400)), watched(noise(40, seed=1), "b", (20, 30)))
    config = watched_config("x", "anomaly.false_alarms=20")
    task, model = untrained(config, WatchedSeries(series))
    assert task.account()["too_short_to_train_on"] == ["b"]
    assert "b: 10 validation steps with a score promise 90.9" in task.describe(task.build_model())
    report = model.predict(list(series))
    assert [answer.unscored for answer in report] == [8, 8]
    with pytest.raises(DataError, match="no training part holds a window of 26 steps"):
        task_of(config, WatchedSeries((series[1],)))


def test_a_series_of_two_rows_cannot_say_what_is_usual():
    series = (watched(noise(400)), watched(noise(8, seed=1), "b", (3, 5)))
    with pytest.raises(DataError, match="b: its training part has 0 steps with a whole error"):
        untrained(watched_config("x", "anomaly.false_alarms=20"), WatchedSeries(series))


def test_a_series_that_training_had_not_is_judged_by_its_own_beginning(tmp_path):
    series = (watched(noise(400)), watched(100 * noise(400, seed=1), "b"))
    config = watched_config("x", "anomaly.false_alarms=20")
    _, model = untrained(config, WatchedSeries(series))
    new = 1000 * noise(400, seed=2)
    new[300] = 1e5
    path = tmp_path / "new.csv"
    path.write_text("x,y\n" + "".join(f"{a},{b}\n" for a, b in new))
    given = model.read(path)
    assert any("not among the series of training" in note.text for note in given.notes)
    (answer,) = model.predict(given.inputs)
    assert answer.alarms[300]
    assert sum(answer.alarms) < 40
    with pytest.raises(DataError, match="trained on a, b"):
        model.stream()
    stream = model.stream(beginning=new[:60])
    steps = [stream.step(row) for row in new[60:]]
    assert np.isfinite(steps[0].score)
    assert steps[240].alarm
    assert math.isnan(model.stream("b").step(series[1].values[0]).score)


def test_a_scale_of_the_whole_set_serves_every_series():
    series = (watched(noise(400)), watched(noise(400, seed=1) + 9, "b"))
    config = watched_config("x", "anomaly.scaling=set", "anomaly.calibration=set")
    task, model = untrained(config, WatchedSeries(series))
    assert set(model.usual) == {""}
    values = np.concatenate([one.values[:200] for one in series])
    np.testing.assert_allclose(task.scaler("b").mean.numpy(), values.mean(0))
    assert model.stream().step([0, 0]).alarm is False


def test_baselines_are_what_they_are_called():
    values = noise(100, 1)
    found = baselines.rolling_z(values, 10)
    assert np.isnan(found[:10]).all()
    before = values[40:50, 0]
    assert found[50] == pytest.approx(abs(values[50, 0] - before.mean()) / before.std())
    change = baselines.seasonal(values, 7, slice(0, 50))
    usual = values[7:50, 0] - values[:43, 0]
    wanted = abs(values[60, 0] - values[53, 0]) / np.sqrt((usual**2).mean())
    assert change[60] == pytest.approx(wanted)
    assert np.isnan(change[:7]).all()
    values[80:90] = 30.0
    (forest,) = baselines.isolation([values], [slice(0, 50)])
    assert np.isnan(forest[:7]).all()
    assert np.nanargmax(forest) in range(83, 93)


def test_baselines_are_calibrated_by_the_same_rule(tmp_path):
    config = watched_config(write_watched(tmp_path, anomalies=()), "anomaly.false_alarms=100")
    task = task_of(config)
    for values in task.baselines().values():  # all is normal, and like the validation part
        assert values["false_alarms_per_1000"] < 300


def test_the_network_reads_no_step_ahead(tmp_path):
    task = task_of(watched_config(write_watched(tmp_path)))
    x, truth = next(iter(task.train_batches(0, 0)))
    assert x.shape == (32, 24, 2)
    assert truth.shape == (32, 24, 2, 2)
    torch.testing.assert_close(truth[:, :-1, 0], x[:, 1:], rtol=0, atol=0)
    torch.testing.assert_close(truth[:, :-2, 1], x[:, 2:], rtol=0, atol=0)
