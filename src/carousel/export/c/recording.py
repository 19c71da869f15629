"""Recordings of what the model says of random inputs and states: its C is compared with them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from carousel.errors import ConfigError
from carousel.export.c.source import Source
from carousel.export.description import Array, Network
from carousel.export.int8 import EightBitSubject
from carousel.export.parity import random_batch, random_states, shortest
from carousel.export.subject import Subject

Numbers = NDArray[Any]
LENGTHS = (9, 1, 14)  # of the sequences that are recorded; more where convolutions need more
DRAWS = 2000  # of a sequence that is clear of numbers near a half, at most
PLACES = 15  # of a sequence after which the answer so far is recorded, at most


@dataclass(frozen=True, eq=False)
class Case:
    """One sequence: inputs (T, I), outputs of the model (rows, O), and its states before and after
    as `save_state` writes them, where they are known. ends: parts of the state afterwards, by their
    place in what is saved. places, so_far (P, O): of networks that answer of the steps so far, what
    the model said after so many of them."""

    x: Numbers
    y: Array
    start: Array | None
    ends: tuple[tuple[int, Array], ...]
    places: tuple[int, ...] = ()
    so_far: Array | None = None


def record(subject: Subject, source: Source, seed: int = 0) -> list[Case]:
    """Sequences of some lengths, the last of them from states that the model came to before."""
    network, rng = subject.network, np.random.default_rng(seed)
    given = lengths_of(network)
    cases = []
    for place, length in enumerate(given):
        is_last = place == len(given) - 1
        states = random_states(subject, 1, rng) if is_last else {}
        x, found = _drawn(subject, length, states, rng)
        y = np.asarray(found[network.outputs[0].name], np.float32).reshape(-1, source.outputs)
        start = _flat(source, states, "_in") if states else None
        told = _so_far(subject, source, x, states)
        cases.append(Case(x[0], y, start, tuple(_ends(source, found)), *told))
    return cases


def _drawn(
    subject: Subject, length: int, states: dict[str, Array], rng: np.random.Generator
) -> tuple[Numbers, dict[str, Numbers]]:
    """A sequence (1, T, I) and what the model makes of it. Of a model in eight bits: one without
    numbers near a half, whose rounding the last bit of a function decides; what is from the first
    of them on is drawn again. Raises `ConfigError` where that does not come to an end."""
    name = subject.network.inputs[0].name
    x = random_batch(subject.network, 1, length, rng, lengths=False)[name]
    for _ in range(DRAWS):
        found = subject.run({name: x, **states})
        place = subject.first_near() if isinstance(subject, EightBitSubject) else None
        if place is None:
            return x, found
        fresh = random_batch(subject.network, 1, length, rng, lengths=False)[name]
        start = int(place * x.shape[1])
        x[:, start:] = fresh[:, start:]
    raise ConfigError(
        f"int8: of {DRAWS:,} random sequences of {length} steps none is clear of numbers that are "
        "rounded one way or the other by the last bit, so the C cannot be compared with the model: "
        "export it without int8"
    )


def _so_far(
    subject: Subject, source: Source, x: Numbers, states: dict[str, Array]
) -> tuple[tuple[int, ...], Array | None]:
    """Numbers of steps, and what the model says of so many of x (1, T, I)."""
    if not (source.steps and source.summary):
        return (), None
    network, length = subject.network, x.shape[1]
    places = np.unique(np.linspace(1, length, min(length, PLACES)).astype(int))
    rows = [
        subject.run({network.inputs[0].name: x[:, :place], **states})[network.outputs[0].name]
        for place in places
    ]
    return tuple(places.tolist()), np.concatenate(rows).astype(np.float32)


def lengths_of(network: Network) -> tuple[int, ...]:
    """Steps of each sequence that is recorded."""
    steps = network.inputs[0].shape[1]
    if isinstance(steps, int):
        return steps, steps
    return tuple(max(length, shortest(network)) for length in LENGTHS)


def _flat(source: Source, states: dict[str, Array], end: str) -> Array:
    """States as `save_state` writes them, zeros for what is none of the model's."""
    parts = [
        np.zeros(member.size, np.float32)
        if member.source is None
        else states[member.source[0] + end][member.source[1], 0]
        for member in source.members
    ]
    return np.concatenate(parts)


def _ends(source: Source, found: dict[str, Numbers]) -> Iterator[tuple[int, Array]]:
    start = 0
    for member in source.members:
        if member.source is not None:
            name, row = member.source
            yield start, np.asarray(found[f"{name}_out"][row, 0], np.float32)
        start += member.size
