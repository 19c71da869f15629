"""The C program that compares a network with what the model said."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from carousel.export.c.recording import Case
from carousel.export.c.source import Source
from carousel.export.c.text import table
from carousel.export.description import Array

TOLERANCE = 1e-5  # of one, or of the largest number of a sequence where that is above one


def proof_of(source: Source, stem: str, cases: Sequence[Case]) -> str:
    """Text of the program. It ends with 0 only where everything agrees."""
    p, P = source.name, source.name.upper()
    tables = "\n".join(_tables(source, number, case) for number, case in enumerate(cases))
    calls = "\n".join(_calls(source, number, case) for number, case in enumerate(cases))
    room = max(max(case.y.size, len(case.x) * source.outputs * source.steps) for case in cases)
    state = f"static float state[{P}_STATE];\n" if source.steps or cases[0].ends else ""
    return f"""\
/* Written by Carousel: what the model said of random inputs and states. Exit code 0 where {stem}.c
   says the same. */
#include "{stem}.h"

#include <stdio.h>
#include <string.h>

{tables}
static {p}_state one{", other" if source.steps else ""};
static float y[{room}];
{state}static double largest;
static long numbers, wrong;

static void compare(const char *what, const float *got, const float *wanted, int n, double unit) {{
    int i;
    for (i = 0; i < n; ++i) {{
        const double apart = ((double)got[i] - (double)wanted[i]) / unit;
        const double d = apart < 0 ? -apart : apart;
        if (d > largest) largest = d;
        ++numbers;
        if (!(d <= {TOLERANCE:g}) && wrong++ < 10)
            printf("%s, number %d: %.9g in place of %.9g\\n", what, i, got[i], wanted[i]);
    }}
}}
{_by_steps(source)}
int main(void) {{
    int answers{", i" if cases[0].places else ""};
{calls}
    printf("{p}: %ld numbers, largest difference %.3g, %ld beyond {TOLERANCE:g}\\n", numbers,
           largest, wrong);
    return wrong || !numbers;
}}
"""


def _tables(source: Source, number: int, case: Case) -> str:
    flat = case.x.reshape(-1)
    if source.kind == "int":
        x = f"static const int x{number}[{flat.size}] = {{{', '.join(map(str, flat.tolist()))}}};\n"
    else:
        x = table(f"x{number}", flat)
    parts = [x, table(f"y{number}", case.y)]
    if case.start is not None and case.start.size:
        parts.append(table(f"start{number}", case.start))
    if case.so_far is not None:
        places = ", ".join(map(str, case.places))
        parts.append(f"static const int after{number}[{len(case.places)}] = {{{places}}};\n")
        parts.append(table(f"sofar{number}", case.so_far))
    if case.ends:
        parts.append(table(f"end{number}", np.concatenate([part for _, part in case.ends])))
    return "".join(parts)


def _begin(source: Source, number: int, case: Case, which: str) -> str:
    text = f"    {source.name}_init(&{which});\n"
    if case.start is not None and case.start.size:
        text += f"    {source.name}_load_state(&{which}, start{number});\n"
    return text


def _calls(source: Source, number: int, case: Case) -> str:
    p, P, steps = source.name, source.name.upper(), len(case.x)
    unit = _unit(case.y)
    said = f"sequence {number}"
    text = f"\n    /* {said}, of {steps} steps */\n" + _begin(source, number, case, "one")
    text += f"    answers = {p}_run(&one, x{number}, {steps}, y);\n"
    text += f"    if (answers != {len(case.y)}) ++wrong;\n"
    compare = f'    compare("{said}%s", y, y{number}, {case.y.size}, {unit:.9g});\n'
    text += compare % ", whole"
    place = 0
    if case.ends:
        text += f"    {p}_save_state(&one, state);\n"
    for start, part in case.ends:
        text += (
            f'    compare("{said}, state", state + {start}, end{number} + {place}, {part.size}, '
            f"{_unit(part):.9g});\n"
        )
        place += part.size
    if not source.steps:
        return text
    text += _begin(source, number, case, "one")
    text += f"    by_steps(x{number}, {steps});\n"
    if case.so_far is None:
        return text + compare % ", step by step"
    return (
        text
        + f"""\
    for (i = 0; i < {len(case.places)}; ++i)
        compare("{said}, steps so far", y + (size_t)(after{number}[i] - 1) * {P}_OUTPUTS,
                sofar{number} + i * {P}_OUTPUTS, {P}_OUTPUTS, {_unit(case.so_far):.9g});
"""
    )


def _unit(wanted: Array) -> float:
    """Measure of a difference: one, or the largest number where that is above one."""
    return max(1.0, float(np.abs(wanted).max(initial=0.0)))


def _by_steps(source: Source) -> str:
    """Steps, half of them with one state and the others with a state restored from it."""
    if not source.steps:
        return ""
    p, P = source.name, source.name.upper()
    return f"""
/* Step by step; half way, the state is saved and another one goes on from it. */
static void by_steps(const {source.kind} *x, int steps) {{
    int t;
    memset(y, 0, sizeof y);
    {p}_init(&other);
    for (t = 0; t < steps; ++t) {{
        {p}_state *s = t < (steps + 1) / 2 ? &one : &other;
        if (s == &other && t == (steps + 1) / 2) {{
            {p}_save_state(&one, state);
            {p}_load_state(&other, state);
            {p}_reset(&one);
        }}
        {p}_step(s, x + (size_t)t * {P}_INPUTS, y + (size_t)t * {P}_OUTPUTS);
    }}
}}
"""
