"""Batches change nothing: the order of steps, none lost, none twice; deadlines are kept."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carousel.serve.engine import Engine
from carousel.serve.scheduler import Limits


class Recorder:
    """Slots that remember what they were stepped with; an answer is how many steps there were."""

    def __init__(self, slots):
        self.seen = [[] for _ in range(slots)]
        self.batches = []

    def grow(self, capacity):
        self.seen += [[] for _ in range(capacity - len(self.seen))]

    def step(self, slots, x, lengths=None):
        sizes = np.full(len(slots), x.shape[1]) if lengths is None else lengths
        assert len(set(slots.tolist())) == len(slots)
        self.batches.append(list(zip(slots.tolist(), sizes.tolist(), strict=True)))
        told = []
        for slot, steps, size in zip(slots, x, sizes, strict=True):
            for step in steps[:size]:
                self.seen[slot].append(float(step[0]))
                told.append([len(self.seen[slot]), step[0]])
        return np.array(told)


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


group = st.tuples(st.sets(st.integers(0, 90), min_size=1, max_size=6), st.integers(1, 9))
event = st.one_of(group, st.just("turn"), st.floats(0, 0.002))


@settings(max_examples=120, deadline=None)
@given(st.lists(event, max_size=40), st.integers(1, 8), st.integers(1, 5))
def test_every_step_is_taken_once_and_in_the_order_of_its_stream(events, rows, steps):
    clock, streams = Clock(), Recorder(91)
    engine = Engine(streams, Limits(rows, steps, 0.001), clock)
    sent, told, number = [[] for _ in range(91)], [[] for _ in range(91)], 0

    def done(one):
        assert one.error is None
        for slot, answers in zip(one.slots.tolist(), one.answers, strict=True):
            told[slot] += answers.tolist()

    for what in events:
        if what == "turn":
            if clock() >= engine.due():
                assert engine.turn() > 0
        elif isinstance(what, float):
            clock.now += what
        else:
            slots, k = np.array(sorted(what[0])), what[1]
            x = number + np.arange(len(slots) * k, dtype=float).reshape(len(slots), k, 1)
            number += x.size
            for slot, values in zip(slots.tolist(), x[..., 0].tolist(), strict=True):
                sent[slot] += values
            engine.submit(slots, x, done)
    while len(engine.scheduler):
        assert engine.turn() > 0
    assert engine.due() == math.inf
    assert streams.seen == sent
    assert told == [[[n + 1, x] for n, x in enumerate(values)] for values in sent]
    assert engine.counts.steps == sum(map(len, sent))
    assert engine.scheduler.rows == 0


def test_a_group_waits_for_others_no_longer_than_asked():
    clock = Clock()
    engine = Engine(Recorder(9), Limits(rows=3, steps=4, max_wait=0.001), clock)
    assert engine.due() == math.inf
    engine.submit(np.array([1]), np.zeros((1, 1, 1)), lambda g: None)
    clock.now += 0.0004
    engine.submit(np.array([2]), np.zeros((1, 1, 1)), lambda g: None)
    assert engine.due() == pytest.approx(100.001)
    engine.submit(np.array([3]), np.zeros((1, 1, 1)), lambda g: None)
    assert engine.due() == -math.inf  # the batch is full


def test_long_blocks_and_single_steps_do_not_wait_for_each_other_to_end():
    streams, ended = Recorder(40), []
    engine = Engine(streams, Limits(rows=4, steps=2, max_wait=0))
    for slot in range(4):
        engine.submit(np.array([slot]), np.zeros((1, 10, 1)), lambda g: ended.append("long"))
    engine.turn()
    for slot in range(4, 24):
        engine.submit(np.array([slot]), np.zeros((1, 1, 1)), lambda g: ended.append("step"))
    while len(engine.scheduler):
        engine.turn()
        kinds = {size for _, size in streams.batches[-1]}
        if ended.count("step") < 20 and ended.count("long") < 4:
            assert kinds == {1, 2}, "a batch takes from both"
    assert ended.count("long") == 4
    assert ended.index("step") < 4


def test_an_error_of_a_batch_is_told_to_its_groups_alone():
    class Broken(Recorder):
        def step(self, slots, x, lengths=None):
            if 7 in slots:
                raise FloatingPointError("seven")
            return super().step(slots, x, lengths)

    told = {}
    engine = Engine(Broken(9), Limits(rows=1, steps=2, max_wait=0))
    for slot in (1, 7, 2):
        engine.submit(
            np.array([slot]), np.zeros((1, 5, 1)), lambda g: told.setdefault(g.slots[0], g)
        )
    while len(engine.scheduler):
        engine.turn()
    assert isinstance(told[7].error, FloatingPointError)
    assert told[1].error is told[2].error is None
    assert told[1].answers.shape == (1, 5, 2)


def test_steps_of_one_stream_that_queue_up_hold_up_no_other():
    """However many there are: a batch takes the next of each stream."""
    streams, told = Recorder(3000), []
    engine = Engine(streams, Limits(rows=1024, steps=4, max_wait=0))
    for _ in range(2000):
        engine.submit(np.array([7]), np.zeros((1, 1, 1)), lambda g: None)
    for slot in range(8, 20):
        engine.submit(np.array([slot]), np.zeros((1, 1, 1)), lambda g: told.append(g.slots[0]))
    engine.turn()
    assert told == list(range(8, 20))
    assert len(streams.seen[7]) == 1
    assert len(engine.scheduler) == 1999
    while len(engine.scheduler):
        engine.turn()
    assert len(streams.seen[7]) == 2000
