"""A layer is described to the kernels once: whatever changes on it, the next call goes by that.

What is remembered goes by the layer's attributes, and weights are looked at in every call; so each
way to change a layer is held to the equations of the cells, which remember nothing.
"""

import copy
import pickle
import threading
import warnings

import pytest
import torch
from compiled import assert_same_bits, precision, tensors, threads
from oracle import KINDS, as_tuple, assert_close, make_pair, randn, random_state, randomise
from parallel_layers import KINDS as PARALLEL_KINDS
from parallel_layers import make
from parallel_layers import state_of as parallel_state
from torch import nn
from torch.nn.utils import parametrizations, parametrize, prune
from torch.nn.utils import weight_norm as old_weight_norm
from torch.utils._python_dispatch import TorchDispatchMode

import carousel
from carousel import kernels
from carousel.layers.plain import plain_call

each_kind = pytest.mark.parametrize("kind", [*KINDS, *PARALLEL_KINDS])
T, B, INPUTS, H = 4, 2, 3, 5


def layer_of(kind, **options):
    if kind in PARALLEL_KINDS:
        return make(kind, INPUTS, H, **options)
    return make_pair(kind, INPUTS, H, dtype=torch.float32, **options)[0]


def x_of(dtype=torch.float32):
    return randn(T, B, INPUTS, dtype=dtype)


def state_of(layer, rows=B):
    of_parallel = isinstance(layer, carousel.layers.own.Own)
    return (parallel_state if of_parallel else random_state)(layer, rows)


def results(layer, x, hx=None, lengths=None):
    """Outputs, states and the gradients of x and all parameters."""
    x = x.detach().clone().requires_grad_()
    layer.zero_grad()
    found = tensors(layer(x, hx, lengths))
    sum(part.square().sum() for part in found).backward()
    return [*found, x.grad, *(p.grad for p in layer.parameters() if p.grad is not None)]


def assert_as_the_equations_say(layer, x, hx=None):
    actual = results(layer, x, hx)
    with kernels.use("cells"):
        expected = results(layer, x, hx)
    for index, (one, other) in enumerate(zip(actual, expected, strict=True)):
        assert_close(one, other, "gradient", str(index))


# ---- ways to change a layer


def by_another_parameter(layer):
    layer.weight_ih_l0 = nn.Parameter(2 * layer.weight_ih_l0.detach())


def by_another_parameter_behind_the_module(layer):
    layer._parameters["weight_ih_l0"] = nn.Parameter(2 * layer.weight_ih_l0.detach())


def by_writing_in_place(layer):
    with torch.no_grad():
        layer.weight_ih_l0.mul_(2)


def by_data(layer):
    layer.weight_ih_l0.data.mul_(2)


def by_other_data(layer):
    layer.weight_ih_l0.data = 2 * layer.weight_ih_l0.data


def by_turning_the_weight_around(layer):
    weight = layer.weight_ih_l0
    weight.data = (2 * weight.data).T.contiguous().T


def by_a_shadow(layer):
    vars(layer)["weight_ih_l0"] = 2 * layer.weight_ih_l0.detach()


def by_pruning(layer):
    prune.l1_unstructured(layer, "weight_ih_l0", 0.5)


class Doubled(nn.Module):
    def forward(self, weight):
        return 2 * weight


def by_parametrization(layer):
    parametrize.register_parametrization(layer, "weight_ih_l0", Doubled())


def by_parametrization_and_back(layer):
    parametrizations.weight_norm(layer, "weight_ih_l0")
    layer.parametrizations.weight_ih_l0.original0.data.mul_(2)
    layer(x_of())
    parametrize.remove_parametrizations(layer, "weight_ih_l0")


def by_the_old_weight_norm(layer):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it is old
        old_weight_norm(layer, "weight_ih_l0")
    layer.weight_ih_l0_g.data.mul_(2)


def by_freezing(layer):
    layer.weight_ih_l0.requires_grad_(False)


def by_state_dict(layer):
    layer.load_state_dict({name: 2 * value for name, value in layer.state_dict().items()})


def by_state_dict_assigned(layer):
    state = {name: 2 * value for name, value in layer.state_dict().items()}
    layer.load_state_dict(state, assign=True)


def by_training(layer):
    layer.eval()
    layer(x_of())
    layer.train()


