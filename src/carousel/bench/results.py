"""Results of a benchmark run, as numbers and as JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from carousel.bench.cases import Case
from carousel.bench.interleave import Samples
from carousel.errors import DataError

OURS = "carousel"
TORCH = "torch.nn"
ONNX = "onnxruntime"
PLAIN_CELL = "plain cell"
LOOP = "torch.compile loop"
C_FILE, C_INT8 = "C file", "C file, int8"
INT8, ONNX_INT8 = "carousel int8", "onnxruntime int8"
SGEMM = ("sgemm torch", "sgemm numpy")
_FORMAT = 1


@dataclass(frozen=True)
class Spread:
    """Median and quartiles of some rounds."""

    median: float
    low: float
    high: float
    rounds: int

    @staticmethod
    def of(values: Iterable[float]) -> Spread:
        data = list(values)
        low, median, high = (float(q) for q in np.quantile(data, [0.25, 0.5, 0.75]))
        return Spread(median, low, high, len(data))


@dataclass(frozen=True)
class Row:
    """One case: seconds per call of everyone in each round (None: sat out).

    threads: of each contestant. path: what computed ours. skipped: who did not take part, and why.
    others: CPUs that other processes kept busy meanwhile; None where that cannot be known.
    """

    case: Case
    threads: int
    samples: Samples
    path: str
    sgemm_flops: int
    skipped: dict[str, str] = field(default_factory=dict)
    others: float | None = None

    @property
    def peers(self) -> tuple[str, ...]:
        """Names of the contestants compared with ours."""
        return tuple(name for name in self.samples if name not in (OURS, *SGEMM))

    @property
    def best_peer(self) -> str | None:
        return min(self.peers, key=self.seconds, default=None)

    def seconds(self, name: str) -> float:
        """Median time of one call."""
        return Spread.of(value for value in self.samples[name] if value is not None).median

    def best(self, name: str) -> float:
        """Time of one call in the best round."""
        return min(value for value in self.samples[name] if value is not None)

    def gflops(self, name: str) -> float:
        return self.case.flops / self.seconds(name) / 1e9

    def ratio(self, peer: str, base: str = OURS) -> Spread | None:
        """Peer's time divided by ours, or that of another: per round, then the median."""
        return self._paired(peer, base)

    @property
    def sgemm(self) -> str | None:
        """The faster one of the large matrix products."""
        return min((n for n in SGEMM if n in self.samples), key=self.seconds, default=None)

    def sgemm_gflops(self, name: str) -> float:
        return self.sgemm_flops / self.seconds(name) / 1e9

    def share(self, name: str = OURS) -> Spread | None:
        """Rate of a contestant as a share of the large matrix product's, round by round."""
        if self.sgemm is None or name not in self.samples:
            return None
        times = self._paired(self.sgemm, name)
        scale = self.case.flops / self.sgemm_flops
        return times and Spread(
            times.median * scale, times.low * scale, times.high * scale, times.rounds
        )

    def _paired(self, above: str, below: str) -> Spread | None:
        if above not in self.samples or below not in self.samples:
            return None
        pairs = zip(self.samples[above], self.samples[below], strict=True)
        quotients = [a / b for a, b in pairs if a is not None and b is not None]
        return Spread.of(quotients) if quotients else None


@dataclass(frozen=True)
class Memory:
    """Bytes that one training step takes beyond weights and input, by contestant.

    peak: at the worst moment. held: between the forward and the backward pass, output included.
    """

    case: Case
    peak: dict[str, int]
    held: dict[str, int]

    @property
    def ratio(self) -> float:
        """Our peak as a share of torch.nn's."""
        return self.peak[OURS] / self.peak[TORCH]


@dataclass(frozen=True)
class Results:
    """A run. machine, versions, settings: what it was measured on and with.

    missing: peers that are not installed. failures: rows without numbers, and why.
    """

    machine: dict[str, str]
    versions: dict[str, str]
    settings: dict[str, Any]
    rows: tuple[Row, ...] = ()
    memory: tuple[Memory, ...] = ()
    missing: dict[str, str] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    complete: bool = True

    def suite(self, *names: str) -> tuple[Row, ...]:
        return tuple(row for row in self.rows if row.case.suite in names)

    def to_json(self) -> dict[str, Any]:
        """Everything, as JSON can hold it and `read` takes it."""
        return {"format": _FORMAT, **asdict(self)}

    def write(self, path: Path) -> None:
        content = self.to_json()
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n")

    @staticmethod
    def read(path: Path) -> Results:
        """Raises DataError if the file is not one of ours."""
        try:
            content = json.loads(path.read_text())
            if not isinstance(content, dict) or content.pop("format", None) != _FORMAT:
                raise DataError(f"{path}: not results of carousel bench (format {_FORMAT})")
            rows = tuple(Row(**{**row, **_parsed(row)}) for row in content.pop("rows"))
            memory = tuple(
                Memory(**{**row, "case": Case.from_json(row["case"])})
                for row in content.pop("memory")
            )
            return Results(**content, rows=rows, memory=memory)
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(f"{path}: not results of carousel bench: {error}") from None


def _parsed(row: dict[str, Any]) -> dict[str, Any]:
    samples = {name: tuple(values) for name, values in row["samples"].items()}
    return {"case": Case.from_json(row["case"]), "samples": samples}


def geometric_mean(values: Iterable[float]) -> float:
    """Geometric mean of positive numbers; NaN of none.

    >>> geometric_mean([1.0, 4.0])
    2.0
    """
    logs = [math.log(value) for value in values]
    return math.exp(sum(logs) / len(logs)) if logs else math.nan
