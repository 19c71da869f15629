"""Errors whose message is meant for the person at the keyboard.

The command line prints the message of a `CarouselError` as one line and exits with code 2;
anything else is a defect of ours and keeps its traceback.
"""

from __future__ import annotations

import importlib.util
import shlex
from pathlib import Path


def command(*words: str | Path) -> str:
    """A line that a person can paste into a shell, whatever blanks and signs a path has.

    >>> command("evaluate", Path("my runs/a"))
    "carousel evaluate 'my runs/a'"
    """
    return shlex.join(["carousel", *map(str, words)])


class CarouselError(Exception):
    """Something the user can mend: the message says what was expected, what came, what to do.

    arguments: words of the message that are names of arguments; whoever gives those arguments
    other names, as the command line does, can put them in.
    """

    def __init__(self, message: str = "", *arguments: str) -> None:
        super().__init__(message)
        self.arguments = arguments


class ConfigError(CarouselError):
    """A recipe, a key or a value of the configuration is wrong."""


def require_extra(what: str, extra: str, *packages: str) -> None:
    """Raise `ConfigError` if a package that comes with an extra of ours is not installed.

    >>> require_extra("reading sounds", "audio", "sound9")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    carousel.errors.ConfigError: reading sounds needs sound9, ...: pip install 'carousel-rnn[audio]'
    """
    for package in packages:
        if importlib.util.find_spec(package) is None:
            raise ConfigError(
                f"{what} needs {package}, which is not installed: "
                f"pip install 'carousel-rnn[{extra}]'"
            )


class DataError(CarouselError):
    """Data is missing, damaged, of the wrong size or not a number."""


class RunError(CarouselError):
    """A run folder or a bundle cannot be used."""


class TrainingDiverged(CarouselError):  # noqa: N818  # it names what happened, as StopIteration does
    """Training met a NaN or an infinity and stopped at once."""
