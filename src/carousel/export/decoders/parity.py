"""An encoder and a decoder's step as files against the model that they came from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from carousel.export.decoders.description import KEYS, MEMORY
from carousel.export.decoders.pair import Pair
from carousel.export.description import Embedding, Network
from carousel.export.formats import Comparison, Run
from carousel.tasks.shared.decoder import Memory
from carousel.tasks.shared.network import evaluating

Numbers = NDArray[Any]
Given = dict[str, Numbers]

_SIZES = ((3, 10), (1, 1), (2, 5))
"""Rows, and tokens of the longest, of the batches that are tried."""
_STEPS = 5
"""Tokens that the decoder reads one by one."""


@dataclass(frozen=True)
class Runs:
    """Both files, loaded."""

    encoder: Run
    step: Run


def compare(pair: Pair, runs: Runs, tolerance: float) -> Comparison:
    """Largest difference between the files and their model: of memories, of states and of
    log-probabilities token by token, and of the sentences that a greedy search finds."""
    largest, cases, rng = 0.0, 0, np.random.default_rng(0)
    for rows, places in _SIZES:
        given = random_inputs(pair, rows, places, rng)
        tokens = rng.integers(0, pair.network.tokens, (rows, _STEPS))
        with evaluating(pair.model):
            largest = max(largest, _stepped(pair, runs, given, tokens))
            largest = max(largest, _greedy(pair, runs, given))
        cases += 2
    return Comparison(largest, tolerance, cases)


def random_inputs(pair: Pair, rows: int, places: int, rng: np.random.Generator) -> Given:
    """Inputs of the encoder: rows of unequal length where they may have them."""
    value, encoder = pair.network.input, pair.network.encoder
    sizes = {"batch": rows, "time": places}
    shape = [sizes[size] if isinstance(size, str) else size for size in value.shape]
    if isinstance(encoder, Network):
        first = encoder.layers[0]
        assert isinstance(first, Embedding)
        lengths = rng.integers(1, places + 1, rows)
        lengths[0] = places
        return {value.name: rng.integers(0, len(first.table), shape), "lengths": lengths}
    if value.dtype == "uint8":
        return {value.name: rng.integers(0, 256, shape).astype(np.uint8)}
    return {value.name: rng.standard_normal(shape).astype(np.float32)}


def search(
    runs: Runs, facts: Mapping[str, Any], given: Mapping[str, Numbers], longest: int
) -> list[int]:
    """The sentence about one row that a greedy search with the files finds: the likeliest token of
    each step until the one that ends. facts: of the card; longest: tokens, the end included."""
    fed = {**given, **runs.encoder(given), "token": np.array([facts["start"]])}
    said: list[int] = []
    while len(said) < longest - 1:
        found = runs.step(fed)
        chances = found["log_probabilities"][0].copy()
        chances[facts["never"]] = -np.inf
        token = int(chances.argmax())
        if token == facts["end"]:
            break
        said.append(token)
        fed |= {**_handed(found), "token": np.array([token])}
    return said


def _handed(found: Mapping[str, Numbers]) -> Given:
    """States after a step by the names of those before the next."""
    ends = (name for name in found if name.endswith("_out"))
    return {f"{name.removesuffix('_out')}_in": found[name] for name in ends}


def _stepped(pair: Pair, runs: Runs, given: Given, tokens: Numbers) -> float:
    """Difference of memories, and of everything that tokens (B, T) bring about."""
    names = [state.name for state in pair.network.decoder.states]
    memory, found = pair.remember(given), runs.encoder(given)
    inside = 1.0 if memory.mask is None else memory.mask.unsqueeze(2).numpy()
    largest = _apart(found[MEMORY] * inside, memory.values.numpy() * inside)
    if pair.network.attention.key is not None:
        largest = max(largest, _apart(found[KEYS] * inside, memory.keys.numpy() * inside))
    largest = max(largest, _states_apart(found, "in", names, memory))
    read = torch.from_numpy(tokens)
    whole = pair.decoder.log_probabilities(read, memory).numpy()
    looks = pair.decoder.weights(read, memory).numpy()
    fed = {**given, **found}
    for t in range(tokens.shape[1]):
        found = runs.step({**fed, "token": tokens[:, t]})
        _, state = pair.decoder.step(read[:, t : t + 1], memory)
        memory = memory._replace(state=state)
        fed |= _handed(found)
        largest = max(
            largest,
            _apart(found["log_probabilities"], whole[:, t]),
            _apart(found["attention"], looks[:, t]),
            _states_apart(found, "out", names, memory),
        )
    return largest


def _states_apart(
    found: Mapping[str, Numbers], which: str, names: Sequence[str], memory: Memory
) -> float:
    pairs = zip(names, memory.state, strict=True)
    return max(_apart(found[f"{name}_{which}"], state.numpy()) for name, state in pairs)


def _greedy(pair: Pair, runs: Runs, given: Given) -> float:
    """Difference of greedy answers: zero where they are the same, else how much likelier the model
    holds its own token than that of the files, where they part."""
    largest, facts = 0.0, pair.network.facts
    wanted, longest = pair.greedy(given), pair.longest(given)
    for row, own in enumerate(wanted):
        one = {name: value[row : row + 1] for name, value in given.items()}
        if "lengths" in one:
            one[pair.network.input.name] = one[pair.network.input.name][:, : one["lengths"][0]]
        said = search(runs, facts, one, longest[row])
        if said != own:
            largest = max(largest, _gap(pair, one, own, said))
    return largest


def _gap(pair: Pair, one: Given, own: list[int], said: list[int]) -> float:
    """Share of log P by which two answers differ where they part, as the model sees it."""
    end = pair.decoder.end
    same = next(
        (i for i, (a, b) in enumerate(zip(own, said, strict=False)) if a != b),
        min(len(own), len(said)),
    )
    first, second = ([*tokens, end][same] for tokens in (own, said))
    read = torch.tensor([[end, *own[:same]]])
    chances = pair.decoder.log_probabilities(read, pair.remember(one))[0, -1].numpy()
    return _apart(chances[second : second + 1], chances[first : first + 1])


def _apart(found: Numbers, wanted: Numbers) -> float:
    """Largest difference, relative to numbers above one; infinite where shapes differ."""
    if found.shape != wanted.shape or not np.isfinite(found).all():
        return float("inf")
    apart = np.abs(found.astype(np.float64) - wanted) / np.maximum(1.0, np.abs(wanted))
    return float(apart.max(initial=0.0))
