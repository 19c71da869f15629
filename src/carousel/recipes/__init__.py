"""Named, reproducible experiments: the TOML files beside this one, and how one is found."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from carousel.config import Config, closest
from carousel.errors import ConfigError

FOLDER = Path(__file__).parent


def names() -> list[str]:
    """The recipes that come with the package, by name."""
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


def load(name_or_file: str) -> tuple[Config, int | None]:
    """The configuration of a recipe, or of a TOML file; and its seed, if the file states one.

    A run's config.toml is such a file: training from it repeats the run. Raises `ConfigError`.
    """
    path = Path(name_or_file)
    if name_or_file in names():
        path = FOLDER / f"{name_or_file}.toml"
    elif path.suffix != ".toml":
        known = names()
        raise ConfigError(
            f"there is no recipe '{name_or_file}'.{closest(name_or_file, known)} "
            f"Recipes: {', '.join(known)}; or name a .toml file"
        )
    values = read_toml(path)
    run = values.pop("run", {})
    values.setdefault("recipe", {}).setdefault("name", path.stem)
    seed = run.get("seed") if isinstance(run, dict) else None
    return Config.from_dict(values), seed


def read_toml(path: Path) -> dict[str, Any]:
    """The tables of a TOML file. Raises `ConfigError` if it is missing or malformed."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not valid TOML: {error}") from None
