"""What a chart is given: every peak, no NaN, and text as text."""

import json
import math

import pytest
from made_runs import make_run
from written import Written

from carousel.board import charts, signals
from carousel.board.charts import Level, Line, Mark
from carousel.board.findings import said_of
from carousel.board.points import extremes, smoothed
from carousel.board.series import Bucket
from carousel.coach.rules import RULES
from carousel.run.writing import EventStore
from carousel.runs.differences import differing, flat, parallel_coordinates
from carousel.runs.store import Store

NAN = math.nan


def test_a_curve_has_both_extremes_of_every_bucket_and_a_gap_for_nan():
    buckets = [
        Bucket(1, 4, 0.5, 9, 2, 4),
        Bucket(5, 8, NAN, NAN, NAN, 0, 4),
        Bucket(9, 9, 3, 3, 3, 1),
    ]
    assert extremes(buckets) == [[1, 0.5], [4, 9], [5, None], [8, None], [9, 3]]
    assert extremes([Bucket(1, 2, -math.inf, math.inf, NAN, 2)]) == [[1, None], [2, None]]


def test_smoothing_of_a_constant_is_that_constant_from_the_start():
    buckets = [Bucket(step, step, 3, 3, 3, 1) for step in range(1, 30)]
    for weight in (0, 0.5, 0.99):
        values = [value for _, value in smoothed(buckets, weight)]
        assert values == pytest.approx([3] * 29)
    assert smoothed([Bucket(1, 1, NAN, NAN, NAN, 0, 1)], 0.9) == []


def test_options_are_json_a_browser_reads():
    bucket = Bucket(1, 2, -math.inf, NAN, NAN, 1, 1)
    line = Line("<b>", extremes([bucket]))
    options = charts.line_chart(
        [line, line], dark=True, levels=[Level(1.0, "clip")], marks=[Mark(3, "</script>", "severe")]
    )
    json.dumps(options, allow_nan=False)
    guides = options["series"][0]["markLine"]["data"]
    assert [guide.get("xAxis") for guide in guides] == [None, 3]
    json.dumps(charts.line_chart([], dark=False), allow_nan=False)


def test_the_icon_that_saves_a_chart_covers_no_name_of_an_axis():
    lines = [Line("loss", [[1.0, 2.0], [2.0, 1.0]])]
    still = charts.line_chart(lines, dark=False, zoom=False, x_name="step")
    assert "bottom" not in still["toolbox"]
    zoomed = charts.line_chart(lines, dark=False, x_name="step")
    assert zoomed["toolbox"]["bottom"] < zoomed["grid"]["bottom"]


def test_text_from_data_is_never_a_template():
    """ECharts fills {a} in templates: names go where it takes none."""

    def strings(options, key=""):
        if isinstance(options, dict):
            for name, value in options.items():
                yield from strings(value, name)
        elif isinstance(options, list):
            for value in options:
                yield from strings(value, key)
        elif isinstance(options, str):
            yield key, options

    odd = "{a}<img src=x>"
    options = charts.line_chart(
        [Line(odd, []), Line("b", [])], dark=False, levels=[Level(1, odd)], marks=[Mark(1, odd)]
    )
    assert {key for key, text in strings(options) if odd in text} == {"name", "data"}


@pytest.mark.parametrize(
    ("name", "group"),
    [
        ("train/loss", "loss"),
        ("learning_rate", "rate"),
        ("gradient_norm", "gradient"),
        ("gradient_norm/recurrent.weight_hh_l0/f", "gradient"),
        ("update_ratio/recurrent.weight_hh_l0/f", "ratio"),
        ("gate/recurrent.l0/f/low", "gate"),
        ("state/recurrent.l0/dead", "state"),
        ("candidate/recurrent.l0/saturated", "state"),
        ("lag/recurrent.l0/ratio", "lag"),
        ("spectral_radius/weight_hh_l0/f", "radius"),
        ("weight_std/head.weight", "spread"),
        ("time/forward", "time"),
        ("epoch/validation_exact_match", "metric"),
        ("something new", "other"),
    ],
)
def test_a_series_is_known_by_its_name(name, group):
    assert signals.group(name) == group


