"""The C of a network: a header, and a source that needs nothing but it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from carousel.export.c import eight
from carousel.export.c.builder import Builder, Member, room
from carousel.export.c.product import functions
from carousel.export.c.rows import row_functions
from carousel.export.c.stages import Ahead, inputs_of, needs_all, stages_of
from carousel.export.c.stream import stream
from carousel.export.c.text import ORDER, identifier, indented
from carousel.export.c.whole import whole
from carousel.export.description import Network
from carousel.quantization import EightBits

MAX_STEPS = 1024  # of sequences that are read whole, where the network does not say how many
SATURATED = "/* inputs since init that were beyond their range, or no number */"


@dataclass(frozen=True)
class Source:
    """The C of a network.

    name: prefix of its names. header, source: texts. inputs, outputs: numbers of a step, or
    outputs of a summary. kind: C type of inputs. members: of the state, in the order in which they
    are saved. steps: whether it goes step by step; summary: whether it says one thing of a whole
    sequence; longest: steps of a sequence, where it has to be whole.
    """

    name: str
    header: str
    source: str
    inputs: int
    outputs: int
    kind: str
    members: tuple[Member, ...]
    steps: bool
    summary: bool
    longest: int


def source_of(network: Network, stem: str, int8: Sequence[Sequence[EightBits]] = ()) -> Source:
    """C of a network in files that begin with `stem`. int8: of each recurrent stack its layers in
    eight bits. Raises `ConfigError` for what has no C."""
    name = identifier(stem)
    builder = Builder(name)
    kind, inputs = inputs_of(network)
    stages = list(stages_of(builder, network, int8))
    is_whole = needs_all(network)
    arrays: list[str] = []  # more members of the state
    if is_whole:
        run, arrays = whole(builder, stages, kind, inputs)
    else:
        run = stream(builder, stages, kind, inputs)
    last = stages[-1]
    ahead = [stage for stage in stages if isinstance(stage, Ahead)]
    outputs = last.outputs * (ahead[0].repeats if ahead else 1)
    longest = _longest(network)
    made = Source(
        name,
        "",
        "",
        inputs,
        outputs,
        kind,
        tuple(builder.members),
        not is_whole,
        network.is_summary,
        longest,
    )
    if builder.counts:
        arrays.append(f"unsigned long saturated; {SATURATED}")
    header = _header(made, network, arrays)
    text = _source(builder, stem, run)
    return Source(**{**vars(made), "header": header, "source": text})


def _longest(network: Network) -> int:
    steps = network.inputs[0].shape[1]
    return steps if isinstance(steps, int) else int(network.facts.get("steps", MAX_STEPS))


def _header(made: Source, network: Network, more: list[str]) -> str:
    p, P = made.name, made.name.upper()
    saved = sum(member.size for member in made.members)
    members = [f"float {m.name}[{room(m.size)}]; /* {m.comment} */" for m in made.members]
    members += more
    longest = ""
    if not made.steps:
        longest = f"""\
#ifndef {P}_MAX_STEPS
#define {P}_MAX_STEPS {made.longest} /* of a sequence: the state has room for so many */
#endif
"""
    step = ""
    if made.steps:
        step = f"""
/* One step: reads {P}_INPUTS numbers, writes {P}_OUTPUTS.{_so_far(made)} */
void {p}_step({p}_state *s, const {made.kind} *x, float *y);
"""
    return f"""\
/* {network.name}: written by Carousel. C99 and C++, no memory of its own, no other file.

   All that changes is in {p}_state, which the caller keeps: one for each stream of data.
   Call {p}_init once, and {p}_reset where another sequence begins. */
#ifndef {P}_H
#define {P}_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {{
#endif

#define {P}_INPUTS {made.inputs} /* numbers of a step{_words(network, made)} */
#define {P}_OUTPUTS {made.outputs} /* numbers of an answer */
#define {P}_STATE {max(saved, 1)} /* floats that save_state writes */
{longest}
typedef struct {{
{indented(chr(10).join(members or ["float unused; /* nothing goes from step to step */"]))}
}} {p}_state;

