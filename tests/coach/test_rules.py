"""The list of rules: every one speaks both languages, and its texts can be filled in."""

import string

import pytest

from carousel.coach.finding import LANGUAGES, SEVERITIES
from carousel.coach.rules import RULES, SOURCES, WHEN
from carousel.coach.suggest import settings_of, suggestions
from carousel.config import Config, settable_keys


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_rule_is_whole_in_every_language(rule):
    assert rule.when in WHEN
    assert rule.severity in SEVERITIES
    assert all(key in SOURCES for key in rule.source.split(", "))
    assert set(rule.texts) == set(LANGUAGES)
    for text in rule.texts.values():
        assert text.title.endswith(".")
        assert text.meaning
        assert text.fires
        assert text.advice
        assert text.false_alarm
        assert len(rule.do) <= len(text.advice)
    assert len({len(text.advice) for text in rule.texts.values()}) == 1


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_korean_is_korean(rule):
    text = rule.texts["ko"]
    for sentence in (text.title, text.meaning, text.fires, *text.advice, text.false_alarm):
        assert any("가" <= letter <= "힣" for letter in sentence), sentence


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_titles_of_both_languages_name_the_same_numbers(rule):
    named = [
        {name for _, name, _, _ in string.Formatter().parse(text.title) if name}
        for text in rule.texts.values()
    ]
    assert named[0] == named[1]


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_lines_to_paste_are_settings_that_exist(rule):
    for line in rule.do:
        if line.startswith("--set "):
            assert {setting.split("=")[0] for setting in settings_of(line)} <= {*settable_keys()}
        else:
            assert line in ("", "{try_this}") or line.startswith("carousel ")


def test_suggestions_are_settings_that_a_configuration_takes():
    known = suggestions(Config())
    for rule in RULES.values():
        for line in rule.do:
            wanted = {name for _, name, _, _ in string.Formatter().parse(line) if name}
            if line.startswith("--set ") and wanted <= known.keys():
                Config().override(settings_of(line.format_map(known)))


def advice_of(code, *settings, **numbers):
    finding = RULES[code].finding(numbers, "en", Config().override(settings))
    return [(advice.text, advice.do) for advice in finding.advice]


def test_advice_that_is_followed_already_is_left_out():
    numbers = {"needed": 50.0, "ratio": -9.0}
    lines = [line for _, line in advice_of("vanishing-by-lag", "model.cell=rnn", **numbers)]
    assert lines[0] == "--set model.cell=lstm --set initialization.name=chrono"
    followed = ("model.cell=lstm", "initialization.name=chrono")
    lines = [line for _, line in advice_of("vanishing-by-lag", *followed, **numbers)]
    assert lines[0] == "--set model.forget_bias=2.0"


def test_lines_that_do_nothing_in_the_task_are_not_given():
    numbers = {"lag": 50, "window": 20, "wanted": 62}
    assert {line for _, line in advice_of("window-too-short", **numbers)} == {""}
    given = advice_of("window-too-short", "task=generate", **numbers)
    assert given[0][1] == "--set text.bptt=62"


def test_without_a_configuration_advice_comes_without_lines_that_need_one():
    finding = RULES["learning-rate-too-low"].finding({"rate": 1e-6, "update_ratio": -5.0})
    assert [advice.do for advice in finding.advice] == ["", ""]
    assert all(advice.text for advice in finding.advice)
