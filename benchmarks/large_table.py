"""Writes a large table in CSV: sequences of machines with a class each, to measure imports.

    python benchmarks/large_table.py large.csv --rows 30000000
    python benchmarks/large_table.py texts.csv --rows 2000000 --texts

30 million rows are 3 GB. --texts: sentences with a class instead, 5 to 40 words of 20,000, of which
some are a class's own; 2 million are 0.2 GB. Rows of a machine follow each other in time; its class
shows in the size and the rhythm of what it measures. Memory is bounded by a block of rows.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import polars

STEPS = 1000
"""Rows of a machine."""
_BLOCK = 200
"""Machines that are written at once."""
_CHANNELS = 8
_WORDS, _OWN = 20_000, 0.05
_AT_ONCE = 50_000


def block(first: int, machines: int, seed: int) -> polars.DataFrame:
    """The rows of some machines, from number `first` on."""
    generator = np.random.default_rng((seed, first))
    kind = np.arange(first, first + machines) % 4
    time = np.datetime64("2024-01-01T00:00:00") + 60 * np.arange(STEPS)
    angle = np.arange(STEPS) * (0.05 + 0.02 * kind[:, None])
    columns = {
        "machine": np.repeat([f"m{i:06d}" for i in range(first, first + machines)], STEPS),
        "time": np.tile(np.datetime_as_string(time), machines),
    }
    for channel in range(_CHANNELS):
        wave = (1 + kind[:, None]) * np.sin(angle + channel)
        columns[f"x{channel}"] = (wave + generator.normal(size=wave.shape)).reshape(-1)
    columns["state"] = np.repeat(np.array(["idle", "low", "mid", "high"])[kind], STEPS)
    return polars.DataFrame(columns)


def write(path: Path, rows: int, seed: int = 0) -> None:
    """Write so many rows, rounded up to whole machines."""
    machines = -(-rows // STEPS)
    with path.open("wb") as file:
        for first in range(0, machines, _BLOCK):
            some = block(first, min(_BLOCK, machines - first), seed)
            some.write_csv(file, include_header=first == 0, float_precision=5)


def sentences(first: int, count: int, seed: int) -> polars.DataFrame:
    """Some sentences with a class each, from number `first` on."""
    generator = np.random.default_rng((seed, first))
    kind = generator.integers(0, 4, count)
    lengths = generator.integers(5, 41, count)
    words = np.minimum(generator.zipf(1.3, lengths.sum()), _WORDS) - 1
    own = generator.random(len(words)) < _OWN
    words[own] = (_WORDS + np.repeat(kind, lengths) * 50 + words % 50)[own]
    texts, place = [f"w{word:x}" for word in words.tolist()], 0
    found = []
    for length in lengths.tolist():
        found.append(" ".join(texts[place : place + length]))
        place += length
    states = np.array(["idle", "low", "mid", "high"])[kind]
    return polars.DataFrame({"text": found, "state": states})


def write_sentences(path: Path, rows: int, seed: int = 0) -> None:
    """Write so many sentences."""
    with path.open("wb") as file:
        for first in range(0, rows, _AT_ONCE):
            some = sentences(first, min(_AT_ONCE, rows - first), seed)
            some.write_csv(file, include_header=first == 0)


if __name__ == "__main__":
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("path", type=Path)
    asked.add_argument("--rows", type=int, default=30_000_000)
    asked.add_argument("--texts", action="store_true")
    given = asked.parse_args()
    (write_sentences if given.texts else write)(given.path, given.rows)
    print(f"{given.path}: {given.path.stat().st_size / 1e9:.2f} GB")
