"""What watches or steers a run: Lightning Fabric, the profiler, the FLOP counter,
torch.func."""

import pytest
import torch
from oracle import assert_close, make_pair, randn
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

import carousel
import carousel.kernels

KINDS = ["RNN-tanh", "GRU", "LSTM"]
X = randn(4, 2, 3).float()


def test_lightning_fabric_trains_a_model():
    fabric_of = pytest.importorskip("lightning_fabric")
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 4), carousel.GRU(4, 5))
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    fabric = fabric_of.Fabric(accelerator="cpu", devices=1)
    wrapped, optimizer = fabric.setup(model, optimizer)
    loss = wrapped(X)[0].square().mean()
    fabric.backward(loss)
    optimizer.step()
    assert wrapped(X)[0].square().mean() < loss


@pytest.mark.parametrize("kind", KINDS)
def test_profiler_of_training_sees_the_layer(kind):
    ours, _ = make_pair(kind, 3, 5, dtype=torch.float32)
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as seen:
        ours(X)[0].sum().backward()
    assert any("_Layer" in event.key for event in seen.key_averages())


@pytest.mark.parametrize("kind", KINDS)
def test_gradient_of_functions_equals_torchs(kind):
    ours, theirs = make_pair(kind, 3, 5, dtype=torch.float32)

    def gradients(layer):
        def loss(parameters):
            return torch.func.functional_call(layer, parameters, (X,))[0].square().sum()

        return torch.func.grad(loss)(dict(layer.named_parameters()))

    expected = gradients(theirs)
    for name, gradient in gradients(ours).items():
        assert_close(gradient, expected[name], "gradient", name)


@pytest.mark.parametrize("kind", ["RNN-tanh", "GRU"])
def test_flop_counter_counts_as_for_torchs_with_torchs_kernels(kind):
    counts = []
    for layer in make_pair(kind, 3, 5, dtype=torch.float32):
        with carousel.kernels.use("torch"), FlopCounterMode(display=False) as counter:
            layer(X)[0].sum().backward()
        counts.append(counter.get_total_flops())
    assert counts[0] == counts[1] > 0
