"""torch.onnx.export, by torch.export (dynamo) and by torch.jit.trace: onnxruntime computes what
torch.nn does, for any number of rows and steps."""

import warnings

import pytest
import torch
from oracle import KINDS, assert_close, make_pair, randn, randomise
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

import carousel
from carousel import kernels

onnx = pytest.importorskip("onnx", reason="onnx is not installed")
onnxruntime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
pytest.importorskip("onnxscript", reason="onnxscript is not installed")

INPUTS, H = 3, 5
SIZES = [(4, 2), (9, 3), (1, 1)]  # steps and rows; the first ones are exported
SHAPES = {
    "plain": {},
    "deep": {"num_layers": 2, "bidirectional": True, "batch_first": True},
    "without biases": {"bias": False},
}
PLAIN = [kind for kind in KINDS if kind != "LSTM-projected"]
each_way = pytest.mark.parametrize("dynamo", [True, False], ids=["dynamo", "trace"])


class Several(nn.Module):
    """Layers side by side, each a case: one export is slow."""

    def __init__(self, layers):
        super().__init__()
        self.layers = nn.ModuleList(layers)

    def forward(self, x):
        results = []
        for layer in self.layers:
            y, state = layer(x.transpose(0, 1) if layer.batch_first else x)
            results += [y, *(state if isinstance(state, tuple) else (state,))]
        return tuple(results)


def pairs(cases):
    """The same layers of ours and of torch's."""
    ours, theirs = [], []
    for index, (kind, options) in enumerate(cases):
        name, more = KINDS[kind]
        layer = randomise(getattr(carousel, name)(INPUTS, H, **more, **options), index).eval()
        twin = getattr(nn, name)(INPUTS, H, **more, **options).eval()
        twin.load_state_dict(layer.state_dict())
        ours.append(layer)
        theirs.append(twin)
    return Several(ours), Several(theirs)


def export(model, inputs, path, dynamo, steps="steps"):
    """The file, with any number of rows and, unless steps is None, of steps."""
    names = ["x", *(f"more{index}" for index in range(len(inputs) - 1))]
    axes = [{1: "rows"} | ({0: steps} if steps else {}), *({0: "rows"} for _ in inputs[1:])]
    with warnings.catch_warnings():  # the exporters' own
        warnings.simplefilter("ignore")
        if dynamo:
            dims = {word: torch.export.Dim(word) for axis in axes for word in axis.values()}
            shapes = [{axis: dims[word] for axis, word in part.items()} for part in axes]
            torch.onnx.export(
                model, inputs, path, dynamo=True, dynamic_shapes=tuple(shapes), input_names=names,
                verbose=False,
            )  # fmt: skip
        else:
            torch.onnx.export(
                model, inputs, path, dynamo=False, dynamic_axes=dict(zip(names, axes, strict=True)),
                input_names=names,
            )  # fmt: skip
    return path


def operators(path):
    return sorted(
        node.op_type
        for node in onnx.load(path).graph.node
        if node.op_type in ("LSTM", "GRU", "RNN")
    )


def run(path, *inputs):
    session = onnxruntime.InferenceSession(path)
    names = [part.name for part in session.get_inputs()]
    results = session.run(None, dict(zip(names, (part.numpy() for part in inputs), strict=True)))
    return [torch.from_numpy(result) for result in results]


@pytest.mark.slow
@each_way
def test_exported_layers_compute_what_torch_computes_for_any_rows_and_steps(dynamo, tmp_path):
    cases = [(kind, options) for kind in PLAIN for options in SHAPES.values()]
    ours, theirs = pairs(cases)
    path = export(ours, (randn(*SIZES[0], INPUTS).float(),), tmp_path / "model.onnx", dynamo)
    layers = {"LSTM": 4, "GRU": 4, "RNN": 8}
    assert operators(path) == sorted(name for name, count in layers.items() for _ in range(count))
    for seed, (steps, rows) in enumerate(SIZES):
        x = randn(steps, rows, INPUTS, seed=seed).float()
        with torch.no_grad():
            expected = theirs(x)
        for actual, wanted in zip(run(path, x), expected, strict=True):
            assert_close(actual, wanted, "forward")


