"""Packed weights that calls without gradients keep: always the bits of packing anew."""

import copy
import gc
import io
import pickle
import weakref
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from changed_weights import CHANGES, MADE, by_data, each_kind, layer_of, views_of
from oracle import as_tuple, randn
from torch import nn
from torch.func import functional_call

import carousel
from carousel import _native
from carousel.kernels import use
from carousel.kernels.products import SETTING
from carousel.kernels.reading import read_directly
from carousel.kernels.watch import moving_copies
from carousel.layers.base import _KEEPER

pytestmark = pytest.mark.skipif(
    moving_copies([torch.zeros(1)]) is None,
    reason="this torch is too old to say who refers to a weight: none are kept",
)


def kept(layer):
    """What the layer keeps now; None if nothing."""
    keeper = vars(layer).get(_KEEPER)
    return keeper and keeper.kept


def packed_anew(layer, *arguments, **named):
    """A call that is looked at closely, and so packs its weights."""
    vars(layer)["check_forward_args"] = layer.check_forward_args
    try:
        return layer(*arguments, **named)
    finally:
        del vars(layer)["check_forward_args"]


def assert_same_as_packed_anew(layer, *arguments, calls=2, **named):
    for _ in range(calls):
        with torch.no_grad():
            y, state = layer(*arguments, **named)
            expected, last = packed_anew(layer, *arguments, **named)
        assert torch.equal(y, expected)
        for ours, theirs in zip(as_tuple(state), as_tuple(last), strict=True):
            assert torch.equal(ours, theirs)


@pytest.fixture(params=["directly", "through Python"])
def reading(request):
    """How the compiled module reads tensors: as on this torch, and as where torch is older."""
    if request.param == "through Python":
        _native.read_tensors_with(0, [], [0, 0, 0])
    yield request.param
    read_directly()


@pytest.fixture
def small():
    """A layer that keeps its weights, and what it was called with."""
    layer, x = layer_of("LSTM").eval(), randn(4, 2, 3, dtype=torch.float32)
    assert_same_as_packed_anew(layer, x)
    assert kept(layer) is not None
    return layer, x


@each_kind
@pytest.mark.parametrize("rows", [1, 5])
@pytest.mark.parametrize(
    "options",
    [{}, {"num_layers": 3, "dropout": 0.5}, {"num_layers": 2, "bidirectional": True}],
    ids=["one", "three", "both directions"],
)
@pytest.mark.parametrize("batch_first", [False, True])
def test_kept_weights_give_the_bits_of_packing_anew(kind, rows, options, batch_first):
    layer = layer_of(kind, batch_first=batch_first, **options).eval()
    for steps in (1, 6):
        shape = (rows, steps) if batch_first else (steps, rows)
        x = randn(*shape, 3, dtype=torch.float32)
        assert_same_as_packed_anew(layer, x)
        assert kept(layer) is not None
        with torch.no_grad():
            hx = layer(x)[1]
        assert_same_as_packed_anew(layer, x, hx)
        assert_same_as_packed_anew(layer, x, hx, lengths=[1 + i % steps for i in range(rows)])
        odd = x.transpose(0, 1).contiguous().transpose(0, 1)
        assert_same_as_packed_anew(layer, odd, hx)


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("LSTM", {"proj_size": 2}),
        ("LSTM", {"layer_norm": True}),
        ("LSTM", {"peephole": True}),
        ("LSTM", {"bias": False}),
        ("LSTM", {"variant": "NIG"}),
        ("GRU", {"reset_after": False}),
        ("GRU", {"zoneout": 0.3, "layer_norm": True}),
        ("RNN", {"variational": 0.3, "activation": "softsign"}),
        ("SLSTM", {"hidden_size": 6, "heads": 2, "num_layers": 2, "bidirectional": True}),
        ("SLSTM", {"nonlinearity": "exp"}),
        ("LSTM", {"weight_dropout": 0.5, "activation": "softsign"}),
    ],
    ids=str,
)
def test_kept_weights_of_options_give_the_bits_of_packing_anew(kind, options):
    layer = getattr(carousel, kind)(3, **{"hidden_size": 5} | options).eval()
    x = randn(4, 5, 3, dtype=torch.float32)
    assert_same_as_packed_anew(layer, x, lengths=[4, 1, 3, 4, 2])
    assert kept(layer) is not None


