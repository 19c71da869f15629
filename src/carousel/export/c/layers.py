"""C of layers that take one step at a time, but for the recurrent ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from carousel.errors import ConfigError
from carousel.export.c.builder import Builder, Step
from carousel.export.c.frames import frames
from carousel.export.c.product import product
from carousel.export.c.text import block, number, plus
from carousel.export.description import (
    Activation,
    Categories,
    Dense,
    Differences,
    Embedding,
    Frames,
    GroupedSoftmax,
    Layer,
    Normalisation,
    Onward,
    Ranks,
    Repeat,
    Softmax,
    Squash,
    Standardise,
    UnitLength,
    Unscale,
)


def step(builder: Builder, layer: Layer, inputs: int) -> Step:
    """One step of a layer that reads so many numbers. Raises `ConfigError` for one without C."""
    maker = _MAKERS.get(type(layer))
    if isinstance(layer, Repeat):
        raise ConfigError(
            "Repeat (a window that is read back from one state) has no C: export the model as "
            ".onnx or .pt2, or train a detector with anomaly.error = forecast"
        )
    if maker is None:
        raise ConfigError(
            f"{type(layer).__name__} has no C yet: export it as .onnx, or leave it out and compute "
            "it where the file is used"
        )
    made: Step = maker(builder, layer, inputs)
    return made


def _loop(size: int, statement: str) -> str:
    return f"for (i = 0; i < {size}; ++i) {statement}\n"


def standardise(builder: Builder, layer: Standardise, inputs: int) -> Step:
    mean = np.broadcast_to(layer.mean, inputs if layer.mean.size == 1 else layer.mean.size)
    std = np.broadcast_to(layer.std, mean.shape)
    high = mean.astype(np.float32)
    names = [
        builder.table("mean", high, "means of the inputs"),
        builder.table("rest", (mean - high).astype(np.float32), "what float leaves of them"),
        builder.table("std", std.astype(np.float32), "their standard deviations"),
    ]
    value = f"$y[i] = (($x[i] - {names[0]}[i]) - {names[1]}[i]) / {names[2]}[i];"
    return Step(inputs, block(_loop(inputs, value)))


def embedding(builder: Builder, layer: Embedding, inputs: int) -> Step:
    text, width = "", 0
    for place, rows in enumerate((layer.table, *layer.further)):
        name = builder.table("rows", rows, f"{rows.shape[0]} rows of {rows.shape[1]} numbers")
        token = f"(($x[{place}] >= 0 && $x[{place}] < {len(rows)}) ? $x[{place}] : 0)"
        at = f"{name}[{rows.shape[1]} * (size_t){token} + i]"
        text += _loop(rows.shape[1], f"$y[{plus('i', width)}] = {at};")
        width += rows.shape[1]
    return Step(width, block(text))


def categories(builder: Builder, layer: Categories, inputs: int) -> Step:
    text = "".join(f"$y[{to}] = $x[{place}];\n" for to, place in enumerate(layer.numbers))
    width = len(layer.numbers)
    for place, rows in layer.tables:
        name = builder.table("rows", rows, f"rows of the codes of input {place}")
        code = f"$x[{place}]"
        text += f"k = ({code} >= 1.0f && {code} <= {len(rows) - 1}.0f) ? (size_t){code} : 0;\n"
        at = f"{name}[{rows.shape[1]} * k + i]"
        text += _loop(rows.shape[1], f"$y[{plus('i', width)}] = {at};")
        width += rows.shape[1]
    return Step(width, block("size_t k;\n" + text))


def differences(builder: Builder, layer: Differences, inputs: int) -> Step:
    before = builder.member("before", inputs, "inputs of the step before")
    seen = builder.member("seen", 1, "1 after the first step")
    text = _loop(inputs, "$y[i] = $x[i];")
    text += _loop(inputs, f"$y[{inputs} + i] = {seen}[0] > 0.0f ? $x[i] - {before}[i] : 0.0f;")
    text += "".join(f"$y[{inputs + code}] = 0.0f;\n" for code in layer.codes)
    text += _loop(inputs, f"{before}[i] = $x[i];") + f"{seen}[0] = 1.0f;\n"
    return Step(2 * inputs, block(text))


def dense(builder: Builder, layer: Dense, inputs: int) -> Step:
    said = f"dense layer, {inputs} inputs, {len(layer.weight)} outputs"
    text = product(builder, [layer.weight], layer.bias, ("$x",), "$y", said)
    return Step(len(layer.weight), block(text))


def activation(builder: Builder, layer: Activation, inputs: int) -> Step:
    function = builder.function_of(layer.name)
    more = f", {number(layer.slope)}" if layer.name in ("leaky_relu", "elu") else ""
    return Step(inputs, block(_loop(inputs, f"$y[i] = {function}($x[i]{more});")))


def normalisation(builder: Builder, layer: Normalisation, inputs: int) -> Step:
    function = builder.function_of("normalise")
    text = _loop(inputs, "$y[i] = $x[i];")
    text += f"{function}($y, {inputs}, {number(layer.eps)});\n"
    gain = "" if layer.gain is None else f" * {builder.table('gain', layer.gain, 'gains')}[i]"
    bias = "" if layer.bias is None else f" + {builder.table('b', layer.bias, 'biases')}[i]"
    if gain or bias:
        text += _loop(inputs, f"$y[i] = $y[i]{gain}{bias};")
    return Step(inputs, block(text))


def unit_length(builder: Builder, layer: UnitLength, inputs: int) -> Step:
    total, inverse = builder.function_of("total"), builder.function_of("inverse_root")
    least = number(max(layer.eps**2, 1e-37))
    text = f"float total = {total}($x, {inputs}, 0.0f, 1);\n"
    text += f"total = {inverse}(total > {least} ? total : {least});\n"
    return Step(inputs, block(text + _loop(inputs, "$y[i] = $x[i] * total;")))


def softmax(builder: Builder, layer: Softmax, inputs: int) -> Step:
    highest, exp = builder.function_of("highest"), builder.function_of("exp")
    text = f"const float high = {highest}($x, {inputs});\nfloat total = 0.0f;\n"
    if layer.log:
        log = builder.function_of("log")
        text += _loop(inputs, f"total += {exp}($x[i] - high);")
        text += f"total = {log}(total);\n" + _loop(inputs, "$y[i] = ($x[i] - high) - total;")
    else:
        text += _loop(inputs, f"$y[i] = {exp}($x[i] - high);")
        text += _loop(inputs, "total += $y[i];") + _loop(inputs, "$y[i] /= total;")
    return Step(inputs, block(text))


def grouped_softmax(builder: Builder, layer: GroupedSoftmax, inputs: int) -> Step:
    """Words in two steps; the probabilities of the groups stay aside until their words are made."""
    highest, exp = builder.function_of("highest"), builder.function_of("exp")
    frequent, *groups = layer.sizes
    text = f"float group[{len(groups)}];\n"
    text += f"float high = {highest}($x, {frequent + len(groups)}), total = 0.0f;\n"
    text += _loop(frequent, f"$y[i] = {exp}($x[i] - high);") + _loop(frequent, "total += $y[i];")
    each = f"group[i] = {exp}($x[{plus('i', frequent)}] - high);"
    text += _loop(len(groups), each) + _loop(len(groups), "total += group[i];")
    text += _loop(frequent, "$y[i] /= total;") + _loop(len(groups), "group[i] /= total;")
    place = frequent
    for group, start, size in layer.parts():
        at, to = plus("i", start), plus("i", place)
        text += f"high = {highest}($x + {start}, {size});\ntotal = 0.0f;\n"
        text += _loop(size, f"$y[{to}] = {exp}($x[{at}] - high);")
        text += _loop(size, f"total += $y[{to}];")
        text += f"total = group[{group - frequent}] / total;\n"
        text += _loop(size, f"$y[{to}] *= total;")
        place += size
    return Step(place, block(text))


def ranks(builder: Builder, layer: Ranks, inputs: int) -> Step:
    """P(rank <= k) = sigma(s (t_k - w x)); the probability of a rank is that less the one below."""
    sigmoid = builder.function_of("sigmoid")
    classes = len(layer.thresholds) + 1
    w = builder.table("w", layer.weight, "weight of the rank")
    t = builder.table("threshold", layer.thresholds, "thresholds between ranks")
    s = number(layer.sharpness)
    text = f"float place = 0.0f;\n{_loop(inputs, f'place += {w}[i] * $x[i];')}"
    # sigma(b) - sigma(a) = sigma(b) sigma(-a) (1 - e^(a - b)): no digits lost in either tail
    text += f"$y[0] = {sigmoid}({s} * ({t}[0] - place));\n"
    exp = builder.function_of("exp")
    text += f"""\