@pytest.mark.slow
@each_way
@pytest.mark.parametrize("bidirectional", [False, True])
def test_reset_gate_before_the_product_is_exported_as_onnx_has_it(bidirectional, dynamo, tmp_path):
    layer = carousel.GRU(INPUTS, H, bidirectional=bidirectional, reset_after=False)
    model = Several([randomise(layer).eval()])
    path = tmp_path / "model.onnx"
    export(model, (randn(*SIZES[0], INPUTS).float(),), path, dynamo, "steps" if dynamo else None)
    assert operators(path) == (["GRU"] if dynamo else [])
    x = randn(4, 3, INPUTS, seed=5).float()
    with torch.no_grad(), kernels.use("cells"):
        expected = model(x)
    for actual, wanted in zip(run(path, x), expected, strict=True):
        assert_close(actual, wanted, "forward")


def by_packing(layer, x, lengths):
    """Lengths by torch's own means; they must be positive."""
    first = layer.batch_first
    packed = pack_padded_sequence(x, lengths, batch_first=first, enforce_sorted=False)
    y, state = layer(packed)
    total = x.size(1 if first else 0)
    return pad_packed_sequence(y, batch_first=first, total_length=total)[0], state


@pytest.mark.slow
@each_way
def test_exported_layers_read_lengths_as_a_packed_sequence_is_read(dynamo, tmp_path):
    """They are an input of the model like any other."""
    ours, theirs = pairs([(kind, SHAPES["deep"]) for kind in PLAIN])

    class WithLengths(Several):
        def forward(self, x, lengths):
            results = []
            for layer in self.layers:
                y, state = layer(x.transpose(0, 1), lengths=lengths)
                results += [y, *(state if isinstance(state, tuple) else (state,))]
            return tuple(results)

    lengths = torch.tensor([4, 2])
    inputs = (randn(4, 2, INPUTS).float(), lengths)
    path = export(WithLengths(ours.layers), inputs, tmp_path / "model.onnx", dynamo)
    x, lengths = randn(6, 3, INPUTS, seed=1).float(), torch.tensor([3, 6, 1])
    actual, expected = run(path, x, lengths), []
    with torch.no_grad():
        for layer in theirs.layers:
            y, state = by_packing(layer, x.transpose(0, 1), lengths)
            expected += [y, *(state if isinstance(state, tuple) else (state,))]
    for one, other in zip(actual, expected, strict=True):
        assert_close(one, other, "forward")

    lengths = torch.tensor([0, 6, 2])
    with torch.no_grad():
        expected = WithLengths(ours.layers)(x, lengths)
    for one, other in zip(run(path, x, lengths), expected, strict=True):
        assert_close(one, other, "forward")


@each_way
def test_exported_layers_start_from_a_given_state(dynamo, tmp_path):
    layer, twin = (several.layers[0] for several in pairs([("GRU", {"num_layers": 2})]))

    class WithState(nn.Module):
        def __init__(self, layer):
            super().__init__()
            self.layer = layer

        def forward(self, x, rows_first):
            return self.layer(x, rows_first.transpose(0, 1))

    inputs = (randn(4, 2, INPUTS).float(), randn(2, 2, H, seed=1).float())
    path = export(WithState(layer), inputs, tmp_path / "model.onnx", dynamo)
    inputs = (randn(6, 3, INPUTS, seed=2).float(), randn(3, 2, H, seed=3).float())
    with torch.no_grad():
        expected = WithState(twin)(*inputs)
    for actual, wanted in zip(run(path, *inputs), expected, strict=True):
        assert_close(actual, wanted, "forward")


UNROLLED = {
    "projection": lambda: carousel.LSTM(INPUTS, H, proj_size=2),
    "an option": lambda: carousel.LSTM(INPUTS, H, activation="softsign", peephole=True),
    "a cell of ours": lambda: carousel.MinGRU(INPUTS, H, num_layers=2),
}


