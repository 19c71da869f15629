"""The list of rules: every one speaks both languages, and its texts can be filled in."""

import string

import pytest

from carousel.coach.finding import LANGUAGES, SEVERITIES
from carousel.coach.rules import RULES, SOURCES, WHEN
from carousel.coach.suggest import suggestions
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
            name = line.removeprefix("--set ").split("=")[0]
            assert name in settable_keys()
        else:
            assert not line or line.startswith("carousel ")


def test_suggestions_are_settings_that_a_configuration_takes():
    known = suggestions(Config())
    for rule in RULES.values():
        for line in rule.do:
            wanted = {name for _, name, _, _ in string.Formatter().parse(line) if name}
            if line.startswith("--set ") and wanted <= known.keys():
                Config().override([line.removeprefix("--set ").format_map(known)])
