"""torch.fx.symbolic_trace: a layer is one node of the graph, as torch's layers are."""

import pytest
import torch
from oracle import assert_same, evaluate, make_pair, randn
from torch import fx, nn

import carousel

X = randn(4, 2, 3).float()


class Tagger(nn.Module):
    def __init__(self, layer, head=None):
        super().__init__()
        self.layer = layer
        self.head = head or nn.Linear(layer.hidden_size, 2)

    def forward(self, x):
        y, _ = self.layer(x)
        return self.head(torch.relu(y))


def nodes(graph):
    return [(node.op, str(node.target)) for node in graph.nodes]


@pytest.mark.parametrize("kind", ["RNN-tanh", "GRU", "LSTM"])
def test_traced_model_has_the_nodes_of_torchs_and_the_same_results(kind):
    ours, theirs = make_pair(kind, 3, 5, dtype=torch.float32, num_layers=2)
    model = Tagger(ours)
    traced = fx.symbolic_trace(model)
    assert nodes(traced.graph) == nodes(fx.symbolic_trace(Tagger(theirs)).graph)
    assert traced.layer is ours
    run = lambda model: evaluate(  # noqa: E731
        lambda x, _: (model(x), ()), X, None, model.named_parameters()
    )
    assert_same(run(traced), run(Tagger(theirs, model.head)))


@pytest.mark.parametrize("make", [carousel.MinGRU, carousel.IndRNN, carousel.SLSTM, carousel.LMU])
def test_cells_that_torch_lacks_are_one_node_too(make):
    model = Tagger(make(3, 5))
    assert ("call_module", "layer") in nodes(fx.symbolic_trace(model).graph)
    assert torch.equal(fx.symbolic_trace(model)(X), model(X))


def test_states_and_lengths_are_arguments_of_the_node():
    class Continues(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second = carousel.LSTM(3, 5), carousel.LSTM(5, 5)

        def forward(self, x, lengths):
            y, (h, c) = self.first(x, lengths=lengths)
            return self.second(y, (torch.tanh(h), c), lengths)

    model, lengths = Continues(), torch.tensor([2, 4])
    traced = fx.symbolic_trace(model)
    assert sum(node.op == "call_module" for node in traced.graph.nodes) == 2
    (y, (h, c)), (wanted, state) = traced(X, lengths), model(X, lengths)
    assert all(torch.equal(*pair) for pair in zip((y, h, c), (wanted, *state), strict=True))


def test_layer_alone_is_refused_as_torchs_is():
    for layer in (nn.LSTM(3, 5), carousel.LSTM(3, 5)):
        with pytest.raises(fx.proxy.TraceError):
            fx.symbolic_trace(layer)
    with pytest.raises(fx.proxy.TraceError, match=r"torch\.nn\.Sequential\(layer\)"):
        fx.symbolic_trace(carousel.LSTM(3, 5))
    assert nodes(fx.symbolic_trace(nn.Sequential(carousel.LSTM(3, 5))).graph)[1:2] == [
        ("call_module", "0")
    ]