@pytest.mark.slow
@each_way
def test_what_onnx_lacks_is_written_step_by_step_for_a_fixed_number_of_steps(dynamo, tmp_path):
    model = Several([randomise(make()) for make in UNROLLED.values()]).eval()
    inputs = (randn(4, 2, INPUTS).float(),)
    path = export(model, inputs, tmp_path / "model.onnx", dynamo, steps=None)
    x = randn(4, 3, INPUTS, seed=1).float()
    with torch.no_grad(), kernels.use("cells"):
        expected = model(x)
    for actual, wanted in zip(run(path, x), expected, strict=True):
        assert_close(actual, wanted, "forward")


def test_model_for_a_fixed_number_of_steps_refuses_others_even_where_they_were_promised(tmp_path):
    """The trace cannot know which axes will vary."""
    model = Several([randomise(UNROLLED["projection"]())]).eval()
    inputs = (randn(4, 2, INPUTS).float(),)
    path = export(model, inputs, tmp_path / "model.onnx", dynamo=False)
    with pytest.raises(Exception, match="reshape"):
        run(path, randn(8, 2, INPUTS).float())


def test_explain_says_what_is_written(tmp_path, caplog):
    caplog.set_level("INFO", "carousel")
    said = []

    class Says(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = carousel.GRU(INPUTS, H)

        def forward(self, x):
            said.append(carousel.explain(self.layer, x))
            return self.layer(x)

    inputs = (randn(4, 2, INPUTS).float(),)
    export(Says(), inputs, tmp_path / "model.onnx", True)
    assert set(said) == {"onnx: while torch.onnx exports"}
    said.clear()
    export(Says(), inputs, tmp_path / "model.onnx", False)
    assert all(words.startswith("torch: while torch.onnx exports, by torch.jit") for words in said)
    assert carousel.explain(Says().layer, inputs[0]).startswith("native")


def test_use_torch_exports_what_torch_exports(tmp_path):
    model = Several([carousel.RNN(INPUTS, H)]).eval()
    with kernels.use("torch"):
        inputs = (randn(4, 2, INPUTS).float(),)
        path = export(model, inputs, tmp_path / "model.onnx", True, steps=None)
    assert operators(path) == []  # torch's exporter writes an RNN step by step


def test_program_of_torch_export_is_translated_if_it_was_made_with_torchs_kernels(tmp_path):
    """Our operator in it is none that the exporter knows."""
    layer, twin = make_pair("GRU", INPUTS, H, dtype=torch.float32)
    x = randn(4, 2, INPUTS).float()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(RuntimeError, match=r"carousel\.layer"):
            torch.onnx.export(torch.export.export(layer, (x,)), (), verbose=False)
        with kernels.use("torch"):
            program = torch.export.export(layer, (x,))
        torch.onnx.export(program, (), tmp_path / "model.onnx", verbose=False)
    with torch.no_grad():
        expected = twin(x)
    for one, other in zip(run(tmp_path / "model.onnx", x), expected, strict=True):
        assert_close(one, other, "forward")


def test_packed_sequence_is_exported_by_the_trace(tmp_path):
    layer, twin = make_pair("LSTM", INPUTS, H, dtype=torch.float32, **SHAPES["deep"])

    class Packed(nn.Module):
        def __init__(self, layer):
            super().__init__()
            self.layer = layer

        def forward(self, x, lengths):
            return by_packing(self.layer, x.transpose(0, 1), lengths)

    example = (randn(4, 2, INPUTS).float(), torch.tensor([2, 4]))
    path = export(Packed(layer.eval()), example, tmp_path / "model.onnx", dynamo=False)
    x, lengths = randn(6, 3, INPUTS, seed=1).float(), torch.tensor([3, 6, 1])
    with torch.no_grad():
        y, state = Packed(twin)(x, lengths)
    for one, other in zip(run(path, x, lengths), (y, *state), strict=True):
        assert_close(one, other, "forward")
