"""Batches of rows of different lengths: each row is computed as if it were alone."""

import pytest
import torch
from oracle import (
    KINDS,
    as_tuple,
    assert_close,
    assert_same,
    evaluate,
    make_pair,
    randn,
    random_state,
)
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

each_kind = pytest.mark.parametrize("kind", KINDS)
STACKS = [
    {},
    {"num_layers": 2, "bidirectional": True},
    {"num_layers": 3, "batch_first": True},
    {"bidirectional": True, "batch_first": True, "bias": False},
]
each_stack = pytest.mark.parametrize(
    "options", STACKS, ids=lambda o: "-".join(f"{k}={v}" for k, v in o.items()) or "plain"
)
T, B = 5, 5
LENGTHS = [
    [5, 4, 3, 2, 1],
    [1, 2, 3, 4, 5],
    [3, 0, 5, 0, 1],
    [2, 1, 2, 0, 3],
    [0, 0, 0, 0, 0],
    [5, 5, 5, 5, 5],
]
RAGGED = [3, 0, 5, 2, 1]


def rows_alone(layer, lengths):
    """A function of a padded batch and hx that runs each row by itself, cut to its length."""

    def run(x, hx):
        lstm = isinstance(hx, tuple)
        x = x if layer.batch_first else x.transpose(0, 1)
        outputs, states = [], []
        width = (layer.proj_size or layer.hidden_size) * (2 if layer.bidirectional else 1)
        for row, steps in enumerate(lengths):
            state = tuple(part[:, row] for part in as_tuple(hx))
            y = x.new_zeros(T, width)
            if steps:
                real, state = layer(x[row, :steps], state if lstm else state[0])
                y = torch.cat([real, y[steps:]])
            outputs.append(y)
            states.append(as_tuple(state))
        state = tuple(torch.stack(parts, dim=1) for parts in zip(*states, strict=True))
        y = torch.stack(outputs, dim=0 if layer.batch_first else 1)
        return y, state if lstm else state[0]

    return run


def past_the_end(lengths, batch_first=False):
    past = torch.arange(T)[:, None] >= torch.tensor(lengths)
    return past.T if batch_first else past


@each_kind
@each_stack
@pytest.mark.parametrize("lengths", LENGTHS, ids=str)
def test_lengths_equal_each_row_alone(kind, options, lengths, path):
    ours, theirs = make_pair(kind, 3, 4, **options)
    x, hx = randn(T, B, 3), random_state(ours, B)
    actual = evaluate(
        lambda x, hx: ours(x, hx, lengths=torch.tensor(lengths)), x, hx, ours.named_parameters()
    )
    assert_same(actual, evaluate(rows_alone(theirs, lengths), x, hx, theirs.named_parameters()))
    past = past_the_end(lengths, ours.batch_first)
    assert torch.count_nonzero(actual["output"][past]) == 0
    assert torch.count_nonzero(actual["gradient of x"][past]) == 0


@each_kind
def test_lengths_in_float32_equal_each_row_alone(kind, path):
    ours, theirs = make_pair(kind, 3, 17, dtype=torch.float32, bidirectional=True, num_layers=2)
    x, hx = randn(T, B, 3, dtype=torch.float32), random_state(ours, B)
    assert_same(
        evaluate(lambda x, hx: ours(x, hx, RAGGED), x, hx, ours.named_parameters()),
        evaluate(rows_alone(theirs, RAGGED), x, hx, theirs.named_parameters()),
    )


@each_kind
@each_stack
def test_empty_row_returns_its_state_untouched(kind, options, path):
    layer, _ = make_pair(kind, 3, 4, **options)
    hx = random_state(layer, B)
    _, state = layer(randn(T, B, 3), hx, lengths=RAGGED)
    for after, before in zip(as_tuple(state), as_tuple(hx), strict=True):
        assert torch.equal(after[:, 1], before[:, 1])
    _, state = layer(randn(T, B, 3), lengths=RAGGED)
    for after in as_tuple(state):
        assert torch.count_nonzero(after[:, 1]) == 0


