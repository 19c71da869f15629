"""Streams by name: limits, numbers, repeats, and the end of those that are idle."""

import numpy as np
import pytest

from carousel.serve.sessions import Refused, Reply, Sessions


@pytest.fixture
def forgotten():
    return []


@pytest.fixture
def sessions(forgotten):
    return Sessions(
        lambda size: None, lambda names, slots: forgotten.extend(names), most=100, idle=10.0
    )


def take(sessions, slots, steps, numbers=None, reply=None):
    fresh = sessions.number(slots, steps, None if numbers is None else np.array(numbers))
    sessions.take_in(slots[fresh], steps, reply)
    return fresh.tolist()


def test_a_stream_keeps_its_slot_and_others_have_their_own(sessions):
    first = sessions.find(["a", "b", "c"], 0.0)
    assert len(set(first.tolist())) == 3
    assert sessions.find(["c", "d", "a"], 1.0).tolist()[::2] == first[[2, 0]].tolist()
    assert len(sessions) == 4


def test_too_many_are_refused_before_any_is_made(sessions):
    sessions.find([str(n) for n in range(99)], 5.0)
    with pytest.raises(Refused, match="99 streams are open and 100 is the most") as refused:
        sessions.find(["x", "y", "0"], 6.0)
    assert (refused.value.status, refused.value.code) == (429, "too_many_streams")
    assert 1 <= refused.value.facts["retry_after"] <= 10
    assert "x" not in sessions.slots
    sessions.find(["x", "0"], 6.0)
    sessions.remove("x")
    sessions.find(["y", "x2", "x2"][:1], 6.0)


def test_repeats_are_told_from_new_steps_and_gaps_are_refused(sessions):
    slots, reply = sessions.find(["a", "b"], 0.0), Reply()
    assert take(sessions, slots, 3, [0, 0], reply) == [True, True]
    assert take(sessions, slots[:1], 2, [3], Reply()) == [True]
    assert take(sessions, slots, 2, [3, 3], Reply()) == [False, True]
    assert sessions.accepted[slots].tolist() == [5, 5]
    for numbers, code in (([6, 5], "gap"), ([5, 4], "already_taken"), ([0, 5], "already_taken")):
        with pytest.raises(Refused) as refused:
            take(sessions, slots, 2, numbers)
        assert refused.value.code == code
        assert refused.value.status == 409
        assert refused.value.facts == {"stream": "b" if code != "gap" and numbers[1] == 4 else "a",
                                       "expected": 5}  # fmt: skip
    assert sessions.figures.repeated == 1


def test_without_numbers_every_step_is_new_and_no_answer_is_kept(sessions):
    slots = sessions.find(["a"], 0.0)
    assert take(sessions, slots, 3) == take(sessions, slots, 3) == [True]
    with pytest.raises(Refused, match="only the answers of the last request are kept"):
        take(sessions, slots, 3, [3])


def test_idle_streams_are_forgotten_and_those_with_steps_under_way_are_not(sessions, forgotten):
    sessions.find(["a", "b"], 0.0)
    busy = sessions.find(["c"], 0.0)
    sessions.take_in(busy, 1, None)
    sessions.find(["b"], 6.0)
    assert sessions.expire(9.0) == 0
    assert sessions.expire(11.0) == 1
    assert forgotten == ["a"]
    sessions.landed(busy)
    assert sessions.expire(15.9) == 1
    assert sessions.expire(17.0) == 1
    assert sorted(forgotten) == ["a", "b", "c"]
    assert len(sessions) == 0
    assert sessions.figures.expired == 3


def test_a_stream_of_a_snapshot_is_idle_since_it_was_seen(sessions):
    sessions.put_back(["a", "b"], np.array([3, 4]), np.array([-8.0, -2.0]))
    assert sessions.expire(1.9) == 0
    assert sessions.expire(2.1) == 1
    assert [*sessions.slots] == ["b"]
    assert sessions.expire(8.1) == 1


def test_a_slot_is_free_again_only_after_its_steps_under_way(sessions, forgotten):
    slots = sessions.find(["a"], 0.0)
    sessions.take_in(slots, 1, None)
    generation = sessions.generation[slots].copy()
    assert sessions.remove("a")
    assert not sessions.remove("a")
    assert forgotten == []
    assert sessions.find(["a"], 1.0) != slots
    sessions.landed(slots)
    assert forgotten == ["a"]
    assert (sessions.generation[slots] == generation + 1).all()


def test_a_stream_that_is_made_anew_begins_at_its_first_step(sessions):
    slots = sessions.find(["a"], 0.0)
    take(sessions, slots, 3, [0], Reply(np.zeros((1, 3, 2))))
    sessions.landed(slots)
    sessions.remove("a")
    again = sessions.find(["a"], 1.0)
    assert take(sessions, again, 2, [0], Reply()) == [True]


def test_streams_that_come_and_go_leave_nothing_behind(sessions):
    """Before their time is up, too; the others end when theirs is."""
    sessions.find(["stays", "ends"], 0.0)
    for n in range(20_000):
        sessions.find([f"short {n}"], 1.0)
        sessions.remove(f"short {n}")
    assert len(sessions._ends) < 2_000
    sessions.find(["stays"], 9.0)
    assert sessions.expire(11.0) == 1
    assert [*sessions.slots] == ["stays"]
