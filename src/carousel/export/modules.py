"""Descriptions of layers: torch's and Carousel's, alone or in a `torch.nn.Sequential`."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from carousel.cells.table import spec_of
from carousel.errors import ConfigError
from carousel.export.convolutions import Inner
from carousel.export.description import (
    Activation,
    Array,
    Categories,
    Convolution,
    Dense,
    Differences,
    Embedding,
    Frames,
    GroupedSoftmax,
    Known,
    Layer,
    Magnitude,
    Network,
    Normalisation,
    Pictures,
    Pooling,
    Ranks,
    Recurrent,
    Reflection,
    Softmax,
    UnitLength,
    Value,
    Wide,
)
from carousel.kernels import Options
from carousel.layers import frames, pooling
from carousel.layers.base import Recurrent as CarouselLayer
from carousel.layers.categories import CategoryInput
from carousel.layers.convolution import ConvolutionalMap
from carousel.layers.ordinal import CumulativeLogits
from carousel.layers.parts import parts_of

_FUNCTIONS: dict[type[nn.Module], str] = {
    nn.ReLU: "relu",
    nn.Tanh: "tanh",
    nn.Sigmoid: "sigmoid",
    nn.Softsign: "softsign",
    nn.Hardtanh: "hard_tanh",
    nn.Hardsigmoid: "hard_sigmoid",
    nn.LeakyReLU: "leaky_relu",
    nn.ELU: "elu",
    nn.SiLU: "silu",
    nn.GELU: "gelu",
}
_NOTHING = (nn.Identity, nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.AlphaDropout)
KNOWN = (
    "recurrent layers, Linear, Embedding, Conv1d, LayerNorm, Softmax, Dropout, activations, "
    "Frames, UnitLength, and a Sequential of these"
)


def array(tensor: Tensor) -> Array:
    """A tensor as a float32 array of its own."""
    return np.array(tensor.detach().cpu().float().numpy(), dtype=np.float32)


def wide(tensor: Tensor) -> Wide:
    """A tensor as a float64 array of its own, of one dimension at least."""
    return np.atleast_1d(np.array(tensor.detach().cpu().double().numpy(), dtype=np.float64))


def is_recurrent(module: nn.Module) -> bool:
    """True for a recurrent layer of torch or of Carousel."""
    return isinstance(module, nn.RNNBase | CarouselLayer)


def describe_modules(model: nn.Module) -> Network:
    """Network of a layer, or of a `torch.nn.Sequential` of layers. Raises `ConfigError` naming a
    layer that cannot be described.

    >>> import carousel
    >>> str(describe_modules(carousel.GRU(3, 5, num_layers=2)).recurrent[0])
    'gru(3, 5) of 2 layers'
    """
    parts = tuple(parts_of(model))
    layers = tuple(made for part in parts for made in layers_of(part))
    if not layers:
        raise ConfigError(f"{type(model).__name__} computes nothing: there is no layer to export")
    is_float = all(part.dtype == torch.float32 for part in model.parameters())
    if not is_float:
        raise ConfigError("files hold float32: convert the model with .float() first")
    first = layers[0]
    if isinstance(first, Embedding):
        width, given = 0, Value("tokens", "int64", ("batch", "time"), "numbers of tokens")
    else:
        width = features_of(layers)
        given = Value("x", "float32", ("batch", "time", width), "values")
    width = width_after(layers, width)
    pooled = any(isinstance(layer, Pooling) for layer in layers)
    shape: tuple[int | str, ...] = ("batch", width) if pooled else ("batch", "time", width)
    name = type(model).__name__
    output = Value("y", "float32", shape, "outputs")
    has_states = not pooled and any(isinstance(layer, Recurrent) for layer in layers)
    return Network(name, layers, (given,), (output,), has_states=has_states)


def layers_of(module: nn.Module) -> list[Layer]:
    """Description of a module: no layer for what does nothing outside training. Raises
    `ConfigError` for one that has no description."""
    if isinstance(module, _NOTHING):
        return []
    if is_recurrent(module):
        return [recurrent(module)]
    if isinstance(module, nn.Linear):
        return [dense(module)]
    if isinstance(module, nn.Embedding):
        return [embedding(module)]
    if isinstance(module, nn.Conv1d):
        return [convolution(module)]
    if isinstance(module, nn.LayerNorm) and len(module.normalized_shape) == 1:
        gain, bias = (None if w is None else array(w) for w in (module.weight, module.bias))
        return [Normalisation(gain, bias, module.eps)]
    if isinstance(module, nn.Softmax | nn.LogSoftmax) and module.dim in (-1, 2):
        return [Softmax(log=isinstance(module, nn.LogSoftmax))]
    if isinstance(module, frames.Frames):
        inside = tuple(made for part in parts_of(module.layers) for made in _inside(part))
        return [Frames(module.size // module.channels, module.channels, inside)]
    if isinstance(module, frames.UnitLength):
        return [UnitLength(module.eps)]
    if isinstance(module, CumulativeLogits):
        return [ranks(module)]
    if isinstance(module, CategoryInput):
        return [categories(module)]
    if isinstance(module, pooling.Pooling):
        return [pooled(module)]
    if type(module) in _FUNCTIONS:
        return [_function(module)]
    raise ConfigError(
        f"{type(module).__name__} has no description: export a model of {KNOWN}, and compute the "
        "rest where the file is used; or export the module whole with torch.onnx.export or "
        "torch.export"
    )


def _inside(module: nn.Module) -> list[Inner]:
    """Description of a module inside frames. Raises `ConfigError` for one that has none there."""
    if isinstance(module, nn.ReflectionPad1d):
        return [Reflection(*module.padding)]
    if isinstance(module, frames.Magnitude):
        return [Magnitude()]
    numbers = isinstance(module, nn.Conv1d) and not isinstance(module.padding, str)
    if numbers and module.padding_mode == "reflect":
        (both,) = cast("tuple[int]", module.padding)
        return [Reflection(both, both), convolution(cast("nn.Conv1d", module), padding=0)]
    if isinstance(module, (nn.Conv1d, *_FUNCTIONS, *_NOTHING)):
        return cast("list[Inner]", layers_of(module))
    raise ConfigError(
        f"{type(module).__name__} inside Frames has no description: Conv1d, ReflectionPad1d, "
        "Magnitude, activations and Dropout have one"
    )


def recurrent(module: Any) -> Recurrent:
    """Description of a recurrent layer, torch's or Carousel's, as it acts in evaluation."""
    spec = spec_of(module.mode)
    own = isinstance(module, CarouselLayer)
    acting = module.layer_options.in_call(module.mode, False) if own else Options()
    hidden, outputs = module.hidden_size, getattr(module, "proj_size", 0) or module.hidden_size
    zoneout = {"h": acting.zoneout_state, "c": acting.zoneout_cell}
    layers = tuple(
        tuple(
            _direction(module, f"_l{layer}{suffix}")
            for suffix in ("", "_reverse")[: 1 + module.bidirectional]
        )
        for layer in range(module.num_layers)
    )
    return Recurrent(
        cell=spec.name,
        hidden=hidden,
        options=acting.settings(module.mode),
        zoneout=tuple(zoneout.get(name, 0.0) for name in spec.states),
        layers=layers,
        state_names=spec.states,
        state_sizes=spec.state_sizes(hidden, outputs, getattr(module, "order", 0)),
    )


def _direction(module: Any, end: str) -> dict[str, Array]:
    """Weights of one direction that there are; end: of their names in the layer."""
    found = {w.name: getattr(module, w.name + end, None) for w in spec_of(module.mode).weights}
    return {name: array(weight) for name, weight in found.items() if weight is not None}


def dense(module: nn.Linear) -> Dense:
    """Description of a linear layer."""
    bias = cast("Tensor | None", module.bias)
    return Dense(array(module.weight), None if bias is None else array(bias))


def embedding(module: nn.Embedding) -> Embedding:
    """Description of a table of tokens. Raises `ConfigError` for one that scales its rows."""
    if module.max_norm is not None:
        raise ConfigError(
            "Embedding with max_norm scales its rows as they are read: scale the weight once, and "
            "set max_norm=None"
        )
    return Embedding(array(module.weight))


def convolution(module: nn.Conv1d, padding: int | None = None) -> Convolution:
    """Description of a convolution over time; padding: of zeros, the module's if not given. Raises
    `ConfigError` for padding by other than zeros, or of two sizes."""
    if padding is None:
        padding = _zeros_of(module)
    return Convolution(
        array(module.weight),
        None if module.bias is None else array(module.bias),
        module.stride[0],
        padding,
        module.dilation[0],
        module.groups,
    )


def _zeros_of(module: nn.Conv1d) -> int:
    if module.padding_mode != "zeros" or isinstance(module.padding, str):
        raise ConfigError(
            f"Conv1d with padding={module.padding!r}, padding_mode={module.padding_mode!r}: a "
            "number of zeros on both sides can be exported, inside Frames its reflection, too; pad "
            "in a layer of your own before the file"
        )
    return module.padding[0]


def categories(module: CategoryInput) -> Categories:
    """Description of columns of codes among numbers."""
    tables = zip(module.levels, module.embeddings, strict=True)
    return Categories(
        tuple(module.numbers),
        tuple((place, array(cast(nn.Embedding, table).weight)) for place, table in tables),
    )


def pictures(module: ConvolutionalMap, side: int) -> Pictures:
    """Description of a convolutional encoder of pictures of side x side pixels."""
    stages = [cast(nn.Conv2d, stage) for stage in module.stages]
    return Pictures(
        side, tuple((array(stage.weight), array(cast(Tensor, stage.bias))) for stage in stages)
    )


def pooled(module: pooling.Pooling) -> Pooling:
    """Description of a summary of all steps."""
    if module.how != "attention":
        return Pooling(module.how)
    hidden, score = module.attention.hidden, module.attention.score
    return Pooling(module.how, array(hidden.weight), array(hidden.bias), array(score.weight[0]))


def ranks(module: CumulativeLogits) -> Ranks:
    """Description of ranks on a line: probabilities, where the module gives their logarithms."""
    weight, thresholds = array(module.score.weight[0]), array(module.thresholds)
    return Ranks(weight, thresholds, module.steepness.item())


def _function(module: Any) -> Activation:
    name = _FUNCTIONS[type(module)]
    usual = {nn.Hardtanh: ("min_val", "max_val"), nn.GELU: ("approximate",)}
    for attribute in usual.get(type(module), ()):
        value, wanted = getattr(module, attribute), {"min_val": -1, "max_val": 1}.get(attribute)
        if value != (wanted if wanted is not None else "none"):
            raise ConfigError(
                f"{type(module).__name__} with {attribute}={value!r} has no description: use its "
                "default, or compute it where the file is used"
            )
    slope = getattr(module, "negative_slope", getattr(module, "alpha", 0.0))
    return Activation(name, float(slope))


def features_of(layers: tuple[Layer, ...]) -> int:
    """Features of what the first layer reads. Raises `ConfigError` where no layer says it."""
    for layer in layers:
        if isinstance(layer, Recurrent):
            return layer.inputs
        if isinstance(layer, Frames):
            return layer.places * layer.channels
        if isinstance(layer, Dense):
            return int(layer.weight.shape[1])
        if isinstance(layer, Convolution):
            return int(layer.weight.shape[1]) * layer.groups
        if isinstance(layer, Categories):
            return len(layer.numbers) + len(layer.tables)
        if isinstance(layer, Normalisation) and layer.gain is not None:
            return len(layer.gain)
    raise ConfigError("no layer says how many features there are: begin with one that does")


def width_after(layers: tuple[Layer, ...], width: int) -> int:
    """Features of what the last layer gives; width: of what the first reads."""
    for layer in layers:
        if isinstance(layer, Recurrent):
            width = layer.outputs * layer.directions
        elif isinstance(layer, Dense | Convolution):
            width = int(layer.weight.shape[0])
        elif isinstance(layer, Embedding):
            width = sum(table.shape[1] for table in (layer.table, *layer.further))
        elif isinstance(layer, Categories):
            width = len(layer.numbers) + sum(table.shape[1] for _, table in layer.tables)
        elif isinstance(layer, Frames):
            width = layer.outputs
        elif isinstance(layer, Known):
            width = layer.features + len(layer.columns)
        elif isinstance(layer, GroupedSoftmax):
            width = sum(layer.sizes)
        elif isinstance(layer, Ranks):
            width = len(layer.thresholds) + 1
        elif isinstance(layer, Differences):
            width *= 2
    return width
