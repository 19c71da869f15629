"""C of a convolution over time, of a whole sequence."""

from __future__ import annotations

from carousel.export.c.builder import Builder
from carousel.export.c.product import product
from carousel.export.c.text import indented
from carousel.export.description import Convolution


def convolution(builder: Builder, layer: Convolution) -> str:
    """Add the function of a convolution; returns its name.

    It gathers what an output sees, zeros beyond both ends, and multiplies. It returns how many
    steps there are afterwards.
    """
    outputs, channels, kernel = layer.weight.shape
    groups, reach = layer.groups, layer.dilation * (kernel - 1) + 1
    each, features = outputs // groups, channels * groups
    name = builder.fresh("convolution")
    products = ""
    for group in range(groups):
        rows = slice(group * each, (group + 1) * each)
        weight = layer.weight[rows].transpose(0, 2, 1).reshape(each, kernel * channels)
        bias = None if layer.bias is None else layer.bias[rows]
        products += _gather(kernel, channels, features, group * channels, layer.dilation)
        to = f"to + {group * each}" if group else "to"
        said = f"convolution over {kernel} steps"
        products += product(builder, [weight], bias, ("seen",), to, said)
    counter = "    int p;\n" if "(p = 0" in products else ""
    builder.functions.append(f"""\
/* A convolution over {kernel} steps, {features} to {outputs} features. */
static int {name}(const float *x, int n, float *y) {{
    float seen[{kernel * channels}];
    const int room = n + {2 * layer.padding} - {reach};
    const int outputs = room < 0 ? 0 : room / {layer.stride} + 1;
    int t, k, i;
{counter}    for (t = 0; t < outputs; ++t) {{
        const int first = t * {layer.stride} - {layer.padding};
        float *to = y + (size_t)t * {outputs};
{indented(products, 8)}    }}
    return outputs;
}}
""")
    return name


def _gather(kernel: int, channels: int, features: int, start: int, dilation: int) -> str:
    step = f" * {dilation}" if dilation > 1 else ""
    more = f" + {start}" if start else ""
    return f"""\
for (k = 0; k < {kernel}; ++k) {{
    const int at = first + k{step};
    for (i = 0; i < {channels}; ++i)
        seen[k * {channels} + i] = at < 0 || at >= n ? 0.0f : x[(size_t)at * {features}{more} + i];
}}
"""
