"""Charts of a sweep against its trials."""

import json

import pytest
from made_sweeps import CHOICE, RANGE, content_of, trials_of

from carousel.board import sweep_charts

RESULT = content_of(trials_of(12, seed=3))
TRIALS = RESULT["trials"]
HOW = {"best": RESULT["best"], "log": False, "dark": True}
NAMES = {"trial": "trial", "ended": "ended", "pruned": "given up"}


def test_the_history_falls_through_what_had_ended_by_then():
    chart = sweep_charts.history_chart(TRIALS[::-1], higher=False, names=NAMES, **HOW)
    line, dots = chart["series"]
    ended = [one for one in TRIALS if one["state"] == "ended"]
    wanted = [
        [one["number"], min(o["value"] for o in ended[: i + 1])] for i, one in enumerate(ended)
    ]
    assert line["data"] == [*wanted, [TRIALS[-1]["number"], wanted[-1][1]]]
    assert [dot["value"] for dot in dots["data"]] == [[o["number"], o["value"]] for o in TRIALS]
    rising = sweep_charts.history_chart(TRIALS, higher=True, names=NAMES, **HOW)["series"][0][
        "data"
    ]
    assert rising[-1][1] == max(one["value"] for one in ended)


def test_a_slice_has_a_point_for_each_trial_that_read_the_setting():
    trials = [{**one, "unread": [RANGE] if one["number"] == 4 else []} for one in TRIALS]
    trials.append({**TRIALS[0], "number": 99, "value": None, "state": "running"})
    axis = RESULT["over"][RANGE]
    chart = sweep_charts.slice_chart(trials, RANGE, axis, names=NAMES, **HOW)
    found = [dot["value"] for dot in chart["series"][0]["data"]]
    assert found == [[o["settings"][RANGE], o["value"]] for o in TRIALS if o["number"] != 4]
    assert (chart["xAxis"]["type"], chart["xAxis"]["min"], chart["xAxis"]["max"]) == (
        "log", axis["low"], axis["high"],
    )  # fmt: skip
    chosen = sweep_charts.slice_chart(TRIALS, CHOICE, RESULT["over"][CHOICE], names=NAMES, **HOW)
    assert chosen["xAxis"]["data"] == ["6", "12"]
    assert {dot["value"][0] for dot in chosen["series"][0]["data"]} == {"6", "12"}


def test_the_best_trial_stands_out_and_is_drawn_last():
    chart = sweep_charts.trials_chart(TRIALS, RESULT["over"], metric="loss", **HOW)
    *others, last = chart["series"][0]["data"]
    best = next(one for one in TRIALS if one["number"] == RESULT["best"])
    assert last["value"] == [str(best["settings"][CHOICE]), best["settings"][RANGE], best["value"]]
    assert last["lineStyle"]["width"] > max(one["lineStyle"]["width"] for one in others)
    assert [axis["name"] for axis in chart["parallelAxis"]] == [CHOICE, RANGE, "loss"]


def test_the_largest_share_is_on_top():
    bars = sweep_charts.importance_chart({"a": 0.2, "b": 0.7, "c": 0.1}, dark=False)
    assert bars["yAxis"]["data"] == ["c", "a", "b"]  # from below
    assert [bar["value"] for bar in bars["series"][0]["data"]] == [0.1, 0.2, 0.7]


@pytest.mark.parametrize(("values", "far"), [
    ((0.1, 4.0), True), ((0.1, 2.0), False), ((0.0, 4.0), False), ((-1.0, 40.0), False),
    ((), False),
])  # fmt: skip
def test_a_logarithm_is_taken_of_what_is_far_apart_and_above_nothing(values, far):
    assert sweep_charts.is_far_apart([{"value": value} for value in values]) is far


@pytest.mark.parametrize("count", [0, 1, 2])
def test_few_trials_are_charts_too(count):
    trials = trials_of(count)
    how = {"best": None, "log": False, "dark": False}
    charts = [
        sweep_charts.history_chart(trials, higher=False, names=NAMES, **how),
        sweep_charts.slice_chart(trials, RANGE, RESULT["over"][RANGE], names=NAMES, **how),
        sweep_charts.trials_chart(trials, RESULT["over"], metric="loss", **how),
    ]
    assert all(json.dumps(chart, allow_nan=False) for chart in charts)
