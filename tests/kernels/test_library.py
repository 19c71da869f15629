"""The kernels as operators of torch: whatever traces or differentiates them gets one answer."""

import socket
import warnings

import pytest
import torch
from compiled import assert_same_bits, by_native, call, layer_of, precision, tensors
from oracle import KINDS, as_tuple, assert_close, evaluate, randn, random_state
from torch import nn
from torch.autograd import forward_ad
from torch.nn.utils.rnn import pack_padded_sequence
from torch.utils._python_dispatch import TorchDispatchMode

import carousel
from carousel import kernels

each_kind = pytest.mark.parametrize("kind", KINDS)
T, B, INPUTS, H = 4, 3, 3, 5
LENGTHS = [2, 4, 1]


def problem(kind, **options):
    layer = layer_of(kind, INPUTS, H, **options)
    return layer, randn(T, B, INPUTS, seed=2, dtype=torch.float32), random_state(layer, B)


# ---- torch.compile and torch.export


@pytest.fixture
def compiled():
    """torch.compile without a code generator: it traces, and runs what it has traced."""
    import torch._dynamo

    torch._dynamo.reset()
    with warnings.catch_warnings():  # torch's own, of what it uses inside
        warnings.simplefilter("ignore")
        yield lambda f, **options: torch.compile(f, backend="aot_eager", **options)
    torch._dynamo.reset()


def allow_rnn():
    import torch._dynamo

    return torch._dynamo.config.patch(allow_rnn=True)


@each_kind
@pytest.mark.parametrize("options", [{}, {"num_layers": 2, "bidirectional": True}], ids=str)
def test_compiled_whole_equals_eager(kind, options, compiled):
    layer, x, hx = problem(kind, **options)
    expected = by_native(layer, x, hx)
    with allow_rnn():
        run = compiled(lambda x, hx: layer(x, hx), fullgraph=True)
        assert_same_bits(evaluate(run, x, hx, layer.named_parameters()), expected)


@each_kind
def test_compiled_with_lengths_equals_eager(kind, compiled):
    layer, x, hx = problem(kind)
    lengths = torch.tensor(LENGTHS)
    with allow_rnn():
        run = compiled(lambda x, hx: layer(x, hx, lengths))
        actual = evaluate(run, x, hx, layer.named_parameters())
    assert_same_bits(actual, by_native(layer, x, hx, LENGTHS))


@each_kind
def test_compiled_with_a_break_in_the_graph_equals_eager(kind, compiled):
    """What torch.compile does with recurrent layers unless told otherwise."""
    layer, x, hx = problem(kind)
    run = compiled(lambda x, hx: layer(2 * x, hx))
    actual = evaluate(run, x, hx, layer.named_parameters())
    assert_same_bits(
        actual, evaluate(lambda x, hx: layer(2 * x, hx), x, hx, layer.named_parameters())
    )


def test_compiled_with_a_break_in_the_graph_torch_warns_of_no_function_of_ours(compiled):
    layer, x, hx = problem("GRU")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        compiled(lambda x, hx: layer(2 * x, hx))(x.requires_grad_(), hx)
    said = [str(warning.message) for warning in caught]
    assert not [text for text in said if "does not know how to trace" in text]


@each_kind
@pytest.mark.usefixtures("compiled")
def test_compiled_once_takes_any_number_of_rows_and_steps(kind):
    layer, _, _ = problem(kind, bidirectional=True)
    compilations = []

    def backend(graph, inputs):
        compilations.append(graph)
        return graph.forward

    with allow_rnn():
        run = torch.compile(lambda x: layer(x)[0], backend=backend, fullgraph=True, dynamic=True)
        for steps, rows in ((4, 2), (6, 3), (9, 5)):
            x = randn(steps, rows, INPUTS, dtype=torch.float32)
            assert_same_bits([run(x)], [layer(x)[0]])
    assert len(compilations) == 1


@pytest.mark.parametrize("lengths", [[5, 1, 1], [-1, 1, 1]], ids=str)
def test_lengths_that_do_not_fit_raise_in_a_compiled_program(lengths, compiled):
    layer, x, _ = problem("LSTM")
    with allow_rnn():
        run = compiled(lambda x, lengths: layer(x, lengths=lengths)[0])
        run(x, torch.tensor(LENGTHS))
        with pytest.raises(ValueError, match="between 0 and the 4 steps"):
            run(x, torch.tensor(lengths))


