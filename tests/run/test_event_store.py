"""The event store keeps what it was told, also when the process dies or the run is rolled back."""

import sqlite3

import pytest
from written import Written

from carousel.run.reading import events, series
from carousel.run.writing import EventStore


@pytest.fixture
def path(tmp_path):
    return tmp_path / "events.sqlite"


def test_points_come_back_in_order_of_steps(path):
    with EventStore(path) as store:
        store.record(2, {"loss": 0.5, "rate": 0.1})
        store.record(1, {"loss": 0.75})
    assert series(path, "loss") == [(1, 0.75), (2, 0.5)]
    assert series(path, "rate") == [(2, 0.1)]
    assert series(path, "never") == []


def test_events_keep_their_body_and_order(path):
    with EventStore(path) as store:
        store.event(3, Written("epoch", best=True, note="안녕"))
        store.event(3, Written("stopped", reason="done"))
    first, second = events(path)
    assert (first["step"], first["kind"], first["best"], first["note"]) == (
        3,
        "epoch",
        True,
        "안녕",
    )
    assert second["reason"] == "done"
    assert second["time"] >= first["time"] > 1.6e9
    assert [event["kind"] for event in events(path, "stopped")] == ["stopped"]


def test_a_second_store_goes_on_where_the_first_ended(path):
    with EventStore(path) as store:
        store.record(1, {"loss": 1.0})
    with EventStore(path) as store:
        store.record(2, {"loss": 2.0, "rate": 0.5})
        assert store.last_step() == 2
    assert series(path, "loss") == [(1, 1.0), (2, 2.0)]


def test_forget_after_drops_what_lies_beyond_a_step(path):
    with EventStore(path) as store:
        for step in range(1, 6):
            store.record(step, {"loss": float(step)})
            store.event(step, Written("epoch"))
        store.event(5, Written("test_used", by="inspect"))
        store.forget_after(3)
        store.record(4, {"loss": 40.0})
    assert series(path, "loss") == [(1, 1.0), (2, 2.0), (3, 3.0), (4, 40.0)]
    assert [event["step"] for event in events(path, "epoch")] == [1, 2, 3]
    assert [use["step"] for use in events(path, "test_used")] == [5]  # it happened, all the same


def test_readers_see_what_was_flushed_while_the_run_goes_on(path):
    with EventStore(path) as store:
        store.record(1, {"loss": 1.0})
        store.flush()
        store.record(2, {"loss": 2.0})
        assert series(path, "loss") == [(1, 1.0)]


def test_the_layout_is_versioned_and_plain(path):
    EventStore(path).close()
    db = sqlite3.connect(path)
    assert db.execute("SELECT value FROM meta WHERE key = 'format'").fetchone() == ("1",)
    db.close()


def test_a_copy_whose_log_can_have_no_index_is_read(path):
    with EventStore(path) as store:
        store.record(1, {"loss": 0.25})
    path.with_name("events.sqlite-shm").mkdir()  # as on a medium that cannot be written to
    assert series(path, "loss") == [(1, 0.25)]
