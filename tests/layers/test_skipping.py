"""`SRU` and `RGLRU`: what they hold, how they start, and SRU against its authors' package."""

import math

import pytest
import torch
from oracle import assert_close, randn
from torch.utils import cpp_extension

import carousel


def shapes_of(layer):
    return {name: tuple(parameter.shape) for name, parameter in layer.named_parameters()}


def test_layers_with_as_many_inputs_as_units_have_a_block_of_weights_less():
    assert shapes_of(carousel.SRU(3, 5, num_layers=2)) == {
        "weight_ih_l0": (20, 3),
        "weight_c_l0": (10,),
        "bias_ih_l0": (10,),
        "weight_ih_l1": (15, 5),
        "weight_c_l1": (10,),
        "bias_ih_l1": (10,),
    }
    assert shapes_of(carousel.RGLRU(5, 5, bias=False, bidirectional=True)) == {
        "weight_ih_l0": (10, 5),
        "weight_lambda_l0": (5,),
        "weight_ih_l0_reverse": (10, 5),
        "weight_lambda_l0_reverse": (5,),
    }
    assert shapes_of(carousel.RGLRU(3, 5))["weight_ih_l0"] == (15, 3)


@pytest.mark.parametrize(("inputs", "hidden"), [(4, 3), (3, 4), (1, 1), (6, 6), (1, 7)])
@pytest.mark.parametrize("name", ["SRU", "RGLRU"])
def test_sizes_whose_weights_could_be_mistaken_run_in_the_kernels(name, inputs, hidden):
    """(12, 4) is three blocks of four units, and four of three."""
    layer, x = getattr(carousel, name)(inputs, hidden), torch.randn(5, 2, inputs)
    y, _ = layer(x)
    y.sum().backward()
    with carousel.kernels.use("cells"):
        expected, _ = layer(x)
    assert_close(y, expected, "forward")


def test_weights_start_as_the_authors_have_them():
    torch.manual_seed(2)
    layer = carousel.SRU(12, 300)
    assert 0.49 < layer.weight_ih_l0.abs().max() <= 0.5
    assert 1.2 < layer.weight_c_l0.abs().max() <= math.sqrt(1.5)
    assert torch.count_nonzero(layer.bias_ih_l0) == 0
    kept = torch.sigmoid(carousel.RGLRU(12, 300).weight_lambda_l0.detach()) ** 8
    assert 0.9 <= kept.min() < 0.905
    assert 0.995 < kept.max() <= 0.999 + 1e-6


def test_first_output_changes_nothing_in_sru_and_gets_no_gradient():
    layer, x = carousel.SRU(3, 5), torch.randn(4, 2, 3)
    h, c = (torch.randn(1, 2, 5, requires_grad=True) for _ in range(2))
    y, (last, _) = layer(x, (h, c))
    assert torch.equal(y, layer(x, (h + 1, c))[0])
    assert torch.equal(last[0], y[-1])
    of_h, of_c = torch.autograd.grad(y.sum(), (h, c))
    assert torch.count_nonzero(of_h) == 0
    assert torch.count_nonzero(of_c) == of_c.numel()


@pytest.mark.parametrize(
    "hx", [torch.zeros(1, 2, 5), (torch.zeros(1, 2, 5),)], ids=["one", "single"]
)
def test_sru_wants_a_pair_of_states(hx):
    with pytest.raises(TypeError, match=r"SRU: hx must be the pair \(h_0, c_0\)"):
        carousel.SRU(3, 5)(torch.zeros(4, 2, 3), hx)


@pytest.mark.parametrize("inputs", [4, 6], ids=["projected", "direct"])
@pytest.mark.filterwarnings("ignore")  # the package's own
def test_sru_equals_its_authors_package(inputs, monkeypatch):
    # It compiles kernels when it is imported; its equations in torch are enough.
    monkeypatch.setattr(cpp_extension, "load", lambda **_: None)
    monkeypatch.setattr(torch.jit, "script", lambda function: function)
    theirs = pytest.importorskip("sru").SRUCell(inputs, 6, rescale=False).double()
    ours, blocks = carousel.SRU(inputs, 6).double(), 3 + (inputs != 6)
    with torch.no_grad():
        # Theirs: inputs by units by (n, f, r, s).
        n, f, r, *s = theirs.weight.view(inputs, 6, blocks).permute(2, 1, 0)
        ours.weight_ih_l0.copy_(torch.cat([f, r, n, *s]))
        ours.weight_c_l0.copy_(theirs.weight_c)
        theirs.bias.copy_(randn(12, seed=3))
        ours.bias_ih_l0.copy_(theirs.bias)
    x, c = randn(7, 3, inputs), randn(3, 6, seed=1)
    y, last = theirs(x, c)
    found, (_, found_last) = ours(x, (torch.zeros(1, 3, 6).double(), c[None]))
    assert_close(found, y, "forward")
    assert_close(found_last[0], last, "forward")
