"""What is said of a data set's name that a task does not know."""

from __future__ import annotations

from collections.abc import Sequence

from carousel.config import DataConfig, closest
from carousel.errors import ConfigError


def unknown_set(name: str, known: Sequence[str]) -> ConfigError:
    """The error for `data.name`. A name that nobody wrote, being the default, is called that.

    >>> str(unknown_set("sts2", ["sst2", "nsmc"]))
    "data.name must be one of sst2, nsmc; got 'sts2'. Did you mean 'sst2'?"
    """
    must = f"data.name must be one of {', '.join(known)}"
    if name == DataConfig.name:
        return ConfigError(
            f"{must}; got '{name}', which is what it is where nothing sets it: set data.name"
        )
    return ConfigError(f"{must}; got '{name}'.{closest(name, known)}")
