"""torch.compile and torch.export with the code generator of torch."""

import shutil

import pytest
import torch
from oracle import assert_close, randn, randomise
from torch import nn

import carousel

pytestmark = [
    pytest.mark.skipif(not shutil.which("g++"), reason="torch's code generator wants g++"),
    pytest.mark.filterwarnings("ignore"),  # torch's own, of what it uses inside
]


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = randomise(carousel.LSTM(3, 5, num_layers=2, batch_first=True))
        self.head = nn.Linear(5, 2)

    def forward(self, x):
        y, _ = self.layer(x)
        return self.head(torch.relu(y))


@pytest.mark.slow
def test_compiled_model_computes_and_learns_as_the_model():
    torch._dynamo.reset()
    model, x = Model(), randn(2, 4, 3).float()
    compiled = torch.compile(model)
    parameters = list(model.parameters())
    expected = torch.autograd.grad(model(x).square().sum(), parameters)
    actual = torch.autograd.grad(compiled(x).square().sum(), parameters)
    assert_close(compiled(x), model(x), "forward")
    for one, other in zip(actual, expected, strict=True):
        assert_close(one, other, "gradient")
    torch._dynamo.reset()


@pytest.mark.parametrize("strict", [False, True])
def test_exported_program_runs_for_any_rows_and_steps_on_our_operator(strict):
    model = Model().eval()
    rows, steps = torch.export.Dim("rows", min=1), torch.export.Dim("steps", min=1)
    shapes = ({0: rows, 1: steps},)
    with torch._dynamo.config.patch(allow_rnn=True):
        program = torch.export.export(
            model, (randn(2, 4, 3).float(),), dynamic_shapes=shapes, strict=strict
        )
    assert sum("carousel" in str(node.target) for node in program.graph.nodes) == 2
    for size in ((2, 4), (5, 9), (1, 1)):
        x = randn(*size, 3, seed=1).float()
        assert_close(program.module()(x), model(x), "forward")


def test_exporting_says_nothing(recwarn):
    """No list of the weights is written while torch.export has put others in their place."""
    torch.export.export(carousel.GRU(3, 5).eval(), (randn(4, 2, 3).float(),))
    assert not [str(w.message) for w in recwarn if "assigned during export" in str(w.message)]
