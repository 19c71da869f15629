"""Fields of a section with their limits, and how a wrong key or value is told."""

from __future__ import annotations

import csv
import dataclasses
import difflib
import functools
import os
import tomllib
import typing
from collections.abc import Mapping
from dataclasses import field
from typing import Any

from carousel.errors import ConfigError

Readers = tuple[str, ...] | Mapping[str, str]

#: What becomes of a recipe's choice on other data than its own: a setting that says something of a
#: set and nothing of the network (it would clip other targets, or look for columns that are not
#: there) is dropped; one without which there is nothing to train is kept. Both are said.
DROPPED, KEPT = "dropped", "kept"


def key(
    default: Any,
    *,
    choices: tuple[str, ...] | None = None,
    low: float | None = None,
    high: float | None = None,
    above: float | None = None,
    tasks: Readers | None = None,
    when: tuple[str, ...] = (),
    only: Mapping[str, str] | None = None,
    by_kind: Mapping[type, Readers] | None = None,
    names: bool = False,
    of_set: str = "",
) -> Any:
    """A field with its limits: one of `choices`, or low <= value <= high and value > above.

    tasks: that read it; None: those of the section, or all. when: conditions on other settings, all
    of which must hold, as "optimizer.name=sgd|nesterov" or "data.name!=mnist"; a task may have a
    condition of its own: {"caption": "data.name=digit-scenes"}. only: values that need such a
    condition themselves. by_kind: of a setting that may be of two types, its readers by the type of
    its value, in place of `tasks`. names: a text that holds several names, which may be a list.
    of_set: what becomes of it on other data than a recipe's own, DROPPED or KEPT; "" for a choice
    that has nothing to do with the data.
    """
    return field(
        default=default,
        metadata={
            "choices": choices,
            "low": low,
            "high": high,
            "above": above,
            "tasks": tasks,
            "when": when,
            "only": only or {},
            "by_kind": by_kind or {},
            "names": names,
            "of_set": of_set,
        },
    )


def section(made: type, *, tasks: Readers | None = None, when: tuple[str, ...] = ()) -> Any:
    """A field that is a section of its own; `tasks` and `when` hold for all of its keys."""
    return field(default_factory=made, metadata={"tasks": tasks, "when": when})


def closest(name: str, known: typing.Iterable[str]) -> str:
    """' Did you mean …?' for a misspelt name, or an empty string."""
    near = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f" Did you mean '{near[0]}'?" if near else ""


@functools.cache
def kinds_of(cls: type) -> dict[str, Any]:
    """The types of a section's fields by name; to evaluate the annotations takes long."""
    return typing.get_type_hints(cls)


@functools.cache
def kinds_by_key(cls: type, prefix: str = "") -> dict[str, Any]:
    """Every key of a section and of those in it with its type, in the order of the classes."""
    keys: dict[str, Any] = {}
    for name, kind in kinds_of(cls).items():
        if dataclasses.is_dataclass(kind):
            keys |= kinds_by_key(typing.cast(type, kind), f"{prefix}{name}.")
        else:
            keys[prefix + name] = kind
    return keys


def assign(
    values: dict[str, Any], kinds: Mapping[str, Any], name: str, value: Any, *, is_text: bool
) -> None:
    """Put a value where its name says; is_text: as somebody typed it. Raises `ConfigError`."""
    if name not in kinds:
        section = name.split(".")[0]
        valid = [key for key in kinds if key.startswith(section + ".")] or kinds
        raise ConfigError(f"unknown key '{name}'.{closest(name, kinds)} Valid: {', '.join(valid)}")
    if is_text:
        value = _read(value, kinds[name])
    elif isinstance(value, os.PathLike):
        value = os.fspath(value)
    *sections, last = name.split(".")
    for section in sections:
        values = values[section]
    values[last] = value


