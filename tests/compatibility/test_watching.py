"""What watches or steers a run: Lightning Fabric, the profiler, the FLOP counter,
torch.func."""

import pytest
import torch
from oracle import as_tuple, assert_close, make_pair, randn, random_state
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence
from torch.utils.flop_counter import FlopCounterMode

import carousel
import carousel.kernels

# torch's own, of flags(enabled=False).
pytestmark = pytest.mark.filterwarnings("ignore:TF32 acceleration:UserWarning")

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


@pytest.mark.parametrize("kind", [*KINDS, "LSTM-projected"])
def test_profiler_of_inference_sees_the_layer(kind):
    ours, _ = make_pair(kind, 3, 5, dtype=torch.float32)
    with torch.no_grad(), torch.profiler.profile() as seen:
        ours(X)
    names = [event.key for event in seen.key_averages()]
    assert any(name == f"carousel::layer {ours.mode}" for name in names)


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


OPTIONS = [{}, {"num_layers": 2, "bidirectional": True}, {"bias": False, "batch_first": True}]


def flops(layer, run, mean=False):
    with FlopCounterMode(display=False) as counter:
        y = run(layer)
        forward = counter.get_total_flops()
        if mean:
            y.sum().backward()
    return forward, counter.get_total_flops() - forward


@pytest.mark.parametrize("kind", ["RNN-tanh", "RNN-relu", "GRU", "LSTM", "LSTM-projected"])
@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("packed", [False, True], ids=["padded", "packed"])
def test_flop_counter_counts_on_our_kernels_what_it_counts_of_torchs_operators(
    kind, options, packed
):
    """Of the LSTM without oneDNN's operator, which it does not know."""
    ours, theirs = make_pair(kind, 3, 5, dtype=torch.float32, **options)
    lengths = [4, 2] if not options.get("batch_first") else [2, 2, 1, 1]

    def run(layer):
        x = X.clone().requires_grad_()
        hx = random_state(layer, len(lengths))
        hx = [part.requires_grad_() for part in as_tuple(hx)]
        hx = tuple(hx) if len(hx) == 2 else hx[0]
        if packed:
            x = pack_padded_sequence(x, lengths, batch_first=layer.batch_first)
        y, _ = layer(x, hx)
        return y.data if packed else y

    counted = flops(ours, run, True)
    with torch.backends.mkldnn.flags(enabled=False):
        assert counted == flops(theirs, run, True)


@pytest.mark.parametrize("name", ["MinGRU", "MinLSTM", "IndRNN", "SRU", "RGLRU", "QRNN"])
def test_flop_counter_counts_cells_without_a_recurrent_product(name):
    layer = getattr(carousel, name)(3, 5)
    (rows,) = {len(layer.weight_ih_l0)}
    forward, backward = flops(layer, lambda layer: layer(X, lengths=[4, 1])[0], True)
    assert forward == 2 * 5 * rows * 3
    assert backward == forward  # the gradient of the weights alone: nobody wants that of the input


def test_flop_counter_counts_the_product_with_the_states_of_the_lru_both_ways():
    layer = carousel.LRU(3, 5)
    forward, backward = flops(layer, lambda layer: layer(X, lengths=[4, 1])[0], True)
    inputs, states = layer.weight_ih_l0.numel(), layer.weight_sh_l0.numel()
    assert forward == 2 * 5 * (inputs + states)
    assert backward == 2 * 5 * (inputs + 2 * states)
