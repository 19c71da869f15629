"""Ratios, shares and spreads, worked out from made-up times; and JSON."""

import json
from dataclasses import replace

import pytest
from made_up import SGEMM_FLOPS, case, everything, results, row

from carousel.bench.results import OURS, SGEMM, TORCH, Results, Spread, geometric_mean
from carousel.errors import DataError


def test_ratio_is_the_median_of_the_ratios_of_the_rounds():
    # The machine was slow in the second round: for both, so the ratios do not show it.
    samples = {OURS: (1.0, 10.0, 1.0), TORCH: (2.0, 20.0, 4.0)}
    noisy = replace(row(case()), samples=samples)
    assert noisy.ratio(TORCH) == Spread(2.0, 2.0, 3.0, 3)
    assert noisy.seconds(TORCH) == 4.0


def test_rounds_that_somebody_sat_out_do_not_count():
    samples = {OURS: (1.0, 7.0, 1.0), TORCH: (3.0, None, 5.0), "once": (2.0, None, None)}
    found = replace(row(case()), samples=samples)
    assert found.ratio(TORCH) == Spread(4.0, 3.5, 4.5, 2)
    assert found.ratio("once") == Spread(2.0, 2.0, 2.0, 1)
    assert found.ratio("absent") is None


def test_share_is_of_the_faster_matrix_product():
    found = row(case(), ours=0.5, peers={SGEMM[1]: 0.002}, sgemm=0.004)
    assert found.sgemm == SGEMM[1]
    assert found.share().median == pytest.approx(case().flops / 0.5 / (SGEMM_FLOPS / 0.002))
    assert found.gflops(OURS) == pytest.approx(case().flops / 0.5 / 1e9)
    assert found.sgemm_gflops(SGEMM[0]) == pytest.approx(SGEMM_FLOPS / 0.004 / 1e9)


def test_row_without_a_matrix_product_has_no_share():
    assert row(case(), sgemm=None).share() is None


def test_best_peer_is_the_fastest_and_neither_ours_nor_a_matrix_product():
    found = row(case(), ours=0.001, peers={TORCH: 0.03, "onnxruntime": 0.02}, sgemm=1e-5)
    assert found.peers == (TORCH, "onnxruntime")
    assert found.best_peer == "onnxruntime"
    assert row(case()).best_peer is None


def test_results_survive_json(tmp_path):
    before = replace(everything(), missing={"keras-jax": "no"}, failures={"a": "b"}, complete=False)
    before.write(tmp_path / "new" / "results.json")
    assert Results.read(tmp_path / "new" / "results.json") == before


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"format": 2}', '{"format": 1}', '{"format": 1, "rows": [{}]}']
)
def test_file_of_something_else_raises(tmp_path, content):
    path = tmp_path / "results.json"
    path.write_text(content)
    with pytest.raises(DataError, match=r"results\.json: not results of carousel bench"):
        Results.read(path)


def test_file_with_a_damaged_row_raises(tmp_path):
    path = tmp_path / "results.json"
    results(row(case())).write(path)
    content = json.loads(path.read_text())
    del content["rows"][0]["case"]["hidden"]
    path.write_text(json.dumps(content))
    with pytest.raises(DataError, match="not results"):
        Results.read(path)


def test_geometric_mean_of_ratios_and_their_inverses_is_one():
    assert geometric_mean([2.0, 0.5, 5.0, 0.2]) == pytest.approx(1.0)
    assert geometric_mean([]) != geometric_mean([])  # NaN
