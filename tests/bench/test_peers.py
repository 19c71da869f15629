"""Every adapter computes the same thing; workers answer, and die without taking others along."""

import importlib.util
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from made_up import case

from carousel.bench import run as running
from carousel.bench.cases import OPTIONS, cases, make_problem
from carousel.bench.interleave import Plan
from carousel.bench.machine import Others, describe, versions
from carousel.bench.memory import MemoryMeter, why_not
from carousel.bench.peers import sgemm
from carousel.bench.peers.base import Local, PeerError
from carousel.bench.peers.onnx_runtime import OnnxRuntime
from carousel.bench.peers.remote import RemotePeer, Worker, keras_peers
from carousel.bench.peers.torch_layers import Ours, TorchCells, TorchLayers
from carousel.bench.peers.variants import CompiledLoop, PlainCell
from carousel.bench.results import OURS, PLAIN_CELL, TORCH
from carousel.bench.run import Options, difference, measure_row, roster
from carousel.bench.worker import serve
from carousel.errors import ConfigError

SMALL = {"steps": 5, "batch": 3, "inputs": 4, "hidden": 7}
SHAPES = {
    "plain": SMALL,
    "deep": SMALL | {"layers": 2},
    "ragged": SMALL | {"lengths": (5, 1, 3), "bidirectional": True},
}
QUICK = Plan(budget=0.001, least=1, most=1, turn=0.0, settle=0.0)
each_cell = pytest.mark.parametrize("cell", ["LSTM", "GRU", "RNN"])
needs_onnx = pytest.mark.skipif(
    bool(OnnxRuntime().missing()), reason="onnx and onnxruntime are not installed"
)


def results_of(peer, problem, calls=0):
    contestant = peer.prepare(problem, 1)
    if calls:
        assert contestant.run(calls) > 0
    found = contestant.results()
    contestant.close()
    return found


@each_cell
@pytest.mark.parametrize("mode", ["training", "inference"])
@pytest.mark.parametrize("shape", SHAPES)
def test_torch_computes_what_ours_computes(cell, mode, shape):
    problem = make_problem(case(cell=cell, mode=mode, **SHAPES[shape]))
    ours, theirs = results_of(Ours(), problem, 2), results_of(TorchLayers(), problem, 2)
    assert ours.keys() == theirs.keys() == ({"y", "dx"} if mode == "training" else {"y"})
    for name in ours:
        assert difference(theirs[name], ours[name], problem) < 1e-5


each_option = pytest.mark.parametrize(
    ("cell", "option"), [(cell, option) for cell in OPTIONS for option in OPTIONS[cell]]
)


# torch.compile looks at the gradients of what it is given; torch warns of that.
compiles = pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor:UserWarning")


def with_option(cell, option):
    return make_problem(case(cell=cell, option=option, **SMALL))


@compiles
@each_option
def test_torch_loop_computes_what_ours_computes_or_draws(cell, option):
    problem = with_option(cell, option)
    ours = results_of(Ours(), problem)
    theirs = results_of(CompiledLoop(backend="eager"), problem)
    assert ours.keys() == theirs.keys()
    assert any(difference(theirs[k], ours[k], problem) > 1e-2 for k in ours) == problem.case.random
    if not problem.case.random:
        assert all(difference(theirs[name], ours[name], problem) < 1e-5 for name in ours)


@compiles
@pytest.mark.parametrize(
    ("cell", "option"),
    [
        (cell, option)
        for cell in OPTIONS
        for option in OPTIONS[cell]
        if case(option=option).random and option != "weight dropout"  # one draw for all rows
    ],
)
def test_torch_loop_draws_with_the_probabilities_of_ours(cell, option):
    """The mean over many rows that read the same, against that of ours."""
    problem = with_option(cell, option)
    rows = 3000
    many = replace(
        problem,
        case=replace(problem.case, batch=rows),
        x=np.repeat(problem.x[:, :1], rows, 1),
        cotangent=np.repeat(problem.cotangent[:, :1], rows, 1),
    )
    torch.manual_seed(0)
    ours, theirs = results_of(Ours(), many)["y"], results_of(CompiledLoop("eager"), many)["y"]
    spread = (ours.var(1) / rows + theirs.var(1) / rows) ** 0.5
    assert (np.abs(ours.mean(1) - theirs.mean(1)) <= 6 * spread + 1e-6).all()


@compiles
@each_cell
@pytest.mark.parametrize("mode", ["training", "inference"])
def test_torch_loop_of_a_small_layer_computes_what_ours_computes(cell, mode):
    problem = make_problem(case("tiny", cell, mode, suite="small", **SMALL))
    ours, theirs = (results_of(peer, problem) for peer in (Ours(), CompiledLoop("eager")))
    assert ours.keys() == theirs.keys()
    assert all(difference(theirs[name], ours[name], problem) < 1e-5 for name in ours)


