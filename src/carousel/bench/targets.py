"""Promised speeds, checked against the results of a run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from carousel.bench.results import (
    C_FILE,
    C_INT8,
    INT8,
    LOOP,
    ONNX,
    ONNX_INT8,
    OURS,
    PLAIN_CELL,
    TORCH,
    Results,
    Row,
    Spread,
    geometric_mean,
)


@dataclass(frozen=True)
class Verdict:
    """One promise on one row. measured: None if the run has no such row or no such peer.

    at_least: the bound is from below; else from above.
    """

    promise: str
    row: str
    target: float
    measured: float | None
    at_least: bool = True

    @property
    def met(self) -> bool | None:
        if self.measured is None:
            return None
        return (self.measured >= self.target) == self.at_least or self.measured == self.target

    def __str__(self) -> str:
        state = {True: "met", False: "MISSED", None: "not measured"}[self.met]
        sign = "≥" if self.at_least else "≤"
        value = "" if self.measured is None else f" {self.measured:.2f}"
        return f"{self.promise}, {self.row}: {sign} {self.target:g},{value} {state}"


# Training time of torch.nn over ours, by cell and row.
_TRAINING = {
    "LSTM": {"rows": 1.15, "ptb-small": 1.15, "speech": 1.15, "sensor": 1.6, "pixels": 2.0},
    "GRU": {
        "rows": 1.6,
        "speech": 1.6,
        "ptb-medium": 1.6,
        "ptb-small": 2.3,
        "pixels": 3.0,
        "sensor": 5.0,
    },
    "RNN": {
        "rows": 1.6,
        "speech": 1.6,
        "ptb-medium": 1.6,
        "ptb-small": 2.8,
        "pixels": 2.8,
        "sensor": 6.0,
    },
}


def check(results: Results) -> list[Verdict]:
    """Every promise on every row it is made for; of suites on demand alone, those on these."""
    on_demand = {"options": _options, "small": _small, "export": _export}
    suites = {row.case.suite for row in results.rows}
    if suites and suites <= {*on_demand}:
        return [verdict for name in sorted(suites) for verdict in on_demand[name](results)]
    return [
        *_sgemm(results),
        *_best_peer(results),
        *_against_torch(results),
        *_against_onnx(results),
        *_streams(results),
        *_options(results),
        *_small(results),
        *_export(results),
        *_memory(results),
    ]


def _sgemm(results: Results) -> Iterator[Verdict]:
    for row in results.suite("dense", "odd"):
        case, share = row.case, row.share()
        if case.name in ("pixels", "sensor"):
            target = 0.60
        elif case.batch >= 20 and case.hidden >= 128:
            target = 0.80 if case.mode == "training" else 0.85
        else:
            continue
        yield Verdict("share of a large sgemm", case.title, target, _median(share))


def _best_peer(results: Results) -> Iterator[Verdict]:
    for row in results.suite("dense", "odd", "ragged", "stream"):
        best = row.best_peer
        ratio = row.ratio(best) if best else None
        title = f"{row.case.title} ({best})"
        yield Verdict("time of the best peer", title, 1.0, _median(ratio))


def _against_torch(results: Results) -> Iterator[Verdict]:
    training = {
        (row.case.cell, row.case.name): row
        for row in results.suite("dense", "ragged")
        if row.case.mode == "training"
    }
    for cell, targets in _TRAINING.items():
        for name, target in targets.items():
            measured = _ratio(training.get((cell, name)), TORCH)
            yield Verdict("training time of torch.nn", f"{name} {cell}", target, measured)
    for cell in ("LSTM", "GRU"):
        measured = _ratio(training.get((cell, "tagger")), TORCH)
        yield Verdict("training time of packed torch.nn", f"tagger {cell}", 3.5, measured)
    ratios = [ratio for row in results.suite("dense") if (ratio := _ratio(row, TORCH))]
    mean = geometric_mean(ratios) if ratios else None
    yield Verdict("time of torch.nn", f"geometric mean of {len(ratios)} dense rows", 2.0, mean)


def _against_onnx(results: Results) -> Iterator[Verdict]:
    for row in results.suite("dense", "odd", "ragged"):
        if row.case.mode == "inference":
            measured = _ratio(row, ONNX)
            yield Verdict("inference time of ONNX Runtime", row.case.title, 2.0, measured)


def _streams(results: Results) -> Iterator[Verdict]:
    for row in results.suite("stream"):
        for peer, target in ((TORCH, 15.0), (ONNX, 4.0)):
            yield Verdict(f"time of a step of {peer}", row.case.title, target, _ratio(row, peer))


def _options(results: Results) -> Iterator[Verdict]:
    for row in results.suite("options"):
        title = row.case.title
        most = 2 if row.case.option == "layer norm" else 1.5
        yield Verdict("time of the plain cell", title, 1 / most, _ratio(row, PLAIN_CELL))
        yield Verdict("time of a compiled torch loop", title, 5.0, _ratio(row, LOOP))


def _small(results: Results) -> Iterator[Verdict]:
    rows = results.suite("small")
    for row in rows:
        best = row.best_peer
        measured = _ratio(row, best) if best else None
        yield Verdict("time of the best peer", f"{row.case.title} ({best})", 1.0, measured)
    ratios = [ratio for row in rows if (ratio := _ratio(row, TORCH))]
    if rows:
        title = f"geometric mean of {len(ratios)} small rows"
        mean = geometric_mean(ratios) if ratios else None
        yield Verdict("time of torch.nn", title, 3.0, mean)


def _export(results: Results) -> Iterator[Verdict]:
    vnni = "vnni" in results.machine.get("int8", "")
    for row in results.suite("export"):
        title, hidden = row.case.title, row.case.hidden
        if hidden >= 64:
            target = (3.0 if hidden <= 128 else 6.0) if vnni else 1.5
            for what, wide, narrow in (("stream", OURS, INT8), ("C file", C_FILE, C_INT8)):
                promise = f"time of our {what} in float32, over that in int8"
                yield Verdict(promise, title, target, _median(row.ratio(wide, narrow)))
        if row.case.cell == "LSTM":
            for what, ours in (("stream", INT8), ("C file", C_INT8)):
                promise = f"time of ONNX Runtime's int8, over our {what}'s"
                yield Verdict(promise, title, 10.0, _median(row.ratio(ONNX_INT8, ours)))


def _memory(results: Results) -> Iterator[Verdict]:
    for memory in results.memory:
        title = memory.case.title
        yield Verdict("peak memory of torch.nn", title, 1.0, memory.ratio, at_least=False)


def _ratio(row: Row | None, peer: str) -> float | None:
    return None if row is None else _median(row.ratio(peer))


def _median(spread: Spread | None) -> float | None:
    return None if spread is None else spread.median


def summary(verdicts: list[Verdict]) -> str:
    """One line: how many were met, missed, not measured."""
    states = [verdict.met for verdict in verdicts]
    met, missed, unknown = (sum(state is kind for state in states) for kind in (True, False, None))
    return f"{met} targets met, {missed} missed, {unknown} not measured"
