"""The one comparison of the numerical tests, its one tolerance table, and what feeds it."""

import torch
from torch import nn
from torch.nn.utils.rnn import PackedSequence

import carousel

# Largest difference allowed, as a share of the largest expected magnitude in the tensor.
TOLERANCE = {
    ("forward", torch.float32): 1e-5,
    ("gradient", torch.float32): 1e-4,
    ("forward", torch.float64): 1e-12,
    ("gradient", torch.float64): 1e-10,
}

KINDS = {
    "RNN-tanh": ("RNN", {"nonlinearity": "tanh"}),
    "RNN-relu": ("RNN", {"nonlinearity": "relu"}),
    "GRU": ("GRU", {}),
    "LSTM": ("LSTM", {}),
    "LSTM-projected": ("LSTM", {"proj_size": 2}),
}


def assert_close(actual, expected, kind, what="tensor"):
    """Raise AssertionError unless shape, dtype, NaN positions, infinities and values agree.

    kind: "forward" or "gradient". An expected tensor of zeros must be met exactly.
    """
    if actual.shape != expected.shape:
        raise AssertionError(f"{what}: shape {tuple(actual.shape)}, not {tuple(expected.shape)}")
    if actual.dtype != expected.dtype:
        raise AssertionError(f"{what}: dtype {actual.dtype}, not {expected.dtype}")
    allowed = TOLERANCE[kind, expected.dtype]
    actual, expected = actual.detach(), expected.detach()
    if not torch.equal(actual.isnan(), expected.isnan()):
        raise AssertionError(f"{what}: NaN in other places than expected")
    special = ~expected.isfinite() | ~actual.isfinite()
    if not torch.equal(actual[special].nan_to_num(), expected[special].nan_to_num()):
        raise AssertionError(f"{what}: infinities in other places than expected")
    if special.all():  # also when empty
        return
    difference = (actual - expected)[~special].abs().max().item()
    magnitude = expected[~special].abs().max().item()
    if difference > allowed * magnitude:
        raise AssertionError(
            f"{what}: {kind} differs by {difference:.3g}, over {allowed:g} of {magnitude:.3g}"
        )


def assert_same(actual, expected):
    """Compare two results of `evaluate`, name by name."""
    if actual.keys() != expected.keys():
        raise AssertionError(f"{sorted(actual)} compared with {sorted(expected)}")
    for name in expected:
        kind = "gradient" if name.startswith("gradient") else "forward"
        assert_close(actual[name], expected[name], kind, name)


def evaluate(run, x, hx=None, parameters=(), seed=5):
    """Outputs, final states and, for one random cotangent, all gradients of `run(x, hx)`.

    run: returns the output (a tensor or a PackedSequence) and the state (a tensor or a tuple).
    hx: a tensor, a tuple of them or None. parameters: (name, tensor) pairs to differentiate by.
    """
    x = x.detach().clone().requires_grad_()
    parts = [part.detach().clone().requires_grad_() for part in as_tuple(hx)]
    hx = tuple(parts) if isinstance(hx, tuple) else parts[0] if parts else None
    output, state = run(x, hx)
    if isinstance(output, PackedSequence):
        output = output.data
    results = {"output": output} | {f"state {k}": part for k, part in enumerate(as_tuple(state))}
    generator = torch.Generator().manual_seed(seed)
    pairs = [
        (result, torch.randn(result.shape, generator=generator, dtype=torch.float64).to(result))
        for result in results.values()
    ]
    pairs = [(result, cotangent) for result, cotangent in pairs if result.requires_grad]
    inputs = {"x": x} | {f"hx {k}": part for k, part in enumerate(parts)} | dict(parameters)
    gradients = torch.autograd.grad(
        [result for result, _ in pairs],
        list(inputs.values()),
        [cotangent for _, cotangent in pairs],
        materialize_grads=True,
    )
    named = zip(inputs, gradients, strict=True)
    return results | {f"gradient of {name}": gradient for name, gradient in named}


def assert_layers_agree(ours, theirs, x, hx=None, **call):
    """Outputs, final states and all gradients of two layers, which read the same input."""
    assert_same(
        evaluate(lambda x, hx: ours(x, hx, **call), x, hx, ours.named_parameters()),
        evaluate(theirs, x, hx, theirs.named_parameters()),
    )


def as_tuple(state):
    return () if state is None else state if isinstance(state, tuple) else (state,)


def randn(*shape, seed=0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64).to(dtype)


def randomise(layer, seed=0):
    """Random weights with a scale and an offset of its own for each gate of each parameter."""
    with torch.no_grad():
        for index, (name, parameter) in enumerate(layer.named_parameters()):
            parameter.copy_(random_weight(parameter.shape, name, 100 * seed + index))
    return layer


def random_weight(shape, name, seed):
    fan_in = shape[1] if len(shape) == 2 else 4
    values = randn(*shape, seed=seed) / fan_in**0.5
    position = torch.linspace(0, 1, shape[0], dtype=torch.float64)
    position = position.view(-1, *[1] * (len(shape) - 1))
    offset = 0.3 * position if "bias" in name else 0
    return values * (0.5 + 0.5 * position) + offset


def weights_of(mode, inputs, hidden, *, bias=True, proj_size=0, dtype=torch.float64, seed=0):
    """Leaf tensors by the names of a step function's arguments. mode: "RNN", "GRU" or "LSTM"."""
    rows = {"RNN": 1, "GRU": 3, "LSTM": 4}[mode] * hidden
    shapes = {"weight_ih": (rows, inputs), "weight_hh": (rows, proj_size or hidden)}
    if bias:
        shapes |= {"bias_ih": (rows,), "bias_hh": (rows,)}
    if proj_size:
        shapes["weight_hr"] = (proj_size, hidden)
    return {
        name: random_weight(shape, name, 100 * seed + index).to(dtype).requires_grad_()
        for index, (name, shape) in enumerate(shapes.items())
    }


def make_pair(kind, inputs, hidden, *, dtype=torch.float64, seed=0, **options):
    """A carousel layer and the torch.nn layer with the same options and state_dict."""
    name, own = KINDS[kind]
    options = own | options
    ours = randomise(getattr(carousel, name)(inputs, hidden, **options, dtype=dtype), seed)
    theirs = getattr(nn, name)(inputs, hidden, **options, dtype=dtype)
    theirs.load_state_dict(ours.state_dict(), strict=True)
    return ours, theirs


def random_state(layer, rows, seed=1):
    """A random hx for a layer; rows=None for unbatched input."""
    depth = layer.num_layers * (2 if layer.bidirectional else 1)
    batch = () if rows is None else (rows,)
    dtype = layer.weight_hh_l0.dtype
    h = randn(depth, *batch, layer.proj_size or layer.hidden_size, seed=seed, dtype=dtype)
    if layer.mode != "LSTM":
        return h
    return h, randn(depth, *batch, layer.hidden_size, seed=seed + 1, dtype=dtype)