def by_memory_of_others(layer):
    layer.share_memory()


WAYS = [
    by_another_parameter,
    by_another_parameter_behind_the_module,
    by_writing_in_place,
    by_data,
    by_other_data,
    by_turning_the_weight_around,
    by_a_shadow,
    by_pruning,
    by_parametrization,
    by_parametrization_and_back,
    by_the_old_weight_norm,
    by_freezing,
    by_state_dict,
    by_state_dict_assigned,
    by_training,
    by_memory_of_others,
]


@pytest.mark.parametrize("kind", ["GRU", "LSTM-projected", "IndRNN"])
@pytest.mark.parametrize("change", WAYS)
def test_layer_changed_after_a_call_computes_with_what_it_has_now(kind, change):
    layer, x = layer_of(kind), x_of()
    before = layer(x)[0]
    layer(x)
    change(layer)
    assert_as_the_equations_say(layer, x)
    same = change in (by_freezing, by_training, by_memory_of_others)
    assert torch.equal(layer(x)[0], before) == same


@each_kind
@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16], ids=str)
@pytest.mark.parametrize("how", ["to", "data"])
def test_layer_moved_to_another_dtype_computes_in_it_and_back(kind, dtype, how):
    layer = layer_of(kind)
    before = layer(x_of())[0]
    if how == "to":
        layer.to(dtype)
    else:
        for parameter in layer.parameters():
            parameter.data = parameter.data.to(dtype)
    y, state = layer(x_of(dtype))
    assert {part.dtype for part in (y, *as_tuple(state))} == {dtype}
    torch.testing.assert_close(y.float(), before, atol=0.05, rtol=0.05)
    with pytest.raises(ValueError, match="input dtype"):
        layer(x_of())
    if dtype is torch.float64:
        layer.float()
        assert_same_bits([layer(x_of())[0]], [before])


@each_kind
def test_layer_on_another_device_says_so_and_comes_back(kind):
    layer, x = layer_of(kind), x_of()
    before = layer(x)[0]
    assert layer.to("meta")(x.to("meta"))[0].device.type == "meta"
    layer = layer.to_empty(device="cpu")
    randomise(layer, seed=3)
    assert_as_the_equations_say(layer, x)
    assert layer(x)[0].shape == before.shape


@each_kind
def test_autocast_is_heeded_inside_and_forgotten_outside(kind):
    layer, x = layer_of(kind), x_of()
    before = tensors(layer(x))
    with precision(layer, "bf16"):
        lowered = layer(x)[0]
    with torch.autocast("cpu", torch.bfloat16):
        y, _ = layer(x)
        if kind in ("RNN-tanh", "RNN-relu", "LSTM-projected"):
            assert y.dtype == torch.bfloat16
        assert torch.equal(y, lowered.to(y.dtype))
    assert_same_bits(tensors(layer(x)), before)


@each_kind
@pytest.mark.parametrize(
    "clone",
    [copy.copy, copy.deepcopy, lambda layer: pickle.loads(pickle.dumps(layer))],
    ids=["copy", "deepcopy", "pickle"],
)
def test_copy_of_a_layer_that_was_called_computes_the_same_and_goes_its_own_way(kind, clone):
    layer, x = layer_of(kind, num_layers=2, dropout=0.5), x_of()
    layer.eval()
    before = tensors(layer(x))
    twin = clone(layer)
    assert_same_bits(tensors(twin(x)), before)
    twin.dropout = 0.0
    twin.train()
    assert_same_bits(tensors(twin(x)), before)
    assert_same_bits(tensors(layer(x)), before)


@each_kind
def test_functional_call_computes_with_the_weights_it_brings_and_the_layer_with_its_own(kind):
    layer, x = layer_of(kind), x_of()
    before = tensors(layer(x))
    others = {name: 2 * p.detach() for name, p in layer.named_parameters()}
    doubled = copy.deepcopy(layer)
    doubled.load_state_dict(others)
    assert_same_bits(tensors(torch.func.functional_call(layer, others, (x,))), tensors(doubled(x)))
    assert_same_bits(tensors(layer(x)), before)


