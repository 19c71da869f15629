"""A run of the benchmark: every case, with everyone who can compute it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch

from carousel.bench import machine, memory
from carousel.bench.cases import Array, Case, Problem, cases, make_problem
from carousel.bench.interleave import Plan, measure
from carousel.bench.peers import sgemm
from carousel.bench.peers.base import Contestant, Peer, PeerError
from carousel.bench.peers.files import CFile, CFileInt8, OnnxInt8, StreamInt8
from carousel.bench.peers.onnx_runtime import OnnxRuntime
from carousel.bench.peers.remote import RemotePeer, keras_peers
from carousel.bench.peers.torch_layers import Ours, TorchCells, TorchLayers, path_of
from carousel.bench.peers.variants import CompiledLoop, PlainCell
from carousel.bench.results import (
    C_INT8,
    INT8,
    ONNX_INT8,
    OURS,
    PLAIN_CELL,
    TORCH,
    Memory,
    Results,
    Row,
)
from carousel.errors import ConfigError

# Where peers that compile for seconds take part unless they were asked for by name.
_ROWS_OF_COSTLY_PEERS = {"rows", "sensor", "speech", "tagger"}
_TOLERANCE = 1e-3  # of the largest magnitude: the same computation, not the same rounding
_TOLERANCE_INT8 = 0.1  # of products of whole numbers up to 127


@dataclass(frozen=True)
class Options:
    """Choices for a measurement. threads: None for torch's number. peers: by name, empty for all.

    memory: whether to measure the memory of training steps, too.
    """

    suites: tuple[str, ...] = ()
    only: str = ""
    quick: bool = False
    peers: tuple[str, ...] = ()
    threads: int | None = None
    plan: Plan = field(default_factory=Plan)
    memory: bool = True


Progress = Callable[[str, int, int], None]


def run(options: Options, progress: Progress = lambda *_: None) -> Results:
    """Measure. An interrupt ends the run early: the results so far come with `complete=False`.

    progress: called with what comes next, how many are done, and how many there are.
    Raises ConfigError for options that fit nothing.
    """
    before = torch.get_num_threads()
    threads = options.threads or before
    todo = cases(options.suites, options.only, options.quick, threads)
    everyone = roster()
    taking_part, missing = _chosen(everyone, options.peers, todo)
    results = Results(machine.describe(), {}, _settings(options, threads), missing=missing)
    try:
        for number, case in enumerate(todo):
            progress(case.title, number, len(todo))
            results = _with_row(results, case, taking_part, options, threads)
        if options.memory and not memory.why_not():
            results = _with_memory(results, todo, threads, progress)
    except KeyboardInterrupt:
        results = replace(results, complete=False)
    finally:
        versions = {**machine.versions(), **_versions(taking_part)}
        for peer in everyone:
            peer.close()
        torch.set_num_threads(before)
    return replace(results, versions=versions)


def roster() -> list[Peer]:
    """Everyone, ours first; the matrix products last."""
    return [
        Ours(),
        TorchLayers(),
        TorchCells(),
        PlainCell(),
        CompiledLoop(),
        OnnxRuntime(),
        CFile(),
        CFileInt8(),
        StreamInt8(),
        OnnxInt8(),
        *keras_peers(),
        sgemm.TorchSgemm(),
        sgemm.NumpySgemm(),
    ]


def _chosen(
    everyone: list[Peer], names: Iterable[str], todo: Iterable[Case]
) -> tuple[list[Peer], dict[str, str]]:
    """Peers that take part, and those with a case that are not installed."""
    known = [peer.name for peer in everyone if peer.baseline]
    names = tuple(names)
    for name in names:
        if name not in known:
            raise ConfigError(f"no peer {name!r}: choose from {', '.join(known)}")
    wanted = [peer for peer in everyone if not names or not peer.baseline or peer.name in names]
    todo = list(todo)
    has_case = [peer for peer in wanted if not all(map(peer.why_not, todo)) or peer.name in names]
    missing = {peer.name: why for peer in has_case if (why := peer.missing())}
    asked = [f"{name} {missing[name]}" for name in names if name in missing]
    if asked:
        raise ConfigError("; ".join(asked))
    return [peer for peer in has_case if peer.name not in missing], missing


def _settings(options: Options, threads: int) -> dict[str, Any]:
    plan = options.plan
    spin = {name: os.environ[name] for name in _OPENMP if name in os.environ}
    return {"threads": threads, "seconds_per_row": plan.budget, "openmp": spin}


_OPENMP = ("OMP_NUM_THREADS", "OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "OMP_PROC_BIND")


def _with_row(
    results: Results, case: Case, peers: list[Peer], options: Options, threads: int
) -> Results:
    try:
        row = measure_row(case, peers, options, case.threads or threads)
    except PeerError as error:
        return replace(results, failures={**results.failures, case.title: str(error)})
    return replace(results, rows=(*results.rows, row))


def measure_row(case: Case, peers: list[Peer], options: Options, threads: int) -> Row:
    """One row. Raises PeerError if ours cannot compute it, or computes something else."""
    problem = make_problem(case)
    contestants: dict[str, Contestant] = {}
    skipped: dict[str, str] = {}
    expected: dict[str, Array] = {}
    try:
        for peer in peers:
            if peer.why_not(case) or not _wanted(peer, case, options):
                continue
            try:
                contestant = peer.prepare(problem, threads)
                _check(peer, contestant, expected, problem)
                contestants[peer.name] = contestant
            except PeerError as error:
                if peer.name in (OURS, TORCH):
                    raise
                skipped[peer.name] = str(error)
        pools = {peer.name: peer.pool for peer in peers if peer.name in contestants}
        pids = [pid for peer in peers if isinstance(peer, RemotePeer) for pid in peer.pids()]
        others = machine.Others(pids)
        samples = measure(contestants, pools, OURS, plan_of(case, options.plan))
    finally:
        for contestant in contestants.values():
            _close(contestant)
    return Row(case, threads, samples, path_of(problem), sgemm.FLOPS, skipped, others.busy())


def plan_of(case: Case, plan: Plan) -> Plan:
    """Plan of a row: of single steps on one thread many short turns, most of which nothing
    interrupts, and no pause, as no thread of anyone's spins."""
    if case.suite != "export":
        return plan
    return replace(plan, turn=plan.turn / 10, settle=0.0, most=10 * plan.most)


