"""A finding reads the same wherever it is shown: on a line while it trains, and in full."""

import re

import pytest

from carousel.cli.output import print_finding
from carousel.coach.evidence import Evidence
from carousel.coach.finding import Advice, Finding
from carousel.coach.rules import RULES
from carousel.coach.words import LANGUAGES
from carousel.config import Config, Thresholds

FINDING = Finding(
    "plateau",
    "warning",
    "The loss stands still.",
    meaning="Nothing is learnt.",
    numbers={"change": 0.00012346, "steps": 40},
    advice=(Advice("Lower the rate.", "--set optimizer.learning_rate=1e-3"), Advice("Wait.")),
    false_alarm="Late in a run.",
    source="OWN",
    step=120,
)


def test_its_line_ends_with_what_to_try_first():
    assert FINDING.line() == (
        "warning: The loss stands still. (plateau) try: Lower the rate.  "
        "--set optimizer.learning_rate=1e-3"
    )
    assert Finding("plateau", "warning", "Still.").line() == "warning: Still. (plateau)"


def test_in_full_it_has_every_part_once():
    assert FINDING.text().splitlines() == [
        "warning  The loss stands still.",
        "  Nothing is learnt.",
        "  try 1: Lower the rate.",
        "    --set optimizer.learning_rate=1e-3",
        "  try 2: Wait.",
        "  false alarm? Late in a run.",
        "  seen: change 0.0001235, steps 40, step 120",
        "  plateau; source: OWN",
    ]


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_terminal_shows_what_it_says_in_full(language, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    print_finding(FINDING, language)
    said = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    assert said == [*FINDING.text(language).splitlines(), ""]


@pytest.mark.parametrize(
    ("facts", "kind"),
    [({"class_counts": [30, 30]}, "accuracy"), ({"target_std": 1.0}, "loss"), ({}, "loss")],
)
def test_a_small_validation_part_is_uncertain_in_what_the_task_measures(facts, kind):
    known = {"validation_units": 36, "validation_unit": "windows", **facts}
    numbers = RULES["validation-too-small"].judge(Evidence(facts=known), Thresholds())
    title = RULES["validation-too-small"].finding(numbers).title
    assert kind in title
    assert ("accuracy" in title) == (kind == "accuracy")
    error = 1 / 12 if kind == "accuracy" else 1 / 6  # (p (1 - p) / n)^1/2 at p = 1/2; 1 / n^1/2
    assert numbers["error"] == pytest.approx(error)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("facts", [{"class_counts": [30, 30]}, {"target_std": 1.0}])
def test_one_long_recording_with_many_answers_has_the_error_of_its_answers(facts, language):
    known = {"validation_units": 1, "validation_unit": "recording", "validation_many": True}
    known |= {"validation_examples": 2500, **facts}
    rule = RULES["validation-too-small"]
    title = rule.finding(rule.judge(Evidence(facts=known), Thresholds())).text(language)
    least = "1.0%" if "class_counts" in facts else "2.0%"  # 0.5 or 1 / 2500^1/2
    assert "2,500" in title
    assert least in title
    assert "50.0%" not in title
    assert "100%" not in title
    known["validation_units"] = 4
    title = rule.finding(rule.judge(Evidence(facts=known), Thresholds())).text(language)
    assert least in title
    assert ("25.0%" if "class_counts" in facts else "50%") in title


@pytest.mark.parametrize(("language", "said"), [("en", "beat a guess:"), ("ko", "단순한 추측보다")])
def test_a_network_no_better_than_a_guess_hears_it_in_the_readers_language(language, said):
    rule = RULES["dumb-baseline"]
    epochs = [{"epoch": 1, "step": 5, "train": {"accuracy": 0.6}, "validation": {"accuracy": 0.5}}]
    facts = {"guess": {"accuracy": 0.6}, "validation_examples": 1000}
    seen = Evidence(epochs=epochs, facts=facts, monitor="accuracy", higher_is_better=True)
    full = rule.finding(rule.judge(seen, Thresholds()), language).text(language)
    assert said in full.splitlines()[0]
    assert ("a guess" in full) == (language == "en")


@pytest.mark.parametrize(
    ("task", "forecasting"),
    [("classify", False), ("classify_text", False), ("forecast", True), ("forecast_many", True)],
)
def test_advice_for_forecasts_is_given_to_those_who_forecast_alone(task, forecasting):
    rule = RULES["dumb-baseline"]
    numbers = {"baseline": "b", "metric": "MASE", "ours": 1.0, "theirs": 0.9}
    said = [one.text for one in rule.finding(numbers, config=Config(task=task)).advice]
    assert any(text.startswith("Forecasting") for text in said) == forecasting
    assert any("forecast.linear" in text for text in said) == (task == "forecast")


def test_what_a_part_holds_is_counted_in_the_readers_language():
    rule = RULES["validation-too-small"]
    known = {"validation_units": 7, "validation_unit": "separate windows"}
    numbers = rule.judge(Evidence(facts=known), Thresholds())
    assert "7 separate windows: a mean" in rule.finding(numbers).title
    assert not re.search("[A-Za-z]", rule.finding(numbers, "ko").title)


def test_a_metric_is_called_by_its_name_and_not_by_its_key():
    rule = RULES["dumb-baseline"]
    result = {"test": {"macro_f1": 0.5}, "baseline": {"most_frequent": {"macro_f1": 0.6}}}
    numbers = rule.judge(
        Evidence(result=result, monitor="macro_f1", higher_is_better=True), Thresholds()
    )
    assert rule.finding(numbers).title.endswith("most frequent: macro F1 0.5 against 0.6.")


@pytest.mark.parametrize(
    ("distribution", "wanted"), [("none", 2.25), ("conformal", 2.25), ("gaussian", None)]
)
def test_a_guess_of_squared_errors_costs_the_variance(distribution, wanted):
    config = Config(task="forecast").override([f"forecast.distribution={distribution}"])
    known = {"target_std": 1.5, "target_mean": 0.0}
    assert Evidence(config=config, facts=known).guess_loss == wanted
