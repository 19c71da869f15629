"""torch.jit.trace: a graph of torch's operators, for any rows and steps, to train with."""

import io

import pytest
import torch
from oracle import KINDS, assert_close, assert_same, evaluate, make_pair, randn
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

import carousel
from carousel import kernels

# torch's own: torch.jit is deprecated, and its layers compare sizes in Python, as ours do.
pytestmark = pytest.mark.filterwarnings(
    "ignore::torch.jit.TracerWarning", "ignore::DeprecationWarning"
)
each_kind = pytest.mark.parametrize("kind", KINDS)
SHAPES = [{}, {"num_layers": 2, "bidirectional": True, "batch_first": True}]
SIZES = [(4, 2), (9, 3), (1, 1)]  # steps and rows; the first ones are traced


def inputs_of(layer, steps, rows, seed=0):
    x = randn(steps, rows, layer.input_size, seed=seed).float()
    return x.transpose(0, 1).contiguous() if layer.batch_first else x


def saved(traced):
    """The graph, after a way through a file."""
    file = io.BytesIO()
    torch.jit.save(traced, file)
    file.seek(0)
    return torch.jit.load(file)


def operators(traced):
    return {node.kind() for node in traced.inlined_graph.nodes()}


@each_kind
@pytest.mark.parametrize("options", SHAPES, ids=["plain", "deep"])
def test_traced_with_gradients_computes_and_trains_as_torch(kind, options):
    ours, theirs = make_pair(kind, 3, 5, dtype=torch.float32, **options)
    traced = torch.jit.trace(ours, (inputs_of(ours, *SIZES[0]),))
    for size in SIZES:
        x = inputs_of(ours, *size, seed=1)
        actual = evaluate(lambda x, _: traced(x), x, None, ours.named_parameters())
        assert_same(actual, evaluate(theirs, x, None, theirs.named_parameters()))


@each_kind
def test_traced_graph_has_torch_operators_alone(kind):
    """Programs that read it may know no others: OpenVINO, libtorch without Python, Core ML."""
    ours, _ = make_pair(kind, 3, 5, dtype=torch.float32)
    for example in (torch.no_grad, torch.enable_grad):
        with example():
            traced = saved(torch.jit.trace(ours, (inputs_of(ours, 4, 2),)))
        assert not any(name.startswith("carousel") for name in operators(traced))
    assert any(name in operators(traced) for name in ("aten::lstm", "aten::gru")) == (
        "RNN" not in kind
    )


class OverPacked(nn.Module):
    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def forward(self, x, lengths):
        first = self.layer.batch_first
        packed = pack_padded_sequence(x, lengths, batch_first=first, enforce_sorted=False)
        y, state = self.layer(packed)
        return pad_packed_sequence(y, batch_first=first)[0], state


class OverLengths(OverPacked):
    def forward(self, x, lengths):
        return self.layer(x, lengths=lengths)


@each_kind
@pytest.mark.parametrize("model", [OverPacked, OverLengths])
@pytest.mark.parametrize("options", SHAPES, ids=["plain", "deep"])
def test_traced_over_rows_of_different_lengths_takes_any_number_of_rows(kind, model, options):
    ours, theirs = make_pair(kind, 3, 5, dtype=torch.float32, **options)
    example = (inputs_of(ours, 4, 3), torch.tensor([4, 2, 3]))
    traced = saved(torch.jit.trace(model(ours), example))
    x, lengths = inputs_of(ours, 6, 5, seed=1), torch.tensor([2, 6, 1, 4, 3])
    expected = evaluate(lambda x, _: OverPacked(theirs)(x, lengths), x)
    assert_same(evaluate(lambda x, _: traced(x, lengths), x), expected)


@each_kind
def test_traced_with_lengths_knows_rows_without_steps(kind):
    ours, _ = make_pair(kind, 3, 5, dtype=torch.float32)
    traced = torch.jit.trace(OverLengths(ours), (inputs_of(ours, 4, 2), torch.tensor([4, 2])))
    x, lengths = inputs_of(ours, 6, 3, seed=1), torch.tensor([0, 6, 2])
    expected = evaluate(lambda x, _: ours(x, lengths=lengths), x)
    assert_same(evaluate(lambda x, _: traced(x, lengths), x), expected)


OURS_ALONE = {
    "an option": lambda: carousel.LSTM(3, 5, peephole=True, bidirectional=True),
    "a cell": lambda: carousel.MinGRU(3, 5, num_layers=2),
    "a cell in another form": lambda: carousel.LMU(3, 5, num_layers=2, order=4, theta=6.0),
    "four states": lambda: carousel.SLSTM(3, 6, num_layers=2, heads=2),
}


@pytest.mark.parametrize("make", OURS_ALONE.values(), ids=OURS_ALONE)
@pytest.mark.parametrize("over", [OverLengths, OverPacked])
def test_what_torch_lacks_is_traced_as_our_operator(make, over):
    layer = make()
    example = (randn(4, 2, 3).float(), torch.tensor([4, 2]))
    traced = saved(torch.jit.trace(over(layer), example))
    assert "carousel::layer" in operators(traced)
    x, lengths = randn(6, 3, 3, seed=1).float(), torch.tensor([2, 6, 1])
    expected = evaluate(lambda x, _: layer(x, lengths=lengths), x)
    assert_same(evaluate(lambda x, _: traced(x, lengths), x), expected)


@each_kind
def test_our_operator_is_traced_where_it_is_asked_for(kind):
    ours, theirs = make_pair(kind, 3, 5, dtype=torch.float32, num_layers=2)
    with kernels.use("native"):
        traced = saved(torch.jit.trace(ours, (inputs_of(ours, 4, 2),)))
    assert "carousel::layer" in operators(traced)
    x = inputs_of(ours, 7, 3, seed=1)
    assert_same(evaluate(lambda x, _: traced(x), x), evaluate(theirs, x))


def test_graph_for_a_fixed_number_of_steps_refuses_others():
    """In float64, what torch lacks is computed step by step in Python."""
    layer = carousel.MinGRU(3, 5).double()
    traced = torch.jit.trace(layer, (randn(4, 2, 3),))
    x = randn(4, 5, 3, seed=1)
    assert_close(traced(x)[0], layer(x)[0], "forward")
    with pytest.raises(RuntimeError, match=r"shape '\[4, 2, 3\]' is invalid"):
        traced(randn(8, 2, 3))


def test_explain_says_so_while_torch_traces():
    layer, said = carousel.GRU(3, 5).requires_grad_(False), []

    def run(x):
        said.append(carousel.explain(layer, x))
        return layer(x)[0]

    torch.jit.trace(run, (randn(4, 2, 3).float(),))
    assert said[0].startswith("torch: while torch.jit traces")
    assert carousel.explain(layer, randn(4, 2, 3).float()).startswith("native")


def test_tensorboard_draws_the_graph(tmp_path):
    tensorboard = pytest.importorskip(
        "torch.utils.tensorboard", reason="tensorboard is not installed", exc_type=ImportError
    )
    model = nn.Sequential(nn.Linear(3, 4), carousel.LSTM(4, 5))
    with tensorboard.SummaryWriter(str(tmp_path)) as writer:
        writer.add_graph(model, randn(4, 2, 3).float())
    [events] = tmp_path.iterdir()
    assert b"aten::lstm" in events.read_bytes()
