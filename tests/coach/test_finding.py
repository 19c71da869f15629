"""A finding reads the same wherever it is shown: on a line while it trains, and in full."""

import pytest

from carousel.cli.output import print_finding
from carousel.coach.evidence import Evidence
from carousel.coach.finding import Advice, Finding
from carousel.coach.rules import RULES
from carousel.coach.words import LANGUAGES
from carousel.config import Thresholds

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