def test_torch_loop_takes_part_in_a_small_row_of_each_cell_mode_and_number_of_steps():
    rows = cases(["small"])
    chosen = [row for row in rows if not CompiledLoop().why_not(row)]
    assert len(chosen) < len(rows) / 8
    assert {(row.cell, row.mode, row.steps) for row in chosen} == {
        (row.cell, row.mode, row.steps) for row in rows
    }


def test_plain_cell_is_measured_next_to_options_and_not_compared():
    drawn = case("tiny", cell="GRU", option="zoneout", **SMALL)
    row = measure_row(drawn, [Ours(), PlainCell()], Options(plan=QUICK), 1)
    assert row.samples.keys() == {OURS, PLAIN_CELL}
    assert row.path.startswith("native")
    for peer in (PlainCell(), CompiledLoop()):
        assert peer.why_not(case())
        assert not peer.why_not(drawn)
    assert TorchLayers().why_not(drawn)


@needs_onnx
@each_cell
@pytest.mark.parametrize("shape", SHAPES)
def test_onnx_runtime_computes_what_ours_computes(cell, shape):
    problem = make_problem(case(cell=cell, mode="inference", **SHAPES[shape]))
    ours, theirs = results_of(Ours(), problem), results_of(OnnxRuntime(), problem)
    assert difference(theirs["y"], ours["y"], problem) < 1e-5


@each_cell
@pytest.mark.parametrize("calls", [0, 4])
def test_streams_carry_the_state_from_call_to_call(cell, calls):
    stream = case(cell=cell, mode="stream", steps=1, batch=1, inputs=7, hidden=7)
    problem = make_problem(stream)
    peers = [TorchLayers(), TorchCells(), *([] if OnnxRuntime().missing() else [OnnxRuntime()])]
    expected = results_of(Ours(), problem, calls)["y"]
    first = results_of(Ours(), problem)["y"]
    assert (difference(expected, first, problem) > 1e-3) == (calls > 0)
    for peer in peers:
        assert difference(results_of(peer, problem, calls)["y"], expected, problem) < 1e-5


@pytest.mark.skipif(importlib.util.find_spec("keras") is None, reason="keras is not installed")
@each_cell
def test_keras_on_torch_computes_what_ours_computes(cell):
    peer = keras_peers()[2]
    try:
        for shape in SHAPES:
            problem = make_problem(case(cell=cell, **SHAPES[shape]))
            ours, theirs = results_of(Ours(), problem), results_of(peer, problem, 1)
            for name in ours:
                assert difference(theirs[name], ours[name], problem) < 1e-5
        assert peer.versions()["keras"]
    finally:
        peer.close()


def test_both_matrix_products_are_the_same():
    numpy_peer = sgemm.NumpySgemm()
    try:
        products = [
            results_of(peer, make_problem(case(**SMALL)))["product"]
            for peer in (sgemm.TorchSgemm(), numpy_peer)
        ]
        assert numpy_peer.pids()
        assert "numpy" in numpy_peer.versions()
    finally:
        numpy_peer.close()
    assert products[0].shape == (sgemm.SIZE, sgemm.SIZE)
    assert np.allclose(*products, rtol=1e-3, atol=1e-3)


# ---- workers


class Script:
    """A connection that plays requests and keeps the answers."""

    def __init__(self, *requests):
        self.requests, self.answers = list(requests), []

    def recv(self):
        if not self.requests:
            raise EOFError
        return self.requests.pop(0)

    def send(self, answer):
        self.answers.append(answer)


def test_worker_answers_each_request_and_goes_on_after_errors():
    script = Script(("run", 1), ("prepare", None), ("run", 2), ("absurd",), ("close",), ("run", 1))
    serve(script, sgemm.__name__, 1)
    kinds = [kind for kind, _ in script.answers]
    assert kinds == ["error", "ok", "ok", "error", "ok", "error"]
    assert script.answers[2][1] > 0
    assert "absurd" in script.answers[3][1]


def test_death_of_a_worker_is_an_error_of_its_peer_alone():
    peer = RemotePeer("doomed", "os", ())  # has no `prepare`
    with pytest.raises(PeerError, match="AttributeError"):
        peer.prepare(make_problem(case(**SMALL)), 1)
    worker = Worker(sgemm.__name__, 1, {})
    worker._process.kill()
    with pytest.raises(PeerError, match="exit code -9"):
        worker.ask("versions")
    worker.end()


def test_missing_packages_are_named():
    said = RemotePeer("absent", "absent", ("numpy", "no_such_package")).missing()
    assert "no_such_package" in said
    assert "numpy" not in said
    assert RemotePeer("present", "present", ("numpy",)).missing() == ""


# ---- a row and a run


