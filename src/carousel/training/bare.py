"""Files that name a task and data and nothing of the network: settings by the size of the data."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from carousel import recipes
from carousel.config import Config
from carousel.config.own import TABLE, is_own
from carousel.data.image_proposal import propose_images
from carousel.data.proposal import propose
from carousel.data.sizes import has_rules

#: A file with one of these says how to train; without all of them it is bare.
_OF_TRAINING = ("model", "regularization", "optimizer", "schedule", "training")
_KEPT = ("data.name", "data.path")


def is_bare(values: Mapping[str, Any], config: Config) -> bool:
    """True if a file's tables name data of one's own and nothing of network and training."""
    return is_own(config.data.name) and bool(config.data.path) and not set(_OF_TRAINING) & {*values}


def completed(config: Config, values: Mapping[str, Any], given: Collection[str] = ()) -> Config:
    """A bare configuration with the settings that `carousel init` would write for a table, or those
    of the recipe for its kind of data or its task. Raises `DataError` if the table cannot be read.

    values: the tables of the file; given: keys that were set beside it. Both stay as they are, and
    so do roles of columns where the file has any.
    """
    stated = {f"{section}.{key}" for section, keys in values.items() if isinstance(keys, Mapping)
              for key in keys} | {*given}  # fmt: skip
    if config.data.name == TABLE and has_rules(config.task):
        columns = config.columns
        made = propose(
            config.data.path, columns.target, columns.id, columns.time, config.task
        ).sections
        how = "by the size of the data"
        has_roles = "columns" in values or any(name.startswith("columns.") for name in given)
        if has_roles:
            made = {name: keys for name, keys in made.items() if name not in ("columns", "split")}
    elif config.task == "classify":
        made = propose_images(config.data.path).sections
        how = "by the size of the data"
    else:
        name = f"own-{config.task.replace('_', '-')}"
        made = recipes.read_toml(recipes.path_of(name))
        how = f"of {name}"
    settings = {
        f"{section}.{key}": value
        for section, keys in made.items()
        if section != "recipe" and isinstance(keys, Mapping)
        for key, value in keys.items()
        if f"{section}.{key}" not in {*stated, *_KEPT}
    }
    if not config.recipe.summary:
        settings["recipe.summary"] = f"{Path(config.data.path).name}, network and training {how}"
    return config.override(settings)
