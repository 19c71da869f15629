"""Inputs that are allowed, and that a kernel gets wrong: strides, extremes, NaN, nothing."""

import pytest
import torch
from compiled import ISAS, by_native, by_oracle, call, layer_of, tensors
from oracle import KINDS, as_tuple, assert_close, assert_same, evaluate, randn, random_state
from torch.nn.utils.rnn import PackedSequence

import carousel
from carousel import kernels

each_kind = pytest.mark.parametrize("kind", KINDS)
T, B, INPUTS, H = 6, 5, 7, 19
RAGGED = [3, 0, 6, 1, 4]
ragged_or_not = pytest.mark.parametrize("lengths", [None, RAGGED], ids=["full", "ragged"])


@pytest.fixture(autouse=True, params=ISAS)
def isa(request, monkeypatch):
    monkeypatch.setenv("CAROUSEL_ISA", request.param)
    return request.param


def problem(kind, **options):
    layer = layer_of(kind, INPUTS, H, **options)
    return layer, randn(T, B, INPUTS, seed=2, dtype=torch.float32), random_state(layer, B)


# ---- memory

LAYOUTS = {
    "second axis first": lambda x: x.transpose(0, 1).contiguous().transpose(0, 1),
    "features first": lambda x: x.permute(2, 0, 1).contiguous().permute(1, 2, 0),
    "every other feature": lambda x: torch.stack([x, torch.full_like(x, torch.nan)], -1).flatten(
        -2
    )[..., ::2],
    "every other row": lambda x: x.repeat_interleave(2, dim=1)[:, ::2],
    "part of wider features": lambda x: torch.cat([x, x], -1)[..., : x.shape[-1]],
    "misaligned": lambda x: torch.cat([x.new_zeros(1), x.flatten()])[1:].view(x.shape),
}


@each_kind
@pytest.mark.parametrize("layout", LAYOUTS)
@ragged_or_not
def test_layout_in_memory_does_not_matter(kind, layout, lengths):
    layer, x, hx = problem(kind, bidirectional=True)
    place = LAYOUTS[layout]

    def run(x, hx):  # placed inside: what is evaluated is a copy
        parts = tuple(place(part) for part in as_tuple(hx))
        y, state = layer(place(x), parts if isinstance(hx, tuple) else parts[0], lengths)
        return place(y), state  # and so the gradient of y comes in another layout

    with kernels.use("native"):
        actual = evaluate(run, x, hx, layer.named_parameters())
    assert_same(actual, by_oracle(layer, x, hx, lengths))


@each_kind
@pytest.mark.parametrize("shape", [(T, 1, INPUTS), (1, B, INPUTS), (T, B, 1)], ids=str)
def test_expanded_input_equals_its_copy(kind, shape):
    layer, _, hx = problem(kind)
    x = randn(*shape, dtype=torch.float32).expand(T, B, INPUTS)
    with kernels.use("native"):
        for actual, expected in zip(
            tensors(layer(x, hx)), tensors(layer(x.contiguous(), hx)), strict=True
        ):
            assert torch.equal(actual, expected)


def gradients(layer, loss):
    return dict(zip(dict(layer.named_parameters()), _grad(layer, loss), strict=True))


def _grad(layer, loss):
    return torch.autograd.grad(loss, list(layer.parameters()))


@each_kind
@ragged_or_not
@pytest.mark.parametrize(
    "loss",
    [
        lambda y, state: y.sum(),
        lambda y, state: y.sum((0, 2)) @ torch.arange(1.0, B + 1, dtype=y.dtype),
        lambda y, state: y[-1].sum(),
        lambda y, state: as_tuple(state)[-1].sum(),
        lambda y, state: as_tuple(state)[0].mean((0, 1)).norm(),
    ],
    ids=["sum", "sum of each row", "last step", "last state", "mean state"],
)
def test_gradient_that_is_expanded_or_absent_equals_the_oracle(kind, lengths, loss):
    layer, x, hx = problem(kind, bidirectional=True)
    with kernels.use("native"):
        actual = gradients(layer, loss(*layer(x, hx, lengths)))
    with kernels.use("cells"):
        expected = gradients(layer, loss(*layer(x, hx, lengths)))
    for name in expected:
        assert_close(actual[name], expected[name], "gradient", name)


