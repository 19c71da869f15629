"""`Builder`: collects tables, functions and states while the C of a network is put together."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from carousel.errors import ConfigError
from carousel.export.c.text import helpers, integers, table, words
from carousel.export.description import Array

LANES = 8
LARGE = 4096  # numbers of a table that stands in the file as the bits of memory


def room(size: int) -> int:
    """Numbers that an array needs whose loops may run to a whole vector.

    >>> room(8), room(9)
    (8, 16)
    """
    return -(-size // LANES) * LANES


@dataclass(frozen=True)
class Member:
    """An array of the state. source: which state of the description it is, and its row there;
    kept: whether it goes from step to step, and so is saved."""

    name: str
    size: int
    comment: str
    source: tuple[str, int] | None = None
    kept: bool = True


@dataclass(frozen=True)
class Step:
    """One step of a layer.

    outputs: how many numbers it gives. call: the C statements, with $x and $y for the pointers
    it reads and writes, and $before for what the first recurrent layer of a stream read.
    where: its output's place in the state, where it has one; $y is then not written.
    """

    outputs: int
    call: str
    where: str = ""


@dataclass
class Builder:
    """Parts of a C file, in the order of its making.

    name: prefix of every name in it. tables, functions: their C text; members: of the state.
    widths, rows: shapes of the products that are used, of one row and of several; eights: of those
    in eight bits. counts: whether there is a count of inputs beyond their range.
    """

    name: str
    tables: list[str] = field(default_factory=list)
    functions: list[str] = field(default_factory=list)
    members: list[Member] = field(default_factory=list)
    widths: dict[tuple[int, int], None] = field(default_factory=dict)
    rows: dict[tuple[int, int, int], None] = field(default_factory=dict)
    eights: dict[tuple[int, int], None] = field(default_factory=dict)
    counts: bool = False
    _used: dict[str, None] = field(default_factory=dict)
    _names: dict[str, int] = field(default_factory=dict)

    def fresh(self, what: str) -> str:
        """A name that nothing else has: prefix, word, and its number."""
        number = self._names.get(what, 0)
        self._names[what] = number + 1
        return f"{self.name}_{what}{number}"

    def use(self, *names: str) -> None:
        """Take helpers into the file, with what they need."""
        for name in names:
            if name in self._used:
                continue
            self.use(*helpers()[name][0])
            self._used[name] = None

    def function_of(self, helper: str) -> str:
        """Name of a helper's function in the file, into which it is taken."""
        self.use(helper)
        return f"{self.name}_{helper}"

    def helpers(self) -> Iterator[str]:
        """Texts of the helpers that are used."""
        for name in self._used:
            yield helpers()[name][1].replace("NET", self.name)

    def table(self, what: str, values: Array, comment: str = "", padded: bool = False) -> str:
        """Add a constant array; returns its name. padded: zeros up to whole vectors behind it.

        Raises `ConfigError` for numbers that are not finite.
        """
        flat = np.asarray(values, np.float32).ravel()
        if not np.isfinite(flat).all():
            raise ConfigError(
                f"the weights of {comment or what} have numbers that are not finite: no C literal "
                "stands for them; export a model whose training did not diverge"
            )
        if padded:
            flat = np.pad(flat, (0, room(len(flat)) - len(flat)))
        name = self.fresh(what)
        if flat.size >= LARGE:
            self.tables.append(words(name, flat, comment, f"{self.name}_ALIGNED "))
        else:
            self.tables.append(table(name, flat, comment))
        return name

    def integers(self, what: str, values: NDArray[Any], comment: str, only: str = "") -> str:
        """Add a constant array of int8, or of int; returns its name. only: the C condition under
        which it is there."""
        name = self.fresh(what)
        if values.dtype == np.int8 and values.size >= LARGE:
            text = words(name, values, comment, f"{self.name}_ALIGNED ")
        else:
            text = integers(name, values, comment)
        self.tables.append(f"#if {only}\n{text}#endif\n" if only else text)
        return name

    def member(
        self, what: str, size: int, comment: str, source: tuple[str, int] | None = None
    ) -> str:
        """Add an array to the state; returns the C expression for it."""
        name = self.fresh(what).removeprefix(f"{self.name}_")
        self.members.append(Member(name, size, comment, source))
        return f"s->{name}"

    def unit_loop(self, size: int) -> str:
        """Head of a loop over units that may run on to a whole vector."""
        bound = str(size) if size % LANES == 0 else f"{self.name.upper()}_WHOLE({size})"
        return f"for (u = 0; u < {bound}; ++u)"
