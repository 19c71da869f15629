"""The page of what --json prints: `python -m carousel.cli.json_page docs/json.md`.

Schemas stand in schemas/, one definition for each verb; a name that begins with an underscore is a
part of others.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "schemas"
_PARTS = ("_finding", "_audit_finding")  # have a section of their own
_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_HEAD = """# JSON of every command

Every command that reports has `--json`: one JSON value on standard output, in UTF-8, and nothing
else there; talk stays on standard error, and the exit codes are the same. Keys are added in later
versions, and a key that is renamed or removed is in the changelog. This page is written by
`python -m carousel.cli.json_page docs/json.md` from the JSON Schemas in `carousel/cli/schemas`,
which the tests hold the output of every command to; `schema("coach")` of `carousel.cli.json_page`
is one of them.

`a[].b` is the key `b` of each element of the list `a`, `a.*` any key of `a`; keys in italics are
not always there.
"""


def definitions() -> dict[str, Any]:
    """Every definition by its name, in the order of the files."""
    found: dict[str, Any] = {}
    for path in sorted(FOLDER.glob("*.json")):
        found |= json.loads(path.read_text(encoding="utf-8"))
    return found


def verbs() -> list[str]:
    """Verbs that have --json, such as "coach" and "data list"."""
    return [name for name in definitions() if not name.startswith("_")]


def schema(verb: str) -> dict[str, Any]:
    """JSON Schema of what a verb prints. Raises `KeyError` for one that prints none.

    >>> schema("data path")["$ref"]
    '#/$defs/_place'
    """
    known = definitions()
    return {"$schema": _DIALECT, "title": f"carousel {verb} --json", **known[verb], "$defs": known}


def page() -> str:
    """The page, in Markdown."""
    known = definitions()
    parts = (_section(name, _title(known[name]), known) for name in _PARTS)
    sections = (_section(name, f"carousel {name}", known) for name in sorted(verbs()))
    return "\n".join([_HEAD, *sections, *parts])


def _title(one: dict[str, Any]) -> str:
    return str(one["title"]).partition(" (")[0]


def _section(verb: str, title: str, known: dict[str, Any]) -> str:
    lines = [f"## {title[0].upper()}{title[1:]}\n".replace("## Carousel", "## carousel")]
    if text := known[verb].get("description"):
        lines.append(f"{text}\n")
    for form in _forms(known[verb], known):
        if form is not known[verb] and "title" in form:
            head = form["title"]
            more = f": {form['description']}" if "description" in form else ""
            lines.append(f"**{head[0].upper()}{head[1:]}**{more}\n")
        rows = [*_rows(form, "", known)]
        if rows:
            lines += ["| key | type | what |", "|---|---|---|", *rows, ""]
    return "\n".join(lines)


def _forms(one: dict[str, Any], known: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The alternatives of a definition, without those that only repeat others in a list."""
    one = _resolved(one, known)
    choices = one.get("oneOf") or [c for c in one.get("anyOf", ()) if "$ref" in c]
    if not choices:
        yield one
    for choice in choices:
        if choice.get("title") != "answers to several inputs":
            yield from _forms(choice, known)


def _resolved(one: dict[str, Any], known: dict[str, Any]) -> dict[str, Any]:
    if "$ref" not in one:
        return one
    rest = {key: value for key, value in one.items() if key != "$ref"}
    return {**_resolved(known[one["$ref"].rpartition("/")[2]], known), **rest}


def _rows(one: dict[str, Any], where: str, known: dict[str, Any]) -> Iterator[str]:
    """A line of the table for each key below `where`."""
    one = _resolved(one, known)
    if "items" in one and _part(one["items"]) is None:
        yield from _rows(one["items"], f"{where}[]", known)
    required = set(one.get("required", ()))
    for name, below in one.get("properties", {}).items():
        path = f"{where}.{name}" if where else name
        below = _resolved(below, known)
        key = f"`{path}`" if name in required or not required else f"*`{path}`*"
        yield f"| {key} | {_kind(below, known)} | {_what(below)} |"
        yield from _rows(below, path, known)
    others = one.get("additionalProperties")
    if isinstance(others, dict) and (others := _resolved(others, known)).get("properties"):
        yield from _rows(others, f"{where}.*" if where else "*", known)


def _part(one: dict[str, Any]) -> str | None:
    """Name of the part with a section of its own that this refers to."""
    name = str(one.get("$ref", "")).rpartition("/")[2]
    return name if name in _PARTS else None


def _what(one: dict[str, Any]) -> str:
    return str(one.get("description") or one.get("title", "")).replace("|", "\\|")


def _kind(one: dict[str, Any], known: dict[str, Any]) -> str:
    kinds = one.get("type", "string" if "enum" in one else "")
    words = {"string": "text", "integer": "whole number", "boolean": "true or false"}
    names = [str(words.get(k, k)) for k in (kinds if isinstance(kinds, list) else [kinds])]
    if names[0] == "array":
        items = one.get("items", {})
        part = _part(items)
        inner = _title(known[part]) if part else _kind(_resolved(items, known), known)
        names[0] = f"list of {inner}" if inner else "list"
    return " or ".join(names)


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(page(), encoding="utf-8")
