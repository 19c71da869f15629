"""A pool of streams, stepped in any company and any blocks, says what each would be told alone."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from saved_models import save_model

import carousel
from carousel import runtime
from carousel.errors import ConfigError, DataError
from carousel.runtime.answers import Linear
from carousel.runtime.streams import Streams

CELLS = {
    "lstm": [],
    "two layers": ["model.num_layers=2"],
    "gru": ["model.cell=gru"],
    "gru, reset first": ["model.cell=gru", "model.reset_after=false"],
    "relu": ["model.cell=rnn", "model.nonlinearity=relu"],
    "minlstm": ["model.cell=minlstm", "model.num_layers=2"],
    "slstm": ["model.cell=slstm", "model.hidden_size=12", "model.heads=3", "model.num_layers=2"],
    "sru": ["model.cell=sru", "model.num_layers=2"],
    "rglru": ["model.cell=rglru"],
    "lmu": ["model.cell=lmu", "model.order=5", "model.theta=9.5", "model.num_layers=2"],
    "qrnn2": ["model.cell=qrnn2", "model.num_layers=2"],
    "lru": ["model.cell=lru", "model.num_layers=2"],
    "s6": ["model.cell=s6", "model.order=6", "model.num_layers=2"],
    "peephole": ["model.peephole=true", "model.layer_norm=true"],
    "zoneout": ["regularization.zoneout=0.1", "regularization.zoneout_cell=0.3"],
}
DIFFERENCES = {"mean": [0.1, 0.2, 0, 0], "std": [0.5, 0.6, 1, 2]}


def interleaved(streams, x, slots, choices):
    """Answers (B, T, C) of x (B, T, F), fed in rounds: who takes how many steps is chosen."""
    count, steps = x.shape[:2]
    at, told = np.zeros(count, np.int64), [[] for _ in range(count)]
    while (at < steps).any():
        size = np.minimum([next(choices) for _ in range(count)], steps - at)
        rows = np.flatnonzero(size)
        if not len(rows):
            rows = np.flatnonzero(at < steps)[:1]
            size[rows] = 1
        lengths, longest = size[rows], int(size[rows].max())
        read = np.zeros((len(rows), longest, streams.model.stack.inputs), np.float32)
        for into, row, length in zip(read, rows, lengths, strict=True):
            part = x[row : row + 1, at[row] : at[row] + length]
            into[:length] = streams.read(slots[row : row + 1], part)[0]
        same = bool((lengths == longest).all())
        found = streams.step(slots[rows], read, None if same else lengths)
        for row, part in zip(rows, np.split(found, np.cumsum(lengths)[:-1]), strict=True):
            told[row] += [*part]
        at += size
    return np.array([np.array(each) for each in told])


def chosen(seed):
    draw = np.random.default_rng(seed)
    while True:
        yield int(draw.integers(0, 4))


@pytest.mark.parametrize("name", CELLS)
def test_of_every_cell_streams_in_any_company_are_told_the_bits_of_the_whole(tmp_path, name):
    save_model(tmp_path, "label_frames", "model.hidden_size=13", *CELLS[name])
    model = runtime.load(tmp_path / "model")
    x = np.random.default_rng(1).standard_normal((11, 17, 2))
    streams = Streams(model, 40)
    found = interleaved(streams, x, np.random.default_rng(2).permutation(40)[:11], chosen(3))
    np.testing.assert_array_equal(found, model.predict(x))
    np.testing.assert_array_equal(found[4], model.predict(x[4]))


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 9), st.integers(1, 12), st.integers(0, 2**32 - 1))
def test_random_rounds_give_the_bits_of_whole_sequences(frames, rows, steps, seed):
    x = np.random.default_rng(seed).standard_normal((rows, steps, 2))
    streams = Streams(frames, 12)
    slots = np.random.default_rng(seed + 1).permutation(12)[:rows]
    found = interleaved(streams, x, slots, chosen(seed))
    np.testing.assert_array_equal(found, frames.predict(x))


@pytest.fixture(scope="module")
def frames(tmp_path_factory):
    folder = tmp_path_factory.mktemp("frames")
    save_model(folder, "label_frames", "model.hidden_size=31", "frames.differences=true",
               scaler=DIFFERENCES)  # fmt: skip
    return runtime.load(folder / "model")


@pytest.mark.parametrize("how", ["last", "mean", "max"])
def test_pooled_streams_are_told_what_each_would_be_told_alone(tmp_path, how):
    save_model(tmp_path, "classify_recordings", f"model.pooling={how}", "frames.differences=true",
               scaler=DIFFERENCES)  # fmt: skip
    model = runtime.load(tmp_path / "model")
    x = np.random.default_rng(1).standard_normal((5, 9, 2))
    found = interleaved(Streams(model, 8), x, np.arange(5)[::-1].copy(), chosen(3))
    for row, values in zip(found, x, strict=True):
        model.reset()
        for told, step in zip(row, values, strict=True):
            np.testing.assert_array_equal(told, model.step(step[None])[0])


def test_streams_are_cleared_kept_and_put_elsewhere(frames):
    x = np.random.default_rng(1).standard_normal((3, 8, 2))
    one, other, slots = Streams(frames, 3), Streams(frames, 2), np.array([2, 0, 1])
    one.step(slots, one.read(slots, x[:, :5]))
    kept = one.states(slots)
    other.grow(7)
    other.restore(slots + 4, kept)
    wanted = one.step(slots, one.read(slots, x[:, 5:]))
    np.testing.assert_array_equal(other.step(slots + 4, other.read(slots + 4, x[:, 5:])), wanted)
    one.clear(slots[:2])
    again = one.step(slots[:1], one.read(slots[:1], x[:1]))
    np.testing.assert_array_equal(again, frames.predict(x[0]))
    assert other.capacity == 7
    assert one.state_bytes == sum(part[0].nbytes for part in kept.values())
    with pytest.raises(DataError, match="the state of this model is"):
        other.restore(slots, {"h": kept["h"]})


def test_what_does_not_fit_is_refused_and_not_remembered(frames):
    streams, slots = Streams(frames, 2), np.array([1])
    for x in (np.zeros((1, 2, 3)), np.full((1, 2, 2), np.nan), np.zeros((2, 1, 2)), np.zeros(1),
              np.zeros((1, 0, 2))):  # fmt: skip
        with pytest.raises(DataError):
            streams.read(slots, x)
    x = np.random.default_rng(1).standard_normal((1, 4, 2))
    found = streams.step(slots, streams.read(slots, x))
    np.testing.assert_array_equal(found, frames.predict(x[0]))


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
def test_in_eight_bits_streams_are_told_what_a_layer_in_eight_bits_gives(tmp_path, cell):
    """Against `carousel.Stream(int8=True)`: the states bit for bit, in any company."""
    settings = [f"model.cell={cell}", "model.hidden_size=21", "model.num_layers=2"]
    save_model(tmp_path, "label_frames", *settings)
    trained, model = carousel.load(tmp_path / "model"), runtime.load(tmp_path / "model")
    x = np.random.default_rng(1).standard_normal((9, 13, 2))
    x[4, 7] = 99.0  # beyond the range
    calibration = x[0]
    streams = Streams(model, 30, calibration)
    slots = np.random.default_rng(2).permutation(30)[:9]
    found = interleaved(streams, x, slots, chosen(3))
    read = torch.from_numpy(model.reader.whole(x)[0]).transpose(0, 1)
    layer = trained.model.recurrent
    layer.batch_first = False
    stream = carousel.Stream(layer, int8=True, calibration=read[:, :1])
    states = torch.stack([stream.step(step) for step in read], 1).numpy()
    np.testing.assert_array_equal(found, model.answer(states))
    assert streams.saturated == stream.saturated >= 2
    assert np.abs(found - model.predict(x)).max() < 0.1


def test_more_rows_than_a_batch_of_the_kernels_holds_are_cut(tmp_path):
    save_model(tmp_path, "label_frames", "model.hidden_size=5")
    model = runtime.load(tmp_path / "model")
    x = np.random.default_rng(1).standard_normal((1500, 2, 2))
    streams, slots = Streams(model, 1500, x[:, 0]), np.arange(1500)
    lengths = 1 + slots % 2
    told = streams.step(slots, streams.read(slots, x), lengths)
    alone = Streams(model, 1, x[:, 0])
    for row in (0, 1, 1023, 1024, 1499):
        alone.clear(slots[:1])
        wanted = alone.step(slots[:1], alone.read(slots[:1], x[row : row + 1, : lengths[row]]))
        at = lengths[:row].sum()
        np.testing.assert_array_equal(told[at : at + lengths[row]], wanted)


def test_what_has_no_eight_bits_is_refused_by_name(tmp_path):
    save_model(tmp_path, "label_frames", "model.cell=rnn", "model.nonlinearity=relu")
    with pytest.raises(ConfigError, match="int8: the states of RNN"):
        Streams(runtime.load(tmp_path / "model"), 1, np.zeros((3, 2)))
    save_model(tmp_path, "label_frames", "model.peephole=true")
    with pytest.raises(ConfigError, match="int8: LSTM with options"):
        Streams(runtime.load(tmp_path / "model"), 1, np.zeros((3, 2)))


def test_models_that_read_from_the_end_or_weigh_all_steps_are_refused_by_name(tmp_path):
    save_model(tmp_path, "classify_recordings", "model.bidirectional=true")
    with pytest.raises(ConfigError, match=r"model\.bidirectional"):
        Streams(runtime.load(tmp_path / "model"))
    save_model(tmp_path, "classify_recordings", "model.pooling=attention")
    with pytest.raises(ConfigError, match=r"model\.pooling = 'attention'"):
        Streams(runtime.load(tmp_path / "model"))


@pytest.mark.parametrize("outputs", [1, 3, 8, 9, 70])
def test_a_row_of_a_head_has_the_same_bits_in_any_company(outputs):
    draw = np.random.default_rng(0)
    x = draw.standard_normal((301, 37)).astype(np.float32)
    weight, bias = draw.standard_normal((outputs, 37)), draw.standard_normal(outputs)
    head = Linear(weight.astype(np.float32), bias.astype(np.float32))
    whole = head(x)
    np.testing.assert_allclose(whole, x @ weight.T + bias, rtol=1e-4, atol=1e-5)
    for first, count in ((0, 1), (3, 2), (7, 5), (11, 64), (40, 130)):
        np.testing.assert_array_equal(head(x[first : first + count]), whole[first : first + count])
    np.testing.assert_array_equal(head(x.reshape(7, 43, 37)), whole.reshape(7, 43, outputs))
