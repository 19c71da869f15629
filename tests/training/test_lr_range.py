"""The suggestion of a range test of a run stands in the run, and its coach goes by it."""

import pytest
from small import small_config

from carousel.coach.monitor import diagnose
from carousel.coach.record import read_run
from carousel.run.events import RangeTested
from carousel.run.reading import events
from carousel.run.writing import EventStore
from carousel.training import lr_range, train


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "run"
    return train(small_config("training.epochs=2"), seed=1, run_dir=folder, quiet=True).path


def knob(path):
    """What the coach would turn next, and how."""
    evidence, _ = read_run(path)
    found = diagnose(evidence).standing["next-knob"]
    return found.numbers["knob"], [advice.do for advice in found.advice]


def test_a_suggestion_is_on_record_and_the_advice_to_test_stops(run):
    assert knob(run) == ("optimizer.learning_rate", [f"carousel lr-range {run} --fresh"])
    begin = lr_range.start(str(run), fresh=True)
    test = lr_range.range_test(begin.task, begin.model, steps=20)
    lr_range.remember(test, begin, ["training.batch_size=8"])
    (event,) = events(run / "events.sqlite", RangeTested)
    assert event["suggested"] == test.suggestion
    assert event["fresh"]
    assert event["settings"] == ["training.batch_size=8"]
    assert knob(run)[0] != "optimizer.learning_rate"


def test_it_stays_where_a_run_goes_back_to_an_earlier_step(tmp_path):
    path = tmp_path / "events.sqlite"
    with EventStore(path) as store:
        store.event(9, RangeTested(0.01, 0.1, 0.02, 0.1, 0.001, True, "half-way"))
        store.forget_after(3)
    assert [event["suggested"] for event in events(path, "lr_range")] == [0.01]


def test_a_run_begins_as_it_began_or_at_its_best_weights(run):
    best, fresh = (lr_range.start(str(run), fresh=fresh) for fresh in (False, True))
    assert (best.fresh, fresh.fresh) == (False, True)
    assert best.run == fresh.run == run
    assert fresh.origin == "fresh weights"
    assert any(
        (a != b).any()
        for a, b in zip(best.model.parameters(), fresh.model.parameters(), strict=True)
    )