@each_kind
@pytest.mark.parametrize("change", CHANGES)
def test_calls_see_weights_that_changed(kind, change, reading):
    layer = layer_of(kind).eval()
    x = randn(4, 2, 3, dtype=torch.float32)
    assert_same_as_packed_anew(layer, x)
    with torch.no_grad():
        before = layer(x)[0]
    assert kept(layer) is not None
    change(layer)
    with torch.no_grad():
        assert not torch.equal(layer(x)[0], before), "the change changed nothing"
    assert_same_as_packed_anew(layer, x, calls=3)


@each_kind
@pytest.mark.parametrize("how", ["numpy", "dlpack", "shared", "from numpy"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_calls_see_weights_changed_through_views(kind, how, when):
    layer = layer_of(kind).eval()
    x = randn(4, 2, 3, dtype=torch.float32)
    views = views_of(layer, how) if when == "before" else None
    assert_same_as_packed_anew(layer, x, calls=3)
    views = views_of(layer, how) if views is None else views
    assert_same_as_packed_anew(layer, x, calls=3)
    for view in views:
        view *= 0.5
        assert_same_as_packed_anew(layer, x)
    for view, parameter in zip(views, layer.parameters(), strict=True):
        parameter.data.mul_(2)
        assert np.array_equal(np.asarray(view), parameter.detach().numpy()), "torn from its view"


def test_explain_says_what_is_kept_and_why_it_is_not(small):
    layer, x = small
    assert f"kept packed in {kept(layer).packed.bytes / 1e6:.3g} MB" in carousel.explain(layer, x)
    held = layer.state_dict()
    by_data(layer)
    for _ in range(4):
        assert_same_as_packed_anew(layer, x)
    assert "packed in every call: others refer to their memory" in carousel.explain(layer, x)
    del held
    assert "kept" not in carousel.explain(layer_of("GRU"), x)


def test_weights_made_in_inference_mode_are_packed_in_every_call():
    with torch.inference_mode():
        layer, x = layer_of("GRU"), randn(4, 2, 3, dtype=torch.float32)
        for scale in (0.5, 2, 1):
            assert_same_as_packed_anew(layer, x)
            layer.weight_hh_l0.mul_(scale)
        assert kept(layer) is None
        assert "inference mode" in carousel.explain(layer, x)


def test_calls_in_inference_mode_keep_weights_that_can_be_learned_from(small):
    layer, x = layer_of("GRU"), small[1]
    with torch.inference_mode():
        assert_same_as_packed_anew(layer, x)
    assert kept(layer) is not None
    layer(x)[0].sum().backward()
    assert not layer.weight_hh_l0.is_inference()
    torch.optim.SGD(layer.parameters(), 0.5).step()
    assert_same_as_packed_anew(layer, x)


@pytest.mark.parametrize("made", MADE)
def test_weights_that_are_computed_are_not_kept(made):
    layer = made(layer_of("GRU"), "weight_hh_l0").eval()
    x = randn(4, 2, 3, dtype=torch.float32)
    assert_same_as_packed_anew(layer, x, calls=3)
    assert kept(layer) is None


def test_functional_call_uses_what_it_is_given(small):
    layer, x = small
    other = layer_of("LSTM", bias=True)
    given = {name: 0.5 * value.detach() for name, value in other.named_parameters()}
    other.load_state_dict(given)
    with torch.no_grad():
        expected, own = other(x)[0], layer(x)[0]
        for _ in range(3):
            assert torch.equal(functional_call(layer, given, (x,))[0], expected)
            assert torch.equal(layer(x)[0], own)
        given["weight_hh_l0"].mul_(2)
        other.load_state_dict(given)
        assert torch.equal(functional_call(layer, given, (x,))[0], other(x)[0])


def test_vmap_over_inputs_and_weights_uses_each_weight(small):
    layer, x = small
    both = {n: torch.stack([p, 0.5 * p]) for n, p in layer.named_parameters()}
    with torch.no_grad():
        y = torch.vmap(lambda weights: functional_call(layer, weights, (x,))[0])(both)
        torch.testing.assert_close(y[0], layer(x)[0])
        by_data(layer)
        torch.testing.assert_close(y[1], layer(x)[0])


@pytest.mark.parametrize("how", ["deepcopy", "copy", "pickle", "torch.save"])
def test_copies_of_a_layer_keep_nothing_of_it(small, how):
    layer, x = small
    if how == "torch.save":
        file = io.BytesIO()
        torch.save(layer, file)
        assert len(file.getvalue()) < 10_000
        file.seek(0)
        twin = torch.load(file, weights_only=False)
    elif how == "pickle":
        twin = pickle.loads(pickle.dumps(layer))
    else:
        twin = getattr(copy, how)(layer)
    assert _KEEPER not in vars(twin)
    assert list(twin.state_dict()) == list(layer.state_dict())
    by_data(twin)
    assert_same_as_packed_anew(layer, x)
    assert_same_as_packed_anew(twin, x)


def test_layers_that_share_a_weight_both_see_it_change(small):
    layer, x = small
    other = layer_of("LSTM")
    other.weight_hh_l0 = layer.weight_hh_l0
    for _ in range(2):
        assert_same_as_packed_anew(layer, x, calls=4)
        assert_same_as_packed_anew(other, x, calls=4)
        assert kept(layer) is not None
        assert kept(other) is not None
        layer.weight_hh_l0.data.mul_(0.5)


def test_a_layer_that_was_converted_there_and_back_is_packed_anew(small):
    layer, x = small
    layer.double()
    with torch.no_grad():
        layer(x.double())
    layer.float()
    by_data(layer)
    assert_same_as_packed_anew(layer, x, calls=3)
    layer.to("meta").to_empty(device="cpu")
    for parameter in layer.parameters():
        nn.init.uniform_(parameter)
    assert_same_as_packed_anew(layer, x, calls=3)


@pytest.mark.parametrize("attribute", ["batch_first", "bidirectional"])
def test_a_layer_whose_attributes_changed_is_described_anew(attribute):
    layer = layer_of("GRU", bidirectional=True)
    x = randn(4, 4, 3, dtype=torch.float32)
    assert_same_as_packed_anew(layer, x)
    setattr(layer, attribute, not getattr(layer, attribute))
    if attribute == "bidirectional":  # which has half of the weights
        with torch.no_grad(), pytest.raises(RuntimeError):
            layer(x)
    else:
        assert_same_as_packed_anew(layer, x)


def test_a_weight_turned_around_in_place_is_refused_or_packed_anew(small):
    layer, x = small
    with torch.no_grad():
        layer.weight_hh_l0.t_()
        with pytest.raises(RuntimeError, match="weights"):
            layer(x)
    square = layer_of("RNN-tanh")
    assert_same_as_packed_anew(square, x)
    with torch.no_grad():
        square.weight_hh_l0.t_()
    assert_same_as_packed_anew(square, x)


def answers_directly(layer, *arguments):
    """The answer without a closer look; None of a call that needs one."""
    with torch.no_grad():
        return layer._answer(kept(layer), *arguments)


@each_kind
@pytest.mark.parametrize("batch_first", [False, True])
def test_calls_like_the_one_before_are_answered_without_a_closer_look(kind, batch_first):
    layer = layer_of(kind, num_layers=2, bidirectional=True, batch_first=batch_first).eval()
    x = randn(4, 2, 3, dtype=torch.float32)
    assert_same_as_packed_anew(layer, x)
    if not read_directly():
        pytest.skip("this torch has no functions to read tensors by")
    with torch.no_grad():
        expected, state = packed_anew(layer, x)
        again, after = packed_anew(layer, x, state)
    for hx, wanted, last in ((None, expected, state), (state, again, after)):
        y, h = answers_directly(layer, x, hx)
        assert torch.equal(y, wanted)
        assert type(h) is type(last)
        for ours, theirs in zip(as_tuple(h), as_tuple(last), strict=True):
            assert torch.equal(ours, theirs)
    with torch.inference_mode():
        assert layer._answer(kept(layer), x, None)[0].is_inference()


def test_a_large_call_is_answered_directly():
    layer = carousel.LSTM(32, 64).eval()
    x = randn(600, 40, 32, dtype=torch.float32)
    assert_same_as_packed_anew(layer, x)
    with torch.no_grad():
        assert (answers_directly(layer, x, None) is not None) == read_directly()


def another_input(layer, x):
    yield x[0], None
    yield x[:, :, :2], None
    yield x[:, :0], None
    yield x.double(), None
    yield x.to("meta"), None
    yield x.to_sparse(), None
    yield x.transpose(0, 2).contiguous().transpose(0, 2), None
    yield x.clone().as_subclass(Named), None
    h, c = layer(x)[1]
    yield x, h
    yield x, [h, c]
    yield x, (h, c[:, :1])
    yield x, (h, c.double())
    yield x, (h, c.mT.contiguous().mT)


class Named(torch.Tensor):
    pass


def test_calls_unlike_the_one_before_are_looked_at_closely(small):
    layer, x = small
    with torch.no_grad():
        others = list(another_input(layer, x))
    for other, hx in others:
        assert answers_directly(layer, other, hx) is None, (other, hx)


def set_attribute(name, value):
    def change(layer):
        vars(layer)[name] = value

    change.__name__ = name
    return change


def as_another_class(layer):
    layer.__class__ = type("Other", (carousel.LSTM,), {})


@pytest.mark.parametrize(
    "change",
    [
        as_another_class,
        set_attribute("batch_first", True),
        set_attribute("dropout", 0.5),
        set_attribute("training", True),
        set_attribute("mode", "GRU"),
        set_attribute("input_size", 4),
        set_attribute("hidden_size", 4),
        set_attribute("layer_options", carousel.LSTM(3, 5, zoneout=0.1).layer_options),
        set_attribute("_flat_weights_names", ["weight_ih_l0"]),
        set_attribute("weight_hh_l0", torch.zeros(20, 5)),
        set_attribute("check_input", print),
        set_attribute("_parameters", {}),
    ],
)
def test_a_layer_unlike_the_one_that_was_packed_is_looked_at_closely(change, small):
    layer, x = small
    assert (answers_directly(layer, x, None) is not None) == read_directly()
    change(layer)
    assert answers_directly(layer, x, None) is None


def test_what_is_around_a_call_is_looked_at(small):
    layer, x = small
    assert layer._answer(kept(layer), x, None) is None, "with gradients"
    with use("cells"):
        assert answers_directly(layer, x, None) is None
    with torch.autocast("cpu", torch.bfloat16):
        assert answers_directly(layer, x, None) is None
    with torch.profiler.profile():
        assert answers_directly(layer, x, None) is None
    said = []
    torch.vmap(lambda one: said.append(answers_directly(layer, one, None)) or one)(x[None])
    assert said == [None]


def test_weights_packed_for_another_way_to_multiply_are_not_used(monkeypatch):
    """The twin is there on every CPU."""
    layer, x = layer_of("LSTM").eval(), randn(4, 2, 3, dtype=torch.float32)
    layer.precision = "bf16"
    monkeypatch.setenv(SETTING, "twin")
    assert_same_as_packed_anew(layer, x)
    assert (answers_directly(layer, x, None) is not None) == read_directly()
    rounded, _ = answers_directly(layer, x, None) or packed_anew(layer, x)
    monkeypatch.setenv(SETTING, "off")
    assert answers_directly(layer, x, None) is None
    assert_same_as_packed_anew(layer, x)
    with torch.no_grad():
        assert not torch.equal(layer(x)[0], rounded)


def test_training_lets_go_of_kept_weights(small):
    layer, x = small
    memory = weakref.ref(kept(layer))
    layer(x)
    gc.collect()
    assert memory() is None, "a call that saves for a backward pass"
    assert_same_as_packed_anew(layer.eval(), x)
    memory = weakref.ref(kept(layer))
    layer.train()
    gc.collect()
    assert memory() is None, "train()"


def test_kept_weights_go_with_their_layer():
    layer, x = layer_of("GRU").eval(), randn(4, 2, 3, dtype=torch.float32)
    assert_same_as_packed_anew(layer, x)
    memory = weakref.ref(kept(layer))
    del layer
    gc.collect()
    assert memory() is None


def test_a_layer_that_its_own_weight_refers_to_goes_with_what_it_keeps():
    layer, x = layer_of("GRU").eval(), randn(4, 2, 3, dtype=torch.float32)
    assert_same_as_packed_anew(layer, x)
    layer.weight_hh_l0.whose = layer
    memory = weakref.ref(kept(layer))
    del layer
    gc.collect()
    assert memory() is None


@pytest.mark.parametrize("change", CHANGES)
def test_layers_that_were_changed_go_when_nobody_wants_them(change):
    layer, x = layer_of("GRU").eval(), randn(4, 2, 3, dtype=torch.float32)
    assert_same_as_packed_anew(layer, x)
    change(layer)
    with torch.no_grad():
        layer(x)
    memory = weakref.ref(layer)
    del layer
    gc.collect()
    assert memory() is None


def test_weights_that_change_between_any_two_calls_are_not_kept():
    layer, x = layer_of("GRU").eval(), randn(4, 2, 3, dtype=torch.float32)
    for _ in range(4):
        with torch.no_grad():
            layer(x)
            layer.weight_hh_l0.mul_(0.9)
        assert kept(layer) is None


def test_keeping_that_was_in_vain_waits_longer_until_it_pays():
    layer, x = layer_of("GRU").eval(), randn(4, 2, 3, dtype=torch.float32)

    def calls_until_kept():
        for count in range(1, 300):
            with torch.no_grad():
                layer(x)
            if kept(layer) is not None:
                return count
        raise AssertionError("never kept")

    waits = []
    for _ in range(4):
        waits.append(calls_until_kept())
        by_data(layer)
    assert waits == sorted(set(waits)), "each time longer than before"
    calls_until_kept()
    for _ in range(20):
        assert_same_as_packed_anew(layer, x)
    by_data(layer)
    assert calls_until_kept() <= 3


@pytest.mark.parametrize("kind", ["RNN-tanh", "GRU", "LSTM", "IndRNN"])
def test_threads_that_share_a_layer_get_the_bits_they_get_alone(kind):
    layer = layer_of(kind, num_layers=2, bidirectional=True).eval()
    inputs = [randn(9, 1 + i % 3, 3, seed=i, dtype=torch.float32) for i in range(24)]

    def run(x):
        with torch.no_grad():
            return layer(x)[0]

    for _ in range(3):
        with torch.no_grad():
            alone = [packed_anew(layer, x)[0] for x in inputs]
        with ThreadPoolExecutor(4) as pool:
            together = list(pool.map(run, inputs))
        assert all(map(torch.equal, together, alone))
        by_data(layer)


def test_a_profile_names_the_stack(small):
    layer, x = small
    with torch.no_grad(), torch.profiler.profile() as profile:
        layer(x)
    assert "carousel::stack LSTM" in {event.key for event in profile.key_averages()}


def test_lengths_are_checked_before_kept_weights_are_used(small):
    layer, x = small
    with torch.no_grad(), pytest.raises(ValueError, match="lengths"):
        layer(x, lengths=[5, 1])
