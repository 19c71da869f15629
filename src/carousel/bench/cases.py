"""Shapes, suites, the arithmetic of each problem, and the numbers to compute with.

Letters: T steps, B rows, I inputs, H hidden units, L layers, D directions, G gates (LSTM 4, GRU 3,
RNN 1).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from carousel.cells.spec import CellSpec
from carousel.cells.table import SPECS
from carousel.errors import ConfigError

Array = NDArray[np.float32]

_TORCHS = {spec.layer: spec for spec in SPECS if spec.in_torch}
GATES = {cell: spec.blocks_with(lambda option: None) for cell, spec in _TORCHS.items()}
SUITES = ("dense", "odd", "ragged", "stream", "scaling")
# Of many rows, or with a peer that compiles for up to a quarter of a minute in each.
SUITES_ON_DEMAND = ("small", "options", "export")

# By what a row is called. Those of _RANDOM draw masks.
_ROWS: dict[str, dict[str, Any]] = {
    "softsign": {"activation": "softsign"},
    "zoneout": {"zoneout": 0.1},
    "variational": {"variational": 0.25},
    "naive dropout": {"naive_recurrent_dropout": 0.25},
    "weight dropout": {"weight_dropout": 0.5},
    "layer norm": {"layer_norm": True},
    "hard": {"activation": "hard_tanh", "gate_activation": "hard_sigmoid"},
    "recurrent dropout": {"recurrent_dropout": 0.25},
    "peephole": {"peephole": True},
    "coupled": {"coupled": True},
    **{name: {"variant": name} for name in ("NIG", "NFG", "NOG", "NIAF", "NOAF")},
}
OPTIONS = {
    cell: {name: given for name, given in _ROWS.items() if given.keys() <= {*spec.options}}
    for cell, spec in _TORCHS.items()
}
_RANDOM = ("zoneout", "variational", "naive dropout", "weight dropout", "recurrent dropout")


@dataclass(frozen=True)
class Case:
    """One row of the benchmark.

    mode: "training" (forward and backward: gradients of the input and of all weights), "inference"
    (forward, nothing saved) or "stream" (one step of a live stream, the state carried on).
    lengths: steps of each row where they differ. threads: where not those of the whole run.
    option: what the cell does differently, by its name in `OPTIONS`.
    """

    suite: str
    name: str
    cell: str
    mode: str
    steps: int
    batch: int
    inputs: int
    hidden: int
    layers: int = 1
    bidirectional: bool = False
    lengths: tuple[int, ...] | None = None
    threads: int | None = None
    option: str = ""

    @property
    def options(self) -> dict[str, Any]:
        """Arguments of the layer's constructor."""
        return dict(OPTIONS[self.cell][self.option]) if self.option else {}

    @property
    def random(self) -> bool:
        """True if each call computes something else."""
        return self.option in _RANDOM

    @property
    def spec(self) -> CellSpec:
        """Description of the cell."""
        return _TORCHS[self.cell]

    @property
    def gates(self) -> int:
        """Blocks of rows in the weights."""
        return GATES[self.cell] - (self.option in ("coupled", "NIG", "NFG", "NOG"))

    @property
    def directions(self) -> int:
        return 2 if self.bidirectional else 1

    @property
    def title(self) -> str:
        """Such as "rows LSTM training"."""
        return f"{self.name} {self.cell} {self.option or self.mode}"

    @property
    def shape(self) -> str:
        """T, B, I, H and what else matters, for a table."""
        text = f"{self.steps}×{self.batch}×{self.inputs}×{self.hidden}"
        text += f", {self.layers} layers" if self.layers > 1 else ""
        text += ", bidirectional" if self.bidirectional else ""
        if self.lengths:
            text += f", lengths {min(self.lengths)}–{max(self.lengths)}"
        return text

    @property
    def flops(self) -> int:
        """Floating point operations of the matrix products of one call.

        Forward, per row, step, layer and direction: 2 G H (I_l + H), where I_1 = I and
        I_l = D H above; times 3 for training, as the backward pass has two products for each one
        of the forward pass. Padding counts for nothing. Gate functions are not counted.
        """
        work = self.steps * self.batch if self.lengths is None else sum(self.lengths)
        inputs = self.inputs + (self.layers - 1) * self.directions * self.hidden
        width = inputs + self.layers * self.hidden
        forward = 2 * self.gates * self.hidden * width * self.directions * work
        return 3 * forward if self.mode == "training" else forward

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @staticmethod
    def from_json(content: dict[str, Any]) -> Case:
        lengths = content["lengths"]
        return Case(**{**content, "lengths": None if lengths is None else tuple(lengths)})


