"""Exponential smoothing inside a forecaster of many series: against a loop worked by hand."""

import numpy as np
import pytest
import torch
from small_many import many_config, many_rows, numbers, stirred, write_many

import carousel
from carousel import tasks
from carousel.errors import ConfigError, DataError
from carousel.tasks.forecast_many.smoothing import (
    Smoothing,
    first_courses,
    holt_winters,
    wiggliness,
)
from carousel.tasks.forecast_many.windows import Origins
from carousel.training import memory

ES = ("many.transform=log", "many.smoothing=es-all")
SEASONS = [[], [3], [7], [3, 7], [7, 3], [2, 3, 5], [70]]


def task_of(folder, *more, rows=None):
    config = many_config(write_many(folder, rows), *ES, *more)
    return tasks.find("forecast_many")(config, 0)


def model_of(folder, *more, rows=None):
    return stirred(task_of(folder, *more, rows=rows))


def by_hand(y, seen, alpha, gammas, starts, more):
    """Levels, products of factors, and `more` products to come, of one window, step by step."""
    factors = [[*start] for start in starts]
    level, levels, products = None, [], []
    for t, value in enumerate(y):
        now = [one[t] for one in factors]
        product = np.prod(now)
        products.append(product)
        if level is None and seen[t]:
            level = value / product
        if seen[t]:
            level = alpha * value / product + (1 - alpha) * level
        for one, gamma, factor in zip(factors, gammas, now, strict=True):
            wanted = value / (level * product / factor) if seen[t] else factor
            one.append(gamma * wanted + (1 - gamma) * factor if seen[t] else factor)
        levels.append(np.nan if level is None else level)
    ends = [one[len(y) :] for one in factors]
    return levels, products, [np.prod([e[k % len(e)] for e in ends]) for k in range(more)]


