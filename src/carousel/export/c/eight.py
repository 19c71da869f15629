"""Products of a layer in eight bits: whole numbers, columns in panels, each row with its scale."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from carousel.export.c.builder import Builder
from carousel.export.c.product import panels
from carousel.export.c.text import indented, plus
from carousel.export.description import Array
from carousel.quantization import EightBits

GROUP = 4  # inputs whose products one instruction adds up
UNIT = 16  # columns of the widest vector


def widths_of(columns: int) -> list[tuple[int, int]]:
    """Widths of the panels of so many columns, in memory and of those that count.

    >>> widths_of(70)
    [(64, 64), (16, 6)]
    """
    return [(-(-width // UNIT) * UNIT, count) for width, count in panels(columns)]


def packed(weights: NDArray[np.int8]) -> NDArray[np.int8]:
    """A matrix (N, K) in the order in which a product reads it: panel by panel, of each the next
    four inputs of every column."""
    columns, inputs = weights.shape
    groups, parts, start = -(-inputs // GROUP), [], 0
    for width, count in widths_of(columns):
        part = np.zeros((width, groups * GROUP), np.int8)
        part[:count, :inputs] = weights[start : start + count]
        parts.append(part.reshape(width, groups, GROUP).transpose(1, 0, 2).ravel())
        start += count
    return np.concatenate(parts)


def of_state(builder: Builder, bits: EightBits, start: str, to: str, said: str) -> str:
    """C statements for to = start + W_hh h, with h as whole numbers."""
    name = builder.function_of("whole_state")
    units = bits.w_hh.shape[1]
    rounded = f"{name}(h, {units}, seen);\n"
    scales = (bits.w_hh, bits.scale_hh)
    return _side(builder, *scales, rounded, (start, to), f"{said}: weight_hh")


def of_inputs(
    builder: Builder, bits: EightBits, calibrated: bool, start: str, to: str, said: str
) -> str:
    """C statements for to = start + W_ih x, with x as whole numbers; calibrated: to levels of its
    own, and what lies beyond is counted; else x is the hidden state of a layer below."""
    units = bits.w_ih.shape[1]
    if calibrated:
        levels = builder.table("levels", bits.levels, f"{said}: whole numbers for each unit of x")
        name = builder.function_of("whole_inputs")
        rounded = f"*saturated += {name}(x, {levels}, {units}, seen);\n"
    else:
        rounded = f"{builder.function_of('whole_state')}(x, {units}, seen);\n"
    scales = (bits.w_ih, bits.scale_ih)
    return _side(builder, *scales, rounded, (start, to), f"{said}: weight_ih")


def _side(
    builder: Builder,
    weights: NDArray[np.int8],
    scale: Array,
    rounded: str,
    ends: tuple[str, str],
    said: str,
) -> str:
    builder.use("eight")
    columns, inputs = weights.shape
    groups, (start, to) = -(-inputs // GROUP), ends
    w = builder.integers("q", packed(weights), f"{said}, in eight bits")
    scales = builder.table("scale", scale, "what a whole number of each sum is worth")
    sums = -128 * weights.astype(np.int64).sum(1)
    starts = builder.integers("start", sums, "what sums begin with", f"{builder.name}_FLIP")
    lines, done, place, found = [], 0, 0, widths_of(columns)
    for panel in dict.fromkeys(found):
        builder.eights[panel] = None
        width, count = panel
        size, times = groups * GROUP * width, found.count(panel)
        at = "" if times == 1 else f" + p * {width}"
        of = "" if times == 1 else f" + p * {size}"
        call = (
            f"{builder.name}_eight{count}({plus(w, done)}{of}, seen, {groups}, "
            f"{builder.name}_STARTS({plus(starts, place)}{at}) {plus(scales, place)}{at}, "
            f"{plus(start, place)}{at}, {plus(to, place)}{at});"
        )
        lines.append(call if times == 1 else f"for (p = 0; p < {times}; ++p)\n    {call}")
        done += times * size
        place += times * count
    behind = range(inputs, groups * GROUP)
    filled = "".join(f"seen[{k}] = 0;\n" for k in behind)
    declared = f"signed char seen[{groups * GROUP}];\n"
    text = declared + filled + rounded + "\n".join(lines) + "\n"
    return f"{{\n{indented(text)}}}\n"  # p is declared by the step


def functions(name: str, widths: Iterable[tuple[int, int]]) -> str:
    """The C functions of products with panels of these widths."""
    found = list(widths)
    if not found:
        return ""
    text = "\n".join(_panel(name, width, count) for width, count in found)
    return f"""\
/* to[j] = from[j] + scale[j] (sum of x[k] w[j][k]), of the columns j of a panel, whose number is in
   the name. */
{text}"""


def _panel(name: str, width: int, count: int) -> str:
    return f"""\
static void {name}_eight{count}(const signed char *w, const signed char *x, int groups,
                 {name}_STARTS(const int *starts) const float *scale, const float *from,
                 float *to) {{
    int sums[{width}], j;
#ifdef {name}_LANES
    {name}_sums v[{width} / {name}_LANES];
    int g;
    {name}_UNROLL
    for (j = 0; j < {width} / {name}_LANES; ++j) v[j] = {name}_none();
    for (g = 0; g < groups; ++g, w += {GROUP * width}) {{
        {name}_sums group;
        int four;
        memcpy(&four, x + {GROUP} * g, sizeof four);
        group = {name}_group(four);
        {name}_UNROLL
        for (j = 0; j < {width} / {name}_LANES; ++j)
            v[j] = {name}_add(v[j], w + {GROUP} * {name}_LANES * j, group);
    }}
    {name}_UNROLL
    for (j = 0; j < {width} / {name}_LANES; ++j) {name}_put(sums + {name}_LANES * j, v[j]);
#else
    for (j = 0; j < {count}; ++j) {{
        const signed char *column = w + {GROUP} * j;
        int k, sum = 0;
        for (k = 0; k < {GROUP} * groups; k += {GROUP}, column += {GROUP * width})
            sum += x[k] * column[0] + x[k + 1] * column[1] + x[k + 2] * column[2] +
                   x[k + 3] * column[3];
        sums[j] = sum;
    }}
#endif
    for (j = 0; j < {count}; ++j)
        to[j] = from[j] + (float)(sums[j] {name}_START_OF(j)) * scale[j];
}}
"""
