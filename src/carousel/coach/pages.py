"""The pages of the rules, written from the rules: `python -m carousel.coach.pages docs/coach`."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

from carousel.coach.finding import LANGUAGES
from carousel.coach.rules import RULES, SOURCES, WHEN, Rule

_WORDS = {
    "en": {
        "title": "The rules of the coach",
        "intro": "Written from the rules by `python -m carousel.coach.pages docs/coach`. "
        "Names in `code` under *speaks when* are thresholds: `--set coach.thresholds.NAME=…`. "
        "{…} in a title or a line stands for a number that was measured, or for a value that "
        "follows from your settings. How to read them: [coach.md](../coach.md).",
        "before": "Before the first step",
        "during": "While it trains",
        "after": "At the end",
        "fires": "Speaks when",
        "try": "Try",
        "false": "May be a false alarm",
        "source": "Source",
        "sources": "Sources",
        "check": "The numbers come from `carousel check`.",
        "severe": "severe",
        "warning": "warning",
        "info": "note",
    },
    "ko": {
        "title": "코치의 규칙",
        "intro": "`python -m carousel.coach.pages docs/coach`가 규칙에서 만든 문서입니다. "
        "*말하는 때*의 `코드` 이름은 문턱값이며 `--set coach.thresholds.이름=…`으로 바꿉니다. "
        "제목이나 줄의 {…}는 측정한 수나 설정에서 나온 값입니다. 읽는 법: "
        "[coach.md](../coach.md).",
        "before": "첫 스텝 전",
        "during": "학습하는 동안",
        "after": "끝난 뒤",
        "fires": "말하는 때",
        "try": "해 볼 것",
        "false": "오경보일 수 있는 때",
        "source": "출처",
        "sources": "출처 목록",
        "check": "수치는 `carousel check`에서 옵니다.",
        "severe": "심각",
        "warning": "경고",
        "info": "참고",
    },
}


def page(language: str) -> str:
    """Every rule in one language, as Markdown."""
    words = _WORDS[language]
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
    words, text = _WORDS[language], rule.texts[language]
    yield f"### {rule.code}"
    yield ""
    yield f"**{_plain(text.title)}** ({words[rule.severity]})"
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
