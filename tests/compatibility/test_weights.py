"""What computes, prunes, copies, stores or maps the weights of a layer: results as torch.nn's."""

import copy
import io
import pickle
import warnings

import pytest
import torch
from oracle import assert_close, assert_same, evaluate, make_pair, randn
from torch import nn
from torch.nn.utils import parametrizations, parametrize, prune

import carousel

KINDS = ["RNN-tanh", "GRU", "LSTM"]
X = randn(4, 2, 3).float()


class Halved(nn.Module):
    def forward(self, weight):
        return weight / 2


def old_weight_norm(layer):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # deprecated, and still in use
        nn.utils.weight_norm(layer, "weight_hh_l0")


CHANGES = {
    "parametrize": lambda layer: parametrize.register_parametrization(
        layer, "weight_hh_l0", Halved()
    ),
    "prune": lambda layer: prune.l1_unstructured(layer, "weight_hh_l0", amount=0.4),
    "pruned for good": lambda layer: prune.remove(
        prune.ln_structured(layer, "weight_ih_l0", amount=2, n=2, dim=0), "weight_ih_l0"
    ),
    "weight_norm": lambda layer: parametrizations.weight_norm(layer, "weight_hh_l0"),
    "old weight_norm": old_weight_norm,
    "spectral_norm": lambda layer: parametrizations.spectral_norm(layer, "weight_hh_l0"),
    "orthogonal": lambda layer: parametrizations.orthogonal(layer, "weight_hh_l0"),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_changed_weights_compute_and_learn_as_torchs(kind, change):
    results = []
    for layer in make_pair(kind, 3, 3, dtype=torch.float32):
        torch.manual_seed(0)
        change(layer)
        layer.eval()
        results.append(evaluate(lambda x, _, m=layer: m(x), X, None, layer.named_parameters()))
    assert_same(*results)


COPIES = {
    "deepcopy": copy.deepcopy,
    "pickle": lambda layer: pickle.loads(pickle.dumps(layer)),
    "torch.save": lambda layer: _through_a_file(layer),
}


def _through_a_file(layer):
    file = io.BytesIO()
    torch.save(layer, file)
    file.seek(0)
    return torch.load(file, weights_only=False)


@pytest.mark.parametrize("clone", COPIES.values(), ids=COPIES)
@pytest.mark.parametrize("kind", KINDS)
def test_copy_is_the_same_layer_with_weights_of_its_own(kind, clone):
    layer, _ = make_pair(kind, 3, 5, dtype=torch.float32, num_layers=2)
    other = clone(layer)
    assert type(other) is type(layer)
    assert str(other) == str(layer)
    assert torch.equal(other(X)[0], layer(X)[0])
    with torch.no_grad():
        other.weight_hh_l0.zero_()
    assert not torch.equal(other(X)[0], layer(X)[0])


@pytest.mark.parametrize("kind", KINDS)
def test_state_dict_goes_to_torch_and_back(kind):
    ours, theirs = make_pair(kind, 3, 5, dtype=torch.float32)
    file = io.BytesIO()
    torch.save(ours.state_dict(), file)
    file.seek(0)
    theirs.load_state_dict(torch.load(file, weights_only=True))
    assert_close(ours(X)[0], theirs(X)[0], "forward")
    ours.load_state_dict(theirs.state_dict())


@pytest.mark.parametrize("kind", KINDS)
def test_data_parallel_on_the_cpu_computes_as_the_layer(kind):
    layer, _ = make_pair(kind, 3, 5, dtype=torch.float32)
    assert torch.equal(nn.DataParallel(layer)(X)[0], layer(X)[0])


@pytest.mark.parametrize("kind", KINDS)
def test_meta_layers_take_weights_by_assignment(kind):
    ours, _ = make_pair(kind, 3, 5, dtype=torch.float32)
    empty = getattr(carousel, kind.partition("-")[0])(3, 5, device="meta")
    empty.load_state_dict(ours.state_dict(), assign=True)
    assert torch.equal(empty(X)[0], ours(X)[0])
