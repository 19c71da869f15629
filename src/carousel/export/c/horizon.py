"""C of a forecast's head: the steps to come of a summary of those before."""

from __future__ import annotations

from carousel.export.c.builder import Builder
from carousel.export.c.product import product
from carousel.export.c.text import indented
from carousel.export.description import Horizon, Known

Z80 = 1.2815515655446004  # as in the description: a tenth of a normal distribution lies above it


def horizon(
    builder: Builder, layer: Horizon, features: int, level: bool, known: Known | None = None
) -> str:
    """Add the function of a head, from h, the window and the levels; returns its name.

    features: of a step of the window. level: whether there are levels to add. known: where what is
    known of the steps to come stands, behind the window.
    """
    steps, hidden = layer.steps.shape
    targets = len(layer.columns)
    each = len(layer.weight) // targets
    name, relu = builder.fresh("horizon"), builder.function_of("relu")
    own = builder.table("step", layer.steps, "what each step to come adds")
    summary = product(builder, [layer.state], layer.state_bias, ("h",), "base", "head: state")
    raw = product(builder, [layer.weight], layer.bias, ("z",), "raw", "head: outputs")
    line = _line(builder, layer, features)
    coming, ahead = "", ""
    if layer.known is not None and known is not None:
        coming = product(builder, [layer.known], None, ("known",), "ahead", "head: what is known")
        at = f"(size_t)({known.context} + k) * {features} + {known.features}"
        coming = f"const float *known = window + {at};\nfloat ahead[{hidden}];\n{coming}"
        ahead = " + ahead[i]"
    counters = "int i, k, c" + (", p" if "(p = 0" in summary + raw + coming else "")
    unused = "" if line or coming else "(void)window;\n"
    unused += "" if level else "(void)level;\n"
    text = f"""\
float base[{hidden}], z[{hidden}], raw[{len(layer.weight)}];
{"float add[" + str(targets * steps) + "];" if line else ""}
{counters};
{unused}{summary}{line}for (k = 0; k < {steps}; ++k) {{
{indented(coming)}    for (i = 0; i < {hidden}; ++i)
        z[i] = {relu}(base[i] + {own}[k * {hidden} + i]{ahead});
{indented(raw)}    for (c = 0; c < {targets}; ++c) {{
        float *to = y + k * {targets} + c;
        float value = raw[c * {each}]{f" + add[c * {steps} + k]" if line else ""};
{indented(_rows(builder, layer, each, level), 8)}    }}
}}
"""
    builder.functions.append(
        f"/* Forecasts of {steps} steps to come. */\n"
        f"static void {name}(const float *h, const float *window, const float *level,\n"
        f"                   float *y) {{\n"
        f"{indented(text)}}}\n"
    )
    return name


def _line(builder: Builder, layer: Horizon, features: int) -> str:
    """add[c][k] = o_ck + sum over t of L_ctk x_tc."""
    if layer.line is None:
        return ""
    assert layer.offset is not None
    targets, context, steps = layer.line.shape
    line = builder.table("line", layer.line, "the line: targets, steps before, steps to come")
    offset = builder.table("offset", layer.offset, "its offsets: targets, steps to come")
    text = f"for (i = 0; i < {targets * steps}; ++i) add[i] = {offset}[i];\n"
    for target, column in enumerate(layer.columns):
        at = target * context * steps
        text += f"""\
for (i = 0; i < {context}; ++i)
    for (k = 0; k < {steps}; ++k)
        add[{target * steps} + k] +=
            {line}[{at} + i * {steps} + k] * window[i * {features} + {column}];
"""
    return text


def _rows(builder: Builder, layer: Horizon, each: int, level: bool) -> str:
    size = layer.steps.shape[0] * len(layer.columns)
    if layer.distribution == "sigmoid":
        return f"to[0] = {builder.function_of('sigmoid')}(value);\n"
    shift = "value += level[c];\n" if level else ""
    if layer.distribution == "none":
        return f"{shift}to[0] = value;\n"
    softplus = builder.function_of("softplus")
    stretch = ""
    if layer.stretch is not None:
        table = builder.table("stretch", layer.stretch, "what widens the interval")
        stretch = f" * {table}[k * {len(layer.columns)} + c]"
    wide = [f"({softplus}(raw[c * {each} + {q}]) + 0.001f){stretch}" for q in (1, 2)]
    if layer.distribution == "gaussian":
        wide = [f"{Z80:.9g}f * {wide[0]}"] * 2
    return (
        f"{shift}to[0] = value - {wide[0]};\n"
        f"to[{size}] = value;\n"
        f"to[{2 * size}] = value + {wide[1]};\n"
    )