@pytest.mark.parametrize(
    ("lengths", "message"), [([5, 1, 1], "between 0"), ([2, 1, -1], "between 0"), ([], "3 numbers")]
)
def test_operator_itself_refuses_lengths_that_do_not_fit(lengths, message):
    """A compiled program calls it with lengths that nobody has looked at."""
    layer, x, hx = problem("GRU")
    lengths = torch.tensor(lengths, dtype=torch.int64)
    with pytest.raises(ValueError, match=message):
        torch.ops.carousel.layer(
            x, [hx], list(layer.parameters()), torch.arange(3), lengths, None, None,
            "GRU", "TBI", False, 0, "", [], True,
        )  # fmt: skip


@each_kind
def test_exported_program_equals_the_layer(kind):
    layer, x, hx = problem(kind, num_layers=2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that torch's layers keep a list of their weights
        program = torch.export.export(layer.eval(), (x, hx), strict=False)
    operators = [node.target for node in program.graph.nodes]
    assert operators.count(torch.ops.carousel.layer.default) == 2
    for scale in (1, -3):
        assert_same_bits(tensors(program.module()(scale * x, hx)), tensors(layer(scale * x, hx)))


@each_kind
def test_exported_program_takes_other_lengths_and_refuses_impossible_ones(kind):
    layer, x, _ = problem(kind, bidirectional=True)
    lengths = torch.tensor([2, len(x), 0])
    dims = ({0: torch.export.Dim("T", max=99), 1: torch.export.Dim("B", max=99)},)
    shapes = {"input": dims[0], "hx": None, "lengths": {0: dims[0][1]}}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that torch's layers keep a list of their weights
        program = torch.export.export(
            layer.eval(), (x, None, lengths), dynamic_shapes=shapes, strict=False
        ).module()
    longer, others = randn(9, 4, x.size(2)).to(x.dtype), torch.tensor([0, 9, 4, 1])
    assert_same_bits(tensors(program(longer, None, others)), tensors(layer(longer, lengths=others)))
    with pytest.raises(ValueError, match="between 0 and the 9 steps"):
        program(longer, None, others + 1)


def operands(kind, ragged, strided=False):
    """What the operator of one layer takes, for opcheck."""
    layer, x, hx = problem(kind, bidirectional=True)
    state = list(as_tuple(hx))
    if strided:
        state = [part.transpose(0, 2).contiguous().transpose(0, 2) for part in state]
        x = x.transpose(0, 1).contiguous().transpose(0, 1)
    weights = list(layer.parameters())
    rows = (torch.tensor([1, 0, 2]), torch.tensor([4, 2, 1]), None) if ragged else (None,) * 3
    inputs = [tensor.detach().requires_grad_() for tensor in (x, *state)]
    return inputs[0], inputs[1:], weights, *rows, None, layer.mode, "TBI", True, 0, "", []


@each_kind
@pytest.mark.parametrize("ragged", [False, True], ids=["full", "ragged"])
@pytest.mark.parametrize("strided", [False, True], ids=["contiguous", "strided"])
def test_forward_operator_keeps_its_promises(kind, ragged, strided):
    arguments = operands(kind, ragged, strided)
    for save in (True, False):
        checks = ["test_schema", "test_faketensor", "test_autograd_registration"]
        if save and not ragged:  # of ragged rows, parts of what is saved are never written
            checks.append("test_aot_dispatch_dynamic")
        torch.library.opcheck(
            torch.ops.carousel.layer.default, (*arguments, save), test_utils=checks
        )


@each_kind
@pytest.mark.parametrize("ragged", [False, True], ids=["full", "ragged"])
@pytest.mark.parametrize("want_dx", [False, True])
def test_backward_operator_keeps_its_promises(kind, ragged, want_dx):
    arguments = operands(kind, ragged)
    with torch.no_grad():
        x, state, weights, *rest = arguments
        inputs = (x.detach(), [s.detach() for s in state], [w.detach() for w in weights], *rest)
        y, _, saved = torch.ops.carousel.layer(*inputs, True)
        d_state = [torch.ones_like(part) for part in state]
        cotangents = (torch.ones_like(y), d_state[0], d_state[1] if len(state) == 2 else None)
        torch.library.opcheck(
            torch.ops.carousel.layer_backward.default,
            (*inputs, y, saved, *cotangents, want_dx),
            test_utils=["test_schema", "test_faketensor"],
        )


# ---- differentiation


def second_derivatives(layer, x, path, packed):
    """Of the squared gradient of x: by x and by every parameter."""
    with kernels.use(path):
        x = x.detach().clone().requires_grad_()
        sequence = x
        if packed:
            sequence = pack_padded_sequence(x, torch.tensor(LENGTHS), enforce_sorted=False)
        outputs = tensors(layer(sequence))
        loss = sum(output.square().sum() for output in outputs)
        (first,) = torch.autograd.grad(loss, x, create_graph=True)
        names = dict(layer.named_parameters())
        second = torch.autograd.grad(first.square().sum(), [x, *names.values()])
    return dict(zip(["x", *names], second, strict=True))


@each_kind
@pytest.mark.parametrize("packed", [False, True], ids=["padded", "packed"])
def test_second_derivative_equals_the_oracle(kind, packed):
    layer, x, _ = problem(kind, num_layers=2, bidirectional=True)
    expected = second_derivatives(layer, x, "cells", packed)
    for name, actual in second_derivatives(layer, x, "native", packed).items():
        assert_close(actual, expected[name], "gradient", name)


@each_kind
def test_first_derivative_that_can_be_differentiated_equals_the_one_that_cannot(kind):
    layer, x, hx = problem(kind)
    expected = by_native(layer, x, hx, LENGTHS)

    x = x.requires_grad_()
    results = tensors(call(layer, LENGTHS)(x, hx))
    generator = torch.Generator().manual_seed(5)
    cotangents = [torch.randn(r.shape, generator=generator, dtype=torch.float64) for r in results]
    wanted = dict(layer.named_parameters()) | {"x": x}
    gradients = torch.autograd.grad(
        results, list(wanted.values()), [c.float() for c in cotangents], create_graph=True
    )
    for name, gradient in zip(wanted, gradients, strict=True):
        assert_close(gradient.detach(), expected[f"gradient of {name}"], "gradient", name)


@each_kind
def test_functional_gradient_equals_the_oracle(kind):
    layer, x, _ = problem(kind)

    def loss(parameters):
        return torch.func.functional_call(layer, parameters, (x,))[0].square().sum()

    actual = torch.func.grad(loss)(dict(layer.named_parameters()))
    with kernels.use("cells"):
        expected = torch.autograd.grad(layer(x)[0].square().sum(), list(layer.parameters()))
    for (name, _), gradient in zip(layer.named_parameters(), expected, strict=True):
        assert_close(actual[name], gradient, "gradient", name)


def test_forward_mode_takes_the_oracle_and_equals_the_derivative():
    layer, x, _ = problem("GRU")
    direction = randn(T, B, INPUTS, seed=8, dtype=torch.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with forward_ad.dual_level():
            dual = forward_ad.make_dual(x, direction)
            assert carousel.explain(layer, dual).startswith("cells: forward-mode")
            actual = forward_ad.unpack_dual(layer(dual)[0]).tangent
    double = layer.double()
    step = 1e-6 * direction.double()
    difference = (double(x.double() + step)[0] - double(x.double() - step)[0]) / 2e-6
    assert_close(actual, difference.detach().float(), "gradient")


@each_kind
def test_backward_may_run_twice_through_a_kept_graph(kind):
    layer, x, _ = problem(kind)
    loss = layer(x)[0].square().sum()
    loss.backward(retain_graph=True)
    once = [parameter.grad.clone() for parameter in layer.parameters()]
    loss.backward()
    for parameter, gradient in zip(layer.parameters(), once, strict=True):
        assert torch.equal(parameter.grad, 2 * gradient)
    with pytest.raises(RuntimeError, match="second time"):
        loss.backward()


@each_kind
@pytest.mark.parametrize("change", ["output", "weight"])
def test_what_backward_needs_may_not_be_changed_in_place(kind, change):
    layer, x, _ = problem(kind)
    y, _ = layer(x)
    loss = y.square().sum()
    with torch.no_grad():
        (y if change == "output" else layer.weight_hh_l0).mul_(2)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


@each_kind
def test_only_what_requires_a_gradient_gets_one(kind):
    layer, x, hx = problem(kind)
    layer.weight_ih_l0.requires_grad_(False)
    y, _ = layer(x, hx)
    y.sum().backward()
    assert layer.weight_ih_l0.grad is None
    assert x.grad is None
    assert layer.weight_hh_l0.grad is not None
    layer.requires_grad_(False)
    assert not layer(x, hx)[0].requires_grad


def test_hooks_of_module_and_parameters_run():
    layer, x, _ = problem("LSTM")
    seen = []
    layer.register_forward_pre_hook(lambda module, args: seen.append("before"))
    layer.register_forward_hook(lambda module, args, result: seen.append("after"))
    layer.weight_hh_l0.register_hook(lambda gradient: seen.append(gradient.clone()))
    layer.bias_hh_l0.register_post_accumulate_grad_hook(lambda p: seen.append("accumulated"))
    layer(x)[0].sum().backward()
    gradients = [item for item in seen if isinstance(item, torch.Tensor)]
    assert [item for item in seen if isinstance(item, str)] == ["before", "after", "accumulated"]
    assert torch.equal(gradients[0], layer.weight_hh_l0.grad)


@each_kind
def test_autocast_rounds_products_and_results_and_changes_no_other_bit(kind):
    layer, x, hx = problem(kind)
    with torch.no_grad():
        with precision(layer, "bf16"):
            y, state = layer(x, hx)
        with torch.autocast("cpu", torch.bfloat16):
            rounded, last = layer(x, hx)
    for actual, expected in zip((rounded, *as_tuple(last)), (y, *as_tuple(state)), strict=True):
        assert torch.equal(actual, expected.to(actual.dtype))


@each_kind
def test_gradients_equal_differences_of_the_oracle_in_float64(kind):
    """Along one direction: no formula of a derivative but the kernels' own is used."""
    layer, x, hx = problem(kind)
    parameters = dict(layer.named_parameters())
    results = evaluate(call(layer), x, hx, parameters)
    directions = {
        name: randn(*p.shape, seed=40 + k) for k, (name, p) in enumerate(parameters.items())
    }
    slope = sum(
        (results[f"gradient of {name}"].double() * direction).sum()
        for name, direction in directions.items()
    )
    generator = torch.Generator().manual_seed(5)
    outputs = [results[n] for n in results if not n.startswith("gradient")]
    cotangents = [torch.randn(o.shape, generator=generator, dtype=torch.float64) for o in outputs]
    double = layer.double()

    def value(step):
        moved = {n: p.double() + step * directions[n] for n, p in parameters.items()}
        hx64 = tuple(p.double() for p in as_tuple(hx))
        hx64 = hx64 if isinstance(hx, tuple) else hx64[0]
        with kernels.use("cells"), torch.no_grad():
            result = torch.func.functional_call(double, moved, (x.double(), hx64))
        return sum((r * c).sum() for r, c in zip(tensors(result), cotangents, strict=True))

    difference = (value(1e-5) - value(-1e-5)) / 2e-5
    assert_close(slope.float(), difference.float(), "gradient")


# ---- several processes


def _train_in_two(rank, port, folder):
    import torch.distributed as dist

    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    dist.init_process_group("gloo", f"tcp://127.0.0.1:{port}", rank=rank, world_size=2)
    try:
        gradients = {}
        for name in ("RNN", "GRU", "LSTM"):
            layer, x, _ = problem({"RNN": "RNN-tanh"}.get(name, name), bidirectional=True)
            ddp = nn.parallel.DistributedDataParallel(layer)
            own = x[:, :2] if rank == 0 else x[:, 1:]
            ddp(own)[0].square().mean().backward()
            gradients |= {f"{name} {n}": p.grad for n, p in layer.named_parameters()}
        torch.save(gradients, f"{folder}/{rank}.pt")
    finally:
        dist.destroy_process_group()


@pytest.mark.slow
def test_two_processes_average_to_the_gradient_of_one(tmp_path):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    torch.multiprocessing.spawn(_train_in_two, (port, str(tmp_path)), nprocs=2)
    one, two = (torch.load(tmp_path / f"{rank}.pt") for rank in (0, 1))
    for name in ("RNN", "GRU", "LSTM"):
        layer, x, _ = problem({"RNN": "RNN-tanh"}.get(name, name), bidirectional=True)
        halves = [layer(part)[0].square().mean() for part in (x[:, :2], x[:, 1:])]
        (sum(halves) / 2).backward()
        for parameter_name, parameter in layer.named_parameters():
            key = f"{name} {parameter_name}"
            assert torch.equal(one[key], two[key])
            assert_close(one[key], parameter.grad, "gradient", key)


def test_who_watches_operators_sees_the_layer_and_the_same_bits():
    """The way around torch.library is for calls that nobody traces."""

    class Watch(TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            seen.append(str(func))
            return func(*args, **(kwargs or {}))

    seen = []
    layer, x = carousel.GRU(3, 5), torch.randn(4, 2, 3)
    plain = torch.autograd.grad(layer(x)[0].sum(), list(layer.parameters()))
    with Watch():
        watched = torch.autograd.grad(layer(x)[0].sum(), list(layer.parameters()))
    assert "carousel.layer.default" in seen
    assert "carousel.layer_backward.default" in seen
    assert all(torch.equal(a, b) for a, b in zip(watched, plain, strict=True))
