"""Space that is searched: settings, each with its values or its range, as somebody typed them."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any

from carousel.config import Config
from carousel.config.keys import closest, kinds_in
from carousel.config.readers import idle_settings, settings, value_of
from carousel.errors import ConfigError

Value = str | int | float | bool

# What is measured, or what a run is called and how it is watched: no search is over these.
_FIXED: tuple[str, ...] = ("recipe.", "data.", "split.", "columns.", "coach.", "training.monitor")
_FIXED += ("training.samples", "training.keep_epochs", "training.checkpoint_seconds")


@dataclass(frozen=True)
class Choices:
    """Some values of a setting, in no order."""

    values: tuple[Value, ...]

    @property
    def ends(self) -> tuple[Value, ...]:
        """Values that are tried to see what the setting can be: all."""
        return self.values

    def grid(self) -> tuple[Value, ...]:
        """Every value."""
        return self.values

    def __contains__(self, value: object) -> bool:
        return any(type(value) is type(one) and value == one for one in self.values)

    def __str__(self) -> str:
        return ", ".join(map(str, self.values))


@dataclass(frozen=True)
class Range:
    """Numbers from low to high, both included. log: by their logarithm. step: only every so many;
    0 for every number. whole: only whole ones."""

    low: float
    high: float
    log: bool = False
    step: float = 0.0
    whole: bool = False

    @property
    def ends(self) -> tuple[Value, ...]:
        """Values that are tried to see what the setting can be: the least and the greatest."""
        return (int(self.low), int(self.high)) if self.whole else (self.low, self.high)

    def grid(self) -> tuple[Value, ...]:
        """Every value, where a step says which. Raises `ConfigError` for a range without."""
        if not self.step:
            raise ConfigError(f"a grid needs values (a,b,c) or a step (low:high:step), got {self}")
        count = math.floor((self.high - self.low) / self.step * (1 + 1e-9)) + 1
        found = (self.low + n * self.step for n in range(count))
        return tuple(round(value) if self.whole else round(value, 12) for value in found)

    def __contains__(self, value: object) -> bool:
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        if not self.low <= value <= self.high:
            return False
        places = (value - self.low) / self.step if self.step else 0.0
        return abs(places - round(places)) < 1e-9

    def __str__(self) -> str:
        how = ", by its logarithm" if self.log else ""
        how = f", every {self.step:g}" if self.step else how
        return f"{self.low:g} to {self.high:g}{how}"


Axis = Choices | Range


def parse(assignments: Iterable[str], config: Config) -> dict[str, Axis]:
    """The axes that texts "section.key=a,b,c", "…=low:high", "…=low:high:log" or
    "…=low:high:step" name, every value of which the recipe can have. Raises `ConfigError`.

    >>> parse(["model.hidden_size=32,64", "optimizer.learning_rate=1e-4:1e-2:log"], Config())
    ... # doctest: +NORMALIZE_WHITESPACE
    {'model.hidden_size': Choices(values=(32, 64)),
     'optimizer.learning_rate': Range(low=0.0001, high=0.01, log=True, step=0.0, whole=False)}
    """
    found: dict[str, Axis] = {}
    for text in assignments:
        name, equals, values = (part.strip() for part in text.partition("="))
        if not equals or not values:
            raise ConfigError(f"what is searched must be section.key=values, got '{text}'")
        if name in found:
            raise ConfigError(f"{name} is searched twice: give all of its values at once")
        found[name] = _axis(name, values)
    if not found:
        raise ConfigError("name at least one setting to search, as model.hidden_size=32,64,128")
    check(found, config)
    return found


def check(axes: Mapping[str, Axis], config: Config) -> None:
    """Raise `ConfigError` for a value that a recipe cannot have, or for a setting that nothing
    would read beside any value of the others."""
    for name, axis in axes.items():
        for value in axis.ends:
            config.override({name: value})
        if not _is_read(name, axes, config):
            where = settings(Config)[name].idle(config.override({name: axis.ends[-1]}))
            raise ConfigError(f"{name} has no effect {where}: nothing can be found by searching it")


def _is_read(name: str, axes: Mapping[str, Axis], config: Config) -> bool:
    beside: list[dict[str, Value]] = [{}]
    for other, axis in axes.items():
        beside += [{other: value} for value in axis.ends if other != name]
    for others in beside:
        for value in axes[name].ends:
            with suppress(ConfigError):  # values that cannot be together say so in their trial
                if name in settled(config, {**others, name: value}):
                    return True
    return False


def settled(config: Config, values: Mapping[str, Value]) -> dict[str, Value]:
    """Values that something reads beside the others: a warm-up is left out where the
    schedule has none. Raises `ConfigError` for a value that cannot be.

    >>> chosen = {"schedule.name": "constant", "schedule.warmup": 0.2}
    >>> settled(Config(), chosen)
    {'schedule.name': 'constant'}
    """
    idle = {setting.name for setting, _ in idle_settings(config.override(values))}
    return {name: value for name, value in values.items() if name not in idle}


def of_recipe(config: Config, axes: Mapping[str, Axis]) -> dict[str, Value] | None:
    """The recipe's own values, where each lies on its axis; else None."""
    found = {name: value_of(config, name) for name in axes}
    return found if all(value in axes[name] for name, value in found.items()) else None