@each_kind
def test_weights_of_other_shapes_are_refused_and_nothing_is_read_past_their_ends(kind):
    layer, x = layer_of(kind), x_of()
    layer(x)
    for name, parameter in layer.named_parameters():
        for shape in ((1, *parameter.shape), (parameter.size(0) - 1, *parameter.shape[1:])):
            wrong = {name: torch.zeros(shape)}
            with pytest.raises(RuntimeError, match="weight"):
                torch.func.functional_call(layer, wrong, (x,))
            with pytest.raises(RuntimeError, match="weight"), torch.no_grad():
                torch.func.functional_call(layer, wrong, (x,))
    larger = layer_of(kind)
    larger = type(larger)(INPUTS, H + 2, **({"proj_size": 2} if "projected" in kind else {}))
    if larger.mode == layer.mode:
        with pytest.raises(RuntimeError, match=f"{H} hidden units"):
            torch.func.functional_call(layer, dict(larger.named_parameters()), (x,))


@each_kind
def test_vmap_over_inputs_equals_the_calls_one_by_one(kind):
    layer, xs = layer_of(kind), randn(3, T, B, INPUTS, dtype=torch.float32)
    one_by_one = torch.stack([layer(x)[0] for x in xs])
    assert_close(torch.func.vmap(lambda x: layer(x)[0])(xs), one_by_one, "forward")
    assert_same_bits([torch.stack([layer(x)[0] for x in xs])], [one_by_one])


@each_kind
@pytest.mark.parametrize("count", [1, 2])
def test_number_of_threads_may_change_between_calls(kind, count):
    layer = layer_of(kind)
    x = randn(40, 16, INPUTS, dtype=torch.float32)
    with threads(3 - count):
        before = tensors(layer(x))
    with threads(count):
        assert_same_bits(tensors(layer(x)), before)


def test_threads_of_python_that_share_a_layer_compute_what_one_computes():
    layer = layer_of("LSTM", num_layers=2)
    inputs = [randn(9, rows, INPUTS, dtype=torch.float32) for rows in (1, 2, 5, 7)]
    expected = [tensors(layer(x)) for x in inputs]
    found = [[] for _ in inputs]

    def run(index):
        for _ in range(30):
            found[index] = tensors(layer(inputs[index]))

    workers = [threading.Thread(target=run, args=(index,)) for index in range(len(inputs))]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    for one, other in zip(found, expected, strict=True):
        assert_same_bits(one, other)


# ---- options and attributes


@pytest.mark.parametrize(
    ("cell", "name", "value"),
    [
        ("LSTM", "activation", "softsign"),
        ("GRU", "gate_activation", "hard_sigmoid"),
        ("LSTM", "zoneout", (0.25, 0.5)),
        ("GRU", "reset_after", False),
        ("RNN", "activation", "hard_tanh"),
        ("LSTM", "variant", "NIAF"),
        ("LSTM", "batch_first", True),
    ],
)
@pytest.mark.parametrize("how", ["attribute", "behind"])
def test_option_changed_after_a_call_acts_in_the_next(cell, name, value, how):
    layer, x = getattr(carousel, cell)(INPUTS, H).eval(), randn(T, T, INPUTS, dtype=torch.float32)
    before = layer(x)[0]
    if how == "behind" and name == "batch_first":
        vars(layer)[name] = value
    elif how == "behind":
        new = copy.copy(layer)
        setattr(new, name, value)
        vars(layer)["layer_options"] = new.layer_options
    else:
        setattr(layer, name, value)
    assert getattr(layer, name) == value
    assert not torch.equal(layer(x)[0], before)
    assert_as_the_equations_say(layer, x)


def test_options_are_checked_when_they_are_set():
    layer = carousel.LSTM(INPUTS, H)
    options = layer.layer_options
    for name, value in [("zoneout", 1.0), ("activation", "none"), ("checkpoint_every", -1)]:
        with pytest.raises(ValueError, match=name):
            setattr(layer, name, value)
    assert layer.layer_options is options
    layer.zoneout = 0.5
    assert layer.zoneout == (0.5, 0.5)
    assert options.zoneout == (0.0, 0.0)


def test_what_is_drawn_in_training_is_not_drawn_in_evaluation():
    layer, x = carousel.LSTM(INPUTS, H, variational=0.5, zoneout=0.5), x_of()
    assert not torch.equal(layer(x)[0], layer(x)[0])
    layer.eval()
    assert torch.equal(layer(x)[0], layer(x)[0])
    layer.training = True
    assert not torch.equal(layer(x)[0], layer(x)[0])


