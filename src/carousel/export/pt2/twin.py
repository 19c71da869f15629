"""`Twin`: a network in torch's own operators, made from its description alone."""

from __future__ import annotations

from typing import Any, cast

import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from carousel.errors import ConfigError
from carousel.export.description import (
    Activation,
    Backwards,
    Categories,
    Convolution,
    Dense,
    Differences,
    Embedding,
    Frames,
    GroupedSoftmax,
    Horizon,
    Known,
    Layer,
    Level,
    Network,
    Normalisation,
    Onward,
    Pictures,
    Pooling,
    Ranks,
    Recurrent,
    Repeat,
    Softmax,
    Squash,
    Standardise,
    UnitLength,
    Unscale,
)
from carousel.export.pt2.frames import frames
from carousel.export.pt2.recurrent import Stack

_FUNCTIONS = {
    "relu": torch.relu,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "softsign": F.softsign,
    "hard_tanh": F.hardtanh,
    "hard_sigmoid": F.hardsigmoid,
    "silu": F.silu,
    "gelu": F.gelu,
}


class Twin(nn.Module):
    """Network of a description, layer by layer.

    forward: the input, lengths where the network has them, states where they are taken; returns
    the output, and the states. With `stream` there is no dimension of time.
    """

    def __init__(self, network: Network, stream: bool) -> None:
        super().__init__()
        self.network, self.stream = network, stream
        self.with_states = network.has_states or stream
        self.parts = [_part(layer) for layer in network.layers]
        self.stacks = nn.ModuleList(part for part in self.parts if isinstance(part, Stack))

    def forward(self, x: Tensor, *rest: Tensor) -> tuple[Tensor, ...]:
        has_lengths = self.network.has_lengths and not self.stream
        lengths = rest[0] if has_lengths else None
        given = list(rest[1:] if has_lengths else rest)
        walk = _Walk(x.unsqueeze(1) if self.stream else x, lengths, given)
        for layer, part in zip(self.network.layers, self.parts, strict=True):
            walk.take(layer, part)
        y = walk.x
        if self.stream and not self.network.is_summary:
            y = y.squeeze(1)
        return (y, *walk.final) if self.with_states else (y,)


