"""Every rule against records that must make it speak and records on which it must stay silent."""

from pathlib import Path

import pytest
import yaml

from carousel.coach.evidence import Evidence
from carousel.coach.rules import RULES
from carousel.coach.words import LANGUAGES
from carousel.config import Config, Thresholds

CASES = {
    code: cases
    for path in sorted((Path(__file__).parent / "cases").glob("*.yaml"))
    for code, cases in yaml.safe_load(path.read_text()).items()
}


def numbers_of(spec):
    """A series as the cases write it: values, a ramp, a constant with exceptions, or pieces."""
    if "values" in spec:
        return spec["values"]
    if "repeat" in spec:
        return spec["repeat"] * spec["times"]
    if "pieces" in spec:
        return [v for low, high, n in spec["pieces"] for v in ramp(low, high, n)]
    if "ramp" in spec:
        return ramp(*map(float, spec["ramp"]), spec["steps"])
    values = [float(spec["constant"])] * spec["steps"]
    for step, value in spec.get("at", {}).items():
        values[step - 1] = value
    return values


def ramp(low, high, steps):
    return [low + (high - low) * k / (steps - 1) for k in range(steps)]


def evidence_of(case):
    epochs = case.get("epochs", {})
    each = epochs.get("each", 50)
    parts = {part: epochs.get(part, {}) for part in ("train", "validation")}
    count = max((len(v) for part in parts.values() for v in part.values()), default=0)
    monitor = case.get("monitor", "loss")
    return Evidence(
        series={
            name: list(enumerate(numbers_of(spec), 1))
            for name, spec in case.get("series", {}).items()
        },
        epochs=[
            {
                "epoch": k + 1,
                "step": each * (k + 1),
                **{p: {m: v[k] for m, v in metrics.items()} for p, metrics in parts.items()},
            }
            for k in range(count)
        ],
        facts=case.get("facts", {}),
        events=[
            {k: float(v) if k in ("low", "high", "value", "error") else v for k, v in event.items()}
            for event in case.get("events", [])
        ],
        config=Config().override(case["settings"]) if "settings" in case else None,
        monitor=monitor,
        higher_is_better=monitor == "accuracy",
        result=case.get("result", {}),
    )


def all_of(kind):
    return [
        pytest.param(code, case, id=f"{code}-{number}")
        for code, cases in CASES.items()
        for number, case in enumerate(cases[kind], 1)
    ]


@pytest.mark.parametrize(("code", "case"), all_of("fire"))
def test_rule_speaks_and_its_words_can_be_filled_in(code, case):
    evidence = evidence_of(case)
    numbers = RULES[code].judge(evidence, Thresholds())
    assert numbers is not None
    for language in LANGUAGES:
        finding = RULES[code].finding(numbers, language, evidence.config, evidence.step)
        assert "{" not in finding.title
        assert not any("{" in advice.do for advice in finding.advice)


@pytest.mark.parametrize(("code", "case"), all_of("silent"))
def test_rule_is_silent(code, case):
    assert RULES[code].judge(evidence_of(case), Thresholds()) is None


@pytest.mark.parametrize("code", [code for code, rule in RULES.items() if rule.judge])
def test_rule_is_silent_where_nothing_is_known(code):
    assert RULES[code].judge(Evidence(), Thresholds()) is None
    assert RULES[code].judge(Evidence(config=Config()), Thresholds()) is None


def test_every_rule_with_a_judge_has_cases_of_both_kinds():
    judged = {code for code, rule in RULES.items() if rule.judge}
    assert judged == {code for code, cases in CASES.items() if cases["fire"] and cases["silent"]}


OPPOSITES = [
    ("learning-rate-too-high", "learning-rate-too-low"),
    ("learning-rate-too-high", "underfitting"),
    ("overfitting", "underfitting"),
    ("window-too-short", "window-too-long"),
]


@pytest.mark.parametrize(("one", "other"), OPPOSITES)
def test_rules_whose_advice_is_opposite_never_speak_of_the_same_record(one, other):
    for cases in CASES.values():
        for case in [*cases["fire"], *cases["silent"]]:
            evidence = evidence_of(case)
            said = [RULES[code].judge(evidence, Thresholds()) for code in (one, other)]
            assert None in said, case