def _wanted(peer: Peer, case: Case, options: Options) -> bool:
    costly = isinstance(peer, RemotePeer) and peer.baseline
    if not costly or peer.name in options.peers:
        return True
    return case.name in _ROWS_OF_COSTLY_PEERS and not options.quick


def _close(contestant: Contestant) -> None:
    try:
        contestant.close()
    except PeerError:
        return  # its process is gone already


def _check(
    peer: Peer, contestant: Contestant, expected: dict[str, Array], problem: Problem
) -> None:
    """Everyone must compute what ours computes, unless that is drawn. Raises PeerError."""
    results = contestant.results()
    if peer.name in (*sgemm.NAMES, PLAIN_CELL) or problem.case.random:
        return
    if peer.name == OURS:
        expected.update({name: array.copy() for name, array in results.items()})
        return
    for name, array in results.items():
        error = difference(array, expected[name], problem)
        eight_bits = peer.name in (C_INT8, INT8, ONNX_INT8)
        if not error <= (_TOLERANCE_INT8 if eight_bits else _TOLERANCE):
            raise PeerError(f"computes another {name} than {OURS}: off by {error:.1e}")


def difference(actual: Array, expected: Array, problem: Problem) -> float:
    """Largest difference in the real steps, as a share of the largest magnitude."""
    if actual.shape != expected.shape:
        return float("inf")
    real = problem.mask[..., None]
    return float(
        np.abs(np.where(real, actual - expected, 0)).max()
        / np.abs(np.where(real, expected, 0)).max()
    )


def _versions(peers: list[Peer]) -> dict[str, str]:
    found: dict[str, str] = {}
    for peer in peers:
        if isinstance(peer, RemotePeer | CFile):
            try:
                found |= peer.versions()
            except PeerError:
                continue  # it died, and its row says so
    return found


def _with_memory(results: Results, todo: list[Case], threads: int, progress: Progress) -> Results:
    chosen = [case for case in todo if case.mode == "training" and case.suite in _MEMORY_SUITES]
    rows: list[Memory] = []
    with memory.MemoryMeter(threads) as meter:
        for number, case in enumerate(chosen):
            title = f"memory of {case.title}"
            progress(title, number, len(chosen))
            try:
                rows.append(meter.measure(case))
            except PeerError as error:
                results = replace(results, failures={**results.failures, title: str(error)})
    return replace(results, memory=tuple(rows))


_MEMORY_SUITES = ("dense", "ragged")
