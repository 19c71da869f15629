"""Numbers from inside the cells on a few sequences: gates, states, and how far gradients reach."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.autograd.graph import GradientEdge

from carousel.cells.states import states_of
from carousel.coach.traces import Trace, trace
from carousel.coach.watch import Call

_LOW, _HIGH, _FLAT, _STILL = 0.1, 0.9, 0.97, 1e-3
_POINTS = 64


@dataclass
class Inside:
    """Numbers from inside a network. numbers: by the name of their series; profiles: the same along
    an axis ("time", from the first step, or "lag", from the last step back), at most 64 points."""

    numbers: dict[str, float] = field(default_factory=dict)
    profiles: list[dict[str, Any]] = field(default_factory=list)

    def profile(self, name: str, axis: str, values: Tensor) -> None:
        each = -(-len(values) // _POINTS)
        means = [float(f"{float(part.mean()):.4g}") for part in torch.split(values, each)]
        self.profiles.append({"name": name, "axis": axis, "each": each, "values": means})


def look_inside(calls: list[Call], rows: int, needed: int = 0) -> Inside:
    """Open the cells of the longest call of every recurrent layer, for its first `rows` rows.

    needed: the lag that the task needs; 0: half of the sequence. The recurrence is computed once
    more by `carousel.cells`, as in evaluation; gradients of what the layer gave are those that
    `watch` has seen, so that dL/dh_t is exact where the layer draws no masks.

    Series, by layer (such as recurrent.l0, or recurrent.l0_reverse):
        gate/<layer>/<gate>/low, high, mean, std    shares below 0.1 and above 0.9; mean, deviation
        candidate/<layer>/saturated                 share with |candidate| > 0.97
        state/<layer>/saturated, dead, std, mean    share of |h| > 0.97; of units with std < 1e-3
        state/<layer>/norm, cell_norm               means over the rows of ‖h‖ and ‖c‖ at the end
        lag/<layer>/ratio                           log10 of ‖dL/dh_{T-k}‖ / ‖dL/dh_T‖, k = needed
        lag/<layer>/reach                           the first lag where the ratio is below 1e-3
        lag/<layer>/length, needed                  lags that there are, and the one asked for
    """
    inside = Inside()
    longest: dict[str, Call] = {}
    for call in calls:
        if call.name not in longest or call.steps > longest[call.name].steps:
            longest[call.name] = call
    for call in longest.values():
        _open(call, rows, needed, inside)
    return inside


def _open(call: Call, rows: int, needed: int, inside: Inside) -> None:
    layer: Any = call.layer
    x, hx, lengths = call.x, call.hx, call.lengths
    batch_dim = 0 if layer.batch_first else 1
    if x.dim() == 3 and x.size(batch_dim) > rows:
        x = x.narrow(batch_dim, 0, rows)
        lengths = None if lengths is None else lengths[:rows]
        if hx is not None:
            hx = tuple(part[:, :rows] for part in states_of(hx))
    with torch.enable_grad():
        traces = trace(layer, x, hx, lengths)
    for found in traces:
        _numbers(_label(call.name, found), found, inside)
    if call.gradients and all(found.output.requires_grad for found in traces):
        for found, norms in zip(traces, lag_norms(call, traces, rows), strict=True):
            _reach(_label(call.name, found), norms, needed, inside)


def _label(name: str, found: Trace) -> str:
    place = f"l{found.layer}{'_reverse' if found.reverse else ''}"
    return f"{name}.{place}" if name else place


@torch.no_grad()
def _numbers(label: str, found: Trace, inside: Inside) -> None:
    real = found.inside
    count, there, ends = real.sum(1).clamp(min=1), real.any(1), _ends(found)
    for gate, part in found.gates.items():
        values = part.detach()
        v = values[real]
        low, high = values < _LOW, values > _HIGH
        name = f"gate/{label}/{gate}"
        inside.numbers |= {
            f"{name}/low": _share(low[real]),
            f"{name}/high": _share(high[real]),
            f"{name}/mean": float(v.mean()),
            f"{name}/std": float(v.std(correction=0)),
        }
        wide = real[..., None]
        for word, mask in (("low", low), ("high", high)):
            over_time = (mask & wide).float().mean(2).sum(1) / count
            inside.profile(f"{name}/{word}", "time", over_time[there])
    for candidate in found.spec.of_kind("candidate"):
        flat = found.parts[candidate].detach()[real].abs() > _FLAT
        inside.numbers[f"candidate/{label}/saturated"] = _share(flat)
    h = found.output.detach()
    v = h[real]
    norms = h.norm(dim=2).sum(1) / count
    inside.numbers |= {
        f"state/{label}/saturated": _share(v.abs() > _FLAT),
        f"state/{label}/dead": _share(v.std(0, correction=0) < _STILL),
        f"state/{label}/std": float(v.std(correction=0)),
        f"state/{label}/mean": float(v.mean().abs()),
        f"state/{label}/norm": float(h[ends, torch.arange(len(ends))].norm(dim=1).mean()),
    }
    inside.profile(f"state/{label}/norm", "time", norms[there])
    if found.memory is not found.output:
        final = found.memory.detach()[ends, torch.arange(len(ends))]
        inside.numbers[f"state/{label}/cell_norm"] = float(final.norm(dim=1).mean())


def _share(mask: Tensor) -> float:
    return float(mask.float().mean())


def lag_norms(call: Call, traces: list[Trace], rows: int) -> list[Tensor]:
    """‖dL/dh_{T-k}‖ for k = 0, 1, …, by trace, T being the end of each row (the start of a layer
    that reads backwards): the root mean square over the rows that have such a step."""
    layer: Any = call.layer
    batch_dim = 0 if layer.batch_first else 1
    wanted = [found.output for found in traces]
    roots = [found.parts[state] for state in traces[0].spec.states for found in traces]
    seeds = [torch.zeros_like(root) for root in roots]
    _seed_outputs(call, traces, seeds, rows, batch_dim)
    _seed_states(call, traces, seeds, rows)
    edges = [_edges(part) for part in wanted]
    flat = [edge for one in edges for edge in one]
    gradients = torch.autograd.grad(roots, flat, seeds, allow_unused=True)
    result, place = [], 0
    for found, one in zip(traces, edges, strict=True):
        steps = gradients[place : place + len(one)]
        place += len(one)
        blank = torch.zeros_like(found.output[0])
        stacked = torch.stack([blank if step is None else step for step in steps])
        result.append(_by_lag(stacked.detach().norm(dim=2), found))
    return result


def _edges(part: Tensor) -> list[GradientEdge]:
    """The nodes of the states that were stacked: a gradient there has come through time as well,
    one with respect to the stack has not."""
    node: Any = part.grad_fn
    while "Stack" not in node.name():
        node = node.next_functions[0][0]
    return [GradientEdge(step, number) for step, number in node.next_functions]


def _seed_outputs(
    call: Call, traces: list[Trace], seeds: list[Tensor], rows: int, batch_dim: int
) -> None:
    gradient = call.gradients.get(0)
    if gradient is None:
        return
    if gradient.dim() == 2:
        gradient = gradient.unsqueeze(batch_dim)
    if batch_dim == 0:
        gradient = gradient.transpose(0, 1)
    gradient = gradient[: len(seeds[0]), :rows]
    top = [index for index, found in enumerate(traces) if found.layer == traces[-1].layer]
    for index, part in zip(top, gradient.chunk(len(top), dim=2), strict=True):
        seeds[index][: len(part)] += part


def _seed_states(call: Call, traces: list[Trace], seeds: list[Tensor], rows: int) -> None:
    """Gradients of the final states, which a call gives after its output."""
    for index in range(len(traces[0].spec.states)):
        gradient, offset = call.gradients.get(1 + index), index * len(traces)
        if gradient is None:
            continue
        if gradient.dim() == 2:
            gradient = gradient.unsqueeze(1)
        for place, found in enumerate(traces):
            ends = _ends(found)
            seeds[offset + place][ends, torch.arange(len(ends))] += gradient[place, :rows]


def _ends(found: Trace) -> Tensor:
    """The step of each row after which its state is final."""
    last = found.inside.sum(0) - 1
    return torch.zeros_like(last) if found.reverse else last.clamp(min=0)


def _by_lag(norms: Tensor, found: Trace) -> Tensor:
    """Norms (T, B) turned so that lag 0 is the last step that was read."""
    real, steps = found.inside, torch.arange(len(norms), device=norms.device)
    lengths = real.sum(0)
    if found.reverse:
        index = steps[:, None].expand(-1, norms.size(1))
    else:
        index = (lengths[None, :] - 1 - steps[:, None]).clamp(min=0)
    there = steps[:, None] < lengths[None, :]
    squares = norms.double().gather(0, index).square() * there
    rows = there.sum(1)
    kept = rows >= max(1, (norms.size(1) + 1) // 2)  # a few long rows are no mean
    return (squares.sum(1) / rows.clamp(min=1)).sqrt()[kept]


def _reach(label: str, norms: Tensor, needed: int, inside: Inside) -> None:
    if len(norms) < 2 or not float(norms[0]) > 0:
        return
    ratio = norms / norms[0]
    lag = min(needed or len(norms) // 2, len(norms) - 1)
    below = (ratio < 1e-3).nonzero()
    inside.numbers |= {
        f"lag/{label}/ratio": math.log10(max(float(ratio[lag]), 1e-30)),
        f"lag/{label}/reach": float(below[0]) if len(below) else float(len(norms)),
        f"lag/{label}/length": float(len(norms)),
        f"lag/{label}/needed": float(lag),
    }
    inside.profile(f"lag/{label}/norm", "lag", norms)
