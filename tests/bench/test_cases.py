"""Which rows there are, and what is counted in them."""

import json

import numpy as np
import pytest
from made_up import case

from carousel.bench.cases import (
    GATES,
    OPTIONS,
    SUITES,
    SUITES_ON_DEMAND,
    Case,
    cases,
    make_problem,
)
from carousel.errors import ConfigError

everything = [*cases(threads=2), *cases(SUITES_ON_DEMAND)]


@pytest.mark.parametrize("each", everything, ids=lambda each: f"{each.suite} {each.title}")
def test_flops_are_two_per_weight_and_real_step_and_three_times_that_in_training(each):
    if each.steps * each.batch > 20_000:
        pytest.skip("large arrays")
    problem = make_problem(each)
    weights = sum(w["weight_ih"].size + w["weight_hh"].size for w in problem.weights)
    factor = 3 if each.mode == "training" else 1
    assert each.flops == factor * 2 * weights * int(problem.mask.sum())


def test_titles_are_distinct_within_a_suite_and_survive_json():
    assert len({(each.suite, each.title) for each in everything}) == len(everything)
    for each in everything:
        assert Case.from_json(json.loads(json.dumps(each.to_json()))) == each


def test_every_cell_trains_and_infers_in_every_dense_and_ragged_row():
    for suite in ("dense", "odd", "ragged"):
        rows = cases([suite])
        names = {each.name for each in rows}
        found = {(each.name, each.cell, each.mode) for each in rows}
        assert len(found) == len(names) * len(GATES) * 2


def test_suites_that_take_long_run_only_when_asked_for():
    assert {each.suite for each in cases()} == set(SUITES)
    assert not {each.suite for each in cases()} & set(SUITES_ON_DEMAND)
    rows = cases(["options"])
    assert {(each.cell, each.option) for each in rows} == {
        (cell, option) for cell, options in OPTIONS.items() for option in options
    }


def test_small_rows_are_short_in_every_cell_and_mode_and_up_to_wide_in_one_step():
    rows = cases(["small"])
    shapes = {(each.steps, each.batch, each.hidden) for each in rows}
    assert len(rows) == len(shapes) * len(GATES) * 2
    assert max(steps for steps, _, _ in shapes) == 20
    assert max(hidden for steps, _, hidden in shapes if steps > 1) == 64
    assert max(hidden for steps, _, hidden in shapes if steps == 1) == 1024


def test_quick_has_few_rows_of_every_suite():
    quick = cases(quick=True)
    assert {each.suite for each in quick} == set(SUITES)
    assert len(quick) < len(everything) / 3


def test_only_wants_all_words_in_any_order_and_case():
    assert [each.title for each in cases(only="training gru WIDE")] == ["wide GRU training"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [({"suites": ["fast"]}, "no suite 'fast'"), ({"only": "rows CNN"}, "no row .*'rows CNN'")],
)
def test_a_choice_that_fits_nothing_raises(arguments, says):
    with pytest.raises(ConfigError, match=says):
        cases(**arguments)


@pytest.mark.parametrize(("threads", "counts"), [(1, [1]), (2, [1, 2]), (6, [1, 2, 4, 6])])
def test_scaling_goes_up_to_the_threads_of_the_run(threads, counts):
    rows = [each for each in cases(["scaling"], threads=threads) if each.cell == "LSTM"]
    assert [each.threads for each in rows if each.threads] == counts


def test_problem_has_nothing_in_the_padding_and_is_the_same_again():
    ragged = case(lengths=(3, 1, 2), steps=3, batch=3, inputs=4, hidden=5, bidirectional=True)
    problem, again = make_problem(ragged), make_problem(ragged)
    assert problem.mask.sum(0).tolist() == [3, 1, 2]
    assert problem.mask[:, 1].tolist() == [True, False, False]
    assert not problem.cotangent[~problem.mask].any()
    assert problem.cotangent[problem.mask].all()
    assert np.array_equal(problem.x, again.x)
    assert ragged.shape == "3×3×4×5, bidirectional, lengths 1–3"
