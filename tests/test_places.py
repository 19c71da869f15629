"""Folders and settings of the user: environment, config.toml, default."""

import re
from pathlib import Path

import pooch
import pytest

from carousel import places
from carousel.coach.words import language
from carousel.errors import ConfigError

PAGE = Path(__file__).parent.parent / "docs/command-line.md"


@pytest.fixture
def written(monkeypatch, tmp_path):
    """Writes the user's config.toml."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    for name in places.SETTINGS:
        monkeypatch.delenv(places.variable(name), raising=False)

    def write(text):
        places.config_file().parent.mkdir(exist_ok=True)
        places.config_file().write_text(text, encoding="utf-8")

    return write


def test_the_folders_are_those_of_the_desktop(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "c"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "s"))
    assert places.cache() == tmp_path / "c" / "carousel"
    assert places.config_file() == tmp_path / "s" / "carousel" / "config.toml"
    for name in ("XDG_CACHE_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert places.cache() == tmp_path / ".cache" / "carousel"
    assert places.config_file() == tmp_path / ".config" / "carousel" / "config.toml"


def test_the_cache_is_where_downloads_went_before():
    assert places.cache() == Path(pooch.os_cache("carousel"))


def test_a_variable_goes_before_the_file_and_the_file_before_nothing(written, monkeypatch):
    assert places.setting("lang") == ""
    written('lang = "ko"\n')
    assert places.setting("lang") == "ko"
    assert language() == "ko"
    monkeypatch.setenv("CAROUSEL_LANG", "en")
    assert places.setting("lang") == "en"
    assert language() == "en"
    assert language("ko") == "ko"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('theme = "dark"', "theme is no setting: there are data, lang, log"),
        ("lang = 3", "lang must be a text, got 3"),
        ("lang =", "cannot be read"),
    ],
)
def test_a_file_that_is_wrong_is_refused_with_its_name(written, carousel, text, says):
    written(text)
    with pytest.raises(ConfigError, match=says):
        places.setting("lang")
    code, out, err = carousel("doctor")
    assert (code, out) == (2, "")
    assert str(places.config_file()) in err


def test_the_page_lists_every_setting_with_its_variable():
    rows = re.findall(r"^\| `(\w+)` \| `(CAROUSEL_\w+)` \| (.*) \|$", PAGE.read_text(), re.M)
    assert rows == [(n, places.variable(n), said) for n, said in places.SETTINGS.items()]