def test_weights_that_are_not_contiguous_equal_the_oracle():
    layer, x, hx = problem("LSTM-projected")
    weights = {
        name: weight.detach().T.contiguous().T.requires_grad_()
        for name, weight in layer.named_parameters()
        if weight.dim() == 2
    }
    rest = {n: p for n, p in layer.named_parameters() if n not in weights}

    def run(x, hx):
        return torch.func.functional_call(layer, weights, (x, hx))

    with kernels.use("native"):
        actual = evaluate(run, x, hx, weights | rest)
    expected = by_oracle(layer, x, hx)
    assert_same(actual, {name: expected[name] for name in actual})


# ---- extremes


@each_kind
def test_denormals_equal_the_oracle(kind):
    layer = layer_of(kind, INPUTS, H, bias=False)
    x = 3e-39 * randn(T, B, INPUTS, dtype=torch.float32)
    assert 0 < x.abs().max() < torch.finfo(torch.float32).tiny
    assert_same(by_native(layer, x), by_oracle(layer, x))


@each_kind
@pytest.mark.parametrize("scale", [30.0, 1e3, 1e6, 1e15])
def test_huge_sums_saturate_and_stay_finite(kind, scale):
    layer, x, hx = problem(kind)
    x = scale * x
    if kind == "RNN-relu":  # which does not saturate: its gradients are of the scale of x
        assert_same(by_native(layer, x, hx), by_oracle(layer, x, hx))
        return
    actual, expected = by_native(layer, x, hx), by_oracle(layer, x, hx)
    for name in expected:
        assert actual[name].isfinite().all(), name
        if not name.startswith("gradient"):
            assert_close(actual[name], expected[name], "forward", name)


@each_kind
def test_huge_weights_stay_finite(kind):
    layer, x, hx = problem(kind)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.mul_(1e3 if kind == "RNN-relu" else 1e12)
    for name, tensor in by_native(layer, x, hx).items():
        assert tensor.isfinite().all(), name


@each_kind
@pytest.mark.parametrize("value", [torch.inf, -torch.inf])
def test_infinite_input_is_infinite_or_nan_where_the_oracle_is(kind, value):
    layer, x, hx = problem(kind)
    x[2, 1, 3] = value
    actual, expected = by_native(layer, x, hx), by_oracle(layer, x, hx, dtype=torch.float32)
    for name in expected:
        assert torch.equal(actual[name].isfinite(), expected[name].isfinite()), name


# ---- NaN


def poison(tensor, *place):
    with torch.no_grad():
        tensor[place] = torch.nan


POISONED = {
    "input": lambda layer, x, hx: poison(x, 1, 4, 3),
    "input of the last step": lambda layer, x, hx: poison(x, T - 1, 2, 0),
    "a whole step": lambda layer, x, hx: poison(x, 1),
    "state": lambda layer, x, hx: poison(as_tuple(hx)[-1], 0, 2, 1),
    "input weight": lambda layer, x, hx: poison(layer.weight_ih_l0, 4, 1),
    "recurrent weight": lambda layer, x, hx: poison(layer.weight_hh_l0, 18, 0),
    "bias": lambda layer, x, hx: poison(layer.bias_hh_l0, 3),
}


@each_kind
@pytest.mark.parametrize("where", POISONED)
def test_nan_appears_where_the_oracle_has_it(kind, where):
    layer, x, hx = problem(kind, bidirectional=True)
    POISONED[where](layer, x, hx)
    expected = by_oracle(layer, x, hx)
    assert any(tensor.isnan().any() for tensor in expected.values())
    assert_same(by_native(layer, x, hx), expected)


@each_kind
@pytest.mark.parametrize("where", POISONED)
def test_nan_in_rows_of_unequal_length_appears_where_torch_has_it(kind, where):
    """The oracle computes the padding too, and 0 * NaN in its gradient is NaN."""
    layer, x, hx = problem(kind, bidirectional=True)
    POISONED[where](layer, x, hx)
    lengths = [3, 1, 6, 2, 4]
    expected = by_oracle(layer, x, hx, lengths, packed=True, path="torch")
    assert any(tensor.isnan().any() for tensor in expected.values())
    assert_same(by_native(layer, x, hx, lengths, packed=True), expected)


