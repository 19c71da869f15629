"""Every way in which the weights of a layer are changed, computed, or held by somebody else."""

import numpy as np
import pytest
import torch
from oracle import KINDS, make_pair, randn
from parallel_layers import KINDS as PARALLEL_KINDS
from parallel_layers import make
from torch import nn
from torch.nn.utils import parametrizations, parametrize, prune
from torch.nn.utils import weight_norm as old_weight_norm

each_kind = pytest.mark.parametrize("kind", [*KINDS, *PARALLEL_KINDS])


def layer_of(kind, **options):
    if kind in PARALLEL_KINDS:
        return make(kind, 3, 5, **options)
    return make_pair(kind, 3, 5, dtype=torch.float32, **options)[0]


def by_optimizer(layer):
    layer(randn(4, 2, 3, dtype=torch.float32))[0].sum().backward()
    torch.optim.SGD(layer.parameters(), 0.1).step()


def by_data(layer):
    for parameter in layer.parameters():
        parameter.data.mul_(0.5)


def by_sign(layer):
    for parameter in layer.parameters():
        parameter.data.neg_()


def by_one_number(layer):
    first = next(layer.parameters())
    first.data[-1, -1] += 0.5


def by_other_data(layer):
    for parameter in layer.parameters():
        parameter.data = parameter.data * 0.5


def by_vector(layer):
    vector = nn.utils.parameters_to_vector(layer.parameters())
    nn.utils.vector_to_parameters(0.5 * vector, layer.parameters())


def by_part_of_a_vector(layer):
    """Twice: the parameters are parts of one vector then, which somebody keeps and changes."""
    layer.vector = nn.utils.parameters_to_vector(layer.parameters()).detach()
    nn.utils.vector_to_parameters(layer.vector, layer.parameters())
    layer.vector.data.mul_(0.5)


def by_numpy(layer):
    for parameter in layer.parameters():
        parameter.detach().numpy()[:] *= 0.5


def by_state_dict(layer):
    layer.load_state_dict({name: 0.5 * value for name, value in layer.state_dict().items()})


def by_new_parameter(layer):
    name = next(iter(layer._parameters))
    setattr(layer, name, nn.Parameter(getattr(layer, name).detach() * 0.5))


def by_pruning(layer):
    prune.l1_unstructured(layer, next(iter(layer._parameters)), 0.5)


def by_parametrization(layer):
    name = next(iter(layer._parameters))
    parametrizations.weight_norm(layer, name)
    with torch.no_grad():
        layer.parametrizations[name].original0.mul_(2)


def by_hook(layer):
    layer.register_forward_hook(lambda module, args, result: (result[0] * 2, result[1]))


def by_pre_hook(layer):
    layer.register_forward_pre_hook(lambda module, args: (args[0] * 2, *args[1:]))


CHANGES = [
    by_optimizer,
    by_data,
    by_sign,
    by_one_number,
    by_other_data,
    by_vector,
    by_part_of_a_vector,
    by_numpy,
    by_state_dict,
    by_new_parameter,
    by_pruning,
    by_parametrization,
    by_hook,
    by_pre_hook,
]


def views_of(layer, how):
    if how == "numpy":
        return [p.detach().numpy() for p in layer.parameters()]
    if how == "dlpack":
        return [torch.from_dlpack(np.asarray(p.detach())) for p in layer.parameters()]
    if how == "shared":
        layer.share_memory()
        return [p.detach().numpy() for p in layer.parameters()]
    arrays = [p.detach().numpy().copy() for p in layer.parameters()]
    for parameter, array in zip(layer.parameters(), arrays, strict=True):
        parameter.data = torch.from_numpy(array)
    return arrays


def of_pruning(layer, name):
    prune.random_unstructured(layer, name, 0.5)
    return layer


def of_old_weight_norm(layer, name):
    with pytest.warns(FutureWarning):
        return old_weight_norm(layer, name)


def of_new_weight_norm(layer, name):
    return parametrizations.weight_norm(layer, name)


class Doubled(nn.Module):
    def forward(self, weight):
        return 2 * weight


def of_parametrization(layer, name):
    parametrize.register_parametrization(layer, name, Doubled())
    return layer


MADE = [of_pruning, of_old_weight_norm, of_new_weight_norm, of_parametrization]