def test_every_series_is_in_one_panel():
    names = [
        "update_ratio/rnn.weight_hh_l0/f",
        "update_ratio/rnn.weight_hh_l0/i",
        "update_ratio/head.weight",
        "state/rnn.l0/dead",
        "state/rnn.l1/dead",
        "gate/rnn.l0/f/low",
        "a/b/c/d/e",
        "alone",
    ]
    panels = signals.panels(names)
    assert sorted(name for lines in panels.values() for name in lines.values()) == sorted(names)
    assert panels["state dead"] == {"rnn.l0": "state/rnn.l0/dead", "rnn.l1": "state/rnn.l1/dead"}


def test_differing_settings_are_those_that_differ(tmp_path):
    make_run(tmp_path / "a", "model.hidden_size=12")
    make_run(tmp_path / "b", "model.hidden_size=20", "model.cell='gru'")
    runs = Store(tmp_path).runs()
    rows = differing({run.id: flat(run.config) for run in runs})
    assert rows == {
        "model.cell": {"a": "lstm", "b": "gru"},
        "model.hidden_size": {"a": "12", "b": "20"},
    }


def test_parallel_coordinates_end_at_the_metric_and_need_three_runs(tmp_path):
    for index, size in enumerate((9, 12, 20)):
        make_run(tmp_path / f"r{index}", f"model.hidden_size={size}", epochs=index + 1)
    runs = sorted(Store(tmp_path).runs(), key=lambda run: run.id)
    axes, lines = parallel_coordinates(runs, ["model.hidden_size", "model.cell"])
    assert axes == [("model.hidden_size", None), ("model.cell", ["lstm"]), ("accuracy", None)]
    assert lines == [
        ("r0", [9, "lstm", 0.5]),
        ("r1", [12, "lstm", 0.75]),
        ("r2", [20, "lstm", pytest.approx(1 - 0.5 / 3)]),
    ]
    assert parallel_coordinates(runs[:2], ["model.hidden_size"]) is None
    assert parallel_coordinates(runs, []) is None


def test_findings_and_turns_are_said_the_severe_ones_first(tmp_path):
    finding = {
        "code": "plateau",
        "severity": "warning",
        "title": {"en": "It stands still.", "ko": "멈춰 있습니다."},
        "numbers": {"change": 0.00012346, "steps": 40},
        "advice": [{"text": "Lower the rate.", "do": "--set optimizer.learning_rate=1e-3"}],
    }
    path = make_run(tmp_path / "run", last="diverged", finished=False, findings=(finding, {}))
    said = said_of(path / "events.sqlite", "ko")
    assert [entry.severity for entry in said] == ["severe", "warning", "info"]
    assert said[1].title == "멈춰 있습니다."
    assert said[1].numbers == "change 0.0001235, steps 40"
    assert said[1].advice[0].do.endswith("learning_rate=1e-3")
    assert said[1].step == 20


@pytest.mark.parametrize("advice", ["Lower the rate.", 3, None])
def test_advice_that_is_no_list_is_no_advice(tmp_path, advice):
    finding = {"code": "plateau", "severity": "warning", "title": "Still.", "advice": advice}
    path = make_run(tmp_path / "run", finished=True, findings=(finding,))
    (said,) = said_of(path / "events.sqlite", "en")
    assert (said.numbers, said.advice) == ("", ())


def test_a_finding_of_a_known_rule_is_told_in_the_language_of_the_reader(tmp_path):
    rule = RULES["exploding-gradient"]
    numbers = {"norm": 8.9, "median": 0.45, "norm_p90": 2.0, "spikes": 3, "at": 298}
    written = rule.finding(numbers).to_dict()
    words = {**written, "code": "validation-too-small", "numbers": {"unit": "recordings"}}
    path = make_run(tmp_path / "run", findings=(written, words))
    english, korean = (said_of(path / "events.sqlite", spoken) for spoken in ("en", "ko"))
    assert english[0].title == written["title"]
    assert korean[0].title == rule.finding(numbers, "ko").title
    assert [one.text for one in korean[0].advice] == [*rule.text("ko").advice]
    assert [one.do for one in korean[0].advice] == [one["do"] for one in written["advice"]]
    assert korean[1].title == words["title"]  # its numbers are words, of one language


def test_a_finding_that_was_taken_back_says_until_when(tmp_path):
    path = make_run(tmp_path / "run", epochs=1, findings=({"code": "a"}, {"code": "b"}))
    with EventStore(path / "events.sqlite") as store:
        store.event(30, Written("finding_cleared", code="b"))
        store.event(40, Written("finding", code="b"))
    found = [(said.title, said.step, said.until) for said in said_of(path / "events.sqlite", "en")]
    assert found == [("a", 20, None), ("b", 20, 30), ("b", 40, None)]