@each_kind
@pytest.mark.parametrize("bits", [0x7FC00001, 0x7F800001, 0x7FC001FF, 0x7FFFFFFF])
def test_nan_of_any_bits_stays_nan(kind, bits):
    """An exponential that adds to the bits of a float would make a number of some of them."""
    layer, x, hx = problem(kind)
    x[2, 1, 3] = torch.tensor(bits, dtype=torch.int32).view(torch.float32)
    with kernels.use("native"), torch.no_grad():
        y, _ = layer(x, hx)
    assert y[2:, 1].isnan().all()
    assert y[:2].isfinite().all()
    assert y[:, [0, 2, 3, 4]].isfinite().all()


@each_kind
@pytest.mark.parametrize("bits", [0x7FC00001, 0x7F800001, 0x7FC001FF, 0x7FFFFFFF])
def test_nan_of_any_bits_in_one_gate_alone_stays_nan(kind, bits):
    """Where all gates have it, each of the others hides a gate that has lost it."""
    unit = 5
    for gate in range(len(layer_of(kind, INPUTS, H).bias_ih_l0) // H):
        layer, x, hx = problem(kind)
        with kernels.use("native"), torch.no_grad():
            layer.bias_ih_l0[gate * H + unit] = torch.tensor(bits, dtype=torch.int32).view(
                torch.float32
            )
            y, _ = layer(x, hx)
        if layer.proj_size:  # each output mixes all units
            assert y[0].isnan().all()
        else:
            assert y[0, :, unit].isnan().all()
            assert y[0, :, :unit].isfinite().all()


@each_kind
@pytest.mark.parametrize("garbage", [torch.nan, torch.inf, 3e38])
@pytest.mark.parametrize("options", [{}, {"bidirectional": True, "num_layers": 2}], ids=str)
def test_garbage_in_the_padding_does_not_matter(kind, garbage, options):
    layer, x, hx = problem(kind, **options)
    dirty = x.clone()
    dirty[torch.arange(T)[:, None] >= torch.tensor(RAGGED)] = garbage
    clean = by_native(layer, x, hx, RAGGED)
    for name, tensor in by_native(layer, dirty, hx, RAGGED).items():
        assert torch.equal(tensor, clean[name]), name


# ---- nothing, and what does not fit together


@each_kind
@pytest.mark.parametrize("lengths", [None, torch.zeros(0, dtype=torch.int64)], ids=str)
def test_no_rows_give_no_rows_and_gradients_of_zero(kind, lengths):
    layer, _, _ = problem(kind)
    results = evaluate(
        call(layer, lengths), torch.zeros(T, 0, INPUTS), None, layer.named_parameters()
    )
    assert results["output"].shape == (T, 0, layer.proj_size or H)
    for name, tensor in results.items():
        assert torch.count_nonzero(tensor) == 0, name


@each_kind
def test_rows_that_are_all_empty_return_their_state(kind):
    layer, x, hx = problem(kind)
    results = by_native(layer, x, hx, [0] * B)
    assert torch.count_nonzero(results["output"]) == 0
    for k, part in enumerate(as_tuple(hx)):
        assert torch.equal(results[f"state {k}"], part)
    for name, _ in layer.named_parameters():
        assert torch.count_nonzero(results[f"gradient of {name}"]) == 0


BATCH_SIZES = {
    "more rows than data": [5, 4],
    "fewer rows than data": [2, 1],
    "growing": [2, 3, 1],
    "growing again": [3, 1, 2],
    "growing past the data": [2, 4],
    "a step without rows": [5, 0, 1],
    "negative": [5, -1, 2],
}


@pytest.mark.parametrize("name", ["RNN", "GRU", "LSTM"])
@pytest.mark.parametrize("case", BATCH_SIZES)
def test_packed_sequence_with_batch_sizes_that_do_not_fit_raises(name, case):
    packed = PackedSequence(torch.zeros(6, 3), torch.tensor(BATCH_SIZES[case], dtype=torch.int64))
    with pytest.raises(
        RuntimeError, match="batch_sizes"
    ):  # torch raises RuntimeError, or ignores it
        getattr(carousel, name)(3, 5)(packed)
