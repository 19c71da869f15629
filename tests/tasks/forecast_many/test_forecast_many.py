"""Many series by one network: parts, windows, scale, loss, answers."""

import random
from dataclasses import replace
from itertools import groupby
from operator import itemgetter

import numpy as np
import pytest
import torch
import typer
from small_many import many_config, many_rows, numbers, stirred, write_many

import carousel
from carousel import tasks
from carousel.bulk import answer_file
from carousel.cli.given import Request
from carousel.cli.respond import respond
from carousel.data.fingerprint import fingerprint
from carousel.data.many_series import ManySeries, ManySeriesParts, filled_forward
from carousel.data.pace import Pace
from carousel.errors import ConfigError, DataError
from carousel.tasks.forecast_many.network import repeating
from carousel.tasks.forecast_many.scaling import scale_of
from carousel.tasks.forecast_many.scores import by_series, means, naive_errors
from carousel.tasks.forecast_many.windows import Drawing, Origins
from carousel.tasks.shared.outputs import of_numbers
from carousel.tasks.shared.task import Json, Notice
from carousel.training import memory

NAN = np.nan
ES = ("many.transform=log", "many.smoothing=es-all")


def task_of(folder, *more, rows=None):
    return tasks.find("forecast_many")(many_config(write_many(folder, rows), *more), 0)


def model_of(folder, *more, rows=None):
    return stirred(task_of(folder, *more, rows=rows))


# ---- data


def test_the_past_of_one_of_many_series_ends_where_nothing_has_come():
    values = np.array([[1.0, 5.0], [2.0, 6.0], [2.0, 7.0], [NAN, 8.0], [9.0, 0.0]])
    missing = np.array([False, False, True, True, False])
    made = ManySeries(
        ("a", "b"), ("y", "x"), values, missing, np.array([0, 4, 5]), np.array([3, 5]),
        np.ones(2, int), static=np.empty((2, 0)),
    )  # fmt: skip
    np.testing.assert_array_equal(made[0].past, [[1.0, 5.0], [2.0, 6.0], [NAN, 7.0]])
    np.testing.assert_array_equal(made[-1].past, [[9.0, 0.0]])
    assert made[1].names == ("b",)


def test_what_series_lack_is_counted_and_a_missing_static_number_is_the_mean(tmp_path):
    area = {"s0": "5", "s1": "", "s2": "7"}
    rows = [
        (shop, day, "" if shop == "s3" or (shop == "s2" and t < 4) else sold, offer,
         "" if t < 2 else area.get(shop, "6"))
        for shop, days in groupby(many_rows(4), key=itemgetter(0))
        for t, (_, day, sold, offer, _) in enumerate(days)
    ]  # fmt: skip
    task = task_of(tmp_path, "columns.category=''", rows=rows)
    assert task.series.static.ravel().tolist()[::2] == [5.0, 7.0]
    assert set(task.series.notes) == {
        "left out, without a number to forecast: 1 series (s3)",
        "4 rows come before the first number of their series: left out",
        "'region' has no value in 1 of 3 series: read as the mean",
    }
    static = task.frame.read(Origins.after(task.series)).static
    np.testing.assert_allclose(static.ravel(), [-1.0, 0.0, 1.0])


def test_parts_tell_apart_what_a_network_reads_whatever_the_order_of_the_columns():
    def part(x, columns=("y", "p", "q"), static=1.0):
        series = ManySeries.of("a", [np.arange(20.0)])
        series = replace(
            series, columns=columns, values=np.stack([series.values[:, 0], *x], 1),
            static_columns=("area",), static=np.array([[static]]),
        )  # fmt: skip
        held = np.array([4])
        return fingerprint(ManySeriesParts.cut(series, held, held, 4).part("test"))

    p, q = np.arange(20.0) ** 2, np.ones(20)
    same = part((p, q))
    assert same == part((q, p), ("y", "q", "p"))
    assert same != part((p, q), static=2.0)
    q[-1] = 0.0
    assert same != part((p, q))


def test_missing_values_are_those_before_and_never_of_another_series():
    values = np.array([[NAN, 1.0], [2.0, NAN], [NAN, NAN], [NAN, 5.0]])
    found = filled_forward(values, np.array([0, 3, 4]))
    assert found.tolist() == [[2.0, 1.0], [2.0, 1.0], [2.0, 1.0], [0.0, 5.0]]