@each_kind
@each_stack
def test_full_lengths_equal_no_lengths(kind, options, path):
    layer, _ = make_pair(kind, 3, 4, **options)
    x, hx = randn(T, B, 3), random_state(layer, B)
    parameters = dict(layer.named_parameters())
    assert_same(
        evaluate(lambda x, hx: layer(x, hx, lengths=[T] * B), x, hx, parameters),
        evaluate(layer, x, hx, parameters),
    )


@each_kind
@each_stack
@pytest.mark.parametrize("lengths", [[3, 1, 5, 2, 1], [4, 1, 3, 2, 1]], ids=str)
def test_lengths_equal_torch_packed_sequence(kind, options, lengths, path):
    """Also when no row reaches the last step."""
    ours, theirs = make_pair(kind, 3, 4, **options)

    def packed(x, hx):
        sequence = pack_padded_sequence(
            x, torch.tensor(lengths), theirs.batch_first, enforce_sorted=False
        )
        y, state = theirs(sequence, hx)
        return pad_packed_sequence(y, theirs.batch_first, total_length=T)[0], state

    x, hx = randn(T, B, 3), random_state(ours, B)
    assert_same(
        evaluate(lambda x, hx: ours(x, hx, lengths=lengths), x, hx, ours.named_parameters()),
        evaluate(packed, x, hx, theirs.named_parameters()),
    )


@each_kind
@each_stack
@pytest.mark.parametrize("garbage", [torch.nan, torch.inf, -torch.inf, 1e300])
def test_garbage_in_padding_changes_neither_outputs_nor_gradients(kind, options, garbage, path):
    layer, _ = make_pair(kind, 3, 4, **options)
    clean, hx = randn(T, B, 3), random_state(layer, B)
    dirty = clean.clone()
    dirty[past_the_end(RAGGED, layer.batch_first)] = garbage
    parameters = dict(layer.named_parameters())
    run = lambda x, hx: layer(x, hx, lengths=RAGGED)  # noqa: E731
    expected = evaluate(run, clean, hx, parameters)
    assert all(tensor.isfinite().all() for tensor in expected.values())
    assert_same(evaluate(run, dirty, hx, parameters), expected)


@each_kind
def test_order_of_rows_does_not_matter(kind, path):
    layer, _ = make_pair(kind, 3, 4, bidirectional=True)
    x, order = randn(T, B, 3), torch.tensor([3, 0, 4, 1, 2])
    lengths = torch.tensor(RAGGED)
    y, state = layer(x, lengths=lengths)
    moved_y, moved_state = layer(x[:, order], lengths=lengths[order])
    assert_close(moved_y, y[:, order], "forward")
    for moved, part in zip(as_tuple(moved_state), as_tuple(state), strict=True):
        assert_close(moved, part[:, order], "forward")


def test_extra_padding_does_not_matter(path):
    layer, _ = make_pair("LSTM", 3, 4, bidirectional=True, num_layers=2)
    x, lengths = randn(T, B, 3), [3, 0, 2, 2, 1]
    short_y, short_state = layer(x[:3], lengths=lengths)
    y, state = layer(x, lengths=lengths)
    assert_close(y[:3], short_y, "forward")
    for part, short in zip(state, short_state, strict=True):
        assert_close(part, short, "forward")


@pytest.mark.parametrize(
    "convert",
    [
        list,
        tuple,
        torch.tensor,
        lambda values: torch.tensor(values, dtype=torch.int32),
        lambda values: torch.tensor(values, dtype=torch.uint8),
        lambda values: torch.tensor([values, values]).T[:, 0],
    ],
    ids=["list", "tuple", "int64", "int32", "uint8", "strided"],
)
def test_lengths_may_be_any_integers(convert, path):
    layer, twin = make_pair("LSTM", 3, 4)
    x, hx = randn(T, B, 3), random_state(layer, B)
    y, _ = layer(x, hx, convert(RAGGED))
    assert_close(y, rows_alone(twin, RAGGED)(x, hx)[0], "forward")


def test_lengths_are_not_modified(path):
    layer, _ = make_pair("GRU", 3, 4)
    lengths, x = torch.tensor(RAGGED), randn(T, B, 3)
    before = x.clone()
    layer(x, lengths=lengths)
    assert lengths.tolist() == RAGGED
    assert torch.equal(x, before)