def test_two_layers_of_equal_options_share_no_weights_and_no_mode():
    one, two, x = layer_of("GRU", seed=1), layer_of("GRU", seed=2), x_of()
    expected = tensors(one(x)), tensors(two(x))
    one.eval()
    two.zoneout = 0.5
    assert_same_bits(tensors(one(x)), expected[0])
    two.zoneout = 0.0
    assert_same_bits(tensors(two(x)), expected[1])


@pytest.mark.parametrize("name", ["RNN", "GRU", "LSTM"])
def test_layer_given_to_torch_and_taken_back_computes_the_same(name):
    layer, x = getattr(carousel, name)(INPUTS, H), x_of()
    before = tensors(layer(x))
    assert type(carousel.restore(layer)) is getattr(nn, name)
    assert "layer_options" not in vars(layer)
    torch.testing.assert_close(tensors(layer(x)), before)
    assert_same_bits(tensors(carousel.accelerate(layer)(x)), before)


# ---- who looks at a call more closely


class OwnChecks(carousel.GRU):
    """A subclass that torch's checks ask for the size of a state."""

    asked = 0

    def check_forward_args(self, input, hidden, batch_sizes):
        self.asked += 1
        super().check_forward_args(input, hidden, batch_sizes)


class OwnWeight(carousel.GRU):
    @property
    def bias_hh_l0(self):
        return torch.zeros(3 * self.hidden_size)


def test_check_that_a_subclass_has_of_its_own_is_asked():
    layer = OwnChecks(INPUTS, H)
    layer(x_of())
    layer(x_of(), torch.zeros(1, B, H))
    assert layer.asked == 2
    plain = carousel.GRU(INPUTS, H)
    plain(x_of())
    plain.check_forward_args = lambda *_: (_ for _ in ()).throw(KeyError("mine"))
    with pytest.raises(KeyError, match="mine"):
        plain(x_of())


@each_kind
@pytest.mark.parametrize("given", [False, True], ids=["zeros", "hx"])
@pytest.mark.parametrize("ragged", [False, True], ids=["full", "ragged"])
@pytest.mark.parametrize(
    "options", [{}, {"num_layers": 2, "bidirectional": True, "batch_first": True}], ids=str
)
def test_plain_call_has_the_bits_of_one_that_was_looked_at(kind, given, ragged, options):
    layer, x = layer_of(kind, **options), randn(T, T, INPUTS, dtype=torch.float32)
    hx = state_of(layer, T) if given else None
    lengths = [2, 4, 0, 1] if ragged else None
    assert plain_call(layer, x, hx) is not None
    actual = results(layer, x, hx, lengths)
    looked_at = copy.deepcopy(layer)
    looked_at.check_forward_args = layer.check_forward_args
    assert plain_call(looked_at, x, hx) is None
    assert_same_bits(actual, results(looked_at, x, hx, lengths))
    with torch.no_grad():
        without = tensors(layer(x, hx, lengths))
        assert_same_bits(without, tensors(looked_at(x, hx, lengths)))
        assert_same_bits(without, actual[: len(without)])


def test_path_of_a_plain_call_is_logged_once(caplog):
    layer = carousel.LSTM(INPUTS, H, zoneout=0.0125)  # which no other test has
    layer(x_of())
    with caplog.at_level("INFO", logger="carousel"):
        layer(x_of())
        layer(x_of())
    assert [record.message for record in caplog.records] == [
        f"LSTM runs on {carousel.explain(layer, x_of())}"
    ]


class Passing(TorchDispatchMode):
    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        return func(*args, **(kwargs or {}))


class Subclass(torch.Tensor):
    pass


def inside(context, call):
    with context:
        return call()


