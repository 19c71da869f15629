"""Plain C as a format: NAME.c and NAME.h without dependencies, and NAME_test.c, which compares them
with what the model said."""

from __future__ import annotations

from pathlib import Path

from carousel.export.c.building import compiler, tested
from carousel.export.c.proof import TOLERANCE, proof_of
from carousel.export.c.recording import lengths_of, record
from carousel.export.c.source import source_of
from carousel.export.c.stages import inputs_of, needs_all
from carousel.export.c.text import identifier
from carousel.export.description import Differences, Network, Pooling
from carousel.export.formats import Asked, Comparison
from carousel.export.int8 import EightBitSubject
from carousel.export.subject import Subject

STREAMED = (Pooling, Differences)
"""Layers of several steps whose part so far is in the state, so that they go step by step."""
INT8 = True  # recurrent layers in eight bits can be written
STATES_OUTSIDE = False  # the functions take one row, and keep its states in a struct


def write(subject: Subject, asked: Asked, folder: Path) -> list[str]:
    """Write the source, the header and the test. Raises `ConfigError`, naming the layer, for what
    has no C. Of a subject in eight bits the recurrent layers are written so."""
    int8 = subject.int8 if isinstance(subject, EightBitSubject) else ()
    source = source_of(subject.network, asked.stem, int8)
    texts = {
        f"{asked.stem}.c": source.source,
        f"{asked.stem}.h": source.header,
        f"{asked.stem}_test.c": proof_of(source, asked.stem, record(subject, source)),
    }
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    return list(texts)


def compare(subject: Subject, asked: Asked, folder: Path) -> Comparison:
    """Compile the files and run their test, where the machine has a compiler."""
    cc = compiler()
    if cc is None:
        note = (
            f"not compared with the model, as there is no C compiler here: compile {asked.stem}.c "
            f"and {asked.stem}_test.c where one is, and run that"
        )
        return Comparison(0.0, TOLERANCE, 0, note)
    cases = len(lengths_of(subject.network))
    return Comparison(tested(folder, asked.stem, cc), TOLERANCE, cases)


def example(network: Network, asked: Asked) -> str:
    """A C program that uses the files."""
    p, kind = identifier(asked.stem), inputs_of(network)[0]
    P = p.upper()
    steps = f"{P}_MAX_STEPS" if needs_all(network) else "100"
    size = f"{P}_OUTPUTS" if network.is_summary else f"{steps} * {P}_OUTPUTS"
    told = f'for (i = 0; i < answers * {P}_OUTPUTS; ++i) printf("%g\\n", y[i]);'
    return f"""\
#include <stdio.h>
#include "{asked.stem}.h"

static {p}_state state;
static {kind} x[{steps} * {P}_INPUTS]; /* fill in what was measured */
static float y[{size}];

int main(void) {{
    int answers, i;
    {p}_init(&state);
    answers = {p}_run(&state, x, {steps}, y);
    {told}
    return 0;
}}
/* cc -std=gnu99 -O3 -march=native {asked.stem}.c main.c && ./a.out */
"""
