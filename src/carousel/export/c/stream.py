"""C of a network that takes one step at a time: `step`, and `run` over many."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from carousel.export.c.builder import Builder, Step
from carousel.export.c.pooling import Pool
from carousel.export.c.stages import Stage
from carousel.export.c.text import indented


def stream(builder: Builder, stages: Sequence[Stage], kind: str, inputs: int) -> str:
    """C functions `step` and `run` of stages; kind: C type of what goes in."""
    p, name = builder.name, builder.name.upper()
    place = next((i for i, stage in enumerate(stages) if isinstance(stage, Pool)), None)
    if place is None:
        chained = _used(chain(stages, "x", "y"))
        return f"""\
void {p}_step({p}_state *s, const {kind} *x, float *y) {{
{indented(chained)}}}

int {p}_run({p}_state *s, const {kind} *x, int steps, float *y) {{
    int t;
    for (t = 0; t < steps; ++t)
        {p}_step(s, x + (size_t)t * {name}_INPUTS, y + (size_t)t * {name}_OUTPUTS);
    return steps;
}}
"""
    pool = stages[place]
    assert isinstance(pool, Pool)
    taken = chain(stages[:place], "x", None, pool.take)
    given = _used(chain([Step(pool.outputs, pool.give), *stages[place + 1 :]], "", "y"))
    return f"""\
/* One step, up to what goes into the summary. */
static void {p}_take({p}_state *s, const {kind} *x) {{
{indented(taken)}}}

/* What the network says of all steps so far. */
static void {p}_answer(const {p}_state *s, float *y) {{
{indented(given)}}}

void {p}_step({p}_state *s, const {kind} *x, float *y) {{
    {p}_take(s, x);
    if (y) {p}_answer(s, y);
}}

int {p}_run({p}_state *s, const {kind} *x, int steps, float *y) {{
    int t;
    for (t = 0; t < steps; ++t) {p}_take(s, x + (size_t)t * {name}_INPUTS);
    {p}_answer(s, y);
    return 1;
}}
"""


def chain(stages: Iterable[Stage], x: str, y: str | None, then: str = "") -> str:
    """C statements of steps one after the other, from x to y.

    then: statements that read the last one's output as $x, where there is no y.
    """
    steps = [stage for stage in stages if isinstance(stage, Step)]
    declared, lines = [], []
    before = ""  # what goes into the first recurrent layer
    for index, step in enumerate(steps):
        is_last = index == len(steps) - 1 and y is not None
        to = y if is_last and y else f"v{index}"
        if not step.where and not is_last:
            declared.append(f"float v{index}[{step.outputs}];")
        before = before or (x if step.where else "")
        lines.append(step.call.replace("$x", x).replace("$y", to).replace("$before", before))
        if step.where and is_last:
            lines.append(copy(step.where, to, step.outputs))
        x = step.where or to
    if then:
        lines.append(then.replace("$x", x))
    return "\n".join([*declared, *lines]) + "\n"


def copy(source: str, to: str, size: int) -> str:
    """C statement that copies floats."""
    return f"memcpy({to}, {source}, {size} * sizeof(float));"


def _used(text: str) -> str:
    """Statements after which no compiler says that the state is not used."""
    return text if "s->" in text else f"(void)s;\n{text}"
