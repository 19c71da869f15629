"""What measuring may take, with a clock of the test's own."""

from itertools import pairwise

import pytest

from carousel.coach import budget as budgets
from carousel.coach.budget import Budget


class Clock:
    now = 0.0

    def perf_counter(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(budgets, "time", clock)
    return clock


def trained(clock, budget, steps, cost, each=0.01):
    """Steps of `each` seconds; every measurement takes `cost`."""
    taken = []
    for step in range(1, steps + 1):
        kind = budget.choose(step)
        clock.now += each
        if kind:
            with budget.spending(kind):
                clock.now += cost
            taken.append((step, kind))
    return taken


@pytest.mark.parametrize("cost", [0.001, 0.02, 0.3])
def test_measuring_keeps_to_its_share(clock, cost):
    budget = Budget(0.03, ("a", "b"))
    taken = trained(clock, budget, 6000, cost)
    assert taken
    assert budget.taken <= 0.03 + (cost + 0.15) / budget.seconds


def test_dear_measurements_are_stretched_and_cheap_ones_are_not(clock):
    dear, cheap = Budget(0.03, ("a",)), Budget(0.03, ("a",))
    assert len(trained(clock, dear, 2000, 0.3)) <= 3
    assert len(trained(clock, cheap, 2000, 0.0001)) == 2000


def test_kinds_take_turns(clock):
    taken = trained(clock, Budget(0.5, ("a", "b", "c")), 300, 0.001)
    counts = {kind: sum(k == kind for _, k in taken) for kind in "abc"}
    assert max(counts.values()) - min(counts.values()) <= 1


def test_what_costs_much_is_not_put_off_for_ever_by_what_costs_little(clock):
    budget, taken = Budget(0.03, ("cheap", "dear")), []
    for step in range(1, 20_001):
        kind = budget.choose(step)
        clock.now += 0.01
        if kind:
            with budget.spending(kind):
                clock.now += 0.3 if kind == "dear" else 0.0004
            taken.append(kind)
    assert taken.count("dear") >= 0.4 * 0.03 * 200 / 0.3
    assert taken.count("cheap") > 4000
    assert budget.taken <= 0.031


def test_a_kind_waits_its_spacing(clock):
    taken = trained(clock, Budget(1.0, ("a",), spacing=7), 100, 0.0001)
    steps = [step for step, _ in taken]
    assert min(b - a for a, b in pairwise(steps)) >= 7


def test_what_is_given_up_is_not_chosen_again(clock):
    budget = Budget(1.0, ("a", "b"))
    budget.give_up("a")
    assert {kind for _, kind in trained(clock, budget, 50, 0.001)} == {"b"}


def test_a_cost_that_is_expected_is_waited_for(clock):
    budget = Budget(0.03, ("a",))
    budget.expect("a", 0.6)
    (step, _), *_ = trained(clock, budget, 3000, 0.6)
    assert step * 0.01 == pytest.approx(20, rel=0.02)