class _Walk:
    """Value that goes from layer to layer, and what stands beside it."""

    def __init__(self, x: Tensor, lengths: Tensor | None, states: list[Tensor]) -> None:
        self.x, self.lengths, self.states = x, lengths, states
        self.final: list[Tensor] = []
        self.last: Tensor | None = None
        self.windows: Tensor | None = None
        self.level: Tensor | None = None
        self.known: Tensor | None = None

    def take(self, layer: Layer, part: Any) -> None:
        x = self.x
        match layer:
            case Recurrent():
                self._recur(layer, part)
            case Convolution():
                self._convolve(layer, part)
            case Pooling(how="last"):
                assert self.last is not None
                self.x = self.last
            case Pooling():
                self.x = _pooled(layer, part, x, self._inside(), self.lengths)
            case Known():
                columns = list(layer.columns)
                self.known = x[:, layer.context :, columns]
                window = x[:, : layer.context]
                self.x = torch.cat((window[..., : layer.features], window[..., columns]), -1)
            case Level():
                columns = list(layer.columns)
                self.level = x[:, -1, columns]
                taken = torch.zeros(x.shape[2])
                taken[columns] = 1.0
                self.x = x - x[:, -1:] * taken
            case Onward():
                assert self.windows is not None
                self.x = x + self.windows.repeat(1, 1, layer.steps)
            case Repeat():
                self.x = x.unsqueeze(1).expand(-1, layer.steps, -1)
            case Backwards():
                self.x = x.flip(1)
            case Horizon():
                beside = (self.windows, self.level, self.known)
                self.x = _horizon(layer, part, cast(Tensor, self.last), *beside)
            case _:
                self.x = _plain(layer, part, x)

    def _inside(self) -> Tensor | None:
        """True in the steps of each row, (B, T, 1)."""
        if self.lengths is None:
            return None
        return (torch.arange(self.x.shape[1]) < self.lengths[:, None]).unsqueeze(2)

    def _recur(self, layer: Recurrent, part: Stack) -> None:
        if self.windows is None:
            self.windows = self.x
        count = len(layer.state_sizes)
        own, self.states = self.states[:count], self.states[count:]
        if not own:
            depth = len(layer.layers) * layer.directions
            own = [self.x.new_zeros(depth, self.x.shape[0], n) for n in layer.state_sizes]
        self.x, final, self.last = part(self.x, tuple(own), self.lengths)
        self.final += final

    def _convolve(self, layer: Convolution, part: dict[str, Tensor]) -> None:
        inside, x = self._inside(), self.x
        if inside is not None:
            x = x.masked_fill(~inside, 0.0)
        shape = (layer.stride, layer.padding, layer.dilation, layer.groups)
        y = F.conv1d(x.transpose(1, 2), part["weight"], part.get("bias"), *shape)
        self.x = y.transpose(1, 2)
        if self.lengths is not None:
            reach = layer.dilation * (layer.weight.shape[2] - 1) + 1
            steps = self.lengths + 2 * layer.padding - reach
            self.lengths = (steps // layer.stride + 1).clamp(min=0)


def _part(layer: Layer) -> Any:
    """Parts that a layer needs at hand: a stack, or its arrays as tensors by their names."""
    if isinstance(layer, Recurrent):
        return Stack(layer)
    part = _arrays(layer)
    if isinstance(layer, Embedding):
        part |= {f"further_{i}": _tensor(table) for i, table in enumerate(layer.further)}
    if isinstance(layer, Categories):
        part |= {f"table_{place}": _tensor(table) for place, table in layer.tables}
    if isinstance(layer, Frames):
        for place, inner in enumerate(layer.layers):
            part |= {f"{name}_{place}": one for name, one in _arrays(inner).items()}
    if isinstance(layer, Pictures):
        for number, (weight, bias) in enumerate(layer.stages):
            part |= {f"weight_{number}": _tensor(weight), f"bias_{number}": _tensor(bias)}
    return part


def _arrays(layer: Any) -> dict[str, Tensor]:
    return {n: _tensor(a) for n, a in vars(layer).items() if hasattr(a, "dtype")}


def _tensor(array: NDArray[Any]) -> Tensor:
    return torch.from_numpy(array.copy())


def _plain(layer: Layer, part: dict[str, Tensor], x: Tensor) -> Tensor:
    """Layers that look at each step by itself, but for differences."""
    match layer:
        case Standardise():
            return ((x.double() - part["mean"]) / part["std"]).float()
        case Unscale():
            return (x.double() * part["std"] + part["mean"]).float()
        case Differences():
            before = torch.cat((x[:, :1], x), 1)[:, :-1]  # of T + 1: no size is below one
            kept = torch.ones(x.shape[2])
            kept[list(layer.codes)] = 0.0
            return torch.cat((x, (x - before) * kept), 2)
        case Embedding():
            if not layer.further:
                return F.embedding(x, part["table"])
            tables = [part["table"], *(part[f"further_{i}"] for i in range(len(layer.further)))]
            return torch.cat([F.embedding(x[..., i], t) for i, t in enumerate(tables)], -1)
        case Categories():
            rows = [x[..., list(layer.numbers)]]
            for place, table in layer.tables:
                codes = x[..., place]
                known = (codes >= 1) & (codes <= len(table) - 1)
                numbers = torch.where(known, codes, 0.0).long()
                rows.append(F.embedding(numbers, part[f"table_{place}"]))
            return torch.cat(rows, -1)
        case Pictures():
            seen = x.reshape(-1, 1, layer.side, layer.side)
            for number in range(len(layer.stages)):
                seen = F.conv2d(seen, part[f"weight_{number}"], part[f"bias_{number}"], padding=1)
                seen = F.max_pool2d(torch.relu(seen), 2)
            return seen.reshape(x.shape[0], x.shape[1], -1)
        case Dense():
            return F.linear(x, part["weight"], part.get("bias"))
        case Activation():
            return _activation(layer, x)
        case Frames():
            return frames(layer, part, x, _activation)
        case UnitLength():
            return F.normalize(x, dim=-1, eps=layer.eps)
        case Normalisation():
            shape = (x.shape[-1],)
            return F.layer_norm(x, shape, part.get("gain"), part.get("bias"), layer.eps)
        case Softmax():
            return F.log_softmax(x, -1) if layer.log else F.softmax(x, -1)
        case GroupedSoftmax():
            first = x[..., : layer.sizes[0] + len(layer.sizes) - 1].softmax(-1)
            rare = [
                x[..., start : start + size].softmax(-1) * first[..., number : number + 1]
                for number, start, size in layer.parts()
            ]
            return torch.cat((first[..., : layer.sizes[0]], *rare), -1)
        case Ranks():
            score = (x @ part["weight"]).unsqueeze(-1)
            below = torch.sigmoid(layer.sharpness * (part["thresholds"] - score))
            return torch.cat((below[..., :1], below.diff(dim=-1), 1 - below[..., -1:]), -1)
        case Squash():
            squashed = [torch.sigmoid(c) if i in layer.places else c
                        for i, c in enumerate(x.unbind(-1))]  # fmt: skip
            return torch.stack(squashed, -1)
    raise ConfigError(f"{type(layer).__name__} has no program in torch here: export it as .onnx")


def _activation(layer: Activation, x: Tensor) -> Tensor:
    if layer.name == "leaky_relu":
        return F.leaky_relu(x, layer.slope)
    return F.elu(x, layer.slope) if layer.name == "elu" else _FUNCTIONS[layer.name](x)


def _pooled(
    layer: Pooling,
    part: dict[str, Tensor],
    y: Tensor,
    inside: Tensor | None,
    lengths: Tensor | None,
) -> Tensor:
    if layer.how == "attention":
        u = torch.tanh(F.linear(y, part["hidden"], part["hidden_bias"]))
        scores = (u @ part["score"]).unsqueeze(2)
        if inside is not None:
            scores = scores.masked_fill(~inside, torch.finfo(scores.dtype).min)
        weights = scores.softmax(1)
        if inside is not None:
            weights = weights * inside
        return (weights * y).sum(1)
    if inside is None or lengths is None:
        return y.mean(1) if layer.how == "mean" else y.amax(1)
    if layer.how == "mean":
        return y.masked_fill(~inside, 0.0).sum(1) / lengths.clamp(min=1)[:, None]
    return y.masked_fill(~inside, -torch.inf).amax(1).masked_fill((lengths == 0)[:, None], 0.0)


def _horizon(
    layer: Horizon,
    part: dict[str, Tensor],
    h: Tensor,
    windows: Tensor | None,
    level: Tensor | None,
    known: Tensor | None,
) -> Tensor:
    z = F.linear(h, part["state"], part["state_bias"])[:, None] + part["steps"]
    if known is not None:
        z = z + F.linear(known, part["known"])
    targets = len(layer.columns)
    raw = F.linear(torch.relu(z), part["weight"], part["bias"])
    raw = raw.reshape(raw.shape[0], len(layer.steps), targets, -1)
    value = raw[..., 0]
    if layer.line is not None and windows is not None:
        own = windows[:, :, list(layer.columns)]
        value = value + torch.einsum("btc,ctk->bkc", own, part["line"]) + part["offset"].t()
    if layer.distribution == "sigmoid":
        return torch.sigmoid(value)[:, None]
    if level is not None:
        value = value + level[:, None]
    if layer.distribution == "none":
        return value[:, None]
    scale = 1.2815515655446004 if layer.distribution == "gaussian" else 1.0
    wider = part["stretch"] * scale if layer.stretch is not None else scale
    below, above = ((F.softplus(raw[..., i]) + 1e-3) * wider for i in (1, raw.shape[3] - 1))
    return torch.stack((value - below, value, value + above), 1)
