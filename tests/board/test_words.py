"""Every language has every text, with the same places for numbers, and every text is used."""

import re
import string
from pathlib import Path

import pytest

import carousel.board
from carousel.board import signals
from carousel.board.words import LANGUAGES, Words, preferred, texts
from carousel.runs.store import Status

SOURCES = Path(carousel.board.__file__).parent


def places(text):
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def used():
    """The keys that the pages ask for; those they put together are spelt out here."""
    source = "".join(path.read_text() for path in SOURCES.rglob("*.py"))
    keys = set(re.findall(r"\b(?:t|words)\(\s*\"(\w+)\"", source))
    keys |= {f"status_{status.value}" for status in Status}
    for pattern in re.findall(r"\b(?:t|words)\(\s*f\"(\w+)_\{", source):
        keys |= {key for key in texts("en") if key.startswith(f"{pattern}_")}
    keys |= {f"{unit}_ago" for unit in ("seconds", "minutes", "hours", "days")}
    keys |= {key for key in texts("en") if key.startswith("title_")}
    return keys | {"train", "validation", "weights", "updates", "norm_before", "norm_after"}


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_language_has_exactly_the_texts_that_are_used(language):
    assert set(texts(language)) == used()
    assert all(text.strip() for text in texts(language).values())


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_language_has_the_numbers_in_the_same_places(language):
    for key, text in texts(language).items():
        assert places(text) == places(texts("en")[key]), key


def test_every_group_of_series_has_its_words():
    pytest.importorskip("nicegui", reason="the extra 'board' is not installed")
    from carousel.board.pages.model import GROUPS

    for group in GROUPS:
        assert {f"group_{group}", f"about_{group}"} <= set(texts("en"))
    assert set(GROUPS) <= {name for name, _ in signals._GROUPS} | {"other"}


@pytest.mark.parametrize("header", ["", ",", ";q=", "ko;q=x", "zz-ZZ;q=1.5.2", "en;q=0.9,,;"])
def test_any_header_gives_a_language(header):
    assert preferred(header) in LANGUAGES


def test_an_unknown_language_is_english():
    assert Words("tlh")("page_runs") == texts("en")["page_runs"]


@pytest.mark.parametrize("status", Status)
def test_the_badge_of_every_status_has_a_colour(status):
    style = (SOURCES / "board.css").read_text(encoding="utf-8")
    assert re.search(rf"\.badge\.{status.value}\b[^{{}}]*\{{ background: #", style)
