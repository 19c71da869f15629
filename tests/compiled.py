"""What the tests of the compiled kernels share: instruction sets, threads, and the oracle."""

import copy
import os
from contextlib import contextmanager

import torch
from oracle import evaluate, make_pair
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence

from carousel import kernels

ISAS = kernels.supported_isas()


@contextmanager
def on_isa(name):
    """The instruction set of the calls inside."""
    before = os.environ.get("CAROUSEL_ISA")
    os.environ["CAROUSEL_ISA"] = name
    try:
        yield
    finally:
        if before is None:
            del os.environ["CAROUSEL_ISA"]
        else:
            os.environ["CAROUSEL_ISA"] = before


@contextmanager
def threads(count):
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def precision(layer, value):
    """The layer with products of this precision inside."""
    before, layer.precision = layer.precision, value
    try:
        yield
    finally:
        layer.precision = before


def layer_of(kind, inputs, hidden, seed=0, **options):
    """A carousel layer in float32 with random weights, different for each gate."""
    return make_pair(kind, inputs, hidden, dtype=torch.float32, seed=seed, **options)[0]


def call(layer, lengths=None, packed=False):
    """The layer as a function of a padded batch and hx, that takes it in one of three ways."""

    def run(x, hx):
        if not packed:
            return layer(x, hx, lengths=lengths)
        rows = torch.tensor(lengths)
        return layer(pack_padded_sequence(x, rows, layer.batch_first, enforce_sorted=False), hx)

    return run


def by_native(layer, x, hx=None, lengths=None, packed=False):
    """Outputs, states and all gradients by the kernels; an error if they cannot take the call."""
    with kernels.use("native"):
        return evaluate(call(layer, lengths, packed), x, hx, layer.named_parameters())


def by_oracle(layer, x, hx=None, lengths=None, packed=False, dtype=torch.float64, path="cells"):
    """The same in `dtype` by the cells' equations (or another path), rounded to float32."""
    double = copy.deepcopy(layer).to(dtype)
    raised = tuple(p.to(dtype) for p in hx) if isinstance(hx, tuple) else hx
    if isinstance(hx, torch.Tensor):
        raised = hx.to(dtype)
    with kernels.use(path), threads(1):  # small operators: threads would cost more than they give
        results = evaluate(
            call(double, lengths, packed), x.to(dtype), raised, double.named_parameters()
        )
    return {name: tensor.float() for name, tensor in results.items()}


def tensors(result):
    """The output and the parts of the state of a layer's result, as one list."""
    y, state = result
    y = y.data if isinstance(y, PackedSequence) else y
    return [y, *(state if isinstance(state, tuple) else (state,))]


def assert_same_bits(actual, expected):
    """Compare tensors, or dictionaries of them, with no tolerance at all."""
    pairs = (
        [(name, actual[name], expected[name]) for name in expected]
        if isinstance(expected, dict)
        else [(str(k), a, e) for k, (a, e) in enumerate(zip(actual, expected, strict=True))]
    )
    for name, one, other in pairs:
        if not torch.equal(one.nan_to_num(nan=7e37), other.nan_to_num(nan=7e37)):
            raise AssertionError(f"{name}: {int((one != other).sum())} values in other bits")
