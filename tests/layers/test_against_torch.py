"""The layers compute what torch.nn computes: outputs, final states and every gradient."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from oracle import (
    KINDS,
    assert_layers_agree,
    assert_same,
    evaluate,
    make_pair,
    randn,
    random_state,
)
from torch.nn.utils.rnn import pack_padded_sequence

import carousel
from carousel import kernels

each_kind = pytest.mark.parametrize("kind", KINDS)
each_dtype = pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
with_and_without_state = pytest.mark.parametrize("given_state", [True, False], ids=["hx", "no-hx"])

STACKS = [
    {},
    {"bias": False},
    {"batch_first": True},
    {"bidirectional": True},
    {"num_layers": 2, "bias": False, "bidirectional": True},
    {"num_layers": 2, "batch_first": True, "bidirectional": True},
    {"num_layers": 3},
]


def options_id(options):
    return "-".join(f"{name}={value}" for name, value in options.items()) or "plain"


@each_kind
@each_dtype
@with_and_without_state
@pytest.mark.parametrize("options", STACKS, ids=options_id)
def test_layer_equals_torch(kind, dtype, given_state, options, path):
    ours, theirs = make_pair(kind, 3, 5, dtype=dtype, **options)
    x = randn(4, 4, 3, dtype=dtype)  # a square of steps and rows: a mixed-up layout changes values
    assert_layers_agree(ours, theirs, x, random_state(ours, 4) if given_state else None)


SIZES = [(1, 1, 1, 1), (3, 1, 17, 3), (17, 3, 1, 37), (3, 37, 37, 17), (37, 3, 3, 4)]


@pytest.mark.parametrize(
    ("kind", "size"),
    [(k, s) for k in KINDS for s in SIZES if s[3] > KINDS[k][1].get("proj_size", 0)],
    ids=str,
)
@each_dtype
def test_layer_of_awkward_size_equals_torch(kind, size, dtype, path):
    steps, rows, inputs, hidden = size
    ours, theirs = make_pair(kind, inputs, hidden, dtype=dtype)
    x = randn(steps, rows, inputs, dtype=dtype)
    assert_layers_agree(ours, theirs, x, random_state(ours, rows))


@each_kind
@each_dtype
@with_and_without_state
@pytest.mark.parametrize(
    "options",
    [{}, {"batch_first": True}, {"num_layers": 2, "bidirectional": True}],
    ids=options_id,
)
def test_unbatched_input_equals_torch(kind, dtype, given_state, options, path):
    ours, theirs = make_pair(kind, 3, 5, dtype=dtype, **options)
    x = randn(4, 3, dtype=dtype)
    assert_layers_agree(ours, theirs, x, random_state(ours, None) if given_state else None)


@each_kind
@each_dtype
@with_and_without_state
@pytest.mark.parametrize(
    ("lengths", "enforce_sorted"),
    [([4, 3, 3, 1], True), ([4, 2, 1, 1], False), ([2, 4, 1, 3], False), ([3], True)],
    ids=str,
)
@pytest.mark.parametrize(
    "options",
    [{}, {"num_layers": 2, "bidirectional": True, "batch_first": True}],
    ids=options_id,
)
def test_packed_sequence_equals_torch(
    kind, dtype, given_state, lengths, enforce_sorted, options, path
):
    ours, theirs = make_pair(kind, 3, 5, dtype=dtype, **options)
    rows = len(lengths)
    batch_first = "batch_first" in options
    x = randn(*((rows, 4) if batch_first else (4, rows)), 3, dtype=dtype)
    hx = random_state(ours, rows) if given_state else None

    def packed(layer):
        def run(x, hx):
            layout = pack_padded_sequence(
                x, torch.tensor(lengths), batch_first, enforce_sorted=enforce_sorted
            )
            y, state = layer(layout, hx)
            for name in ("batch_sizes", "sorted_indices", "unsorted_indices"):
                found, wanted = getattr(y, name), getattr(layout, name)
                assert found is wanted or torch.equal(found, wanted), name
            return y, state

        return evaluate(run, x, hx, layer.named_parameters())

    assert_same(packed(ours), packed(theirs))


@each_kind
def test_no_rows_at_all_equals_torch(kind, path):
    ours, theirs = make_pair(kind, 3, 5)
    for mine, reference in zip(ours(randn(4, 0, 3)), theirs(randn(4, 0, 3)), strict=True):
        mine, reference = (mine, reference) if "LSTM" not in kind else (mine[0], reference[0])
        assert mine.shape == reference.shape


@each_kind
def test_input_that_is_not_contiguous_equals_torch(kind, path):
    ours, theirs = make_pair(kind, 3, 5)
    assert_layers_agree(ours, theirs, randn(3, 4, 6).permute(2, 1, 0)[::2])
    assert_layers_agree(ours, theirs, randn(1, 1, 3).expand(4, 2, 3))


@each_kind
def test_state_given_as_zeros_equals_no_state(kind, path):
    layer, _ = make_pair(kind, 3, 5, num_layers=2)
    zeros = random_state(layer, 2)
    zeros = tuple(0 * part for part in zeros) if isinstance(zeros, tuple) else 0 * zeros
    x = randn(4, 2, 3)
    given, absent = evaluate(layer, x, zeros), evaluate(layer, x)
    assert_same({name: given[name] for name in absent}, absent)


@each_kind
@pytest.mark.parametrize("options", [{}, {"num_layers": 3, "batch_first": True}], ids=options_id)
def test_chunked_and_stepwise_equal_whole(kind, options, path):
    layer, _ = make_pair(kind, 3, 5, **options)
    time_dim = 1 if "batch_first" in options else 0
    x, hx = randn(7, 7, 3), random_state(layer, 7)

    def in_pieces(sizes):
        def run(x, state):
            outputs = []
            for piece in x.split(sizes, time_dim):
                y, state = layer(piece, state)
                outputs.append(y)
            return torch.cat(outputs, time_dim), state

        return evaluate(run, x, hx, layer.named_parameters())

    whole = in_pieces([7])
    assert_same(in_pieces([2, 1, 4]), whole)
    assert_same(in_pieces([1] * 7), whole)


@each_kind
@pytest.mark.parametrize("options", [{}, {"num_layers": 2, "bidirectional": True}], ids=options_id)
def test_row_alone_equals_row_in_batch(kind, options, path):
    layer, _ = make_pair(kind, 3, 5, **options)
    x = randn(4, 3, 3)
    together, _ = layer(x)
    alone = torch.cat([layer(x[:, row : row + 1])[0] for row in range(3)], dim=1)
    assert_same({"output": alone}, {"output": together})


geometries = st.fixed_dictionaries(
    {
        "kind": st.sampled_from(sorted(KINDS)),
        "steps": st.integers(1, 6),
        "rows": st.none() | st.integers(1, 5),
        "inputs": st.integers(1, 9),
        "hidden": st.integers(3, 19),
        "dtype": st.sampled_from([torch.float32, torch.float64]),
        "given_state": st.booleans(),
    }
)
stacks = st.fixed_dictionaries(
    {
        "num_layers": st.integers(1, 3),
        "bias": st.booleans(),
        "batch_first": st.booleans(),
        "bidirectional": st.booleans(),
    }
)


@pytest.mark.parametrize("name", ["torch", "cells"])
@given(geometry=geometries, options=stacks)
@settings(max_examples=40, deadline=None, derandomize=True, database=None)
def test_layer_of_any_geometry_equals_torch(name, geometry, options):
    steps, rows, dtype = geometry["steps"], geometry["rows"], geometry["dtype"]
    ours, theirs = make_pair(
        geometry["kind"], geometry["inputs"], geometry["hidden"], dtype=dtype, **options
    )
    batch = [] if rows is None else [rows]
    leading = [*batch, steps] if options["batch_first"] else [steps, *batch]
    x = randn(*leading, geometry["inputs"], dtype=dtype)
    with kernels.use(name):
        hx = random_state(ours, rows) if geometry["given_state"] else None
        assert_layers_agree(ours, theirs, x, hx)


# ---- dropout


@each_kind
def test_dropout_in_evaluation_equals_torch(kind, path):
    ours, theirs = make_pair(kind, 3, 5, num_layers=2, dropout=0.5)
    assert_layers_agree(ours.eval(), theirs.eval(), randn(4, 2, 3))


@each_kind
@pytest.mark.parametrize("packed", [False, True], ids=["padded", "packed"])
def test_dropout_in_training_equals_torch_under_the_same_seed(kind, packed):
    ours, theirs = make_pair(kind, 3, 5, num_layers=3, dropout=0.4, bidirectional=True)

    def seeded(layer):
        def run(x, hx):
            torch.manual_seed(3)
            return layer(pack_padded_sequence(x, torch.tensor([4, 2])) if packed else x, hx)

        return evaluate(run, randn(4, 2, 3), None, layer.named_parameters())

    with kernels.use("torch"):
        dropped = seeded(ours)
        assert_same(dropped, seeded(theirs))
        assert not torch.equal(dropped["output"], seeded(ours.eval())["output"])


@each_kind
def test_dropout_of_everything_cuts_only_the_vertical_connection(kind, path):
    """With p = 1 the second layer reads zeros; the first layer and the output stay whole."""
    layer, _ = make_pair(kind, 3, 5, num_layers=2, dropout=1.0)
    x = randn(4, 2, 3)
    y, state = layer(x)
    _, kept = layer.eval()(x)
    first = lambda state: (state[0] if isinstance(state, tuple) else state)[0]  # noqa: E731
    assert_same({"layer 1": first(state)}, {"layer 1": first(kept)})

    width = 2 if "projected" in kind else 5
    second, _ = make_pair(kind, width, 5)
    second.load_state_dict(
        {k.replace("_l1", "_l0"): v for k, v in layer.state_dict().items() if "_l1" in k}
    )
    assert_same({"output": y}, {"output": second(torch.zeros(4, 2, width).double())[0]})


def test_dropout_drops_the_stated_share_and_scales_the_rest(path):
    """Two layers that copy their input show the mask itself."""
    layer = carousel.RNN(20, 20, num_layers=2, nonlinearity="relu", bias=False, dropout=0.3)
    with torch.no_grad():
        for name, parameter in layer.named_parameters():
            parameter.copy_(torch.eye(20) if "weight_ih" in name else torch.zeros(20, 20))
    torch.manual_seed(0)
    y, _ = layer(torch.ones(50, 10, 20))
    kept = y != 0
    torch.testing.assert_close(y[kept], torch.full_like(y[kept], 1 / 0.7))
    # 10,000 draws have a standard deviation of 0.0046.
    assert abs(kept.double().mean().item() - 0.7) < 0.025
    assert not torch.equal(kept[0], kept[1])  # a new mask at every step, as torch's
    assert not torch.equal(kept[:, 0], kept[:, 1])
