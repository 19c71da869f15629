"""Folders of the user, and settings of the tool that are the same for all runs.

A setting is looked for in the environment, then in the user's config.toml. None of them changes a
result: they say where data lie, which language is spoken and how much is said.
"""

from __future__ import annotations

import os
import tomllib
from pathlib import Path

import platformdirs

from carousel.errors import ConfigError

SETTINGS = {
    "data": "folder of the data sets, looked in before the cache",
    "lang": "language of the coach, the audit and reports: en or ko",
    "log": "what is said on standard error: error, warning, notice, info or debug",
}
"""What each setting means, by its name in config.toml; the variable is CAROUSEL_ and the name."""


def cache() -> Path:
    """The user's cache, where downloads go: $XDG_CACHE_HOME/carousel or ~/.cache/carousel."""
    return platformdirs.user_cache_path("carousel")


def config_file() -> Path:
    """The user's settings: $XDG_CONFIG_HOME/carousel/config.toml, or below ~/.config."""
    return platformdirs.user_config_path("carousel") / "config.toml"


def variable(name: str) -> str:
    """The environment variable of a setting.

    >>> variable("data")
    'CAROUSEL_DATA'
    """
    return f"CAROUSEL_{name.upper()}"


def setting(name: str) -> str:
    """Value of a setting: of its variable, else of config.toml, else "".

    Raises `ConfigError` for a config.toml that cannot be read or has what is no setting.
    """
    return os.environ.get(variable(name)) or _written().get(name, "")


def _written() -> dict[str, str]:
    path = config_file()
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path} cannot be read: {error}") from None
    for name, value in found.items():
        if name not in SETTINGS:
            raise ConfigError(f"{path}: {name} is no setting: there are {', '.join(SETTINGS)}")
        if not isinstance(value, str):
            raise ConfigError(f"{path}: {name} must be a text, got {value!r}")
    return found
