"""Promises against made-up results."""

from dataclasses import replace

import pytest
from made_up import case, everything, results, row

from carousel.bench.results import PLAIN_CELL, TORCH
from carousel.bench.targets import Verdict, check, summary


def verdict(found, promise, title):
    return next(v for v in check(found) if v.promise == promise and v.row.startswith(title))


def test_all_targets_are_met_where_ours_is_far_ahead():
    verdicts = check(everything(ratio=100.0, share=1.0))
    assert {v.met for v in verdicts} == {True}
    assert summary(verdicts) == f"{len(verdicts)} targets met, 0 missed, 0 not measured"


def test_all_ratios_are_missed_where_ours_is_behind():
    verdicts = check(everything(ratio=0.9, share=0.5))
    missed = [v for v in verdicts if v.promise != "peak memory of torch.nn"]
    assert {v.met for v in missed} == {False}


def test_a_run_of_options_alone_is_held_to_their_targets():
    alone = row(case(suite="options", option="softsign"), peers={PLAIN_CELL: 1.0})
    promises = {v.promise for v in check(results(alone))}
    assert promises == {"time of the plain cell", "time of a compiled torch loop"}


@pytest.mark.parametrize(("torch", "met"), [(4.0, True), (0.9, False)])
def test_a_run_of_small_alone_is_held_to_its_rows_and_their_mean(torch, met):
    alone = row(case(suite="small"), 1.0, {TORCH: torch}, None)
    verdicts = check(results(alone))
    assert [v.promise for v in verdicts] == ["time of the best peer", "time of torch.nn"]
    assert {v.met for v in verdicts} == {met}


def test_targets_without_a_row_or_a_peer_are_not_measured():
    assert {v.met for v in check(results())} == {None}
    lonely = check(results(row(case(mode="inference"), peers={TORCH: 1.0})))
    onnx = next(v for v in lonely if "ONNX" in v.promise)
    assert (onnx.met, onnx.measured) == (None, None)


@pytest.mark.parametrize(
    ("name", "changes", "target"),
    [
        ("rows", {}, 0.80),
        ("rows", {"mode": "inference"}, 0.85),
        ("pixels", {"mode": "inference"}, 0.60),
        ("sensor", {"hidden": 64, "batch": 32}, 0.60),
        ("hidden-300", {"suite": "odd", "hidden": 300, "batch": 32}, 0.80),
        ("hidden-100", {"suite": "odd", "hidden": 100, "batch": 32}, None),
        ("batch-7", {"suite": "odd", "batch": 7}, None),
    ],
)
def test_share_of_sgemm_is_promised_for_large_batches_and_layers(name, changes, target):
    found = [
        v.target
        for v in check(results(row(case(name, **changes))))
        if v.promise == "share of a large sgemm"
    ]
    assert found == ([] if target is None else [target])


@pytest.mark.parametrize(
    ("cell", "name", "target"),
    [
        ("LSTM", "pixels", 2.0),
        ("GRU", "sensor", 5.0),
        ("RNN", "sensor", 6.0),
        ("LSTM", "rows", 1.15),
    ],
)
@pytest.mark.parametrize("factor", [0.99, 1.01])
def test_training_is_held_against_torch(cell, name, target, factor):
    found = results(row(case(name, cell), ours=1.0, peers={TORCH: factor * target}))
    judged = verdict(found, "training time of torch.nn", f"{name} {cell}")
    assert judged.target == target
    assert judged.met is (factor > 1)


def test_best_peer_is_what_every_row_is_held_against():
    found = results(row(case(), ours=1.0, peers={TORCH: 3.0, "keras-jax": 0.9}))
    judged = verdict(found, "time of the best peer", "rows LSTM training (keras-jax)")
    assert (judged.met, judged.measured) == (False, pytest.approx(0.9))


def test_geometric_mean_is_over_dense_rows_only():
    rows = [
        row(case(), ours=1.0, peers={TORCH: 4.0}),
        row(case("speech"), ours=1.0, peers={TORCH: 1.0}),
        row(case("hidden-37", suite="odd"), ours=1.0, peers={TORCH: 1000.0}),
    ]
    judged = verdict(results(*rows), "time of torch.nn", "geometric mean of 2 dense rows")
    assert judged.measured == pytest.approx(2.0)


def test_memory_is_bounded_from_above():
    found = everything()
    more = replace(found.memory[0], peak={"carousel": 300, "torch.nn": 200})
    judged = [v for v in check(replace(found, memory=(more,))) if "memory" in v.promise]
    assert [(v.measured, v.met) for v in judged] == [(1.5, False)]


def test_verdicts_read_as_sentences():
    assert str(Verdict("p", "r", 2.0, 1.5)) == "p, r: ≥ 2, 1.50 MISSED"
    assert str(Verdict("p", "r", 1.0, 0.5, at_least=False)) == "p, r: ≤ 1, 0.50 met"
    assert str(Verdict("p", "r", 1.0, None)) == "p, r: ≥ 1, not measured"
