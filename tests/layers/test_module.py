"""The layers as modules: construction, errors, copies, and the tools of torch around them."""

import copy
import pickle

import pytest
import torch
from compiled import precision
from oracle import (
    KINDS,
    as_tuple,
    assert_close,
    assert_layers_agree,
    assert_same,
    evaluate,
    make_pair,
    randn,
    random_state,
    randomise,
)
from torch import nn
from torch.nn.utils import parametrize
from torch.nn.utils.rnn import pack_padded_sequence

import carousel
from carousel import kernels

each_kind = pytest.mark.parametrize("kind", KINDS)
each_name = pytest.mark.parametrize("name", ["RNN", "GRU", "LSTM"])
DEEP = {"num_layers": 2, "bidirectional": True}


@each_name
def test_layer_is_an_instance_of_the_torch_module(name):
    assert isinstance(getattr(carousel, name)(3, 5), getattr(nn, name))


@each_kind
@pytest.mark.parametrize("bias", [True, False])
def test_state_dict_moves_both_ways(kind, bias):
    ours, theirs = make_pair(kind, 3, 5, bias=bias, **DEEP)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    randomise(theirs, seed=9)
    ours.load_state_dict(theirs.state_dict(), strict=True)
    assert_layers_agree(ours, theirs, randn(4, 2, 3))


@each_kind
@pytest.mark.parametrize("bias", [True, False])
def test_initialisation_is_torchs_under_the_same_seed(kind, bias):
    name, options = KINDS[kind]
    drawn = []
    for module in (carousel, nn):
        torch.manual_seed(4)
        drawn.append(getattr(module, name)(3, 5, bias=bias, **DEEP, **options).state_dict())
    assert drawn[0].keys() == drawn[1].keys()
    assert all(torch.equal(drawn[0][key], drawn[1][key]) for key in drawn[1])


def test_arguments_may_be_positional_as_in_torch():
    arguments = (3, 5, 2, False, True, 0.25, True, 2)
    ours, theirs = carousel.LSTM(*arguments), nn.LSTM(*arguments)
    assert repr(ours) == repr(theirs)
    assert repr(carousel.RNN(3, 5, 2, "relu")) == repr(nn.RNN(3, 5, 2, "relu"))


# ---- forget_bias


@pytest.mark.parametrize("value", [1.0, 0.0, -2.5])
def test_forget_bias_sets_the_sum_of_both_biases_and_nothing_else(value):
    torch.manual_seed(4)
    theirs = nn.LSTM(3, 5, proj_size=2, **DEEP).state_dict()
    torch.manual_seed(4)
    ours = carousel.LSTM(3, 5, proj_size=2, **DEEP, forget_bias=value).state_dict()
    assert ours.keys() == theirs.keys()
    biases = [key for key in ours if key.startswith("bias_ih")]
    assert len(biases) == 4
    for key in biases:
        total = ours[key] + ours[key.replace("ih", "hh")]
        assert total[5:10].tolist() == [value] * 5
    for key, tensor in ours.items():
        kept = torch.ones(len(tensor), dtype=torch.bool)
        if "bias" in key:
            kept[5:10] = False
        assert torch.equal(tensor[kept], theirs[key][kept]), key


def test_forget_bias_returns_with_reset_parameters():
    layer = randomise(carousel.LSTM(3, 5, forget_bias=1.0))
    layer.reset_parameters()
    assert (layer.bias_ih_l0 + layer.bias_hh_l0)[5:10].tolist() == [1.0] * 5


def test_forget_bias_without_biases_raises():
    with pytest.raises(ValueError, match="forget_bias needs biases"):
        carousel.LSTM(3, 5, bias=False, forget_bias=1.0)


def test_repr_names_forget_bias_only_where_it_is_set():
    assert repr(carousel.LSTM(3, 5, forget_bias=1.0)) == "LSTM(3, 5, forget_bias=1.0)"
    assert repr(carousel.LSTM(3, 5)) == repr(nn.LSTM(3, 5)) == "LSTM(3, 5)"


# ---- errors


def error_of(call):
    try:
        call()
    except Exception as error:
        return error
    return None


def hidden(*shape, dtype=torch.float32):
    return lambda lstm: tuple(torch.zeros(*shape, dtype=dtype) for _ in range(1 + lstm))


def pair(h, c):
    return lambda lstm: (torch.zeros(*h), torch.zeros(*c)) if lstm else (torch.zeros(*h),)


