"""Docstrings as the site shows them: equations keep their lines, examples are blocks of code.

Docstrings are written for `help()`. Markdown would join the lines of equations and take `>>>` for a
quotation, and the parser of sections wants a line for each argument.
"""

from __future__ import annotations

import re
from typing import Any

import griffe

_EQUATION = re.compile(r"^ *[\w\[\]{}\-+'_*ĉĥ/∂‖()φσ, ]{1,30}\s+=\s")
_SECTION = re.compile(r"^\w[\w ]*:$")
_SEVERAL = re.compile(r"^    (\w+(?:,\s+\w+)+):\s", re.M)
_NAMED = re.compile(r"^    (?=\S)", re.M)
# Sections that the parser of sections does not know: their entries are shown as a list.
_LISTS = ("Inputs:", "Outputs:", "Options:", "Parameters:", "Shapes:")
_DIRECTIVE = re.compile(r" *# doctest: \+\w+$", re.M)


def for_the_site(text: str) -> str:
    """The docstring with blocks of code for its equations and examples, an argument a line.

    >>> print(for_the_site("A step.\\n\\ni = σ(a)\\nf = σ(b)"))
    A step.
    <BLANKLINE>
        i = σ(a)
        f = σ(b)
    """
    return "\n\n".join(_shown(paragraph) for paragraph in text.split("\n\n"))


def _shown(paragraph: str) -> str:
    lines = paragraph.splitlines()
    if not lines:
        return paragraph
    if lines[0].startswith(">>>"):
        return "```pycon\n" + _DIRECTIVE.sub("", paragraph) + "\n```"
    if lines[0] in _LISTS:
        return _NAMED.sub("    - ", paragraph)
    if _SECTION.match(lines[0]):
        return _one_by_one(paragraph)
    equations = sum(bool(_EQUATION.match(line)) for line in lines)
    if len(lines) > 1 and 2 * equations >= len(lines) and not paragraph.startswith("    "):
        return "\n".join(f"    {line}" for line in lines)
    return paragraph


def _one_by_one(section: str) -> str:
    """The section with "a, b: text" as two entries, of which the second refers to the first.

    >>> print(_one_by_one("Args:\\n    a, b: of both."))
    Args:
        a: of both.
        b: see `a`.
    """
    parts = _SEVERAL.split(section)
    lines = [parts[0]]
    for names, text in zip(parts[1::2], parts[2::2], strict=True):
        first, *others = re.split(r",\s+", names)
        lines.append(f"    {first}: {text.rstrip()}\n")
        lines += [f"    {other}: see `{first}`.\n" for other in others]
    return "".join(lines).rstrip("\n")


class ForTheSite(griffe.Extension):
    """Applies `for_the_site` to every docstring that griffe reads."""

    def on_instance(self, *, obj: griffe.Object, **_: Any) -> None:
        """Called for each module, class, function and attribute."""
        if obj.docstring:
            obj.docstring.value = for_the_site(obj.docstring.value)