for (i = 1; i < {classes - 1}; ++i)
    $y[i] = {sigmoid}({s} * ({t}[i] - place)) * {sigmoid}({s} * (place - {t}[i - 1])) *
        (1.0f - {exp}({s} * ({t}[i - 1] - {t}[i])));
$y[{classes - 1}] = {sigmoid}({s} * (place - {t}[{classes - 2}]));
"""
    return Step(classes, block(text))


def unscale(builder: Builder, layer: Unscale, inputs: int) -> Step:
    mean = builder.table("mean", np.broadcast_to(layer.mean, inputs), "means of the outputs")
    std = builder.table("std", np.broadcast_to(layer.std, inputs), "their standard deviations")
    return Step(inputs, block(_loop(inputs, f"$y[i] = $x[i] * {std}[i] + {mean}[i];")))


def squash(builder: Builder, layer: Squash, inputs: int) -> Step:
    sigmoid = builder.function_of("sigmoid")
    text = _loop(inputs, "$y[i] = $x[i];")
    text += "".join(f"$y[{i}] = {sigmoid}($x[{i}]);\n" for i in layer.places)
    return Step(inputs, block(text))


def onward(builder: Builder, layer: Onward, inputs: int) -> Step:
    features = inputs // layer.steps
    return Step(inputs, block(_loop(inputs, f"$y[i] = $x[i] + $before[i % {features}];")))


_MAKERS: dict[type, Callable[..., Any]] = {
    Standardise: standardise,
    Embedding: embedding,
    Frames: frames,
    Categories: categories,
    Differences: differences,
    Dense: dense,
    Activation: activation,
    Normalisation: normalisation,
    UnitLength: unit_length,
    Softmax: softmax,
    GroupedSoftmax: grouped_softmax,
    Ranks: ranks,
    Unscale: unscale,
    Squash: squash,
    Onward: onward,
}
