"""The suite `export`: the C file, streams of eight bits, and what is told where one is missing."""

import shutil

import pytest
from made_up import case, results, row

from carousel.bench import run as running
from carousel.bench.cases import cases, make_problem
from carousel.bench.interleave import Plan
from carousel.bench.peers.base import PeerError
from carousel.bench.peers.files import CFile, CFileInt8, OnnxInt8, StreamInt8
from carousel.bench.peers.onnx_runtime import OnnxRuntime
from carousel.bench.peers.torch_layers import Ours
from carousel.bench.results import C_FILE, C_INT8, INT8, ONNX_INT8, OURS, TORCH
from carousel.bench.run import Options, difference
from carousel.bench.tables import notes, tables
from carousel.bench.targets import check
from carousel.export.c import building

STEP = {"suite": "export", "mode": "stream", "steps": 1, "batch": 1, "inputs": 10, "hidden": 10}
needs_cc = pytest.mark.skipif(shutil.which("cc") is None, reason="there is no C compiler here")


def first_step(peer, problem):
    contestant = peer.prepare(problem, 1)
    try:
        assert contestant.run(3) > 0
        contestant.run(2, warm_up=False)
    finally:
        contestant.close()
    again = peer.prepare(problem, 1)
    found = again.results()
    again.close()
    return found["y"]


@pytest.mark.parametrize("cell", ["LSTM", "GRU"])
@pytest.mark.parametrize(
    ("peer", "apart"),
    [
        pytest.param(CFile(), 1e-5, marks=needs_cc),
        pytest.param(CFileInt8(), 0.1, marks=needs_cc),
        (StreamInt8(), 0.1),
        (OnnxInt8(), 0.1),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_everyone_takes_the_step_that_ours_takes(cell, peer, apart):
    problem = make_problem(case("step", cell, **STEP))
    if isinstance(peer, OnnxInt8) and (peer.missing() or cell == "GRU"):
        assert peer.missing() or peer.why_not(problem.case) == "has no such cell in int8"
        return
    right = first_step(Ours(), problem)
    found = difference(first_step(peer, problem), right, problem)
    assert found < apart
    if apart > 1e-3:
        assert found > 1e-6  # numbers of eight bits


@needs_cc
def test_results_of_the_c_are_those_of_a_first_step_whatever_it_has_timed():
    contestant = CFile().prepare(make_problem(case("step", "GRU", **STEP)), 1)
    try:
        first = contestant.results()["y"]
        contestant.run(3)
        assert (contestant.results()["y"] == first).all()
    finally:
        contestant.close()


@needs_cc
@pytest.mark.parametrize("cell", ["LSTM", "GRU"])
def test_the_c_in_eight_bits_rounds_as_the_stream_in_eight_bits_does(cell):
    problem = make_problem(case("step", cell, **STEP))
    found, stream = (first_step(peer, problem) for peer in (CFileInt8(), StreamInt8()))
    assert difference(found, stream, problem) < 1e-5


def test_files_take_part_in_their_suite_alone():
    for peer in (CFile(), CFileInt8(), StreamInt8(), OnnxInt8()):
        assert peer.why_not(cases(["stream"])[0]) == "only in the suite export"
        assert not peer.why_not(cases(["export"])[0])
    assert {each.threads for each in cases(["export"])} == {1}


def quick(**more):
    plan = Plan(budget=0.001, least=1, most=1, turn=0.0, settle=0.0)
    return running.run(Options(("export",), "step-8 LSTM", plan=plan, memory=False, **more))


def test_a_machine_without_a_compiler_is_told_and_measures_the_rest(monkeypatch):
    monkeypatch.setattr(building, "compiler", lambda: None)
    found = quick()
    for name in (C_FILE, C_INT8):
        assert found.missing[name] == "needs a C compiler: install gcc or clang, or set CC"
    (measured,) = found.rows
    assert not {C_FILE, C_INT8} & {*measured.samples}
    assert {OURS, TORCH, INT8} <= {*measured.samples}
    (table,) = (t for t in tables(found) if t.title.startswith("One step of one stream"))
    assert table.columns[1] == "carousel.Stream, ns (best)"
    assert any("did not take part: needs a C compiler" in line for line in notes(found))


def test_a_machine_without_a_compiler_is_not_told_so_in_other_suites(monkeypatch):
    monkeypatch.setattr(building, "compiler", lambda: None)
    plan = Plan(budget=0.001, least=1, most=1, turn=0.0, settle=0.0)
    found = running.run(Options(("stream",), "stream-64 GRU", plan=plan, memory=False))
    assert C_FILE not in found.missing


def test_onnx_runtime_that_is_not_installed_is_told(monkeypatch):
    for peer in (OnnxRuntime, OnnxInt8):
        monkeypatch.setattr(peer, "missing", lambda self: "not installed: onnxruntime")
    found = quick()
    assert {"onnxruntime", ONNX_INT8} <= {*found.missing}
    assert ONNX_INT8 not in found.rows[0].samples


@needs_cc
def test_a_compiler_that_refuses_is_told(monkeypatch):
    monkeypatch.setenv("CC", "false")
    with pytest.raises(PeerError, match="the compiler refuses it"):
        CFile().prepare(make_problem(case("step", **STEP)), 1)


def test_the_table_has_nanoseconds_of_the_file_and_ratios_over_it():
    peers = {C_FILE: 50e-9, C_INT8: 25e-9, TORCH: 20e-6, INT8: 400e-9}
    measured = row(case("step-8", **STEP), 600e-9, peers, None)
    (table, _) = tables(results(measured))
    assert table.columns == (
        "row", "C file, ns (best)", "carousel.Stream", C_INT8, TORCH, "carousel.Stream, int8",
    )  # fmt: skip
    assert table.rows[0][1:] == (
        "50 (50)", "12.00 (12.00)", "0.50 (0.50)", "400.00 (400.00)", "8.00 (8.00)",
    )  # fmt: skip


@pytest.mark.parametrize("narrow", [INT8, C_INT8])
@pytest.mark.parametrize(("int8", "met"), [(0.9, [False, False]), (0.05, [True, True])])
def test_a_run_of_export_alone_is_held_to_what_eight_bits_promise(narrow, int8, met):
    peers = {C_FILE: 1.0, narrow: int8, ONNX_INT8: 1.0}
    wide = row(case("step-64", **STEP | {"hidden": 64}), 1.0, peers, None)
    verdicts = check(results(wide))
    assert [verdict.met for verdict in verdicts if verdict.measured is not None] == met
    assert len(verdicts) == 4  # two of streams, two of C files
    assert {verdict.target for verdict in verdicts} == {1.5, 10.0}  # no machine with VNNI