def changes(config: Config, values: Mapping[str, Value]) -> dict[str, Value]:
    """Values that are not the recipe's own.

    >>> changes(Config(), {"model.cell": "lstm", "model.hidden_size": 32})
    {'model.hidden_size': 32}
    """
    read = settled(config, values)
    return {name: value for name, value in read.items() if value_of(config, name) != value}


def size_of_grid(axes: Mapping[str, Axis]) -> int:
    """Number of points of a grid. Raises `ConfigError` where a range has no step."""
    return math.prod(len(axis.grid()) for axis in axes.values())


def point(axes: Mapping[str, Axis], number: int) -> dict[str, Value]:
    """Point `number` of the grid, counted from 0; the last axis changes first.

    >>> point({"a": Choices((1, 2)), "b": Choices(("x", "y", "z"))}, 4)
    {'a': 2, 'b': 'y'}
    """
    found = {}
    for name, axis in reversed([*axes.items()]):
        values = axis.grid()
        number, place = divmod(number, len(values))
        found[name] = values[place]
    return {name: found[name] for name in axes}


def to_json(axes: Mapping[str, Axis]) -> dict[str, dict[str, Any]]:
    """Axes as JSON can hold them."""
    return {
        name: {"values": list(axis.values)} if isinstance(axis, Choices) else asdict(axis)
        for name, axis in axes.items()
    }


def _axis(name: str, text: str) -> Axis:
    known = settings(Config)
    if name not in known:
        raise ConfigError(f"unknown key '{name}'.{closest(name, known)} docs/settings.md has all")
    if name == "task" or name.startswith(_FIXED):
        raise ConfigError(
            f"{name} decides what is measured, or nothing that is trained: it cannot be searched"
        )
    kinds = kinds_in(known[name].kind)
    if ":" in text and "," not in text and {int, float} & set(kinds):
        return _range(name, text, whole=float not in kinds)
    cells = [one.strip() for one in text.split(",")]
    if not all(cells):
        raise ConfigError(
            f"{name} has an empty value among those to search; got '{text}' ('' in quotation marks "
            f"is an empty text)"
        )
    values = [_value(one, kinds) for one in cells]
    if any(isinstance(value, float) and not math.isfinite(value) for value in values):
        raise ConfigError(f"what is searched of {name} must be finite numbers, got '{text}'")
    if len(set(map(repr, values))) < max(len(values), 2):
        raise ConfigError(f"{name} must have two values or more, each once; got '{text}'")
    return Choices(tuple(values))


def _range(name: str, text: str, *, whole: bool) -> Range:
    low, _, rest = text.partition(":")
    high, _, how = rest.partition(":")
    try:
        ends = float(low), float(high)
        step = 0.0 if how in ("", "log") else float(how)
    except ValueError:
        raise ConfigError(
            f"a range of {name} must be low:high, low:high:log or low:high:step, got '{text}'"
        ) from None
    if not all(map(math.isfinite, (*ends, step))):
        raise ConfigError(f"a range of {name} must have finite ends and steps, got '{text}'")
    log = how == "log"
    if (
        not ends[0] < ends[1]
        or (log and ends[0] <= 0)
        or step < 0
        or (how and not log and not step)
    ):
        raise ConfigError(
            f"a range of {name} must rise, be above 0 where it is by its logarithm, and have a "
            f"step above 0 where it has one; got '{text}'"
        )
    if whole:
        if any(value != int(value) for value in (*ends, step)):
            raise ConfigError(
                f"{name} is a whole number, and so are the ends of its range; got '{text}'"
            )
        return Range(int(ends[0]), int(ends[1]), log, int(step) or 1 if not log else 0, True)
    return Range(*ends, log, step)


def _value(text: str, kinds: tuple[type, ...]) -> Value:
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text
    if float in kinds and type(value) is int:
        value = float(value)
    return value if type(value) in kinds else text