def test_lengths_of_no_rows_give_no_rows(path):
    layer, _ = make_pair("GRU", 3, 4)
    y, h = layer(randn(T, 0, 3), lengths=torch.zeros(0, dtype=torch.int64))
    assert y.shape == (T, 0, 4)
    assert h.shape == (1, 0, 4)


@each_kind
@pytest.mark.parametrize("rows", [0, 2])
def test_an_input_without_steps_is_refused_as_without_lengths(kind, rows, path):
    layer, theirs = make_pair(kind, 3, 4)
    x, lengths = randn(0, rows, 3), torch.zeros(rows, dtype=torch.int64)
    says = "Expected sequence length to be larger than 0 in RNN"
    for call in (lambda: theirs(x), lambda: layer(x), lambda: layer(x, lengths=lengths)):
        with pytest.raises(RuntimeError, match=says):
            call()


@each_kind
def test_a_row_of_no_steps_keeps_its_initial_state_and_writes_zeros(kind, path):
    layer, _ = make_pair(kind, 3, 4)
    hx = random_state(layer, 2)
    y, state = layer(randn(T, 2, 3), hx, lengths=torch.tensor([T, 0]))
    assert torch.count_nonzero(y[:, 1]) == 0
    first, last = (s if isinstance(s, tuple) else (s,) for s in (hx, state))
    for before, after in zip(first, last, strict=True):
        assert torch.equal(before[:, 1], after[:, 1])


@each_kind
def test_chunked_with_lengths_equals_whole(kind, path):
    layer, _ = make_pair(kind, 3, 4, num_layers=2)
    lengths, hx = torch.tensor(RAGGED), random_state(layer, B)

    def in_chunks(x, state):
        outputs, start = [], 0
        for chunk in x.split([2, 3]):
            here = (lengths - start).clamp(0, len(chunk))
            y, state = layer(chunk, state, lengths=here)
            outputs.append(y)
            start += len(chunk)
        return torch.cat(outputs), state

    x, parameters = randn(T, B, 3), dict(layer.named_parameters())
    assert_same(
        evaluate(in_chunks, x, hx, parameters),
        evaluate(lambda x, hx: layer(x, hx, lengths), x, hx, parameters),
    )


@pytest.mark.parametrize(
    "lengths",
    [
        [6, 1, 1, 1, 1],
        [-1, 1, 1, 1, 1],
        [1, 1, 1, 1],
        [1, 1, 1, 1, 1, 1],
        [[1, 1, 1, 1, 1]],
        3,
        [1.0, 1.0, 1.0, 1.0, 1.0],
        torch.ones(B, dtype=torch.bool),
        torch.ones(B, dtype=torch.complex64),
        torch.ones(B, dtype=torch.complex128),
        torch.ones(B, dtype=torch.bfloat16),
    ],
    ids=str,
)
@pytest.mark.parametrize("batch_first", [False, True])
def test_lengths_that_do_not_fit_raise(lengths, batch_first, path):
    layer, _ = make_pair("LSTM", 3, 4, batch_first=batch_first)
    with pytest.raises(ValueError, match="lengths must"):
        layer(randn(T, B, 3), lengths=lengths)


def test_lengths_are_checked_against_steps_not_rows(path):
    layer, _ = make_pair("GRU", 3, 4)
    with pytest.raises(ValueError, match="between 0 and the 2 steps"):
        layer(randn(2, 4, 3), lengths=[3, 1, 1, 1])
    batch_first, _ = make_pair("GRU", 3, 4, batch_first=True)
    with pytest.raises(ValueError, match="between 0 and the 2 steps"):
        batch_first(randn(4, 2, 3), lengths=[3, 1, 1, 1])


def test_lengths_with_unbatched_input_raise(path):
    layer, _ = make_pair("GRU", 3, 4)
    with pytest.raises(ValueError, match="lengths= needs a batch"):
        layer(randn(T, 3), lengths=[T])


def test_lengths_with_packed_sequence_raise(path):
    layer, _ = make_pair("GRU", 3, 4)
    packed = pack_padded_sequence(randn(T, 2, 3), torch.tensor([5, 2]))
    with pytest.raises(ValueError, match="carries its own lengths"):
        layer(packed, lengths=[5, 2])