WRONG_CALLS = {
    "too many features": ((4, 2, 6), None, "input"),
    "too few features": ((4, 2, 2), None, "input"),
    "too many features, unbatched": ((4, 6), None, "input"),
    "input of one dimension": ((3,), None, "input"),
    "input of four dimensions": ((4, 2, 3, 3), None, "input"),
    "hx of other rows": ((4, 2, 3), hidden(1, 3, 5), "hidden|hx"),
    "hx of one row, to be broadcast": ((4, 2, 3), hidden(1, 1, 5), "hidden|hx"),
    "hx of other units": ((4, 2, 3), hidden(1, 2, 4), "hidden|hx"),
    "hx of other layers": ((4, 2, 3), hidden(2, 2, 5), "hidden|hx"),
    "second part of hx of other rows": ((4, 2, 3), pair((1, 2, 5), (1, 3, 5)), "hidden|hx"),
    "second part of hx of other units": ((4, 2, 3), pair((1, 2, 5), (1, 2, 4)), "hidden|hx"),
    "unbatched hx for a batch": ((4, 2, 3), hidden(1, 5), "hx"),
    "batched hx for unbatched input": ((4, 3), hidden(1, 1, 5), "hx"),
    "second part of hx of other dimensions": ((4, 2, 3), pair((1, 2, 5), (1, 5)), "hx"),
}


@pytest.mark.parametrize(
    ("name", "case"),
    [
        (name, case)
        for name in ("RNN", "GRU", "LSTM")
        for case in WRONG_CALLS
        if name == "LSTM" or not case.startswith("second part")
    ],
)
def test_wrong_call_raises_as_torch_does_and_names_the_argument(name, case, path):
    shape, state, argument = WRONG_CALLS[case]
    hx = state and state(name == "LSTM")
    hx = hx if hx is None or name == "LSTM" else hx[0]
    x = torch.zeros(*shape)
    expected = error_of(lambda: getattr(nn, name)(3, 5)(x, hx))
    assert expected is not None
    with pytest.raises(type(expected), match=argument) as raised:
        getattr(carousel, name)(3, 5)(x, hx)
    assert type(raised.value) is type(expected)


@each_name
@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.int64], ids=str)
def test_input_of_another_dtype_raises_as_torch_does(name, dtype, path):
    x = torch.zeros(4, 2, 3, dtype=dtype)
    expected = error_of(lambda: getattr(nn, name)(3, 5)(x))
    assert expected is not None
    with pytest.raises(type(expected), match="input dtype"):
        getattr(carousel, name)(3, 5)(x)


@pytest.mark.parametrize(
    ("name", "dtypes"),
    [
        ("RNN", [torch.float64]),
        ("GRU", [torch.float64]),
        ("LSTM", [torch.float64, torch.float64]),
        ("LSTM", [torch.float64, torch.float32]),
        ("LSTM", [torch.float32, torch.float64]),
    ],
    ids=str,
)
def test_hx_of_another_dtype_raises_as_torch_does(name, dtypes, path):
    parts = tuple(torch.zeros(1, 2, 5, dtype=dtype) for dtype in dtypes)
    hx = parts if name == "LSTM" else parts[0]
    expected = error_of(lambda: getattr(nn, name)(3, 5)(torch.zeros(4, 2, 3), hx))
    assert expected is not None
    with pytest.raises(type(expected)):
        getattr(carousel, name)(3, 5)(torch.zeros(4, 2, 3), hx)


@each_name
def test_packed_sequence_with_wrong_hx_raises_as_torch_does(name, path):
    packed = pack_padded_sequence(torch.zeros(4, 2, 3), torch.tensor([4, 2]))
    parts = tuple(torch.zeros(1, 3, 5) for _ in range(2))
    hx = parts if name == "LSTM" else parts[0]
    expected = error_of(lambda: getattr(nn, name)(3, 5)(packed, hx))
    assert expected is not None
    with pytest.raises(type(expected), match=r"hidden|hx"):
        getattr(carousel, name)(3, 5)(packed, hx)


@each_name
@pytest.mark.parametrize("lengths", [None, [0, 0]], ids=["plain", "lengths"])
def test_no_steps_at_all_raises_as_torch_does(name, lengths, path):
    expected = error_of(lambda: getattr(nn, name)(3, 5)(torch.zeros(0, 2, 3)))
    assert expected is not None
    with pytest.raises(type(expected)):
        getattr(carousel, name)(3, 5)(torch.zeros(0, 2, 3), lengths=lengths)


