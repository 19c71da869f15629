"""C of what makes one vector of a sequence, a step at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from carousel.export.c.builder import Builder
from carousel.export.c.product import product
from carousel.export.c.text import block
from carousel.export.description import Pooling


@dataclass(frozen=True)
class Pool:
    """C of what a step adds to the state, of $x, and of the summary that the state holds, $y."""

    outputs: int
    take: str
    give: str


def pool(builder: Builder, layer: Pooling, inputs: int, last: Sequence[tuple[str, int]]) -> Pool:
    """C of a summary. last: places of the outputs of the recurrent layer before it, and their
    sizes."""
    if layer.how == "last":
        give, start = "", 0
        for place, size in last:
            give += f"for (i = 0; i < {size}; ++i) $y[{start} + i] = {place}[i];\n"
            start += size
        return Pool(start, "", block(give))
    total = builder.member("pooled", inputs, f"{layer.how} over time, so far")
    if layer.how == "attention":
        return _attention(builder, layer, inputs, total)
    count = builder.member("steps", 1, "steps so far")
    each = f"for (i = 0; i < {inputs}; ++i) "
    if layer.how == "mean":
        take = f"{each}{total}[i] += $x[i];\n{count}[0] += 1.0f;\n"
        give = f"{each}$y[i] = {total}[i] / ({count}[0] > 1.0f ? {count}[0] : 1.0f);\n"
    else:
        take = f"{each}\n    if ({count}[0] == 0.0f || $x[i] > {total}[i]) {total}[i] = $x[i];\n"
        take += f"{count}[0] += 1.0f;\n"
        give = f"{each}$y[i] = {total}[i];\n"
    return Pool(inputs, block(take), block(give))


def _attention(builder: Builder, layer: Pooling, inputs: int, total: str) -> Pool:
    """exp(v u_t) less the highest so far; when a higher one comes, what there is shrinks."""
    assert layer.hidden is not None
    assert layer.score is not None
    weight = builder.member("weight", 1, "sum of the weights so far")
    high = builder.member("high", 1, "highest score so far")
    exp, tanh = builder.function_of("exp"), builder.function_of("tanh")
    score = builder.table("score", layer.score, "attention: score")
    hidden = product(
        builder, [layer.hidden], layer.hidden_bias, ("$x",), "seen", "attention: hidden"
    )
    take = f"""\
float seen[{len(layer.hidden)}], score = 0.0f, old = 1.0f, now = 1.0f;
{hidden}for (i = 0; i < {len(layer.hidden)}; ++i) score += {score}[i] * {tanh}(seen[i]);
if ({weight}[0] == 0.0f || score > {high}[0]) {{
    old = {weight}[0] == 0.0f ? 0.0f : {exp}({high}[0] - score);
    {high}[0] = score;
}} else {{
    now = {exp}(score - {high}[0]);
}}
for (i = 0; i < {inputs}; ++i) {total}[i] = {total}[i] * old + now * $x[i];
{weight}[0] = {weight}[0] * old + now;
"""
    divisor = f"({weight}[0] > 0.0f ? {weight}[0] : 1.0f)"
    give = f"for (i = 0; i < {inputs}; ++i) $y[i] = {total}[i] / {divisor};\n"
    return Pool(inputs, block(take), block(give))