def cases(
    suites: Iterable[str] = (), only: str = "", quick: bool = False, threads: int = 1
) -> list[Case]:
    """The rows of the suites named whose title has every word of `only`; of `SUITES` by default.

    quick: a few rows of each suite. threads: what the scaling suite goes up to.
    Raises ConfigError for an unknown suite, or if nothing is left.

    >>> [case.title for case in cases(["stream"], only="GRU 64")]
    ['stream-64 GRU stream']
    """
    suites = tuple(suites) or SUITES
    for name in suites:
        if name not in SUITES + SUITES_ON_DEMAND:
            known = ", ".join(SUITES + SUITES_ON_DEMAND)
            raise ConfigError(f"no suite {name!r}: choose from {known}")
    everything = [case for case in _all(threads) if case.suite in suites]
    words = only.lower().split()
    chosen = [
        case
        for case in everything
        if all(word in f"{case.suite} {case.title}".lower() for word in words)
        and (not quick or _is_quick(case))
    ]
    if not chosen:
        names = ", ".join(dict.fromkeys(case.name for case in everything))
        raise ConfigError(f"no row of these suites has all of {only!r}; their names: {names}")
    return chosen


_QUICK = {"rows", "sensor", "hidden-37", "tagger", "stream-64", "step-64", "H=64", "H=256"}
_QUICK |= {"T=5 B=4 H=24"}


def _is_quick(case: Case) -> bool:
    return case.name in _QUICK and (case.suite != "scaling" or case.cell == "LSTM")


def _all(threads: int) -> Iterator[Case]:
    for mode in ("training", "inference"):
        for cell in GATES:
            for name, shape in _DENSE.items():
                yield Case("dense", name, cell, mode, *shape)
            for name, shape in _ODD.items():
                yield Case("odd", name, cell, mode, *shape)
            yield _tagger(cell, mode)
    for cell in GATES:
        for hidden in (64, 128, 256):
            yield Case("stream", f"stream-{hidden}", cell, "stream", 1, 1, hidden, hidden)
    for cell in ("LSTM", "GRU"):
        yield from _scaling(cell, threads)
    for mode in ("training", "inference"):
        for cell in GATES:
            yield from _small(cell, mode)
    for cell in ("LSTM", "GRU"):
        for hidden in (8, 16, 32, 64, 128, 256, 512):
            name = f"step-{hidden}"
            yield Case("export", name, cell, "stream", 1, 1, hidden, hidden, threads=1)
    for cell, options in OPTIONS.items():
        for name in ("rows", "speech"):
            for option in options:
                yield Case("options", name, cell, "training", *_DENSE[name], option=option)


_DENSE = {  # T, B, I, H, L
    "rows": (28, 128, 28, 128, 1),
    "pixels": (784, 128, 1, 128, 1),
    "ptb-small": (35, 20, 200, 200, 2),
    "ptb-medium": (35, 20, 650, 650, 2),
    "sensor": (100, 32, 64, 64, 1),
    "speech": (100, 32, 256, 256, 1),
    "wide": (50, 64, 512, 512, 1),
}
_ODD = {f"hidden-{hidden}": (50, 32, hidden, hidden, 1) for hidden in (37, 50, 100, 300)} | {
    f"batch-{batch}": (50, batch, 128, 128, 1) for batch in (1, 3, 7)
}