@pytest.mark.parametrize("hx", [torch.zeros(1, 2, 5), (torch.zeros(1, 2, 5),), 3], ids=str)
def test_lstm_hx_that_is_not_a_pair_raises(hx):
    with pytest.raises(TypeError, match=r"hx must be the pair \(h_0, c_0\)"):
        carousel.LSTM(3, 5)(torch.zeros(4, 2, 3), hx)


@pytest.mark.parametrize("name", ["RNN", "GRU"])
def test_hx_that_is_not_a_tensor_raises(name):
    with pytest.raises(TypeError, match="hx must be a tensor"):
        getattr(carousel, name)(3, 5)(torch.zeros(4, 2, 3), (torch.zeros(1, 2, 5),) * 2)


@each_name
@pytest.mark.parametrize(
    "options",
    [{"hidden_size": 0}, {"num_layers": 0}, {"bias": 1.5}, {"dropout": 1.5}],
    ids=str,
)
def test_wrong_construction_raises_as_torch_does(name, options):
    arguments = {"input_size": 3, "hidden_size": 5} | options
    expected = error_of(lambda: getattr(nn, name)(**arguments))
    assert expected is not None
    raised = error_of(lambda: getattr(carousel, name)(**arguments))
    assert (type(raised), str(raised)) == (type(expected), str(expected))


def test_projection_that_does_not_fit_raises_as_torch_does():
    expected = error_of(lambda: nn.LSTM(3, 5, proj_size=5))
    raised = error_of(lambda: carousel.LSTM(3, 5, proj_size=5))
    assert (type(raised), str(raised)) == (type(expected), str(expected))


@pytest.mark.parametrize("name", ["RNN", "GRU"])
def test_projection_is_of_the_lstm_alone(name):
    assert error_of(lambda: getattr(nn, name)(3, 5, proj_size=2)) is not None
    with pytest.raises(TypeError, match="proj_size"):
        getattr(carousel, name)(3, 5, proj_size=2)


# ---- copies and conversions


@each_kind
@pytest.mark.parametrize(
    "clone",
    [copy.deepcopy, lambda layer: pickle.loads(pickle.dumps(layer))],
    ids=["deepcopy", "pickle"],
)
def test_copy_computes_the_same_and_shares_nothing(kind, clone, path):
    layer, _ = make_pair(kind, 3, 5, **DEEP)
    x = randn(4, 2, 3)
    before = evaluate(layer, x, None, layer.named_parameters())
    twin = clone(layer)
    assert type(twin) is type(layer)
    assert_same(evaluate(twin, x, None, twin.named_parameters()), before)
    randomise(twin, seed=9)
    assert_same(evaluate(layer, x, None, layer.named_parameters()), before)
    assert not torch.equal(twin(x)[0], before["output"])


def test_copy_keeps_forget_bias():
    layer = carousel.LSTM(3, 5, forget_bias=1.0)
    assert copy.deepcopy(layer).forget_bias == 1.0
    assert pickle.loads(pickle.dumps(layer)).forget_bias == 1.0


@each_kind
def test_layer_converted_to_float64_equals_torch(kind, path):
    ours, theirs = make_pair(kind, 3, 5, dtype=torch.float32, **DEEP)
    assert_layers_agree(ours.to(torch.float64), theirs.to(torch.float64), randn(4, 2, 3))


@each_kind
def test_weights_changed_in_place_are_seen(kind, path):
    ours, theirs = make_pair(kind, 3, 5)
    ours(randn(4, 2, 3))
    randomise(ours, seed=9)
    theirs.load_state_dict(ours.state_dict())
    assert_layers_agree(ours, theirs, randn(4, 2, 3))


@each_kind
def test_replaced_parameter_is_seen(kind, path):
    ours, theirs = make_pair(kind, 3, 5)
    ours(randn(4, 2, 3))
    for layer in (ours, theirs):
        layer.weight_hh_l0 = nn.Parameter(2 * layer.weight_hh_l0.detach())
    assert_layers_agree(ours, theirs, randn(4, 2, 3))


@each_kind
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
def test_functional_call_equals_torch_with_those_weights(kind, dtype, path):
    """The module's own weights are float64: a call may bring weights of another dtype."""
    ours, _ = make_pair(kind, 3, 5, **DEEP)
    donor, theirs = make_pair(kind, 3, 5, dtype=dtype, seed=9, **DEEP)
    weights = dict(donor.named_parameters())
    x, hx = randn(4, 2, 3, dtype=dtype), random_state(donor, 2)
    assert_same(
        evaluate(lambda x, hx: torch.func.functional_call(ours, weights, (x, hx)), x, hx, weights),
        evaluate(theirs, x, hx, theirs.named_parameters()),
    )