class Wrong(TorchLayers):
    """Leaves out the last step."""

    name = "wrong"

    def prepare(self, problem, threads):
        right = super().prepare(problem, threads)

        def wrong(_):
            y = right.results()["y"].copy()
            y[-1] = 0
            return {"y": y}

        return Local(lambda: None, wrong)


def test_row_has_samples_of_everyone_and_the_path_of_ours():
    found = measure_row(
        case(mode="inference", **SMALL), [Ours(), TorchLayers()], Options(plan=QUICK), 1
    )
    assert found.samples.keys() == {OURS, TORCH}
    assert all(value > 0 for values in found.samples.values() for value in values)
    assert found.ratio(TORCH).rounds == 1
    assert ":" in found.path


def test_peer_that_computes_something_else_is_left_out_and_named():
    peers = [Ours(), TorchLayers(), Wrong()]
    found = measure_row(case(mode="inference", **SMALL), peers, Options(plan=QUICK), 1)
    assert "wrong" not in found.samples
    assert "computes another y" in found.skipped["wrong"]


def test_row_fails_where_ours_and_torch_disagree(monkeypatch):
    monkeypatch.setattr(Wrong, "name", TORCH)
    with pytest.raises(PeerError, match="computes another y"):
        measure_row(case(mode="inference", **SMALL), [Ours(), Wrong()], Options(plan=QUICK), 1)


def test_nan_never_passes_as_the_same():
    problem = make_problem(case(**SMALL))
    nan = np.full_like(problem.cotangent, math.nan)
    assert not difference(nan, problem.cotangent, problem) <= 1e-3
    assert difference(nan[:2], problem.cotangent, problem) == math.inf


@pytest.mark.slow
def test_run_collects_rows_memory_and_facts_and_tells_progress(monkeypatch):
    rows = [case(mode=mode, **SMALL) for mode in ("training", "inference")]
    monkeypatch.setattr(running, "cases", lambda *_: rows)
    monkeypatch.setattr(running, "roster", lambda: [Ours(), TorchLayers()])
    told = []
    found = running.run(Options(plan=QUICK, threads=1), lambda *what: told.append(what))
    assert [row.case for row in found.rows] == rows
    assert [memory.case for memory in found.memory] == ([] if why_not() else rows[:1])
    assert told[:2] == [(rows[0].title, 0, 2), (rows[1].title, 1, 2)]
    assert found.complete
    assert found.failures == {}
    assert {"python", "torch", "commit"} <= found.versions.keys()
    assert found.settings["threads"] == 1


def test_interrupt_keeps_the_rows_so_far(monkeypatch):
    rows = [case(mode="inference", **SMALL)] * 3
    monkeypatch.setattr(running, "cases", lambda *_: rows)
    monkeypatch.setattr(running, "roster", lambda: [Ours(), TorchLayers()])

    def progress(_title, done, _count):
        if done == 1:
            raise KeyboardInterrupt

    found = running.run(Options(plan=QUICK, threads=1), progress)
    assert len(found.rows) == 1
    assert not found.complete


def test_unknown_peer_raises_and_names_the_choices():
    with pytest.raises(ConfigError, match=r"no peer 'mxnet': choose from torch\.nn, "):
        running.run(Options(peers=("mxnet",)))


def test_names_of_the_roster_are_distinct_and_ours_comes_first():
    names = [peer.name for peer in roster()]
    assert len(set(names)) == len(names)
    assert names[0] == OURS
    assert names[-2:] == list(sgemm.NAMES)


# ---- machine and memory


def test_facts_about_the_machine_are_filled_in():
    assert all(describe().values())
    assert all(versions().values())


def test_nobody_else_is_busy_in_no_time_at_all():
    busy = Others().busy()
    assert busy is None or busy >= 0


@pytest.mark.slow
@pytest.mark.skipif(bool(why_not()), reason=why_not())
def test_memory_grows_with_the_steps_and_holds_at_least_the_output():
    shape = {"batch": 32, "inputs": 64, "hidden": 64}
    with MemoryMeter(1) as meter:
        short, long = (meter.measure(case(steps=steps, **shape)) for steps in (64, 256))
    output = 256 * 32 * 64 * 4
    for name in (OURS, TORCH):
        assert output <= long.held[name] <= long.peak[name]
        assert 2 <= long.peak[name] / short.peak[name] <= 6
    assert long.ratio == long.peak[OURS] / long.peak[TORCH]


@pytest.mark.slow
@pytest.mark.skipif(bool(why_not()), reason=why_not())
def test_memory_of_a_step_that_fails_is_an_error_and_the_meter_goes_on():
    with MemoryMeter(1) as meter:
        with pytest.raises(PeerError, match="CNN"):
            meter.measure(case(cell="CNN", **SMALL))
        assert meter.measure(case(**SMALL)).peak.keys() == {OURS, TORCH}
