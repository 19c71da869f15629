"""Weights and their updates, by layer and gate."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from carousel.cells.table import spec_of
from carousel.coach.traces import recurrent_layers

_SAMPLE = 65_536
_BINS = 31


@dataclass(frozen=True)
class Block:
    """Some rows of a parameter: those of one gate, or all of it.

    name: parameter and gate, such as "recurrent.weight_hh_l0/f". recurrent: whether it multiplies
    the state; in_heads: each unit's row that of its head alone. matrix: whether it is one (ratios
    of biases, which start at zero, say little).
    """

    name: str
    parameter: nn.Parameter
    rows: slice
    recurrent: bool = False
    in_heads: bool = False

    @property
    def matrix(self) -> bool:
        return self.parameter.dim() > 1

    def of(self, tensor: Tensor) -> Tensor:
        return tensor[self.rows] if tensor.dim() else tensor


def blocks_of(model: nn.Module) -> list[Block]:
    """The parameters that are trained, those of recurrent layers cut into gates.

    >>> [block.name for block in blocks_of(nn.GRU(2, 3, bias=False))][:3]
    ['weight_ih_l0/r', 'weight_ih_l0/z', 'weight_ih_l0/n']
    """
    layers = {
        f"{prefix}.{name}" if prefix else name: layer
        for prefix, layer in recurrent_layers(model)
        for name, _ in layer.named_parameters(recurse=False)
    }
    return [
        block
        for name, parameter in model.named_parameters()
        if parameter.requires_grad and parameter.numel()
        for block in _cut(name, parameter, layers.get(name))
    ]


def _cut(name: str, parameter: nn.Parameter, layer: Any) -> Iterator[Block]:
    """The blocks of a parameter of a recurrent layer; layer: None of any other."""
    own = name.rpartition(".")[2]
    recurrent, gates, in_heads = own.startswith("weight_hh"), "", False
    if layer is not None:
        spec = spec_of(layer.mode)
        gates = spec.gates_with(lambda option: getattr(layer, option, None))
        in_heads = recurrent and spec.has_heads
    cut = own.startswith(("weight_ih", "weight_hh", "bias_ih", "bias_hh")) and len(gates) > 1
    if not cut:
        yield Block(name, parameter, slice(None), recurrent, in_heads)
        return
    each = layer.hidden_size
    for index, gate in enumerate(gates[: len(parameter) // each]):  # candidates may have no bias
        rows = slice(index * each, (index + 1) * each)
        yield Block(f"{name}/{gate}", parameter, rows, recurrent, in_heads)


def sample(tensor: Tensor) -> Tensor:
    """At most some 65,000 elements, evenly spaced: enough for means and histograms."""
    flat = tensor.detach().reshape(-1)
    stride = -(-flat.numel() // _SAMPLE)
    stride += stride > 1 and stride % 2 == 0  # not in step with rows of even width
    return flat[::stride]


@torch.no_grad()
def update_numbers(
    blocks: list[Block], before: list[Tensor], gradient_scale: float = 1.0
) -> dict[str, float]:
    """Numbers of a step's update of each block. before: `sample` of each block before the step.

    gradient_scale: by how much clipping has shortened the gradients that are there now.

    Series, by block:
        update_ratio/<block>    log10 of mean|Δθ| / mean|θ|, of matrices; not of a layer that is
                                frozen, which has no gradient and stands still
        gradient_norm/<block>   before clipping
        weight_std, update_std, weight_largest, weight_mean
    """
    numbers: dict[str, float] = {}
    for block, old in zip(blocks, before, strict=True):
        new = sample(block.of(block.parameter))
        change, size = new - old, float(old.abs().mean())
        moved = float(change.abs().mean())
        name = block.name
        frozen = block.parameter.grad is None and not moved
        if block.matrix and size > 0 and not frozen:
            numbers[f"update_ratio/{name}"] = math.log10(max(moved / size, 1e-12))
        if block.parameter.grad is not None:
            norm = float(torch.linalg.vector_norm(block.of(block.parameter.grad)))
            numbers[f"gradient_norm/{name}"] = norm / gradient_scale
        numbers[f"weight_std/{name}"] = float(new.std(correction=0))
        numbers[f"update_std/{name}"] = float(change.std(correction=0))
        numbers[f"weight_largest/{name}"] = float(new.abs().max())
        numbers[f"weight_mean/{name}"] = float(new.mean())
    return numbers


def histogram(values: Tensor) -> dict[str, Any]:
    """Counts of 31 equal bins between the smallest and the largest value."""
    low, high = float(values.min()), float(values.max())
    if not (math.isfinite(low) and math.isfinite(high)):
        return {"low": 0.0, "high": 0.0, "counts": []}
    if low == high:
        return {"low": low, "high": high, "counts": [values.numel()]}
    counts = torch.histc(values.float().cpu(), _BINS, low, high)
    return {"low": low, "high": high, "counts": [int(n) for n in counts]}


@torch.no_grad()
def spectral_radii(blocks: list[Block]) -> dict[str, float]:
    """The largest |eigenvalue| of each square recurrent block, of one in heads that of all heads,
    of a vector the largest |weight|.

    Series: spectral_radius/<block>. Above one a state can grow, far below one it fades: for gates
    it says how strongly the state drives them.
    """
    radii: dict[str, float] = {}
    for block in blocks:
        if not block.recurrent:
            continue
        weight = block.of(block.parameter.detach()).float().cpu()
        if not torch.isfinite(weight).all():
            continue
        if weight.dim() == 1:
            radii[f"spectral_radius/{block.name}"] = float(weight.abs().max())
        elif block.in_heads or weight.size(0) == weight.size(1):
            square = weight.view(-1, weight.size(1), weight.size(1))
            radii[f"spectral_radius/{block.name}"] = float(torch.linalg.eigvals(square).abs().max())
    return radii