class Doubled(nn.Module):
    def forward(self, weight):
        return 2 * weight


@each_kind
@pytest.mark.parametrize("weight", ["weight_hh_l0", "weight_ih_l0"])
def test_parametrized_weight_equals_torch_with_that_weight(kind, weight, path):
    ours, theirs = make_pair(kind, 3, 5)
    parametrize.register_parametrization(ours, weight, Doubled())
    with torch.no_grad():
        getattr(theirs, weight).mul_(2)
    original = ours.parametrizations[weight].original
    actual = evaluate(ours, randn(4, 2, 3), None, {weight: original})
    expected = evaluate(theirs, randn(4, 2, 3), None, {weight: getattr(theirs, weight)})
    expected[f"gradient of {weight}"] *= 2
    assert_same(actual, expected)


def test_parametrized_layer_converted_to_float64_equals_torch(path):
    ours, theirs = make_pair("LSTM", 3, 5, dtype=torch.float32)
    parametrize.register_parametrization(ours, "weight_ih_l0", Doubled())
    with torch.no_grad():
        theirs.weight_ih_l0.mul_(2)
    x = randn(4, 2, 3)
    actual, expected = ours.to(torch.float64)(x)[0], theirs.to(torch.float64)(x)[0]
    assert_close(actual, expected, "forward")


@each_kind
def test_frozen_parameters_get_no_gradient_and_the_others_torchs(kind, path):
    ours, theirs = make_pair(kind, 3, 5)
    for layer in (ours, theirs):
        layer.weight_ih_l0.requires_grad_(False)
        y, _ = layer(randn(4, 2, 3))
        y.pow(2).sum().backward()
    assert ours.weight_ih_l0.grad is None
    assert_close(ours.weight_hh_l0.grad, theirs.weight_hh_l0.grad, "gradient")


@each_kind
def test_no_gradient_is_recorded_under_no_grad(kind, path):
    ours, theirs = make_pair(kind, 3, 5)
    with torch.no_grad():
        y, state = ours(randn(4, 2, 3))
        expected, _ = theirs(randn(4, 2, 3))
    assert not y.requires_grad
    assert not any(part.requires_grad for part in as_tuple(state))
    assert_close(y, expected, "forward")


# ---- autocast


def dtypes_under_autocast(layer, x, low=torch.bfloat16, **call):
    with torch.autocast("cpu", low):
        y, state = layer(x, **call)
    return [part.dtype for part in (getattr(y, "data", y), *as_tuple(state))]


@each_kind
def test_autocast_gives_the_dtypes_of_torch(kind, path):
    """oneDNN's LSTM has dtypes of its own: the cells are held to those of torch's operators,
    which run rows of different lengths."""
    ours, theirs = make_pair(kind, 3, 5, dtype=torch.float32)
    x = randn(4, 2, 3, dtype=torch.float32)
    reference = x if path != "cells" else pack_padded_sequence(x, torch.tensor([4, 2]))
    try:
        expected = dtypes_under_autocast(theirs, reference)
    except RuntimeError as error:
        if "could not create a primitive descriptor" not in str(error):
            raise
        pytest.skip("torch.nn itself cannot: oneDNN has no bfloat16 LSTM for this CPU")
    assert dtypes_under_autocast(ours, x) == expected


@each_kind
def test_autocast_gives_packed_sequences_the_dtypes_of_torch(kind, path):
    ours, theirs = make_pair(kind, 3, 5, dtype=torch.float32)
    x = pack_padded_sequence(randn(4, 2, 3, dtype=torch.float32), torch.tensor([4, 2]))
    assert dtypes_under_autocast(ours, x) == dtypes_under_autocast(theirs, x)


@each_kind
def test_autocast_dtypes_do_not_depend_on_whether_a_row_is_empty(kind, path):
    ours, _ = make_pair(kind, 3, 5, dtype=torch.float32)
    x = randn(4, 2, 3, dtype=torch.float32)
    full = dtypes_under_autocast(ours, x, lengths=[4, 2])
    assert dtypes_under_autocast(ours, x, lengths=[4, 0]) == full


