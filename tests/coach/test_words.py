"""The coach's texts: every language has the same keys and the same numbers in its braces."""

import string

import pytest

from carousel.cells.table import gate_words
from carousel.coach import words
from carousel.coach.evidence import Evidence
from carousel.coach.rules import RULES
from carousel.config import Config
from carousel.errors import ConfigError


def flat(texts, above=""):
    """Every sentence by its path, such as rules.plateau.advice.0."""
    entries = enumerate(texts) if isinstance(texts, list) else texts.items()
    for key, value in entries:
        if isinstance(value, str):
            yield f"{above}{key}", value
        else:
            yield from flat(value, f"{above}{key}.")


def numbers_in(sentence):
    return {name for _, name, _, _ in string.Formatter().parse(sentence) if name}


ENGLISH = dict(flat(words.texts("en")))


@pytest.mark.parametrize("language", words.LANGUAGES)
def test_every_language_has_the_same_keys_and_numbers(language):
    said = dict(flat(words.texts(language)))
    assert said.keys() == ENGLISH.keys()
    for key, sentence in said.items():
        if not key.startswith("page.") and (".title" in key or not key.startswith("rules.")):
            assert numbers_in(sentence) == numbers_in(ENGLISH[key]), key


@pytest.mark.parametrize("language", words.LANGUAGES)
def test_there_are_texts_of_the_rules_and_of_nothing_else(language):
    assert words.texts(language)["rules"].keys() == RULES.keys()


def test_a_language_costs_one_file(tmp_path, monkeypatch):
    for language in words.LANGUAGES:
        text = (words.FOLDER / f"{language}.toml").read_text(encoding="utf-8")
        (tmp_path / f"{language}.toml").write_text(text, encoding="utf-8")
    english = (tmp_path / "en.toml").read_text(encoding="utf-8")
    (tmp_path / "fr.toml").write_text(english.replace('try = "try"', 'try = "essayer"'))
    monkeypatch.setattr(words, "FOLDER", tmp_path)
    assert words.languages() == ("en", "fr", "ko")
    assert words.word("finding", "try", "fr") == "essayer"


def test_what_was_written_down_before_a_language_was_spoken_is_said_in_english():
    numbers = {"what": {"en": "late", "ko": "늦음"}, "loss": 2.0}
    assert words.in_language(numbers, "fr") == {"what": "late", "loss": 2.0}


def test_the_locale_chooses_the_language_unless_one_is_asked_for(monkeypatch):
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    assert words.language() == "en"
    monkeypatch.setenv("LANG", "ko_KR.UTF-8")
    assert words.language() == "ko"
    assert words.language("en") == "en"
    with pytest.raises(ConfigError, match="en, ko"):
        words.language("xx")


def test_a_language_is_spoken_for_as_long_as_a_block_takes(monkeypatch):
    monkeypatch.setenv("CAROUSEL_LANG", "en")
    with words.speaking("ko"):
        assert words.language() == "ko"
        assert words.language("en") == "en"
        with words.speaking(None):
            assert words.language() == "ko"
    assert words.language() == "en"
    with pytest.raises(ConfigError, match="en, ko"), words.speaking("xx"):
        pass


def test_parts_of_a_cell_are_called_in_english_as_the_cell_calls_them():
    for letter in "ifo":
        assert words.word("parts", letter, "en") == gate_words()[letter]


def test_korean_names_the_gate_in_korean():
    evidence = Evidence(config=Config())
    for end, share in (("low", 0.8), ("high", 0.0)):
        for step in (1, 2):
            evidence.add(step, {f"gate/recurrent.l0/i/{end}": share})
    numbers = RULES["gate-saturation"].judge(evidence, Config().coach.thresholds)
    assert "입력 게이트가" in RULES["gate-saturation"].finding(numbers, "ko").title
    assert "input gate" in RULES["gate-saturation"].finding(numbers, "en").title
