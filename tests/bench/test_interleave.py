"""Whose turn it is, with contestants that take made-up time."""

import gc
from collections import Counter

import pytest

from carousel.bench.interleave import Plan, measure, schedule


class Fake:
    """Takes `seconds` per call and writes down what happens."""

    def __init__(self, name, seconds, diary):
        self.name, self.seconds, self.diary = name, seconds, diary

    def run(self, calls, warm_up=True):
        self.diary.append((self.name, calls, warm_up))
        return calls * self.seconds


def played(seconds, pools=None, plan=None):
    diary = []
    contestants = {name: Fake(name, each, diary) for name, each in seconds.items()}
    samples = measure(
        contestants,
        pools or dict.fromkeys(seconds, "one"),
        "ours",
        plan or Plan(),
        sleep=lambda pause: diary.append(("pause", pause)),
    )
    return samples, diary


def test_samples_are_seconds_per_call_one_per_round_for_everyone():
    samples, _ = played({"ours": 0.003, "theirs": 0.05}, plan=Plan(budget=1.0))
    assert len(samples["ours"]) == len(samples["theirs"]) >= 5
    assert samples["ours"] == pytest.approx([0.003] * len(samples["ours"]))
    assert samples["theirs"] == pytest.approx([0.05] * len(samples["theirs"]))


def test_short_calls_are_repeated_until_the_turn_is_long_enough():
    plan = Plan(budget=1.0, turn=0.02)
    found = schedule({"ours": 1e-5, "theirs": 0.03}, "ours", plan)
    assert found.calls == {"ours": 2000, "theirs": 1}


@pytest.mark.parametrize("budget", [0.5, 2.5, 10.0])
@pytest.mark.parametrize("each", [1e-5, 1e-3, 0.03, 0.15, 1.0])
def test_quick_ones_fit_the_budget_and_slow_ones_take_no_more_than_twice_that(budget, each):
    plan = Plan(budget=budget, least=5, most=40)
    seconds = {"ours": each, "theirs": 2 * each, "slow": 20 * each}
    found = schedule(seconds, "ours", plan)
    assert plan.least <= found.rounds <= plan.most
    quick = 0.0
    for name, one in seconds.items():
        turn = found.calls[name] * one  # and perhaps a warm-up, once more
        turns = len(range(0, found.rounds, found.every[name]))
        if found.every[name] == 1:
            quick += found.rounds * turn
        else:
            assert turns == 1 or turns * turn <= 3 * budget
    assert quick <= 2 * budget or found.rounds == plan.least or found.every["theirs"] > 1


def test_the_slow_one_sits_out_and_the_others_keep_their_rounds():
    samples, _ = played({"ours": 0.01, "theirs": 0.02, "slow": 1.0}, plan=Plan(budget=2.0))
    took_part = [value for value in samples["slow"] if value is not None]
    assert len(samples["slow"]) == len(samples["ours"]) > 10
    assert 1 <= len(took_part) <= 5
    assert None not in samples["ours"]
    assert samples["slow"][0] is not None


def test_who_takes_longer_than_the_budget_runs_once():
    samples, diary = played({"ours": 0.01, "glacial": 100.0}, plan=Plan(budget=2.0))
    assert [value for value in samples["glacial"] if value is not None] == [100.0]
    assert sum(entry[0] == "glacial" for entry in diary) == 1


def test_the_reference_takes_part_in_every_round_however_slow():
    samples, _ = played({"ours": 3.0, "theirs": 4.0}, plan=Plan(budget=2.0, least=5))
    assert len(samples["ours"]) == 5
    assert None not in samples["ours"]


def test_long_calls_are_not_warmed_up():
    _, diary = played({"ours": 0.01, "long": 0.5}, plan=Plan(budget=4.0))
    timed = diary[2:]
    assert {entry[2] for entry in timed if entry[0] == "ours"} == {True}
    assert {entry[2] for entry in timed if entry[0] == "long"} == {False}


def test_pools_follow_each_other_after_a_pause_and_take_turns_to_begin():
    pools = {"ours": "omp", "theirs": "omp", "other": "own"}
    samples, diary = played(dict.fromkeys(pools, 0.05), pools, Plan(budget=1.0, settle=0.25))
    rounds = len(samples["ours"])
    assert Counter(entry[1] for entry in diary if entry[0] == "pause") == {0.25: 2 * rounds + 2}
    names = [entry[0] for entry in diary if entry[0] != "pause"][3:]
    turns = [tuple(names[k : k + 3]) for k in range(0, len(names), 3)]
    assert all(sorted(turn) == sorted(pools) for turn in turns)
    assert {turn[0] for turn in turns} == set(pools)
    assert all(abs(turn.index("ours") - turn.index("theirs")) == 1 for turn in turns)


def test_one_pool_needs_no_pause():
    _, diary = played({"ours": 0.05, "theirs": 0.05})
    assert "pause" not in {entry[0] for entry in diary}


@pytest.mark.parametrize("enabled", [True, False])
def test_garbage_collection_rests_meanwhile_and_is_as_before_afterwards(enabled):
    seen = []

    class Watching(Fake):
        def run(self, calls, warm_up=True):
            seen.append(gc.isenabled())
            return super().run(calls, warm_up)

    was = gc.isenabled()
    try:
        (gc.enable if enabled else gc.disable)()
        measure({"ours": Watching("ours", 0.1, [])}, {"ours": "one"}, "ours", Plan())
        assert gc.isenabled() is enabled
    finally:
        (gc.enable if was else gc.disable)()
    assert set(seen) == {False}