/* A state before its first step. */
void {p}_init({p}_state *s);

/* Forget the sequence so far. */
void {p}_reset({p}_state *s);
{step}
{_run_words(made)}
int {p}_run({p}_state *s, const {made.kind} *x, int steps, float *y);

/* What goes from step to step as {P}_STATE floats, and back. */
void {p}_save_state(const {p}_state *s, float *to);
void {p}_load_state({p}_state *s, const float *from);

#ifdef __cplusplus
}}
#endif
#endif
"""


def _words(network: Network, made: Source) -> str:
    words = f": {network.inputs[0].words}" if network.inputs[0].words else ""
    return (
        f"{words}; numbers of rows that are not there count as 0" if made.kind == "int" else words
    )


def _so_far(made: Source) -> str:
    return (
        " Those are of the sequence so far;\n   y may be NULL where nobody wants to know."
        if made.summary
        else ""
    )


def _run_words(made: Source) -> str:
    P = made.name.upper()
    answer = f"{P}_OUTPUTS numbers" if made.summary else f"{P}_OUTPUTS numbers for each"
    first = f"/* So many steps at once, {P}_INPUTS numbers each; writes {answer}. "
    if made.steps:
        return first + "Returns how\n   many answers there are. The same as step by step. */"
    return (
        first + f"Returns how\n   many answers there are, or -1 where steps do not fit "
        f"(at most {P}_MAX_STEPS). */"
    )


def _source(builder: Builder, stem: str, run: str) -> str:
    p, P = builder.name, builder.name.upper()
    saves = loads = ""
    start = 0
    for member in builder.members:
        size = f"{member.size} * sizeof(float)"
        saves += f"memcpy(to + {start}, s->{member.name}, {size});\n"
        loads += f"memcpy(s->{member.name}, from + {start}, {size});\n"
        start += member.size
    if not builder.members:
        saves, loads = "(void)s;\nto[0] = 0.0f;\n", "(void)s;\n(void)from;\n"
    clears = (
        "".join(f"memset(s->{m.name}, 0, sizeof s->{m.name});\n" for m in builder.members)
        or "(void)s;\n"
    )
    products = functions(p, builder.widths, bool(builder.rows)) + row_functions(p, builder.rows)
    products += eight.functions(p, builder.eights)
    counter = " s->saturated = 0;" if builder.counts else ""
    tables, steps = "\n".join(builder.tables), "\n".join(builder.functions)
    order = ORDER.replace("NET", p) + "\n" if "uint64_t bits" in tables else ""
    helpers = "\n".join(builder.helpers())
    return f"""\
/* Written by Carousel. Compile with optimisation, such as cc -std=gnu99 -O3 -march=native; without
   -ffast-math. */
#include "{stem}.h"

#include <stdint.h>
#include <string.h>

#ifdef __FAST_MATH__
#error "compile this file without -ffast-math: it removes the rounding in the exponential function"
#endif

{order}/* Where there are vectors, loops over units run on to a whole one. */
#if defined(__SSE2__) || defined(__ARM_NEON) || defined(__riscv_vector) || defined(_M_X64)
#define {P}_VECTORS 1
#define {P}_WHOLE(n) (((n) + 7) / 8 * 8)
#else
#define {P}_VECTORS 0
#define {P}_WHOLE(n) (n)
#endif

{helpers}
{products}
{tables}
{steps}
{run}
void {p}_reset({p}_state *s) {{
{indented(clears)}}}

void {p}_init({p}_state *s) {{ {p}_reset(s);{counter} }}

void {p}_save_state(const {p}_state *s, float *to) {{
{indented(saves)}}}

void {p}_load_state({p}_state *s, const float *from) {{
{indented(loads)}}}
"""
