"""Products of bfloat16: against the cells' equations with rounded products, and bit for bit.

The equations of `carousel.cells` run in float64 with every product replaced by one of rounded
factors, forward and backward. One step is compared strictly; over several, a state that lies close
to a tie rounds to the other side, so those are held to a bound.
"""

import copy
import logging
import pickle

import pytest
import torch
from compiled import ISAS, call, on_isa, tensors, threads
from options import PLAIN, RANDOM, layer_with, name, pairs, seeded
from oracle import KINDS, as_tuple, evaluate, make_pair, randn, random_state
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

import carousel
from carousel import _native, kernels
from carousel.cells.table import SPECS
from carousel.errors import CarouselError
from carousel.kernels.options import Options

SETTING = "CAROUSEL_BF16"
each_kind = pytest.mark.parametrize("kind", KINDS)
each_product = pytest.mark.parametrize("product", ["twin", "instruction"])
has_instruction = _native.has_product(1)


@pytest.fixture(autouse=True)
def _twin(monkeypatch, request):
    """The twin, which every CPU has; or, where a test is asked for it, the CPU's instruction."""
    product = request.node.callspec.params.get("product", "twin") if has_params(request) else "twin"
    if product == "instruction" and not has_instruction:
        pytest.skip("this CPU has no instruction for bfloat16")
    monkeypatch.setenv(SETTING, product)


def has_params(request):
    return hasattr(request.node, "callspec")


def rounded(x):
    return x.detach().bfloat16().to(x.dtype)


class RoundedProduct(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, weight):
        ctx.save_for_backward(x, weight)
        return rounded(x) @ rounded(weight).T

    @staticmethod
    def backward(ctx, d):
        x, weight = ctx.saved_tensors
        return rounded(d) @ rounded(weight), rounded(d).T @ rounded(x)


class RoundedProducts(TorchFunctionMode):
    """Every linear map that has to do with a gate rounds its factors; projections do not."""

    def __init__(self, projected):
        super().__init__()
        self.projected = projected

    def __torch_function__(self, func, types, args=(), kwargs=None):
        if func is not F.linear or (self.projected and len(args) == 2):
            return func(*args, **(kwargs or {}))
        x, weight, bias = (*args, None)[:3]
        product = RoundedProduct.apply(x, weight)
        return product if bias is None else product + bias


def by_equations(layer, x, hx, run):
    double = copy.deepcopy(layer).double()
    raised = tuple(part.double() for part in hx) if isinstance(hx, tuple) else hx.double()
    with kernels.use("cells"), RoundedProducts(getattr(layer, "proj_size", 0)):
        results = evaluate(run(double), x.double(), raised, double.named_parameters())
    return {name: tensor.float() for name, tensor in results.items()}


def by_native(layer, x, hx, run):
    with kernels.use("native"):
        return evaluate(run(layer), x, hx, layer.named_parameters())


def assert_near(actual, expected, bound):
    assert actual.keys() == expected.keys()
    for key, value in expected.items():
        difference = (actual[key] - value).abs().max().item()
        assert difference <= bound * value.abs().max().item() + 1e-12, (key, difference)


def in_bf16(layer):
    layer.precision = "bf16"
    return layer


def layer_of(kind, inputs=5, hidden=19, **options):
    return in_bf16(make_pair(kind, inputs, hidden, dtype=torch.float32, **options)[0])


def x_of(steps=7, rows=3, inputs=5, seed=0):
    return randn(steps, rows, inputs, dtype=torch.float32, seed=seed)


def assert_same_bits(one, other):
    for a, b in zip(one, other, strict=True):
        assert torch.equal(a, b)


# ---- against the equations


@each_kind
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(("inputs", "hidden"), [(1, 1), (5, 19), (34, 40)])
def test_one_step_equals_the_equations_with_rounded_products(kind, bias, inputs, hidden):
    if kind == "LSTM-projected" and hidden == 1:
        hidden = 3
    layer = layer_of(kind, inputs, hidden, bias=bias)
    x, hx = x_of(1, 4, inputs), random_state(layer, 4)
    expected = by_equations(layer, x, hx, call)
    assert_near(by_native(layer, x, hx, call), expected, 2e-5)


@pytest.mark.parametrize("pair", pairs(PLAIN, RANDOM), ids=name)
def test_one_step_with_options_equals_the_equations_with_rounded_products(pair):
    layer = in_bf16(layer_with(*pair, 5, 19))
    x, hx = x_of(1, 4), random_state(layer, 4)
    expected = by_equations(layer, x, hx, seeded)
    assert_near(by_native(layer, x, hx, seeded), expected, 1e-4)


