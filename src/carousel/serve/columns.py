"""Steps as a client sends them, as numbers of the model: columns by name, categories, tokens."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from carousel.runtime.files import Bundle
from carousel.runtime.inputs import Pixels, Reader, Tokens, Values
from carousel.serve.sessions import Refused

Steps = NDArray[Any]


class Columns:
    """Content of a step of a model: numbers of named columns, or tokens.

    names: of the columns, as they are read; empty where training named none. levels: of a column of
    codes, the words that they stand for. groups: of a category that became a column for each of its
    levels, those columns by level. words: of a model that reads tokens, their numbers.
    """

    def __init__(
        self,
        width: int,
        names: Sequence[str] = (),
        levels: Mapping[str, Sequence[str]] | None = None,
        words: Mapping[str, int] | None = None,
    ) -> None:
        self.width, self.words = width, words
        self.names = list(names) or [f"x{place + 1}" for place in range(width)]
        self.levels = {name: {word: code for code, word in enumerate(known, 1)}
                       for name, known in (levels or {}).items()}  # fmt: skip
        self.groups: dict[str, dict[str, int]] = {}
        for place, name in enumerate(self.names):
            column, sign, level = name.partition("=")
            if sign:
                self.groups.setdefault(column, {})[level] = place
        self._places = {name: place for place, name in enumerate(self.names)}

    @property
    def wanted(self) -> list[str]:
        """Keys of a step that is sent by name."""
        if self.words is not None:
            return []
        return list(dict.fromkeys(name.partition("=")[0] for name in self.names))

    def facts(self) -> dict[str, Any]:
        """Description for clients, beyond `wanted`."""
        return {}

    def read(self, steps: Any, stream: str = "") -> Steps:
        """Steps (T, ...) of a list of steps, each a list of numbers, an object by column, or a
        token. stream: the name of theirs. Raises `Refused`, naming the step and the column, for
        what does not fit."""
        if not isinstance(steps, list) or not steps:
            raise bad("steps is a list of at least one step")
        if self.words is not None:
            return self._tokens(steps)
        if all(isinstance(step, list) for step in steps):
            found = self._plain(steps)
        else:
            found = np.array([self._row(at, step) for at, step in enumerate(steps)])
        return self.checked(found)

    def checked(self, x: Steps) -> Steps:
        """Steps (..., F), if they are numbers of so many columns. Raises `Refused` else."""
        if x.ndim < 1 or x.shape[-1] != self.width:
            got = x.shape[-1] if x.ndim else 0
            raise bad(f"a step has {self.width} numbers ({self._said()}), got {got}")
        if not np.isfinite(x).all():
            place = np.argwhere(~np.isfinite(x))[0]
            raise bad(
                f"column {self.names[place[-1]]!r} of step {place[-2] if len(place) > 1 else 0} is "
                f"{x[tuple(place)]}: a number is expected; leave the step out, or fill it in"
            )
        return x

    def _plain(self, steps: list[list[Any]]) -> Steps:
        for at, step in enumerate(steps):
            if len(step) != self.width:
                raise bad(
                    f"step {at} has {len(step)} numbers, expected {self.width} ({self._said()})"
                )
        if all(type(cell) in (int, float) for step in steps for cell in step):
            try:
                return np.array(steps, np.float64)
            except OverflowError:
                pass  # a whole number too large for a float: named below
        return np.array([
            [self._cell(at, name, cell) for name, cell in zip(self.names, step, strict=True)]
            for at, step in enumerate(steps)
        ])  # fmt: skip

    def _row(self, at: int, step: Any) -> list[float]:
        if not isinstance(step, dict):
            raise bad(f"step {at} is {short(step)}: every step is an object, or every is a list")
        row = [0.0] * self.width
        for column, levels in self.groups.items():
            if column not in step:
                raise self._missing(at, column, step)
            word = str(step[column])
            if word not in levels and "(other)" not in levels:
                raise self._unknown(at, column, word, list(levels))
            row[levels.get(word, levels.get("(other)", 0))] = 1.0
        for name, place in self._places.items():
            if name.partition("=")[0] in self.groups:
                continue
            if name not in step:
                raise self._missing(at, name, step)
            row[place] = self._cell(at, name, step[name])
        return row

    def _cell(self, at: int, name: str, cell: Any) -> float:
        if name in self.levels and isinstance(cell, str):
            code = self.levels[name].get(cell)
            if code is None:
                raise self._unknown(at, name, cell, list(self.levels[name]))
            return float(code)
        if isinstance(cell, bool | int | float):
            try:
                found = float(cell)
            except OverflowError:
                found = math.inf
            if math.isfinite(found):
                return found
        raise bad(f"column {name!r} of step {at} is {short(cell)}: a finite number is expected")

    def _tokens(self, steps: list[Any]) -> Steps:
        assert self.words is not None
        found = []
        for at, step in enumerate(steps):
            if isinstance(step, str):
                if step not in self.words:
                    raise bad(f"step {at}: {short(step)} is not in the vocabulary of the model")
                step = self.words[step]
            cells = step if isinstance(step, list) else [step]
            if len(cells) != self.width or not all(
                type(c) is int and 0 <= c < 2**31 for c in cells
            ):
                raise bad(
                    f"step {at} is {short(step)}: a token is a word that is known or its number"
                    if self.width == 1
                    else f"step {at} is {short(step)}: a step is {self.width} numbers of tokens"
                )
            found.append(cells[0] if self.width == 1 else cells)
        return np.array(found, np.int64)

    def _missing(self, at: int, name: str, step: Mapping[str, Any]) -> Refused:
        got = ", ".join(map(str, list(step)[:20])) or "none"
        return bad(f"column {name!r} is missing in step {at}: it has {short(got, 300)}")

    def _unknown(self, at: int, name: str, word: str, known: list[str]) -> Refused:
        return bad(
            f"column {name!r} of step {at} is {short(word)}, which training had not: known are "
            f"{', '.join(known[:30])}"
        )

    def _said(self) -> str:
        return ", ".join(self.names[:12]) + (", …" if len(self.names) > 12 else "")


def columns_of(bundle: Bundle, reader: Reader) -> Columns:
    """Columns of a saved model."""
    facts = bundle.facts
    if isinstance(reader, Values):
        return Columns(reader.width, facts.get("columns", ()), facts.get("levels", {}))
    if isinstance(reader, Tokens):
        known = facts.get("vocabulary") or facts.get("tokens", {}).get("vocabulary") or ()
        words = {word: number for number, word in enumerate(known)}
        return Columns(len(reader.embeddings), words=words)
    assert isinstance(reader, Pixels)
    return Columns(bundle.weights["recurrent.weight_ih_l0"].shape[1])


def bad(message: str) -> Refused:
    """A refusal of an input that does not fit."""
    return Refused("bad_input", 400, message)


def short(value: Any, most: int = 60) -> str:
    """A value as text of at most so many characters."""
    text = value if isinstance(value, str) and most > 60 else repr(value)
    return text if len(text) <= most else text[: most - 1] + "…"
