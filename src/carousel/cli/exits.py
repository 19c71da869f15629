"""Exit codes of the command line: the one table of them."""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """Exit code of a command; `meaning` says when it is given.

    >>> Exit.REFUSED, int(Exit.INTERRUPTED)
    (<Exit.REFUSED: 2>, 130)
    """

    DONE = 0
    FOUND = 1
    REFUSED = 2
    INTERRUPTED = 130

    @property
    def meaning(self) -> str:
        """Reason for a command to end with it."""
        return _MEANINGS[self]


_MEANINGS = {
    Exit.DONE: "the command did what it was asked",
    Exit.FOUND: (
        "it ended, and not all is well: training diverged, a finding is severe, some of several "
        "inputs have no answer, or some of several measurements failed"
    ),
    Exit.REFUSED: (
        "bad arguments, bad data or a folder that cannot be used: the reason is one line on "
        "standard error, and nothing is on standard output"
    ),
    Exit.INTERRUPTED: "interrupted by Ctrl-C or SIGTERM",
}