@each_kind
@pytest.mark.parametrize("lengths", [None, [7, 0, 4]])
def test_several_steps_stay_near_the_equations(kind, lengths):
    layer = layer_of(kind, num_layers=2, bidirectional=True)
    x, hx = x_of(), random_state(layer, 3)

    def run(layer):
        return call(layer, lengths)

    expected = by_equations(layer, x, hx, run)
    actual = by_native(layer, x, hx, run)
    assert_near(actual, expected, 2e-2)
    layer.precision = "float32"
    plain = by_native(layer, x, hx, run)
    assert any(not torch.equal(actual[key], plain[key]) for key in plain)


def test_what_is_large_small_or_no_number_is_rounded_as_torch_rounds_it():
    layer = in_bf16(carousel.RNN(1, 1, nonlinearity="relu", bias=False))
    with torch.no_grad():
        layer.weight_ih_l0.fill_(1.0)
        layer.weight_hh_l0.fill_(0.0)
    values = torch.tensor([1e30, 3.3e38, 1.00390625, 1.01171875, 1e-30, float("inf")])
    tie = values.view(1, -1, 1)
    assert torch.equal(layer(tie)[0], tie.bfloat16().float())
    hard = torch.tensor([0x7FFFFFFF, 0x7F800001, -1], dtype=torch.int32).view(torch.float32)
    assert layer(hard.view(1, -1, 1))[0].isnan().all()


# ---- bit for bit


def everything(layer, x, hx, **more):
    return list(evaluate(call(layer, **more), x, hx, layer.named_parameters()).values())


@pytest.mark.skipif(not has_instruction, reason="this CPU has no instruction for bfloat16")
@each_kind
@pytest.mark.parametrize(
    "options", [{}, {"layer_norm": True}, {"state_dropout": 0.3}, {"reset_after": False}], ids=str
)
def test_the_instruction_gives_the_bits_of_its_twin(kind, options, monkeypatch):
    known = {"layer_norm": True, "reset_after": kind == "GRU", "state_dropout": True}
    if not all(known[key] for key in options):
        pytest.skip(f"{kind} has no such option")
    given = {"variational": 0.3} if "state_dropout" in options else options
    plain, kind_options = KINDS[kind]
    layer = in_bf16(layer_with(plain, {**kind_options, **given}, 33, 70))
    x, hx = x_of(6, 9, 33), random_state(layer, 9)
    found = []
    for product in ("twin", "instruction"):
        monkeypatch.setenv(SETTING, product)
        torch.manual_seed(3)
        found.append(list(by_native(layer, x, hx, seeded).values()))
    assert_same_bits(*found)


@each_kind
@each_product
def test_bits_depend_on_neither_threads_nor_neighbours(kind, product):
    layer = layer_of(kind, 9, 150)
    x = x_of(4, 13, 9)
    with torch.no_grad():
        whole = tensors(layer(x))
        for count in (1, 3):
            with threads(count):
                assert_same_bits(tensors(layer(x)), whole)
        for row in (0, 12):
            alone = layer(x[:, row : row + 1])[0]
            assert torch.equal(alone, whole[0][:, row : row + 1])
        short = layer(x, lengths=[2] * 13)[0]
        assert torch.equal(short[:2], whole[0][:2])


@each_kind
@each_product
@pytest.mark.parametrize("rows", [1, 7])
def test_stream_equals_the_whole_sequence(kind, product, rows):
    layer = layer_of(kind, num_layers=2)
    x = x_of(6, rows)
    with torch.no_grad():
        y, state = layer(x)
    stream = carousel.Stream(layer)
    assert torch.equal(torch.stack([stream.step(x_t) for x_t in x]), y)
    assert_same_bits(as_tuple(stream.state), as_tuple(state))


@each_kind
@each_product
def test_segments_computed_again_give_the_same_gradients(kind, product):
    layer = layer_of(kind)
    x, hx = x_of(), random_state(layer, 3)
    expected = everything(layer, x, hx, lengths=[7, 5, 2])
    layer.checkpoint_every = 3
    assert_same_bits(everything(layer, x, hx, lengths=[7, 5, 2]), expected)


@each_kind
def test_packed_sequences_give_the_bits_of_lengths(kind):
    layer = layer_of(kind)
    x, hx = x_of(), random_state(layer, 3)
    lengths = [7, 5, 2]
    packed = evaluate(call(layer, lengths, packed=True), x, hx, layer.named_parameters())
    padded = evaluate(call(layer, lengths), x, hx, layer.named_parameters())
    assert torch.equal(packed["state 0"], padded["state 0"])


# ---- who asks


@each_kind
def test_autocast_asks_for_it(kind):
    layer = layer_of(kind)
    x = x_of()
    expected = tensors(layer(x))
    layer.precision = "float32"
    plain = tensors(layer(x))
    with torch.autocast("cpu", torch.bfloat16):
        assert "products in bfloat16" in carousel.explain(layer, x)
        actual = tensors(layer(x))
    assert_same_bits(actual, [e.to(a.dtype) for a, e in zip(actual, expected, strict=True)])
    assert_same_bits(tensors(layer(x)), plain)


