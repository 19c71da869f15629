"""Pages of the rules: `python -m carousel.coach.rule_pages docs/coach` writes them."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

from carousel.coach.rules import RULES, SOURCES, WHEN, Rule
from carousel.coach.words import LANGUAGES, texts, word


def page(language: str) -> str:
    """Every rule in one language, as Markdown."""
    words = texts(language)["page"]
    lines = [f"# {words['title']}", "", words["intro"], ""]
    for when in WHEN:
        lines += [f"## {words[when]}", ""]
        for rule in RULES.values():
            if rule.when == when:
                lines += _section(rule, language)
    lines += [f"## {words['sources']}", ""]
    lines += [f"- **{key}**: {title}" for key, title in SOURCES.items()]
    return "\n".join(lines) + "\n"


def _section(rule: Rule, language: str) -> Iterator[str]:
    words, text = texts(language)["page"], rule.text(language)
    severity = word("finding", rule.severity, language)
    yield f"### {rule.code}"
    yield ""
    yield f"**{_plain(text.title)}** ({severity})"
    yield ""
    yield text.meaning
    yield ""
    yield f"- *{words['fires']}:* {text.fires}" + ("" if rule.judge else f" {words['check']}")
    for number, advice in enumerate(text.advice):
        line = f" `{_plain(rule.do[number])}`" if number < len(rule.do) and rule.do[number] else ""
        yield f"- *{words['try']} {number + 1}:* {advice}{line}"
    yield f"- *{words['false']}:* {text.false_alarm}"
    yield f"- *{words['source']}:* {rule.source}"
    yield ""


def _plain(pattern: str) -> str:
    """A pattern without the formats of its numbers.

    >>> _plain("a loss of {loss:.3g}")
    'a loss of {loss}'
    """
    return re.sub(r"\{(\w+):[^}]*\}", r"{\1}", pattern)


def path_of(language: str, folder: Path) -> Path:
    return folder / ("rules.md" if language == "en" else f"rules.{language}.md")


def write(folder: Path) -> None:
    """Write the pages of all languages."""
    folder.mkdir(parents=True, exist_ok=True)
    for language in LANGUAGES:
        path_of(language, folder).write_text(page(language), encoding="utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1] if len(sys.argv) > 1 else "docs/coach"))