def test_parts_are_the_end_of_each_series_in_whole_horizons():
    series = ManySeries.of("ab", [np.arange(20.0), np.arange(5.0)])
    held = np.array([4, 4])
    parts = ManySeriesParts.cut(series, held, held, 4)
    assert [(r[0].tolist(), r[1].tolist()) for r in parts.rows.values()] == [
        ([0, 20], [12, 25]),
        ([12, 25], [16, 25]),
        ([16, 25], [20, 25]),
    ]
    assert parts.short == 1
    assert parts.part("test").values.tolist() == [16.0, 17.0, 18.0, 19.0]


def test_series_that_are_all_too_short_are_refused():
    series = ManySeries.of("a", [np.arange(5.0)])
    with pytest.raises(DataError, match="none of the 1 series has 10 rows"):
        ManySeriesParts.cut(series, np.array([4]), np.array([4]), 4)


def test_no_window_of_training_sees_what_validates(tmp_path):
    task = task_of(tmp_path)
    held = {
        (int(number), row)
        for part in ("validation", "test")
        for number, start, stop in zip(
            *(t.tolist() for t in vars(Origins.judging(task.parted, part)).values()), strict=True
        )
        for row in range(start, stop)
    }
    for epoch in range(3):
        windows = task.drawing.epoch(0, epoch)
        truth = task.frame.truth(windows)
        rows = windows.start[:, None] + torch.arange(4)
        used = {
            (number, row)
            for number, some, known in zip(
                windows.series.tolist(), rows.tolist(), (~truth.isnan()).tolist(), strict=True
            )
            for row, k in zip(some, known, strict=True)
            if k
        }
        assert used
        assert not used & held


def test_an_epoch_draws_from_short_series_what_they_have_and_from_long_ones_no_more_than_is_set():
    series = ManySeries.of("abc", [np.arange(100.0), np.arange(14.0), np.arange(40.0)])
    held = np.array([4, 4, 4])
    config = many_config("x.csv", "many.windows=10", "columns.static=", "columns.category=")
    drawing = Drawing(ManySeriesParts.cut(series, held, held, 4), config)
    drawn = drawing.epoch(0, 0)
    counts = np.bincount(drawn.series.numpy(), minlength=3).tolist()
    assert counts == [10, 1, 10]
    places = set(zip(drawn.series.tolist(), drawn.start.tolist(), strict=True))
    assert len(places) == len(drawn)  # none twice


def drawn_of(lengths, each):
    """Windows of 4 steps of series that have so many to train on."""
    series = ManySeries.of(map(str, lengths), [np.arange(count + 2.0 + 11) for count in lengths])
    held = np.full(len(lengths), 4)
    config = many_config("x.csv", f"many.windows={each}", "columns.static=", "columns.category=")
    return Drawing(ManySeriesParts.cut(series, held, held, 4), config)


def test_every_stretch_of_a_long_series_gives_one_window_and_each_comes_in_time():
    drawing = drawn_of((3, 20, 2_000), 8)
    assert drawing.each.tolist() == [3, 8, 8]
    assert drawing.all == 2_023
    seen = set()
    for epoch in range(60):
        windows = drawing.epoch(0, epoch)
        assert np.bincount(windows.series, minlength=3).tolist() == [3, 8, 8]
        starts = windows.start - torch.tensor([2, 18, 51])[windows.series]
        seen |= {(int(n), int(s)) for n, s in zip(windows.series, starts, strict=True)}
        stretches = np.sort(starts[windows.series == 2]) * 8 // 2_000
        assert stretches.tolist() == [*range(8)]
        assert sorted(starts[windows.series == 0].tolist()) == [0, 1, 2]
    assert {start for number, start in seen if number == 1} == {*range(20)}
    assert len(seen) > 3 + 20 + 0.95 * (60 * 8) * (1 - 60 * 8 / 2 / 2_000)


