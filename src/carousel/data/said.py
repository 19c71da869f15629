"""Sentences about custom data in other languages than English, in which they are made.

A language is a file in said_texts: patterns of sentences with their parts in braces, and the same
in that language. A part whose name begins with t_ is a sentence itself, and no part reaches past a
semicolon, behind which another sentence begins. What no pattern fits stays as it is; the tests see
that this happens to nothing that a guess can say.
"""

from __future__ import annotations

import re
import tomllib
from functools import cache
from pathlib import Path

from carousel.particles import with_particles

FOLDER = Path(__file__).parent / "said_texts"
_PART = re.compile(r"\\{(\w+)\\}")


@cache
def _patterns(language: str) -> tuple[tuple[re.Pattern[str], str], ...]:
    path = FOLDER / f"{language}.toml"
    if not path.is_file():
        return ()
    found: dict[str, str] = tomllib.loads(path.read_text(encoding="utf-8"))["sentences"]
    # The longest first: what they say besides their parts is the most.
    ordered = sorted(found.items(), key=lambda item: -len(re.sub(r"\{\w+\}", "", item[0])))
    return tuple(
        (re.compile(_PART.sub(r"(?P<\1>(?:(?!; ).)+?)", re.escape(pattern)), re.DOTALL), text)
        for pattern, text in ordered
    )


@cache
def words(language: str) -> dict[str, str]:
    """Single words, such as the kinds of columns, by themselves; of English none."""
    path = FOLDER / f"{language}.toml"
    found: dict[str, str] = {}
    if path.is_file():
        found = tomllib.loads(path.read_text(encoding="utf-8"))["words"]
    return found


def said(sentence: str, language: str) -> str:
    """A sentence, or several with semicolons between, in a language.

    >>> said("7 values; 12.0% missing", "ko"), said("7 values", "en")
    ('값 7가지; 12.0% 빈 칸', '7 values')

    A part ends where the next sentence begins:

    >>> said("time stamps such as 01.02.; 3 cells do not fit: missing", "ko")
    '01.02. 같은 시각; 맞지 않는 칸 3개는 빈 칸으로 셉니다'
    """
    if (found := _whole(sentence, language)) is not None:
        return found
    return "; ".join(_whole(one, language) or one for one in sentence.split("; "))


def knows(sentence: str, language: str) -> bool:
    """True if a sentence, or each between semicolons, has a pattern."""
    return _whole(sentence, language) is not None or all(
        _whole(one, language) is not None for one in sentence.split("; ")
    )


def _whole(sentence: str, language: str) -> str | None:
    for pattern, text in _patterns(language):
        if (match := pattern.fullmatch(sentence)) is not None:
            parts = {
                name: said(part, language) if name.startswith("t_") else part
                for name, part in match.groupdict().items()
            }
            return with_particles(text.format(**parts))
    return None


def said_comments(toml: str, language: str) -> str:
    """A recipe with its comments in a language; its settings as they are.

    >>> said_comments('a = 1  # a third of the epochs\\n', "ko")
    'a = 1  # 에폭의 3분의 1\\n'
    """
    lines = []
    for line in toml.split("\n"):
        head, mark, comment = line.rpartition("# ")
        spaced = head == "" or head.endswith("  ")
        known = said(comment, language) if head else _head(comment, language)
        lines.append(f"{head}{mark}{known}" if mark and spaced else line)
    return "\n".join(lines)


def _head(comment: str, language: str) -> str:
    """A line above a recipe: a file, and behind a colon the reasons for its task."""
    file, colon, why = comment.partition(": ")
    reasons = why.removesuffix(".")
    if colon and knows(reasons, language):
        return f"{words(language).get(file.lower(), file)}: {said(reasons, language)}."
    return said(comment, language)