def windows(seasons, steps, rows=4, seed=0):
    """Values, what was measured of them, logits and first factors, unlike in each row."""
    chance = np.random.default_rng(seed)
    values = np.exp(chance.normal(size=(rows, steps)) + 3 * np.arange(rows)[:, None])
    seen = chance.random((rows, steps)) < 0.8
    seen[0] = True
    seen[1, : steps // 2] = False  # begins later
    seen[:, steps // 2] = True
    rates = chance.normal(size=(rows, 1 + len(seasons)))
    starts = [np.exp(0.3 * chance.normal(size=(rows, m))) for m in seasons]
    return values, seen, rates, starts


@pytest.mark.parametrize("steps", [1, 2, 13, 71])
@pytest.mark.parametrize("seasons", SEASONS, ids=str)
def test_levels_and_factors_are_those_of_a_loop_worked_by_hand(seasons, steps):
    values, seen, rates, starts = windows(seasons, steps)
    levels, products, ahead = holt_winters(
        *map(torch.from_numpy, (values, seen, rates)), list(map(torch.from_numpy, starts))
    )
    for row in range(len(values)):
        alpha, *gammas = 1 / (1 + np.exp(-rates[row]))
        own = [start[row] for start in starts]
        wanted = by_hand(values[row], seen[row], alpha, gammas, own, 9)
        known = ~np.isnan(wanted[0])
        np.testing.assert_allclose(levels[row][known], np.array(wanted[0])[known], rtol=1e-10)
        np.testing.assert_allclose(products[row], wanted[1], rtol=1e-10)
        coming = [np.prod([one[row, k % one.size(1)] for one in ahead]) for k in range(9)]
        np.testing.assert_allclose(coming, wanted[2], rtol=1e-10)


def test_before_the_first_measured_step_the_level_is_that_of_it():
    y = torch.tensor([[9.0, 9.0, 4.0, 8.0]])
    seen = torch.tensor([[False, False, True, True]])
    levels, _, _ = holt_winters(y, seen, torch.zeros(1, 1), [])
    assert levels.tolist() == [[4.0, 4.0, 4.0, 6.0]]


def test_what_was_not_measured_moves_nothing():
    values, seen, rates, starts = windows([3, 7], 20)
    other = np.where(seen, values, 17 * values)
    found = [
        holt_winters(*map(torch.from_numpy, (y, seen, rates)), list(map(torch.from_numpy, starts)))
        for y in (values, other)
    ]
    assert torch.equal(found[0][0], found[1][0])
    assert all(torch.equal(a, b) for a, b in zip(found[0][2], found[1][2], strict=True))


@pytest.mark.parametrize("seasons", [[], [2, 4]], ids=str)
def test_gradients_are_those_of_finite_differences(seasons):
    values, seen, rates, starts = windows(seasons, 7, rows=2)
    given = [torch.from_numpy(part).requires_grad_() for part in (values, rates, *starts)]

    def results(y, logits, *factors):
        levels, products, ahead = holt_winters(y, torch.from_numpy(seen), logits, factors)
        return levels.log(), products, *ahead

    assert torch.autograd.gradcheck(results, given)


@pytest.mark.parametrize("seasons", [[1], [3, 2]], ids=str)
def test_gradients_of_everything_learnt_are_those_of_finite_differences(seasons):
    smoothing = Smoothing(2, seasons, horizon=4).double().eval()
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in smoothing.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
        smoothing.own[0] = 0
    z = torch.randn(3, 8, dtype=torch.float64)
    measured = torch.rand(3, 8, dtype=torch.float64).round()
    facts = torch.tensor(
        [[0.5, *(k % m for m in seasons), code] for k, code in enumerate((0, 1, 2), 5)],
        dtype=torch.float64,
    )
    names = [name for name, _ in smoothing.named_parameters()]

    def results(*given):
        return torch.func.functional_call(
            smoothing, dict(zip(names, given, strict=True)), (z, measured, facts)
        )

    given = [p.detach().clone().requires_grad_() for p in smoothing.parameters()]
    gradients = torch.autograd.grad(sum(r.sum() for r in results(*given)), given)
    assert all(not g[0].any() for n, g in zip(names, gradients, strict=True) if "own" in n)
    shift = 1e-6
    for place, gradient in enumerate(gradients):
        found = torch.zeros_like(gradient)
        for i in range(gradient.numel()):
            ends = []
            for sign in (1, -1):
                moved = [one.detach().clone() for one in given]
                moved[place].view(-1)[i] += sign * shift
                ends.append(sum(float(r.sum()) for r in results(*moved)))
            found.view(-1)[i] = (ends[0] - ends[1]) / (2 * shift)
        if "own" in names[place]:
            found[0] = 0  # the row of unknown series is left as it is
        torch.testing.assert_close(gradient, found, rtol=1e-5, atol=1e-7)


def test_the_first_course_is_of_the_first_cycles_after_the_start():
    logs = torch.tensor([[50.0, 1.0, 2.0, 6.0, 4.0, 5.0, 9.0, 70.0]], dtype=torch.float64)
    seen = torch.tensor([[False, True, True, True, True, True, True, True]])
    (course,) = first_courses(logs, seen, [3])
    # cycles (1, 2, 6) and (4, 5, 9), less 3 and 6: -2, -1, 3; they begin at step 1
    assert course.tolist() == [[3.0, -2.0, -1.0]]


def test_a_course_is_followed_as_far_as_its_cycles_are_alike():
    cycles = np.array([[1.0, -2.0, 1.0], [3.0, -2.0, -1.0]])
    course = cycles.mean(0)
    chance = (np.square(cycles - course).sum(0) / 2).sum()
    share = 1 - chance / np.square(course).sum()
    assert 0 < share < 1
    seen = torch.ones(1, 6, dtype=torch.bool)
    (found,) = first_courses(torch.from_numpy(cycles.reshape(1, 6)), seen, [3])
    np.testing.assert_allclose(found[0], share * course)
    (found,) = first_courses(torch.tensor([[1.0, -1.0, -1.0, 1.0]]), seen[:, :4], [2])
    assert found.tolist() == [[0.0, 0.0]]
    (found,) = first_courses(torch.tensor([[1.0, -1.0, 0.0]]), seen[:, :3], [2])
    assert found.tolist() == [[1.0, -1.0]]  # there is one cycle: nothing says that it is chance


def test_a_longer_season_has_what_the_shorter_one_leaves():
    short, long = np.array([1.0, -1.0]), np.array([0.5, 0.5, -0.25, -0.25, -0.25, -0.25])
    logs = torch.from_numpy(np.tile(short, 6) + np.tile(long, 2) + 4)[None]
    seen = torch.ones_like(logs, dtype=torch.bool)
    for order in ([2, 6], [6, 2]):
        found = first_courses(logs, seen, order)
        for season, course in zip(order, found, strict=True):
            wanted = short if season == 2 else long
            np.testing.assert_allclose(course[0], wanted, atol=1e-12)


def test_a_straight_level_is_not_wiggly():
    assert wiggliness(torch.arange(9.0)[None]).item() == 0.0
    assert wiggliness(torch.tensor([[0.0, 1.0]])).item() == 0.0
    levels = np.random.default_rng(0).normal(size=(3, 8))
    wanted = np.square(np.diff(levels, n=2)).mean()
    assert wiggliness(torch.from_numpy(levels)).item() == pytest.approx(wanted)


def test_learnt_factors_stand_at_their_place_in_the_season_whatever_the_window():
    smoothing = Smoothing(2, [5], horizon=10).eval()
    with torch.no_grad():
        smoothing.shared[:] = torch.tensor([-20.0, -20.0, -20.0])  # nothing is followed
        smoothing.own_factors[0][2] = torch.arange(5.0)
    for place in range(5):
        for steps in (1, 4, 5, 13):
            z, ones = torch.zeros(1, steps), torch.ones(1, steps)
            found = smoothing(z, ones, torch.tensor([[1.0, float(place), 2.0]]))
            coming = found.coming - found.levels[:, -1:]
            wanted = [(place + k) % 5 for k in range(10)]
            torch.testing.assert_close(coming, torch.tensor([wanted]).float())


# ---- in the forecaster


@pytest.mark.parametrize(
    "more",
    [
        (),
        ("many.seasons=3",),
        ("many.seasons=3", "many.smoothing=es"),
        ("forecast.season=1",),
        ("forecast.season=1", "many.seasons='1, 5'"),
    ],
)
def test_an_untrained_network_without_maps_forecasts_by_the_smoothing_alone(more, tmp_path):
    task = task_of(tmp_path, "many.mixtures=0", "regularization.dropout=0", *more)
    network = task.build_model()
    model = task.finish(network)
    windows = Origins.after(task.series)
    read = task.frame.read(windows)
    found = network.smoothing(read.x[:, :, 0], read.x[:, :, 1], read.static[:, network.given :])
    wanted = read.scale.restore(found.coming.detach())
    answers = numbers(model.predict(task.series))
    for name, row in zip(task.series.names, wanted.tolist(), strict=True):
        assert answers[name] == pytest.approx(row, rel=1e-5)
    # and the whole of it by hand, for one series
    first = "many.smoothing=es" in more
    seasons = [m for m in network.seasons[: 1 if first else None] if m > 1]
    assert network.smoothing.seasons == seasons
    number = task.series.names.index("s4")
    y = task.frame.contexts(windows)[number].numpy()
    logs = torch.from_numpy(np.log(y))[None]
    courses = first_courses(logs, torch.ones_like(logs, dtype=torch.bool), seasons)
    trusts, rate = [1 / (1 + np.exp(-2.0)), 0.5], 1 / (1 + np.exp(2.0))
    pairs = zip(trusts, courses, strict=False)
    starts = [np.exp(trust * course[0].numpy()) for trust, course in pairs]
    levels, _, coming = by_hand(y, np.ones(len(y)), rate, [rate] * len(seasons), starts, 4)
    assert answers["s4"] == pytest.approx([levels[-1] * one for one in coming], rel=1e-4)


def test_a_table_that_begins_later_meets_the_same_places_of_the_season(tmp_path):
    model = model_of(tmp_path)
    rows = many_rows()
    whole = numbers(model.predict(write_many(tmp_path, rows)))
    first = min(day for name, day, *_ in rows if name == "s4")
    late = [r for r in rows if r[0] == "s4" and (r[1] - first).days >= 18]
    cut = numbers(model.predict(write_many(tmp_path, late, "late.csv")))
    assert cut["s4"] == pytest.approx(whole["s4"], rel=1e-5)


def test_a_series_that_training_did_not_have_is_smoothed_by_what_all_share(tmp_path):
    model = model_of(tmp_path)
    rows = [("stranger", *row[1:]) for row in many_rows() if row[0] == "s2"]
    given = model.read(write_many(tmp_path, rows, "new.csv"))
    said = " ".join(note.text for note in given.notes)
    assert "1 series that training did not have: smoothed by the coefficients that all" in said
    known = numbers(model.predict(tmp_path / "many.csv"))["s2"]
    new = numbers(model.predict(given.inputs))["stranger"]
    assert new != known
    with torch.no_grad():
        for own in (model.model.smoothing.own, *model.model.smoothing.own_factors):
            own[1:] = own[:1]
    assert numbers(model.predict(tmp_path / "many.csv"))["s2"] == pytest.approx(new, rel=1e-5)


def test_a_short_series_and_gaps_are_forecast_from_what_they_have(tmp_path):
    model = model_of(tmp_path)
    rows = [("new", f"2024-01-0{d}", d, 0, "south") for d in range(1, 4)]
    rows += [row for number, row in enumerate(many_rows()) if number % 9]
    for answer in model.predict(write_many(tmp_path, rows, "gaps.csv")):
        assert np.isfinite(answer.values["sold"]).all()
        assert min(answer.values["sold"]) > 0


def test_values_that_have_no_logarithm_are_refused_and_told_what_to_do(tmp_path):
    rows = [*many_rows(), *[("zero", f"2024-01-{d:02}", 0, 0, "north") for d in range(1, 30)]]
    with pytest.raises(DataError, match=r"(?s)needs values above 0.*many\.smoothing = 'none'"):
        task_of(tmp_path, rows=rows)


@pytest.mark.parametrize("how", ["es", "es-all"])
def test_smoothing_needs_logarithms(how, tmp_path):
    config = many_config(write_many(tmp_path), f"many.smoothing={how}")
    with pytest.raises(ConfigError, match=r"many\.smoothing.*many\.transform = log"):
        tasks.find("forecast_many")(config, 0)


def test_counts_are_not_smoothed(tmp_path):
    with pytest.raises(ConfigError, match=r"has no effect with .*leave it out"):
        task_of(tmp_path, "forecast.distribution=negative-binomial")


def test_a_steadier_level_is_asked_for_by_the_loss(tmp_path):
    losses = []
    for steady in (0, 1000):
        task = task_of(tmp_path, f"many.steady={steady}")
        network = task.build_model().eval()
        batch = next(iter(task.train_batches(0, 0)))
        losses.append(task.loss(network, batch).objective)
    x, _, static, *_ = batch
    found = network.smoothing(x[:, :, 0], x[:, :, 1], static[:, network.given :])
    assert (losses[1] - losses[0]).item() == pytest.approx(
        1000 * wiggliness(found.levels).item(), rel=1e-4
    )


@pytest.mark.slow
@pytest.mark.parametrize("distribution", ["quantile", "gaussian", "student-t", "conformal"])
def test_every_distribution_stands_around_the_smoothing(distribution, tmp_path):
    task = task_of(tmp_path, f"forecast.distribution={distribution}")
    for answer in task.finish(task.build_model()).predict(task.series):
        for middle, (low, high) in zip(
            answer.values["sold"], answer.intervals["sold"], strict=True
        ):
            assert 0 < low < middle < high


def test_a_saved_model_says_the_same(tmp_path):
    model = model_of(tmp_path, "many.seasons=3", "model.dilations='1, 3'")
    model.save(tmp_path / "model")
    again = carousel.load(tmp_path / "model")
    path = tmp_path / "many.csv"
    assert [a.to_json() for a in again.predict(path)] == [a.to_json() for a in model.predict(path)]


@pytest.mark.slow
def test_it_learns_more_than_the_baselines(tmp_path):
    rows = many_rows(count=24, longest=90)
    config = many_config(write_many(tmp_path, rows), *ES, "training.epochs=15", "many.steady=10")
    task = tasks.find("forecast_many")(config, 0)
    found = memory.fit(config, threads=1).model.evaluate()
    assert found["mase"] < task.baselines()["seasonal_naive"]["mase"]


def test_only_the_row_of_its_series_is_learnt_from_a_window(tmp_path):
    task = task_of(tmp_path)
    network = task.build_model()
    network.smoothing.unknown = 0.0
    windows = task.drawing.epoch(0, 0)
    few = windows.take(torch.arange(3))
    task.loss(network, task.batch(few)).objective.backward()
    touched = network.smoothing.own_factors[0].grad.abs().sum(1).nonzero().flatten().tolist()
    assert touched == sorted({int(n) + 1 for n in few.series})
    assert isinstance(network.smoothing, Smoothing)
