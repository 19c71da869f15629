"""The pages of the rules are there, whole, and what the rules say now."""

from pathlib import Path

import pytest

from carousel.coach.rule_pages import page, path_of
from carousel.coach.rules import RULES
from carousel.coach.words import LANGUAGES

FOLDER = Path(__file__).parents[2] / "docs" / "coach"


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_is_what_the_rules_say(language):
    written = path_of(language, FOLDER).read_text(encoding="utf-8")
    assert written == page(language), "run: python -m carousel.coach.rule_pages docs/coach"


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_rule_has_its_section(language):
    sections = page(language).split("### ")[1:]
    assert {section.splitlines()[0] for section in sections} == set(RULES)
    assert len(sections) == len(RULES)
    if language == "ko":
        assert all(any("가" <= letter <= "힣" for letter in section) for section in sections)