@each_kind
@pytest.mark.parametrize("low", [torch.float32, torch.bfloat16], ids=str)
def test_native_kernels_round_their_products_alone_under_autocast(kind, low):
    ours, _ = make_pair(kind, 3, 5, dtype=torch.float32)
    x = randn(4, 2, 3, dtype=torch.float32).to(low)
    with precision(ours, "bf16"):
        expected, _ = ours(x.float())
    with torch.autocast("cpu", torch.bfloat16):
        assert carousel.explain(ours, x).startswith("native")
        y, _ = ours(x)
    assert torch.equal(y, expected.to(y.dtype))


@each_kind
@pytest.mark.parametrize("options", [{}, {"num_layers": 2, "bidirectional": True}], ids=str)
@pytest.mark.parametrize("low", [torch.bfloat16, torch.float16], ids=str)
@pytest.mark.parametrize("state", [None, "float32", "low"])
@pytest.mark.parametrize("packed", [False, True], ids=["padded", "packed"])
def test_autocast_gives_the_dtypes_of_torch_whatever_comes_in(kind, options, low, state, packed):
    ours, theirs = make_pair(kind, 3, 5, dtype=torch.float32, **options)
    x = randn(4, 2, 3, dtype=torch.float32)
    hx = None if state is None else random_state(ours, 2)
    if state == "low":
        hx = tuple(part.to(low) for part in hx) if isinstance(hx, tuple) else hx.to(low)
    for given in (x, x.to(low)):
        read = pack_padded_sequence(given, torch.tensor([4, 2])) if packed else given
        try:
            expected = dtypes_under_autocast(theirs, read, low, hx=hx)
        except RuntimeError as error:
            if "could not create a primitive descriptor" not in str(error):
                raise
            pytest.skip("torch.nn itself cannot: oneDNN has no such LSTM for this CPU")
        if kind == "LSTM" and low == torch.float16 and not packed:
            pytest.skip("oneDNN's LSTM has a rule of its own for float16")
        assert dtypes_under_autocast(ours, read, low, hx=hx) == expected


@each_kind
def test_gradients_under_autocast_are_those_of_its_products_with_the_cotangent_lowered(kind):
    layer, _ = make_pair(kind, 3, 5, dtype=torch.float32)
    x = randn(4, 2, 3, dtype=torch.float32).requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        y, _ = layer(x)
    cotangent = randn(*y.shape, dtype=torch.float32, seed=2).to(y.dtype)
    actual = torch.autograd.grad(y, [x, *layer.parameters()], cotangent)
    with precision(layer, "bf16"):
        y, _ = layer(x)
    expected = torch.autograd.grad(y, [x, *layer.parameters()], cotangent.float())
    for one, other in zip(actual, expected, strict=True):
        assert torch.equal(one, other)


# ---- explain


@each_kind
@pytest.mark.parametrize("name", ["torch", "cells"])
def test_explain_names_the_path(kind, name):
    layer, _ = make_pair(kind, 3, 5, dtype=torch.float32)
    x = torch.zeros(4, 2, 3)
    packed = pack_padded_sequence(x, torch.tensor([4, 2]))
    with kernels.use(name):
        for said in (
            carousel.explain(layer, x),
            carousel.explain(layer, x, lengths=torch.tensor([4, 2])),
            carousel.explain(layer, packed),
        ):
            assert said.startswith(f"{name}: ")
            assert len(said) > len(f"{name}: ")


def test_explain_does_not_run_the_layer():
    layer = carousel.LSTM(3, 5)
    layer.register_forward_pre_hook(lambda *_: pytest.fail("the layer was run"))
    carousel.explain(layer, torch.zeros(4, 2, 3))


@pytest.mark.parametrize("module", [nn.LSTM(3, 5), nn.Linear(3, 5), nn.GRU(3, 5)], ids=str)
def test_explain_of_another_module_raises(module):
    with pytest.raises(TypeError, match=type(module).__name__):
        carousel.explain(module, torch.zeros(4, 2, 3))


def test_explain_of_a_model_names_the_layers_that_it_can_explain():
    model = nn.ModuleDict({"reader": carousel.GRU(3, 4), "writer": carousel.LSTM(4, 5)})
    with pytest.raises(TypeError, match="reads: reader, writer"):
        carousel.explain(model, torch.zeros(4, 2, 3))


def test_explain_of_a_model_of_torchs_layers_says_how_they_are_swapped():
    with pytest.raises(TypeError, match=r"carousel\.accelerate swaps them"):
        carousel.explain(nn.Sequential(nn.GRU(3, 4)), torch.zeros(4, 2, 3))
