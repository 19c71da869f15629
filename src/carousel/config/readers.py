"""Readers of each setting, and the refusal of one that nothing would read.

A setting names its readers beside its default (`carousel.config.keys.key`): the tasks, and the
values that other settings must have. What is refused, what the coach suggests and the page
docs/settings.md all follow from that.
"""

from __future__ import annotations

import dataclasses
import functools
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from carousel.config.keys import kinds_of
from carousel.errors import ConfigError


@dataclass(frozen=True)
class Condition:
    """Another setting must have, or must not have, one of some values.

    >>> print(Condition.parse("optimizer.name=sgd|nesterov"))
    optimizer.name = sgd or nesterov
    """

    setting: str
    values: tuple[str, ...]
    excluded: bool = False

    @classmethod
    def parse(cls, text: str) -> Condition:
        """The condition written "setting=a|b" or "setting!=a|b"."""
        name, _, values = text.partition("=")
        return cls(name.removesuffix("!"), tuple(values.split("|")), name.endswith("!"))

    def holds(self, config: Any) -> bool:
        return (str(value_of(config, self.setting)) in self.values) != self.excluded

    def __str__(self) -> str:
        """The condition in words."""
        values = " or ".join(value or "empty" for value in self.values)
        return f"{self.setting} {'≠' if self.excluded else '='} {values}"


@dataclass(frozen=True)
class Setting:
    """One key of the configuration.

    tasks: that read it, each with a condition of its own or None; None: every task reads it.
    conditions: that must hold in every task. limits: see `carousel.config.keys.key`.
    """

    name: str
    kind: Any
    default: Any
    limits: Mapping[str, Any]
    tasks: Mapping[str, Condition | None] | None
    conditions: tuple[Condition, ...]
    section: type

    def idle(self, config: Any) -> str:
        """Reason why the setting has no effect, in words; empty if something reads it."""
        by_kind = self.limits.get("by_kind") or {}
        readers = by_kind.get(type(value_of(config, self.name)))
        tasks = self.tasks if readers is None else parsed(readers)
        if tasks is not None:
            if config.task not in tasks:
                return f"in the task '{config.task}'"
            condition = tasks[config.task]
            if condition is not None and not condition.holds(config):
                return _where(condition, config)
        for condition in (*self.conditions, *self._of_value(config)):
            if not condition.holds(config):
                return _where(condition, config)
        return ""

    def _of_value(self, config: Any) -> Iterator[Condition]:
        needed = self.limits.get("only", {}).get(value_of(config, self.name))
        if needed is not None:
            yield Condition.parse(needed)


def _where(condition: Condition, config: Any) -> str:
    value = value_of(config, condition.setting)
    return f"with {condition.setting} = '{value}' (read where {condition})"


@functools.cache
def settings(root: type) -> dict[str, Setting]:
    """Every setting of a configuration's class by its name, in the order of the classes."""
    return {setting.name: setting for setting in _walk(root, "", None, ())}


def _walk(
    section: type,
    prefix: str,
    tasks: Mapping[str, Condition | None] | None,
    conditions: tuple[Condition, ...],
) -> Iterator[Setting]:
    kinds = kinds_of(section)
    for part in dataclasses.fields(section):
        kind, name = kinds[part.name], prefix + part.name
        own = part.metadata.get("tasks")
        readers = tasks if own is None else parsed(own)
        needed = conditions + tuple(map(Condition.parse, part.metadata.get("when", ())))
        if dataclasses.is_dataclass(kind):
            yield from _walk(typing.cast(type, kind), name + ".", readers, needed)
        else:
            yield Setting(name, kind, part.default, part.metadata, readers, needed, section)


def parsed(tasks: Mapping[str, str] | tuple[str, ...]) -> dict[str, Condition | None]:
    """Readers of a setting, each with its condition or None."""
    if not isinstance(tasks, Mapping):
        return dict.fromkeys(tasks)
    return {task: Condition.parse(text) if text else None for task, text in tasks.items()}


def of_set(root: type, fate: str) -> list[str]:
    """The settings that a recipe chooses for its own set, and that are `fate` on other data."""
    return [s.name for s in settings(root).values() if s.limits.get("of_set") == fate]


def value_of(config: Any, name: str) -> Any:
    """The value of a setting by its full name.

    >>> from carousel.config import Config
    >>> value_of(Config(), "model.cell")
    'lstm'
    """
    return functools.reduce(getattr, name.split("."), config)


def idle_settings(config: Any) -> Iterator[tuple[Setting, str]]:
    """The settings that are not at their default and that nothing reads, and where that is so."""
    root: type = type(config)
    for setting in settings(root).values():
        if value_of(config, setting.name) != setting.default and (where := setting.idle(config)):
            yield setting, where


def refuse_idle(config: Any) -> None:
    """Raise `ConfigError` for the first setting that is given and that nothing would read."""
    for setting, where in idle_settings(config):
        value = value_of(config, setting.name)
        shown = f" = '{value}'" if value in setting.limits.get("only", {}) else ""
        raise ConfigError(f"{setting.name}{shown} has no effect {where}: leave it out")
