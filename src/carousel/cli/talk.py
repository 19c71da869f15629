"""Talk of the commands on standard error: how much of it, and in what words.

Standard output is for results. Whatever else a person may want to read is logged under the logger
`carousel`, as the library's own remarks are, and written to standard error by one handler.
"""

from __future__ import annotations

import functools
import inspect
import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer

from carousel.errors import ConfigError
from carousel.places import setting, variable
from carousel.terminal import NOTICE, logger, say

LEVELS = {
    "error": logging.ERROR,
    "warning": logging.WARNING,
    "notice": NOTICE,
    "info": logging.INFO,
    "debug": logging.DEBUG,
}

Verbose = Annotated[
    int,
    typer.Option(
        "--verbose",
        "-v",
        count=True,
        show_default=False,
        help="Say more on standard error; -vv: all.",
    ),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Say only errors on standard error.")]


class _ToStandardError(logging.Handler):
    """Writes to what standard error is at that moment, as `logging.lastResort` does."""

    def emit(self, record: logging.LogRecord) -> None:
        say(f"carousel: {record.getMessage()}")


def level(verbose: int = 0, quiet: bool = False) -> int:
    """Level from which on records are written: of the options, else of `CAROUSEL_LOG`.

    Raises `ConfigError` for both options at once, and for a level that there is not.

    >>> level(verbose=1) == logging.INFO, level(quiet=True) == logging.ERROR
    (True, True)
    """
    if verbose and quiet:
        raise ConfigError("verbose and quiet contradict each other", "verbose", "quiet")
    if quiet:
        return logging.ERROR
    if verbose:
        return logging.INFO if verbose == 1 else logging.DEBUG
    asked = setting("log").strip().lower()
    if asked and asked not in LEVELS:
        raise ConfigError(f"{variable('log')} must be one of {', '.join(LEVELS)}; got '{asked}'")
    return LEVELS[asked or "notice"]


@contextmanager
def heard() -> Iterator[None]:
    """Records of the logger `carousel` are written to standard error while the block lasts."""
    handler, before, wanted = _ToStandardError(), logger.level, level()
    logger.addHandler(handler)
    logger.setLevel(wanted)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before)


def verb(function: Callable[..., None]) -> Callable[..., None]:
    """A command with the options --verbose and --quiet, which every command has.

    One that has a `quiet` of its own is told of it, too.
    """
    own = inspect.signature(function, eval_str=True)
    more = {"verbose": Verbose, "quiet": Quiet}
    added = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=0, annotation=kind)
        for name, kind in more.items()
        if name not in own.parameters
    ]

    @functools.wraps(function)
    def command(**given: Any) -> None:
        quiet = given["quiet"] if "quiet" in own.parameters else given.pop("quiet")
        logger.setLevel(level(given.pop("verbose"), quiet))
        function(**given)

    command.__signature__ = own.replace(  # type: ignore[attr-defined]
        parameters=[*own.parameters.values(), *added]
    )
    return command


def fail(message: str) -> None:
    """Write the reason why a command ends, in one line."""
    print(f"carousel: {' '.join(message.splitlines())}", file=sys.stderr)