NOT_PLAIN = {
    "cells": lambda layer, x: inside(kernels.use("cells"), lambda: plain_call(layer, x, None)),
    "torch": lambda layer, x: inside(kernels.use("torch"), lambda: plain_call(layer, x, None)),
    "autocast": lambda layer, x: inside(torch.autocast("cpu"), lambda: plain_call(layer, x, None)),
    "a mode": lambda layer, x: inside(Passing(), lambda: plain_call(layer, x, None)),
    "float64": lambda layer, x: plain_call(layer, x.double(), None),
    "float64 weights": lambda layer, x: plain_call(layer.double(), x, None),
    "meta": lambda layer, x: plain_call(layer, x.to("meta"), None),
    "sparse": lambda layer, x: plain_call(layer, x.to_sparse(), None),
    "no steps": lambda layer, x: plain_call(layer, x[:0], None),
    "no rows": lambda layer, x: plain_call(layer, x[:, :0], None),
    "unbatched": lambda layer, x: plain_call(layer, x[:, 0], None),
    "other features": lambda layer, x: plain_call(layer, x[..., :2], None),
    "other rows": lambda layer, x: plain_call(layer, x, state_of(layer, B + 1)),
    "a subclass of tensors": lambda layer, x: plain_call(layer, x.as_subclass(Subclass), None),
    "weight_dropout": lambda layer, x: plain_call(
        carousel.LSTM(INPUTS, H, weight_dropout=0.5), x, None
    ),
    "own weight": lambda layer, x: plain_call(
        setattr(layer, "__class__", OwnWeight) or layer, x, None
    ),
}


@pytest.mark.parametrize("what", NOT_PLAIN)
def test_call_that_needs_a_closer_look_is_not_plain(what):
    layer, x = layer_of("GRU"), x_of()
    assert plain_call(layer, x, None) is not None
    assert NOT_PLAIN[what](layer, x) is None


def test_transforms_and_traces_are_not_plain():
    layer, x, seen = layer_of("GRU"), x_of(), []

    def look(x):
        seen.append(plain_call(layer, x, None))
        return x.sum()

    torch.func.grad(look)(x)
    torch.func.vmap(look)(x[:, None])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torch's, of what is old
        torch.func.jvp(look, (x,), (x,))
        torch.jit.trace(look, (x,), check_trace=False)
    assert seen == [None] * 4


@each_kind
def test_trace_taken_after_a_call_is_of_the_layer_as_it_is_then(kind):
    layer, x = layer_of(kind).eval(), x_of()
    layer(x)
    by_writing_in_place(layer)
    expected = layer(x)[0].detach()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torch's tracer, which is old
        traced = torch.jit.trace(layer, (x,), check_trace=False)(x)[0]
    assert_close(traced, expected, "forward")
    assert_same_bits([layer(x)[0]], [expected])


@pytest.mark.parametrize("kind", ["LSTM", "MinGRU"])
def test_compiled_or_exported_after_a_call_is_of_the_layer_as_it_is_then(kind):
    import torch._dynamo

    layer, x = layer_of(kind).eval(), x_of()
    layer(x)
    by_writing_in_place(layer)
    expected = layer(x)[0]
    torch._dynamo.reset()
    with warnings.catch_warnings(), torch._dynamo.config.patch(allow_rnn=True):
        warnings.simplefilter("ignore")
        run = torch.compile(lambda x: layer(x)[0], backend="eager", fullgraph=True)
        assert_same_bits([run(x)], [expected])
        by_data(layer)
        assert_same_bits([run(x)], [layer(x)[0]])
        program = torch.export.export(layer, (x,), strict=False).module()
        assert_same_bits(tensors(program(x)), tensors(layer(x)))
    torch._dynamo.reset()
    assert_as_the_equations_say(layer, x)


@each_kind
def test_state_of_zeros_that_is_left_out_has_the_bits_of_one_that_is_given(kind):
    layer, x = layer_of(kind, num_layers=2), x_of()
    zeros = state_of(layer)
    zeros = tuple(map(torch.zeros_like, zeros)) if isinstance(zeros, tuple) else 0 * zeros
    assert_same_bits(results(layer, x), results(layer, x, zeros))


@each_kind
def test_second_derivative_of_a_call_without_a_state_equals_the_equations(kind):
    layer = layer_of(kind)

    def second(path):
        x = x_of().requires_grad_()
        with kernels.use(path):
            (first,) = torch.autograd.grad(layer(x)[0].square().sum(), x, create_graph=True)
            return torch.autograd.grad(first.square().sum(), [x, *layer.parameters()])

    for one, other in zip(second("native"), second("cells"), strict=True):
        assert_close(one, other, "gradient")