def test_an_epoch_draws_about_16_000_windows_and_one_of_each_series_where_there_are_more():
    assert drawn_of((5_000,) * 7, 0).each.tolist() == [16_000 // 7] * 7
    assert drawn_of((30,) * 16_001, 0).total == 16_001


def test_the_order_of_rows_and_of_series_changes_no_forecast(tmp_path):
    model = model_of(tmp_path)
    rows = many_rows()
    first = numbers(model.predict(write_many(tmp_path, rows)))
    random.Random(0).shuffle(rows)
    again = numbers(model.predict(write_many(tmp_path, rows, "shuffled.csv")))
    assert first.keys() == again.keys()
    for name, values in first.items():
        assert again[name] == pytest.approx(values, rel=1e-6)


@pytest.mark.parametrize(
    ("more", "near"),
    [((), 1e-6), ((*ES, "many.embed=true", "model.dilations='1, 2, 4'"), 1e-5)],
    ids=["plain", "smoothed and dilated"],
)
def test_a_series_alone_is_forecast_as_among_others(more, near, tmp_path):
    model = model_of(tmp_path, *more)
    rows = many_rows()
    together = numbers(model.predict(write_many(tmp_path, rows)))
    one = [row for row in rows if row[0] == "s4"]
    alone = numbers(model.predict(write_many(tmp_path, one, "one.csv")))
    assert alone["s4"] == pytest.approx(together["s4"], rel=near)


@pytest.mark.parametrize(("more", "near"), [((), 1e-4), (ES, 1e-3)], ids=["plain", "smoothed"])
def test_a_series_of_another_size_is_forecast_alike(more, near, tmp_path):
    model = model_of(tmp_path, *more)
    rows = [row for row in many_rows() if row[0] == "s4"]
    larger = [(n, d, f"{1000 * float(v):.5f}", *rest) for n, d, v, *rest in rows]
    small = numbers(model.predict(write_many(tmp_path, rows, "a.csv")))["s4"]
    large = numbers(model.predict(write_many(tmp_path, larger, "b.csv")))["s4"]
    assert np.array(large) / 1000 == pytest.approx(np.array(small), rel=near)


def test_a_series_without_a_number_is_left_out_and_named(tmp_path):
    rows = [*many_rows(), ("nothing", "2024-01-01", "", 0, "north")]
    task = task_of(tmp_path, rows=rows)
    assert "nothing" not in task.series.names
    assert any("without a number" in note and "nothing" in note for note in task.series.notes)


def test_a_short_series_is_forecast_from_what_it_has(tmp_path):
    model = model_of(tmp_path)
    rows = [("new", f"2024-01-0{d}", d, 0, "south") for d in range(1, 4)]
    given = model.read(write_many(tmp_path, rows, "new.csv"))
    assert any("fewer than the 14 steps" in note.text for note in given.notes)
    (answer,) = model.predict(given.inputs)
    assert answer.times == ("2024-01-04", "2024-01-05", "2024-01-06", "2024-01-07")
    assert np.isfinite(answer.values["sold"]).all()


def test_gaps_are_filled_counted_and_never_judged(tmp_path):
    rows = [row for number, row in enumerate(many_rows()) if number % 9]
    task = task_of(tmp_path, rows=rows)
    assert task.series.filled > 0
    assert task.series.missing.any()
    truth = task.frame.truth(task.held)
    assert truth.isnan().any()
    assert not truth.isnan().all()


# ---- scale and scores


@pytest.mark.parametrize("how", ["season", "mean", "median", "last"])
def test_a_scale_is_undone_and_a_constant_window_has_one(how, tmp_path):
    config = many_config("x.csv", f"many.scaling={how}")
    values = torch.tensor([[3.0, 7.0, 1.0] * 5, [4.0] * 15, [0.0] * 15], dtype=torch.float64)
    scale = scale_of(values, torch.ones_like(values, dtype=torch.bool), config)
    assert torch.isfinite(scale(values)).all()
    assert torch.allclose(scale.restore(scale(values)), values, atol=1e-5)
    assert scale.spread[1:, 0].tolist() == [4.0, 1.0]


def test_what_was_not_measured_moves_no_scale():
    config = many_config("x.csv", "many.scaling=mean")
    values = torch.tensor([[1.0, 3.0, 1000.0, 5.0]], dtype=torch.float64)
    scale = scale_of(values, torch.tensor([[True, True, False, True]]), config)
    assert (scale.level.item(), scale.spread.item()) == (3.0, pytest.approx(4 / 3))


def test_a_logarithm_of_what_has_none_is_refused(tmp_path):
    rows = [*many_rows(), *[("zero", f"2024-01-{d:02}", 0, 0, "north") for d in range(1, 30)]]
    with pytest.raises(DataError, match=r"many\.transform = 'log' needs values above 0"):
        task_of(tmp_path, "many.transform=log", rows=rows)


def test_metrics_are_of_each_series_then_their_mean():
    truth = np.array([[10.0, 20.0], [1.0, NAN], [5.0, 5.0]])
    guess = np.array([[12.0, 20.0], [2.0, 9.0], [5.0, 5.0]])
    each = by_series(truth, guess, np.array([0, 1, 2]), np.array([2.0, 0.5, 0.0]))
    assert each["mase"].tolist()[:2] == [0.5, 2.0]
    assert np.isnan(each["mase"][2])
    found = means(each)
    assert found["mase"] == 1.25
    assert found["smape"] == pytest.approx(((2 * 2 / 22 + 0) / 2 + 2 / 3 + 0) / 3)


def test_the_naive_error_is_of_what_stands_before_the_part():
    series = ManySeries.of("a", [np.array([1.0, 2.0, 4.0, 8.0, 16.0, 32.0])])
    parts = ManySeriesParts.cut(series, np.array([1]), np.array([1]), 1)
    assert naive_errors(parts, 1, "validation").tolist() == [pytest.approx(7 / 3)]
    assert naive_errors(parts, 1, "test").tolist() == [pytest.approx(15 / 4)]


def test_maps_repeat_a_season_each():
    window = torch.arange(6.0)
    found = torch.einsum("t,etk->ek", window, repeating(2, [2, 3], 6, 4))
    assert found.tolist() == [[4.0, 5.0, 4.0, 5.0], [3.0, 4.0, 5.0, 3.0]]


def test_an_untrained_network_repeats_the_season(tmp_path):
    task = task_of(tmp_path, "regularization.dropout=0")
    model = task.finish(task.build_model())
    answers, series = model.predict(task.series), task.series
    for number, answer in enumerate(answers):
        last = series.values[series.ends[number] - 7 : series.ends[number], 0]
        assert answer.values["sold"] == pytest.approx(last[:4], rel=1e-5)


# ---- training and answers


def test_it_learns_more_than_the_baselines(tmp_path):
    rows = many_rows(count=24, longest=90)
    config = many_config(write_many(tmp_path, rows), "training.epochs=15", "columns.known=offer")
    task = tasks.find("forecast_many")(config, 0)
    found = memory.fit(config, threads=1).model.evaluate()
    assert found["mase"] < task.baselines()["seasonal_naive"]["mase"]


def test_predictions_before_the_test_part_are_what_evaluate_judges(tmp_path):
    model = model_of(tmp_path)
    task = task_of(tmp_path)
    windows = Origins.judging(task.parted, "test")
    last = {int(n): int(s) for n, s in zip(windows.series, windows.start, strict=True)}
    series = task.series
    rows = [
        (name, f"{np.datetime64(int(series.starts[n]), 'D') + t}", *cells)
        for n, name in enumerate(series.names)
        for t, cells in enumerate(
            (f"{v[0]:.5f}", int(v[1]), ["north", "south", "east"][n % 3])
            for v in series.values[series.firsts[n] : last[n]]
        )
    ]
    answers = numbers(model.predict(write_many(tmp_path, rows, "before.csv")))
    truth = {name: series.values[last[n] : last[n] + 4, 0] for n, name in enumerate(series.names)}
    naive = dict(zip(series.names, naive_errors(task.parted, 7, "test"), strict=True))
    report = model.evaluate()
    hardest = report["hardest"][0]["series"]
    counts = np.bincount(windows.series.numpy())
    if counts[series.names.index(hardest)] == 1:
        error = np.abs(np.array(answers[hardest]) - truth[hardest]).mean() / naive[hardest]
        assert error == pytest.approx(report["hardest"][0]["mase"], rel=1e-4)
    assert set(report["examples"][0]) >= {"truth", "forecast", "start"}


def test_a_saved_model_says_the_same(tmp_path):
    more = ("forecast.distribution=quantile", "many.embed=true", "forecast.calendar=true")
    model = model_of(tmp_path, *more)
    model.save(tmp_path / "model")
    again = carousel.load(tmp_path / "model")
    path = tmp_path / "many.csv"
    assert [a.to_json() for a in again.predict(path)] == [a.to_json() for a in model.predict(path)]


@pytest.mark.parametrize("distribution", ["quantile", "gaussian", "student-t"])
def test_intervals_hold_the_middle_and_their_share_of_the_validation_part(distribution, tmp_path):
    task = task_of(tmp_path, f"forecast.distribution={distribution}")
    trained = task.finish(task.build_model())
    for answer in trained.predict(task.series):
        for middle, (low, high) in zip(
            answer.values["sold"], answer.intervals["sold"], strict=True
        ):
            assert low < middle < high
    assert trained.evaluate("validation")["coverage"] == pytest.approx(0.8, abs=0.1)


def test_what_is_known_beforehand_must_be_there(tmp_path):
    model = model_of(tmp_path, "columns.known=offer")
    with pytest.raises(DataError, match="rows for the 4 steps to come"):
        model.predict(tmp_path / "many.csv")
    rows = [row for row in many_rows() if row[0] == "s1"]
    last = rows[-1][1]
    coming = [
        ("s1", last + (t + 1) * (rows[1][1] - rows[0][1]), "", t % 2, "south") for t in range(4)
    ]
    (one,) = model.predict(write_many(tmp_path, [*rows, *coming], "known.csv"))
    coming[0] = (*coming[0][:3], 1, "south")
    (other,) = model.predict(write_many(tmp_path, [*rows, *coming], "other.csv"))
    assert one.values["sold"][0] != other.values["sold"][0]


def test_a_batch_in_which_nothing_was_measured_changes_nothing(tmp_path):
    task = task_of(tmp_path)
    x, after, static, ends, truth = task.batch(task.held)
    model = task.build_model()
    step = task.loss(model, (x, after, static, ends, torch.full_like(truth, NAN)))
    step.objective.backward()
    assert step.objective.item() == step.sums["loss"].item() == step.weight == 0
    assert all(not p.grad.any() for p in model.parameters() if p.grad is not None)
    one = truth.clone()
    one[1:] = NAN
    alone = task.loss(model, (x[:1], after[:1], static[:1], ends[:1], truth[:1]))
    torch.testing.assert_close(
        task.loss(model, (x, after, static, ends, one)).objective, alone.objective
    )


def test_what_validates_must_have_been_measured_in_some_series(tmp_path):
    def last(rows, lost):
        """Rows of which the last of some series, those that validate and judge, are empty."""
        count = {name: sum(row[0] == name for row in rows) for name in {row[0] for row in rows}}
        seen = dict.fromkeys(count, 0)
        for row in rows:
            seen[row[0]] += 1
            gone = row[0] in lost and count[row[0]] - 24 < seen[row[0]] < count[row[0]]
            yield (*row[:2], "" if gone else row[2], *row[3:])

    rows = many_rows(4)
    with pytest.raises(DataError, match=r"no window of the validation part, .* has a measured"):
        task_of(tmp_path, rows=list(last(rows, {"s0", "s1", "s2", "s3"})))
    count = {
        name: max(row[1] for row in rows if row[0] == name) for name in ("s0", "s1", "s2", "s3")
    }
    late = [(*r[:2], "" if (count[r[0]] - r[1]).days < 14 else r[2], *r[3:]) for r in rows]
    with pytest.raises(DataError, match=r"no window of the test part, .* has a measured"):
        task_of(tmp_path, rows=late)
    # MASE is undefined for the one series that can validate: it has no part in choosing the epoch.
    flat = [(*row[:2], "5.0" if row[0] == "s0" else row[2], *row[3:]) for row in rows]
    task = task_of(tmp_path, rows=list(last(flat, {"s1", "s2", "s3"})))
    assert task.validation_metrics == ("smape", "mae")
    assert set(task.validate(task.build_model())) == {"smape", "mae"}


def test_the_coach_compares_forecasts_on_the_scale_that_is_learnt(tmp_path):
    task = task_of(tmp_path, "many.transform=log", "many.scaling=mean")
    model, held = task.build_model(), task.held
    x, after, static, scale = task.frame.read(held)
    with torch.no_grad():
        guess = model(x, after, static)[:, 0, 0]
    logarithms = task.frame.truth(held)[:, :1].log()
    wanted = of_numbers(guess, scale(logarithms)[:, 0], x[:, -1, 0])
    assert task.subject.outputs(model) == pytest.approx(wanted, rel=1e-4)


def test_series_that_lack_what_is_to_be_known_leave_the_others_their_forecasts(tmp_path):
    model = model_of(tmp_path, "columns.known=offer")
    rows = [row for row in many_rows() if row[0] in ("s0", "s1", "s2", "s3")]
    one_day = rows[1][1] - rows[0][1]
    for name in ("s1", "s3"):
        _, last, *_, region = max(row for row in rows if row[0] == name)
        rows += [(name, last + (t + 1) * one_day, "", t % 2, region) for t in range(4)]
    path = write_many(tmp_path, rows, "some.csv")
    with pytest.raises(DataError, match=r"'s0' must end with rows.*target \(and 1 more like it"):
        model.predict(path)
    shown = []
    with pytest.raises(typer.Exit) as ended:
        shown.extend(respond(model, Request(path, as_json=True)))
    assert ended.value.exit_code == 1
    said = [one.text for one in shown if isinstance(one, Notice)]
    assert [text.partition(" must")[0].rpartition(" ")[2] for text in said] == ["'s0'", "'s2'"]
    (found,) = (one.content for one in shown if isinstance(one, Json))
    given = model.read(path)
    assert "'s1' of your own series" in model.example(given, 1).title
    with pytest.raises(DataError, match="'s2' must end with rows"):
        model.example(given, 2)
    alone = [row for row in rows if row[0] in ("s1", "s3")]
    wanted = model.predict(write_many(tmp_path, alone, "alone.csv"))
    assert [one["series"] for one in found] == [one.series for one in wanted] == ["s1", "s3"]
    for one, other in zip(found, wanted, strict=True):
        assert [step["sold"] for step in one["steps"]] == pytest.approx(other.values["sold"])


def test_files_of_a_folder_are_forecast_together_as_each_alone(tmp_path):
    model = model_of(tmp_path)
    folder = tmp_path / "tables"
    folder.mkdir()
    files = [
        write_many(folder, [row for row in many_rows() if int(row[0][1:]) % 3 == n], f"{n}.csv")
        for n in range(3)
    ]
    alone = [one for file in files for one in model.predict(file)]
    together = model.predict(files)
    assert [one.series for one in together] == [one.series for one in alone]
    for one, other in zip(together, alone, strict=True):
        assert one.times == other.times
        assert one.values["sold"] == pytest.approx(other.values["sold"], rel=1e-5)
    outcome = answer_file(model, folder, tmp_path / "answers.csv")
    assert (outcome.answered, outcome.failed) == (12, 0)


def test_a_series_that_training_did_not_have_is_read_as_none(tmp_path):
    model = model_of(tmp_path, "many.embed=true")
    rows = [("stranger", *row[1:]) for row in many_rows() if row[0] == "s2"]
    given = model.read(write_many(tmp_path, rows, "new.csv"))
    assert any("1 series that training did not have" in note.text for note in given.notes)
    known = numbers(model.predict(tmp_path / "many.csv"))["s2"]
    assert numbers(model.predict(given.inputs))["stranger"] != known


def test_another_step_of_time_is_refused(tmp_path):
    model = model_of(tmp_path)
    rows = [(n, f"{d}T00:00", *rest) for n, d, *rest in many_rows()[:40]]
    rows = [(n, f"2024-01-01T{t % 24:02}:00", *rest) for t, (n, _, *rest) in enumerate(rows[:20])]
    with pytest.raises(DataError, match="steps of 1 day, these series have steps of 1 hour"):
        model.predict(write_many(tmp_path, rows, "hours.csv"))


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (["many.seasons=30"], r"many\.seasons = 30 must lie within forecast\.context = 14"),
        (["many.seasons=a"], "whole numbers with commas"),
        (["forecast.season=15"], r"forecast\.season = 15 must lie within"),
        (["columns.id="], r"columns\.id"),
        (["columns.target=sold,offer"], r"columns\.target, one column"),
        (["split.folds=3"], r"split\.folds = 0 is the only choice"),
    ],
)
def test_settings_that_cannot_be_are_refused(settings, said, tmp_path):
    with pytest.raises(ConfigError, match=said):
        task_of(tmp_path, *settings)


def test_steps_are_counted_where_there_are_no_times():
    assert Pace(1, "").texts(np.int64(7), 3) == ("7", "8", "9")
    assert Pace(3, "M").texts(np.int64(0), 2) == ("1970-01", "1970-04")
