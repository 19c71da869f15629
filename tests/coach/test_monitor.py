"""Findings do not flicker, a failing rule stops nothing, and a record is judged as a run was."""

import pytest

from carousel.coach import monitor as monitors
from carousel.coach.evidence import Evidence
from carousel.coach.monitor import Monitor, diagnose
from carousel.coach.rules import RULES
from carousel.config import CoachConfig

DEAD = Evidence(series={"state/l0/dead": [(1, 0.9), (2, 0.9)]})
ALIVE = Evidence(series={"state/l0/dead": [(1, 0.0), (2, 0.0)]})


def test_a_finding_needs_looks_in_a_row_to_be_raised_and_to_be_taken_back():
    monitor = Monitor(CoachConfig(confirm=2, clear=3))
    assert monitor.look(DEAD) == []
    assert monitor.look(ALIVE) == []
    assert monitor.look(DEAD) == []
    assert [finding.code for finding in monitor.look(DEAD)] == ["dead-units"]
    assert monitor.look(DEAD) == []  # it stands, and is not new
    for _ in range(2):
        monitor.look(ALIVE)
    assert "dead-units" in monitor.standing
    monitor.look(ALIVE)
    assert "dead-units" not in monitor.standing
    assert "dead-units" in monitor.raised


def test_a_steady_rule_speaks_at_once():
    event = {"kind": "diverged", "step": 3, "what": "the loss is nan", "tensor": "head.bias"}
    found = Monitor(CoachConfig()).look(Evidence(events=[event]))
    assert [finding.code for finding in found] == ["not-finite"]


def test_an_exception_inside_a_rule_is_a_finding_about_the_rule(monkeypatch):
    def broken(evidence, thresholds):
        raise ZeroDivisionError("no steps")

    object.__setattr__(RULES["dead-units"], "judge", broken)
    try:
        monitor = Monitor(CoachConfig())
        (found,) = monitor.look(DEAD)
    finally:
        from carousel.coach.rules.states import dead_units

        object.__setattr__(RULES["dead-units"], "judge", dead_units)
    assert found.code == "rule-failed"
    assert found.numbers == {"rule": "dead-units", "error": "ZeroDivisionError: no steps"}


def test_what_the_quick_checks_found_is_said_where_the_rule_judges_for_itself_too():
    found = {"loss-output-mismatch": {"what": "cut off at zero"}}
    monitor = Monitor(CoachConfig())
    codes = [f.code for _ in range(3) for f in monitor.look(Evidence(facts={"checks": found}))]
    assert codes == ["loss-output-mismatch"]


def test_rules_for_the_end_are_not_asked_before():
    evidence = Evidence(
        events=[{"kind": "test_used", "step": 9, "by": by} for by in ("train", "evaluate")]
    )
    monitor = Monitor(CoachConfig())
    assert monitor.look(evidence) == []
    assert [f.code for f in monitor.look(evidence, finished=True)] == ["test-used-again"]


def test_a_record_is_looked_at_as_often_as_a_run_was():
    """What was bad half-way and is well now has been raised, and stands no more."""
    looks = [(step, 0.9 if step < 60 else 0.0) for step in range(5, 201, 5)]
    evidence = Evidence(series={"state/l0/dead": looks}, facts={"total_steps": 200})
    monitor = diagnose(evidence, CoachConfig())
    assert "dead-units" in monitor.raised
    assert "dead-units" not in monitor.standing


@pytest.mark.parametrize("total", [1, 7, 20, 1000])
def test_there_are_about_twenty_looks_in_a_run(total):
    looks = sum(monitors.is_due(step, total) for step in range(1, total + 1))
    assert min(total, 20) <= looks <= 25