def _read(text: str, kind: Any) -> Any:
    """The value of a text as TOML has it; where text is wanted, of whatever is no TOML text, such
    as model.cell=gru or the folder data.path=2024, its letters."""
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text
    if kind is str and isinstance(value, list):
        return value
    kinds = kinds_in(kind)
    return value if str not in kinds or type(value) in kinds else text


def kinds_in(kind: Any) -> tuple[type, ...]:
    """The types that a setting may be of.

    >>> kinds_in(int), kinds_in(int | str)
    ((<class 'int'>,), (<class 'int'>, <class 'str'>))
    """
    return typing.get_args(kind) or (kind,)


def build(cls: type, values: Mapping[str, Any], prefix: str) -> Any:
    """The section that a dictionary describes. Raises `ConfigError`."""
    if not isinstance(values, Mapping):
        raise ConfigError(f"'{prefix.rstrip('.')}' must be a table of keys, got {values!r}")
    hints = kinds_of(cls)
    for name in values:
        if name not in hints:
            raise ConfigError(
                f"unknown key '{prefix}{name}'.{closest(name, hints)} "
                f"Valid: {', '.join(prefix + hint for hint in hints)}"
            )
    made = {}
    for part in dataclasses.fields(cls):
        if part.name in values:
            made[part.name] = _value(hints[part.name], part, values[part.name], prefix + part.name)
    return cls(**made)


def _value(kind: Any, part: dataclasses.Field[Any], value: Any, name: str) -> Any:
    if dataclasses.is_dataclass(kind):
        return build(typing.cast(type, kind), value, name + ".")
    limits = part.metadata
    if kind is float and type(value) is int:
        value = float(value)
    if limits.get("names") and isinstance(value, list) and all(isinstance(v, str) for v in value):
        value = listed(value)
    if type(value) not in kinds_in(kind):
        quoted = f": put it in quotation marks, '{value}'" if kind is str else ""
        raise ConfigError(f"{name} must be {in_words(kind)}, got {value!r}{quoted}")
    if limits.get("choices") and value not in limits["choices"]:
        raise ConfigError(
            f"{name} must be one of {', '.join(limits['choices'])}; got '{value}'."
            f"{closest(str(value), limits['choices'])}"
        )
    if not (isinstance(value, str) and kind is not str):  # the limits are those of the number
        _check_range(name, value, limits)
    return value


def in_words(kind: Any) -> str:
    """The types that a setting may be of, in words.

    >>> in_words(int | str)
    'a whole number or text'
    """
    words = {int: "a whole number", float: "a number", bool: "true or false", str: "text"}
    return " or ".join(words[one] for one in kinds_in(kind))


def names_in(text: str) -> tuple[str, ...]:
    """The names in a setting that holds several.

    >>> names_in('flow, "a, b",x')
    ('flow', 'a, b', 'x')
    """
    if not text.strip():
        return ()
    row = next(csv.reader([text], skipinitialspace=True))
    return tuple(name.strip() for name in row if name.strip())


def listed(names: typing.Iterable[str]) -> str:
    """A setting that holds these names.

    >>> listed(("flow", "a, b"))
    'flow, "a, b"'
    """
    quoted = ('"' + n.replace('"', '""') + '"' if "," in n or '"' in n else n for n in names)
    return ", ".join(quoted)


def _check_range(name: str, value: Any, limits: Mapping[str, Any]) -> None:
    low, high, above = limits.get("low"), limits.get("high"), limits.get("above")
    wanted = [
        text
        for limit, text in (
            (above, f"above {above}"),
            (low, f"at least {low}"),
            (high, f"at most {high}"),
        )
        if limit is not None
    ]
    if not wanted:
        inside = type(value) is not float or value - value == 0
        wanted = ["a finite number"]
    else:  # written so that a NaN is outside, whatever the limits
        inside = (
            (low is None or value >= low)
            and (high is None or value <= high)
            and (above is None or value > above)
            and value - value == 0
        )
    if not inside:
        raise ConfigError(f"{name} must be {' and '.join(wanted)}, got {value}")
