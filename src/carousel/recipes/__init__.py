"""Named, reproducible experiments: the TOML files beside this one, and how one is found."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from carousel.config import Config, closest
from carousel.errors import ConfigError
from carousel.recipes import suited

FOLDER = Path(__file__).parent


def names() -> list[str]:
    """The recipes that come with the package, by name."""
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


def own_names() -> list[str]:
    """The recipes for custom data, which hold nothing that was chosen for a set."""
    return list(suited.READS)


def configured(
    name_or_file: str, settings: Iterable[str] | Mapping[str, Any] = ()
) -> tuple[Config, int | None]:
    """Configuration of `load` with these settings, ready to be trained. Raises `ConfigError`."""
    config, seed = load(name_or_file)
    return config.override(settings).check_data(), seed


def load(name_or_file: str) -> tuple[Config, int | None]:
    """The configuration of a recipe, or of a TOML file; and its seed, if the file states one.

    A run's config.toml is such a file: training from it repeats the run. Raises `ConfigError`.
    """
    path = path_of(name_or_file)
    values = read_toml(path)
    run = values.pop("run", {})
    values.setdefault("recipe", {}).setdefault("name", path.stem)
    seed = run.get("seed") if isinstance(run, dict) else None
    return Config.from_dict(values), seed


def path_of(name_or_file: str) -> Path:
    """The TOML file of a recipe, or the file itself. Raises `ConfigError` if it is neither.

    >>> path_of("mnist-rows").name
    'mnist-rows.toml'
    """
    path = Path(name_or_file)
    if name_or_file in names():
        path = FOLDER / f"{name_or_file}.toml"
    elif name_or_file in own_names():
        path = FOLDER / "own" / f"{name_or_file}.toml"
    elif path.suffix != ".toml":
        known = [*names(), *own_names()]
        if name_or_file and suited.is_data(path):
            raise ConfigError(suited.how(path))
        raise ConfigError(
            f"there is no recipe '{name_or_file}'.{closest(name_or_file, known)} "
            f"Recipes: {', '.join(known)}; or name a .toml file"
        )
    return path


def read_toml(path: Path) -> dict[str, Any]:
    """The tables of a TOML file. Raises `ConfigError` if it is missing or malformed."""
    try:  # some editors begin UTF-8 with a mark
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not valid TOML: {error}") from None
