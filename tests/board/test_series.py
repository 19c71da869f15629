"""Series cut down in SQL are those of a plain loop, extremes kept, live and looked at closely."""

import math
import random
import sqlite3
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st
from written import Written

from carousel.board.series import (
    BUCKETS,
    Bucket,
    Reader,
    buckets,
    coarser,
    width_for,
)
from carousel.run import reading
from carousel.run.writing import EventStore


def reference(points, width):
    """The same by a plain loop over (step, value), value None for NaN."""
    groups = {}
    for step, value in points:
        groups.setdefault(step // width, []).append((step, value))
    made = []
    for _, group in sorted(groups.items()):
        steps, values = zip(*group, strict=True)
        real = [v for v in values if v is not None]
        mean = math.fsum(real) / len(real) if real else math.nan
        low, high = (min(real), max(real)) if real else (math.nan, math.nan)
        made.append(
            Bucket(min(steps), max(steps), low, high, mean, len(real), len(values) - len(real))
        )
    return made


def same(found, wanted):
    assert len(found) == len(wanted)
    for a, b in zip(found, wanted, strict=True):
        assert (a.first, a.last, a.count, a.lost) == (b.first, b.last, b.count, b.lost)
        values = pytest.approx([b.low, b.high, b.mean], rel=1e-12, nan_ok=True)
        assert [a.low, a.high, a.mean] == values


def store_of(path, points, name="train/loss"):
    with EventStore(path) as store:
        for step, value in points:
            store.record(step, {name: math.nan if value is None else value})
    return path


values = st.one_of(st.none(), st.floats(-1e6, 1e6))


@given(
    st.dictionaries(st.integers(1, 400), values, min_size=1, max_size=60),
    st.sampled_from([1, 2, 4, 64]),
)
def test_buckets_equal_those_of_a_plain_loop(tmp_path_factory, points, width):
    path = store_of(tmp_path_factory.mktemp("s") / "events.sqlite", sorted(points.items()))
    with reading.reading(path) as store:
        first, last = store.extent(store.signals()["train/loss"])
        assert (first, last) == (min(points), max(points))
        same(list(buckets(store, 1, first, last, width)), reference(sorted(points.items()), width))


@given(
    st.dictionaries(st.integers(1, 400), values, min_size=1, max_size=60),
    st.integers(1, 40),
)
def test_coarser_buckets_are_fewer_and_lose_no_extreme(points, most):
    fine = reference(sorted(points.items()), 1)
    found = coarser(fine, most)
    assert len(found) <= most
    assert (found[0].first, found[-1].last) == (min(points), max(points))
    real = [value for value in points.values() if value is not None]
    assert sum(bucket.count for bucket in found) == len(real)
    assert sum(bucket.lost for bucket in found) == len(points) - len(real)
    kept = [bucket for bucket in found if bucket.count]
    if real:
        assert min(bucket.low for bucket in kept) == min(real)
        assert max(bucket.high for bucket in kept) == max(real)
        total = math.fsum(bucket.mean * bucket.count for bucket in kept)
        assert total == pytest.approx(math.fsum(real), abs=1e-3)


def noisy(count, seed=5, start=1):
    draw = random.Random(seed)
    return [(step, draw.gauss(0, 1)) for step in range(start, start + count)]


def test_a_live_series_equals_a_fresh_reading_at_every_length(tmp_path):
    points = noisy(3 * BUCKETS + 17)
    path, reader = tmp_path / "events.sqlite", Reader()
    for end in (1, 2, 700, BUCKETS, BUCKETS + 1, 2 * BUCKETS + 3, len(points)):
        with EventStore(path) as store:
            for step, value in points[:end]:
                store.record(step, {"train/loss": value})
        found = reader.read(path, ["train/loss"])["train/loss"]
        same(found, Reader().read(path, ["train/loss"])["train/loss"])
        same(found, reference(points[:end], width_for(end)))
        assert len(found) <= BUCKETS + 1


def test_a_live_series_is_read_from_its_last_bucket_on(tmp_path):
    path, reader = store_of(tmp_path / "events.sqlite", noisy(5000)), Reader()
    reader.read(path, ["train/loss"])
    with sqlite3.connect(path) as db:  # nobody does this: it shows that it is not read again
        db.execute("UPDATE points SET value = 99 WHERE step < 4000")
    db.close()
    store_of(path, [(5001, 0.5)])
    found = reader.read(path, ["train/loss"])["train/loss"]
    assert max(bucket.high for bucket in found) < 99
    assert found[-1].last == 5001


def test_a_resumed_run_is_read_anew(tmp_path):
    path, reader = store_of(tmp_path / "events.sqlite", noisy(3000)), Reader()
    reader.read(path, ["train/loss"])
    with EventStore(path) as store:
        store.forget_after(1000)
        store.event(1000, Written("resumed"))
        for step, value in noisy(3000, seed=6, start=1001):
            store.record(step, {"train/loss": value})
    found = reader.read(path, ["train/loss"])["train/loss"]
    same(found, reference(noisy(3000)[:1000] + noisy(3000, seed=6, start=1001), width_for(4000)))


def test_a_closer_look_is_finer_inside_and_the_same_outside(tmp_path):
    points = noisy(64 * BUCKETS)
    path, reader = store_of(tmp_path / "events.sqlite", points), Reader()
    whole = reader.read(path, ["train/loss"])["train/loss"]
    close = reader.read(path, ["train/loss"], within=(30_000.4, 30_500.9))["train/loss"]
    inside = [bucket for bucket in close if bucket.first == bucket.last]
    assert [(b.first, b.low) for b in inside if 30_000 <= b.first <= 30_500] == points[
        29_999:30_500
    ]
    assert [b for b in close if b.last < 29_900] == [b for b in whole if b.last < 29_900]
    assert [b for b in close if b.first > 30_600] == [b for b in whole if b.first > 30_600]
    assert sum(b.count + b.lost for b in close) == len(points)
    assert close == sorted(close, key=lambda bucket: bucket.first)


@pytest.mark.parametrize("within", [(-50, 1e9), (5e9, 6e9), (40, 20), (-9, -3)])
def test_a_look_anywhere_loses_no_point(tmp_path, within):
    path = store_of(tmp_path / "events.sqlite", noisy(5000))
    found = Reader().read(path, ["train/loss"], within)["train/loss"]
    assert sum(bucket.count for bucket in found) == 5000


def test_a_million_steps_keep_their_extremes(tmp_path):
    path, count = tmp_path / "events.sqlite", 1_000_000
    with EventStore(path) as store:
        store.record(1, {"train/loss": 0.5})
    with closing(sqlite3.connect(path)) as db:
        db.execute(
            "WITH RECURSIVE n(i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < ?) "
            "INSERT INTO points SELECT 1, i, i * 7919 % 1000 / 1000.0 FROM n",
            (count,),
        )
        db.execute("UPDATE points SET value = 1e6 WHERE step = 654321")
        db.execute("UPDATE points SET value = -1e6 WHERE step = 1234")
        db.execute("UPDATE points SET value = NULL WHERE step = 999999")
        db.commit()
    found = Reader().read(path, ["train/loss"])["train/loss"]
    assert len(found) <= BUCKETS + 1
    (peak,) = [bucket for bucket in found if bucket.high == 1e6]
    assert peak.first <= 654321 <= peak.last
    (pit,) = [bucket for bucket in found if bucket.low == -1e6]
    assert pit.first <= 1234 <= pit.last
    assert sum(bucket.count for bucket in found) == count - 1
    assert sum(bucket.lost for bucket in found) == 1


def test_series_that_are_missing_or_empty_are_left_out(tmp_path):
    path = store_of(tmp_path / "events.sqlite", noisy(10))
    with sqlite3.connect(path) as db:
        db.execute("INSERT INTO signals (name) VALUES ('empty')")
    db.close()
    assert list(Reader().read(path, ["never", "empty", "train/loss"])) == ["train/loss"]
