"""A detector says the same without torch: of whole series, and of thousands of them, step by step.

Recurrent layers are the same kernels; the head and the judgement are products of other libraries:
their sums differ in the last bits.
"""

import numpy as np
import pytest
from saved_models import save_detector

import carousel
from carousel import runtime
from carousel.data.watched import Watched, filled
from carousel.errors import ConfigError, DataError

SAME = {"rtol": 1e-5, "atol": 1e-6}


@pytest.fixture
def saved(tmp_path):
    """Save a detector of some settings; both its readers."""

    def save(*settings, **more):
        save_detector(tmp_path, *settings, **more)
        return carousel.load(tmp_path / "model"), runtime.load(tmp_path / "model")

    return save


def rows(count, seed=0, gaps=()):
    draw = np.random.default_rng(seed)
    x = 5 + draw.standard_normal((count, 2)).cumsum(0) / 3
    for t, column in gaps:
        x[t, column] = np.nan
    return x


def watched(name, x):
    full, missing = filled(x)
    return Watched(name, ("flow", "heat"), tuple(map(str, range(len(x)))), full, missing)


KINDS = {
    "forecast": [],
    "levels to learn": ["anomaly.relative=false", "model.num_layers=2"],
    "worst column": ["anomaly.score=worst", "anomaly.smooth=1"],
    "still threshold": ["anomaly.follow=0", "model.cell=gru"],
    "reconstruction": ["anomaly.error=reconstruction"],
    "all of the window": ["anomaly.error=reconstruction", "anomaly.horizon=9", "model.cell=gru"],
}


@pytest.mark.parametrize("name", KINDS)
def test_a_series_is_scored_as_by_the_trained_model(saved, name):
    trained, model = saved(*KINDS[name])
    x = rows(60, gaps=((20, 0), (21, 0), (40, 1), (41, 1), (41, 0)))
    (wanted,) = trained.predict([watched("south", x)])
    found = model.predict(x, "south")
    scores = np.array(wanted.scores)
    assert np.isnan(scores).sum() > 3
    np.testing.assert_allclose(found[:, 0], scores, **SAME)
    sure = ~(abs(scores - 1) < 1e-4)
    np.testing.assert_array_equal(found[sure, 1] > 0, np.array(wanted.alarms)[sure])
    stream = trained.stream("south")
    for t, row in enumerate(x):
        step = stream.step(row)
        np.testing.assert_allclose(found[t, 0], step.score, **SAME)
        if step.columns:
            np.testing.assert_allclose(found[t, 2:-1], [*step.columns.values()], **SAME)
    cold = model.cold
    np.testing.assert_array_equal(found[:, -1], np.maximum(0, cold - np.arange(60)))


@pytest.mark.parametrize("name", KINDS)
def test_streams_in_pieces_are_told_the_bits_of_the_whole(saved, name):
    _, model = saved(*KINDS[name])
    x = np.stack([rows(40, 1), rows(40, 2, gaps=((7, 0), (30, 1))), rows(40, 3)])
    names = ("north", "south", "north")
    wanted = [model.predict(values, each) for values, each in zip(x, names, strict=True)]
    codes = np.array([1.0, 2.0, 1.0])
    streams, slots = runtime.DetectorStreams(model, 4), np.array([3, 0, 2])
    draw, found, at = np.random.default_rng(4), [[], [], []], np.zeros(3, int)
    while (at < 40).any():
        some = np.flatnonzero((at < 40) & (draw.random(3) < 0.7))
        if not len(some):
            continue
        count = draw.integers(1, 6, len(some))
        count = np.minimum(count, 40 - at[some])
        lead = np.where(at[some] == 0, codes[some], np.nan)
        for place, n, first in zip(some.tolist(), count.tolist(), lead, strict=True):
            part = np.full((1, n, 3), np.nan)
            part[0, :, 1:], part[0, 0, 0] = x[place, at[place] : at[place] + n], first
            read = streams.read(slots[[place]], part)
            found[place].append(read)
        longest = int(count.max())
        batch = np.zeros((len(some), longest, 4), np.float32)
        for row, place in enumerate(some.tolist()):
            batch[row, : count[row]] = found[place].pop()[0]
        told = streams.step(slots[some], batch, count)
        begin = 0
        for place, n in zip(some.tolist(), count.tolist(), strict=True):
            np.testing.assert_array_equal(
                told[begin : begin + n], wanted[place][at[place] : at[place] + n]
            )
            begin += n
        at[some] += count
    assert streams.filled == 2


def test_what_is_no_series_of_training_is_refused_and_nothing_is_remembered(saved):
    _, model = saved()
    streams, slot = runtime.DetectorStreams(model), np.array([0])
    step = np.array([[[np.nan, 1.0, 2.0]]])
    with pytest.raises(DataError, match="north, south, each with a scale of its own"):
        streams.read(slot, step)
    step[0, 0, 0] = 3
    with pytest.raises(DataError, match="a number of 0 to 2, got 3"):
        streams.read(slot, step)
    step[0, 0, 0] = 2
    streams.read(slot, step)
    step[0, 0, 0] = 1
    with pytest.raises(DataError, match="this one is of south, got a step of north"):
        streams.read(slot, step)
    step[0, 0, 0] = -1  # which holds for streams of whom nobody said it
    streams.read(slot, step)
    with pytest.raises(DataError, match="feature 2 has the value 1e\\+30"):
        streams.read(slot, np.array([[[np.nan, 1.0, 1e30]]]))
    assert streams.states(slot)["series"].tolist() == [2]
    assert streams.states(slot)["last"].tolist() == [[1.0, 2.0]]
    with pytest.raises(DataError):
        model.predict(rows(5))


def test_one_scale_for_the_set_needs_no_name(saved):
    trained, model = saved("anomaly.scaling=set", series=("",))
    x = rows(30)
    (wanted,) = trained.predict([watched("anything", x)])
    np.testing.assert_allclose(model.predict(x)[:, 0], wanted.scores, **SAME)
    np.testing.assert_array_equal(model.predict(x, "anything"), model.predict(x))
    assert model.series == ()


def test_one_that_reads_from_the_end_is_refused(saved):
    with pytest.raises(ConfigError, match=r"model\.bidirectional"):
        saved("anomaly.error=reconstruction", "model.bidirectional=true")
