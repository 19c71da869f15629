"""Results with made-up times, in which every number of a report can be worked out by hand."""

from dataclasses import replace

from carousel.bench.cases import Case, cases
from carousel.bench.results import OURS, SGEMM, TORCH, Memory, Results, Row

SGEMM_FLOPS = 10**9


def row(case: Case, ours=0.01, peers=None, sgemm=0.005, rounds=5):
    """A row without noise: everyone takes the same time in each round."""
    seconds = {OURS: ours, **(peers or {})}
    if sgemm:
        seconds[SGEMM[0]] = sgemm
    samples = {name: (each,) * rounds for name, each in seconds.items()}
    return Row(case, 2, samples, "native: made up", SGEMM_FLOPS, {}, 0.0)


def case(name="rows", cell="LSTM", mode="training", **changes):
    base = Case("dense", name, cell, mode, 28, 128, 28, 128)
    return replace(base, **changes)


def everything(ratio=100.0, share=1.0):
    """Every row of the benchmark, with all peers `ratio` times as slow as ours."""
    rows = []
    for each in cases(threads=2):
        ours = each.flops / SGEMM_FLOPS * 0.005 / share
        peers = {TORCH: ratio * ours}
        if each.mode != "training":
            peers["onnxruntime"] = ratio * ours
        rows.append(row(each, ours, peers, None if each.mode == "stream" else 0.005))
    memory = [
        Memory(each.case, {OURS: 100, TORCH: 200}, {OURS: 50, TORCH: 150})
        for each in rows
        if each.case.mode == "training" and each.case.suite in ("dense", "ragged")
    ]
    return results(*rows, memory=tuple(memory))


def results(*rows, **more):
    settings = {"threads": 2, "seconds_per_row": 2.5, "openmp": {}}
    return Results({"cpu": "Abacus 9"}, {"torch": "2.0"}, settings, tuple(rows), **more)
