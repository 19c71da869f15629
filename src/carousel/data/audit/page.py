"""Page of all findings, in every language: `python -m carousel.data.audit.page docs`."""

from __future__ import annotations

import sys
from pathlib import Path

from carousel.data.audit.finding import LANGUAGES, texts

#: The severities that a finding may have.
SEVERITIES_OF = {
    **dict.fromkeys(("D004", "D005", "D006", "D008", "D009", "D028", "D032"), ("info",)),
    **dict.fromkeys(("D012", "D014", "D017", "D018"), ("severe",)),
    "D101": ("severe",),
    "D102": ("info",),
    "D104": ("info", "warning"),
    "D007": ("warning", "severe"),
    "D011": ("info", "severe"),
    "D019": ("info", "warning"),
    "D023": ("warning", "severe"),
    "D034": ("severe",),
}


def page(language: str) -> str:
    """Every finding in one language, as Markdown."""
    said = texts(language)
    words, head = said["words"], said["page"]
    lines = [f"# {head['title']}", "", head["intro"], ""]
    for code, text in said["findings"].items():
        names = SEVERITIES_OF.get(code, ("warning",))
        lines += [
            f"## {code}",
            "",
            f"**{text['title']}** ({', '.join(words[name] for name in names)})",
            "",
            text["why"],
            "",
            f"- *{words['done']}:* {text['done']}",
            f"- *{words['change']}:* {text['change']}",
            "",
        ]
    return "\n".join(lines).rstrip("\n") + "\n"


def path_of(language: str, folder: Path) -> Path:
    """The file of a language."""
    return folder / ("audit.md" if language == "en" else f"audit.{language}.md")


if __name__ == "__main__":
    for spoken in LANGUAGES:
        path_of(spoken, Path(sys.argv[1])).write_text(page(spoken), encoding="utf-8")