def _small(cell: str, mode: str) -> Iterator[Case]:
    """Calls so short that what surrounds the kernels counts: decoders, control, a few sensors."""
    shapes = list(itertools.product((1, 5, 20), (1, 4, 16), (8, 24, 64)))
    shapes += [(1, batch, hidden) for batch in (1, 16) for hidden in (128, 256, 512, 1024)]
    for steps, batch, hidden in shapes:
        name = f"T={steps} B={batch} H={hidden}"
        yield Case("small", name, cell, mode, steps, batch, hidden, hidden)


def _tagger(cell: str, mode: str) -> Case:
    lengths = tuple(int(n) for n in np.random.default_rng(0).integers(5, 61, 64))
    lengths = (60, *lengths[1:])
    return Case("ragged", "tagger", cell, mode, 60, 64, 128, 128, 1, True, lengths)


def _scaling(cell: str, threads: int) -> Iterator[Case]:
    base = Case("scaling", "", cell, "training", 50, 32, 128, 128)
    for steps in (8, 32, 128, 512):
        yield replace(base, name=f"T={steps}", steps=steps)
    for hidden in (16, 32, 64, 128, 256, 512, 1024):
        yield replace(base, name=f"H={hidden}", inputs=hidden, hidden=hidden)
    for batch in (1, 4, 16, 64, 256):
        yield replace(base, name=f"B={batch}", batch=batch)
    counts = {1, threads} | {2**k for k in range(1, 8) if 2**k < threads}
    for count in sorted(counts):
        yield replace(base, name=f"threads={count}", batch=64, threads=count)


@dataclass(frozen=True)
class Problem:
    """A case with numbers in it, the same for every peer.

    weights: per layer and direction, by torch's names without the suffix. x: (T, B, I).
    cotangent: (T, B, D * H), zero in the padding; what the backward pass starts from.
    """

    case: Case
    weights: tuple[dict[str, Array], ...]
    x: Array
    cotangent: Array

    @property
    def mask(self) -> NDArray[np.bool_]:
        """Mask of the real steps, (T, B)."""
        lengths = self.case.lengths or (self.case.steps,) * self.case.batch
        return np.arange(self.case.steps)[:, None] < np.array(lengths)


def _normalized(case: Case) -> dict[str, tuple[int, ...]]:
    """Shapes of the gains and shifts of layer normalisation."""
    hidden = case.hidden
    return {
        weight.name: case.spec.shape_of(weight, case.inputs, hidden, hidden, case.gates)
        for weight in case.spec.weights
        if weight.is_gain
    }


def make_problem(case: Case, seed: int = 0) -> Problem:
    """Weights from torch's default distribution U(-1/√H, 1/√H), everything else normal."""
    random = np.random.default_rng(seed)
    rows, bound = case.gates * case.hidden, case.hidden**-0.5
    weights = []
    for index in range(case.layers * case.directions):
        inputs = case.inputs if index < case.directions else case.directions * case.hidden
        shapes: dict[str, tuple[int, ...]] = {
            "weight_ih": (rows, inputs),
            "weight_hh": (rows, case.hidden),
            "bias_ih": (rows,),
            "bias_hh": (rows,),
        }
        if case.option == "peephole":
            shapes["weight_c"] = (3 * case.hidden,)
        drawn = {k: random.uniform(-bound, bound, s) for k, s in shapes.items()}
        if case.option == "layer norm":
            drawn |= {k: random.uniform(0.5, 1.5, s) for k, s in _normalized(case).items()}
        weights.append({k: v.astype(np.float32) for k, v in drawn.items()})
    outputs = case.directions * case.hidden
    problem = Problem(
        case,
        tuple(weights),
        random.standard_normal((case.steps, case.batch, case.inputs), np.float32),
        random.standard_normal((case.steps, case.batch, outputs), np.float32),
    )
    problem.cotangent[~problem.mask] = 0
    return problem
