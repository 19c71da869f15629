"""The page of every setting: `python -m carousel.config.reference docs/settings.md`."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from itertools import groupby
from pathlib import Path

from carousel.config.keys import DROPPED, KEPT, Readers, kinds_in
from carousel.config.readers import Condition, Setting, parsed, settings
from carousel.config.recipe import Config

_ENTRY = re.compile(r"^    ([a-z0-9_]+(?:, [a-z0-9_]+)*): (.*)$")
_HEAD = """# Settings

Every setting of a recipe, and of `--set SECTION.KEY=VALUE`: what it means, its default, what it may
be, and who reads it. A setting that nothing would read is refused, with the reason. This page is
written by `python -m carousel.config.reference docs/settings.md`.
"""


def meanings(section: type) -> dict[str, str]:
    """Meanings of a section's keys, from its docstring: lines "key, key: text".

    >>> from carousel.config import LossConfig
    >>> sorted(meanings(LossConfig))
    ['class_weights', 'label_smoothing']
    """
    found: dict[str, str] = {}
    names: list[str] = []
    for line in (section.__doc__ or "").splitlines()[1:]:
        if entry := _ENTRY.match(line):
            names, text = entry[1].split(", "), entry[2]
        elif names and line.startswith("        "):
            text = line.strip()
        else:
            names = []
            continue
        for name in names:
            found[name] = f"{found[name]} {text}" if name in found else text
    return found


def meaning(setting: Setting) -> str:
    """Meaning of a setting; empty if its section does not say."""
    return meanings(setting.section).get(setting.name.rpartition(".")[2], "")


def _range(setting: Setting) -> str:
    limits = setting.limits
    if limits.get("choices"):
        return ", ".join(f"`{choice}`" if choice else "empty" for choice in limits["choices"])
    words = {int: "whole number", float: "number", bool: "`true`, `false`", str: "text"}
    first, *others = (words[kind] for kind in kinds_in(setting.kind))
    parts = [
        f"{sign} {limits[name]}"
        for name, sign in (("above", ">"), ("low", "≥"), ("high", "≤"))
        if limits.get(name) is not None
    ]
    limited = first + (" " + ", ".join(parts) if parts else "")
    return " or ".join((limited, *others))


def _fate(setting: Setting) -> str:
    fates = {
        DROPPED: " Chosen for a set: not taken over to other data.",
        KEPT: " Chosen for a set: taken over to other data, and said.",
    }
    return fates.get(setting.limits.get("of_set", ""), "")


def _readers(setting: Setting) -> str:
    parts = []
    by_kind: dict[type, Readers] = setting.limits.get("by_kind") or {}
    words = {int: "a number: ", str: "a text: "}
    for kind, readers in by_kind.items():
        parts.append(words[kind] + _listed(parsed(readers)))
    if setting.tasks is not None and not by_kind:
        parts.append(_listed(setting.tasks))
    parts += [f"where {condition}" for condition in setting.conditions]
    return "; ".join(parts) or "all"


def _listed(tasks: Mapping[str, Condition | None]) -> str:
    return ", ".join(
        task + (f" (where {condition})" if condition else "") for task, condition in tasks.items()
    )


def _default(setting: Setting) -> str:
    value = setting.default
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f"`{value}`" if value != "" else "empty"


def page() -> str:
    """The whole page, in Markdown."""
    lines = [_HEAD]
    for section, group in groupby(settings(Config).values(), lambda s: s.name.rpartition(".")[0]):
        lines += [
            f"## {section or 'The recipe'}\n",
            "| setting | meaning | default | may be | read by |",
            "| --- | --- | --- | --- | --- |",
        ]
        for setting in group:
            cells = (
                f"`{setting.name}`",
                meaning(setting) + _fate(setting),
                _default(setting),
                _range(setting),
                _readers(setting),
            )
            lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
        lines.append("")
    return "\n".join(lines)


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(page(), encoding="utf-8")
