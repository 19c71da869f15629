"""The list of rules: every one speaks both languages, and its texts can be filled in."""

import re
import string

import pytest

from carousel import recipes
from carousel.coach.evidence import Evidence
from carousel.coach.finding import SEVERITIES
from carousel.coach.rules import RULES, SOURCES, WHEN
from carousel.coach.suggest import settings_of, suggestions
from carousel.coach.words import LANGUAGES
from carousel.config import Config, settable_keys


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_rule_is_whole_in_every_language(rule):
    assert rule.when in WHEN
    assert rule.severity in SEVERITIES
    assert all(key in SOURCES for key in rule.source.split(", "))
    texts = [rule.text(language) for language in LANGUAGES]
    for text in texts:
        assert text.title.endswith(".")
        assert text.meaning
        assert text.fires
        assert text.advice
        assert text.false_alarm
        assert len(rule.do) <= len(text.advice)
    assert len({len(text.advice) for text in texts}) == 1


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_korean_is_korean(rule):
    text = rule.text("ko")
    for sentence in (text.title, text.meaning, text.fires, *text.advice, text.false_alarm):
        assert any("가" <= letter <= "힣" for letter in sentence), sentence


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


NUMBER_WORDS = {
    "lower_rate": ("five", "다섯"),
    "much_lower_rate": ("30", "30"),
    "higher_rate": ("five", "다섯"),
    "much_higher_rate": ("30", "30"),
}


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_the_words_of_an_advice_name_the_number_of_its_line(rule):
    """Where they name one: "by five" beside a thirtieth would be wrong in one of the two."""
    for name, ours in NUMBER_WORDS.items():
        for number, line in enumerate(rule.do):
            if f"learning_rate={{{name}}}" not in line:
                continue
            en_text, ko_text = (rule.text(lang).advice[number] for lang in ("en", "ko"))
            others = {word for words in NUMBER_WORDS.values() for word in words}
            named = {word for word in others if word in f"{en_text} {ko_text}"}
            assert named <= set(ours), (en_text, ko_text)


def test_the_rate_that_is_called_too_high_is_that_of_the_run_not_of_its_last_step():
    losses = [(step, 2.31) for step in range(120)]
    rates = [(step, 0.5 if step < 60 else 1e-9) for step in range(120)]
    ratios = [(step, -1.2) for step in (10, 50, 100)]
    name = "update_ratio/recurrent.weight_hh_l0/f"
    evidence = Evidence({"train/loss": losses, "learning_rate": rates, name: ratios})
    found = RULES["learning-rate-too-high"].judge(evidence, Config().coach.thresholds)
    assert found["rate"] == 0.5


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


def numbers_of(rule):
    """A number by each name that the title of a rule has."""
    title = rule.text("en").title
    return {name: 1 for _, name, _, _ in string.Formatter().parse(title) if name}


def commands_of(findings):
    return [a.do for finding in findings for a in finding.advice if a.do.startswith("carousel ")]


def test_commands_of_an_advice_name_the_recipe_or_the_run_itself(tmp_path):
    own = Config().override(["recipe.name=mine"])
    every = [rule.finding(numbers_of(rule), config=own, run="runs/a b") for rule in RULES.values()]
    found = commands_of(every)
    assert len(found) > 5
    for line in found:
        assert "'runs/a b/config.toml'" in line or "'runs/a b'" in line
        assert not re.search(r"RUN|[{}]|mine", line)
    unsaved = [rule.finding(numbers_of(rule), config=own) for rule in RULES.values()]
    assert commands_of(unsaved) == []
    checked = [
        rule.finding(numbers_of(rule), config=own, recipe="mine.toml") for rule in RULES.values()
    ]
    assert all(line.split()[2] == "mine.toml" for line in commands_of(checked))
    published = recipes.load("mnist-rows")[0]
    known = [
        rule.finding(numbers_of(rule), config=published, run="runs/a") for rule in RULES.values()
    ]
    assert "carousel check mnist-rows" in commands_of(known)