def test_autocast_to_float16_leaves_products_in_float32():
    layer = layer_of("GRU")
    layer.precision = "float32"
    x = x_of()
    with torch.autocast("cpu", torch.float16):
        assert "bfloat16" not in carousel.explain(layer, x)
        actual = layer(x)[0]
    assert torch.equal(actual, layer(x)[0].to(actual.dtype))


def test_compiled_graphs_round_as_the_layer_does():
    layer = layer_of("LSTM")
    x = x_of()
    torch._dynamo.reset()
    compiled = torch.compile(layer, backend="eager", fullgraph=True)
    with torch._dynamo.config.patch(allow_rnn=True):
        assert_same_bits(tensors(compiled(x)), tensors(layer(x)))
        layer.precision = "float32"
        with torch.autocast("cpu", torch.bfloat16):
            lowered = tensors(compiled(x))
            assert_same_bits(lowered, tensors(layer(x)))


def test_layers_keep_it_when_they_are_copied_pickled_and_printed():
    layer = carousel.GRU(3, 5, precision="bf16")
    for other in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert other.precision == "bf16"
    assert repr(layer) == "GRU(3, 5, precision='bf16')"
    assert carousel.GRU(3, 5).precision == "float32"


def test_other_precisions_are_refused():
    with pytest.raises(ValueError, match="precision must be one of 'float32', 'bf16'; got 'bf8'"):
        carousel.LSTM(3, 5, precision="bf8")


def test_programs_of_before_have_float32():
    text = Options(peephole=True).text.rsplit(";", 1)[0]
    assert Options.parse(text, Options().rates) == Options(peephole=True)
    assert Options.parse(Options(precision="bf16").text, Options().rates).precision == "bf16"


# ---- what runs, in words


def test_off_computes_in_float32_and_says_so(monkeypatch):
    layer = layer_of("LSTM")
    x = x_of()
    monkeypatch.setenv(SETTING, "off")
    assert "products in float32: CAROUSEL_BF16 is 'off'" in carousel.explain(layer, x)
    off = tensors(layer(x))
    layer.precision = "float32"
    assert_same_bits(off, tensors(layer(x)))
    assert "products" not in carousel.explain(layer, x)


def test_a_setting_of_another_kind_lists_the_choices(monkeypatch):
    monkeypatch.setenv(SETTING, "yes")
    with pytest.raises(CarouselError, match="'instruction', 'twin' or 'off'"):
        layer_of("RNN-tanh")(x_of())


@pytest.mark.skipif("sse2" not in ISAS, reason="the baseline of x86-64")
def test_without_an_instruction_products_are_float32_and_a_line_says_so(monkeypatch, caplog):
    layer = layer_of("GRU")
    x = x_of()
    with on_isa("sse2"):
        monkeypatch.setenv(SETTING, "")
        kernels.products._chosen.cache_clear()
        with caplog.at_level(logging.WARNING, "carousel"):
            y = layer(x)[0]
            layer(x)
        assert len(caplog.records) == 1
        assert "with sse2, has no instruction for bfloat16" in caplog.text
        assert "products in float32" in carousel.explain(layer, x)
        monkeypatch.setenv(SETTING, "instruction")
        with pytest.raises(CarouselError, match="no instruction for bfloat16"):
            layer(x)
        layer.precision = "float32"
        assert torch.equal(y, layer(x)[0])


def test_time_decides_where_nobody_does(monkeypatch):
    monkeypatch.setenv(SETTING, "")
    product = kernels.product_of("bf16")
    if not has_instruction:
        assert product.number == 0
        return
    pays = _native.tile_speed(1) >= 1.2
    assert product.number == (1 if pays else 0)
    assert "× float32's sums a second here" in product.reason


def test_other_paths_say_that_it_has_no_effect():
    layer = layer_of("GRU")
    assert carousel.explain(layer.double(), x_of().double()).endswith(
        "precision='bf16' without effect"
    )


@pytest.mark.parametrize(
    "spec", [spec for spec in SPECS if "precision" not in spec.options], ids=lambda spec: spec.name
)
def test_cells_without_such_kernels_say_that_their_products_are_float32(spec):
    layer = getattr(carousel, spec.layer)(5, 8, **spec.arguments)
    x = x_of()
    expected = layer(x)[0]
    layer.precision = "bf16"
    said = carousel.explain(layer, x)
    if spec.modes[0].native is None:
        assert said.endswith("precision='bf16' without effect")
    else:
        assert said.endswith(f"products in float32: {spec.layer} has no kernels of bfloat16")
    assert torch.equal(layer(x)[0], expected)
    layer(x)[0].sum().backward()
