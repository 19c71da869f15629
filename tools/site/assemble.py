"""Puts the site's pages together: `python tools/site/assemble.py build/docs`.

The pages of docs/ are copied; CONTRIBUTING, ARCHITECTURE and CHANGELOG become pages, too. A link to
a file outside docs/ (a test, a source) leads to a page `source/…` with the file's text, so that the
site is whole by itself. In the repository every link still leads to the file.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path, PurePosixPath

import tutorials

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
# Pages that stand outside docs/ in the repository, by what they are called on the site.
ROOT_PAGES = {
    "CONTRIBUTING.md": "contributing.md",
    "ARCHITECTURE.md": "architecture.md",
    "CHANGELOG.md": "changelog.md",
}
ALIASES = {"README.md": "index.md", "README.ko.md": "index.ko.md"}
# Below the title of what is shown to readers of Korean in English.
ENGLISH_ONLY = "*이 페이지는 영어로만 있습니다.*"
# Titles of the pages of names in Korean.
KOREAN_TITLES = {
    "Layers": "계층",
    "Cells": "셀",
    "Training": "학습",
    "Trained models": "학습된 모델",
    "Without torch": "torch 없이",
    "Files for other programs": "다른 프로그램을 위한 파일",
    "Estimators": "추정기",
    "Coach": "코치",
    "Kernels": "커널",
}
NOTEBOOK = {
    "en": "\nThis page is also [a notebook]({}).\n",
    "ko": "\n이 페이지는 [노트북]({})으로도 받을 수 있습니다.\n",
}
_HEADING = re.compile(r"^(#+) (.+?)\s*$")
_FENCE = re.compile(r"^(```|~~~)")
_LINK = re.compile(r"(\]\()([^)\s#]+)(#[^)\s]*)?(\))")
_LANGUAGES = {
    ".py": "python",
    ".pyi": "python",
    ".toml": "toml",
    ".hpp": "cpp",
    ".cpp": "cpp",
    ".jsonl": "json",
    ".md": "markdown",
}


def with_links(text: str, replace: Callable[[str, str], str]) -> str:
    """The text with each relative link `target`, `#anchor` replaced; blocks of code stay.

    >>> with_links("[a](b.md#c), [d](https://e.f)", lambda target, anchor: "x.md" + anchor)
    '[a](x.md#c), [d](https://e.f)'
    """

    def changed(match: re.Match[str]) -> str:
        head, target, anchor, tail = match.groups(default="")
        return match[0] if "://" in target else head + replace(target, anchor) + tail

    lines, code = [], False
    for line in text.splitlines(keepends=True):
        if _FENCE.match(line.lstrip()):
            code = not code
        lines.append(line if code else _LINK.sub(changed, line))
    return "".join(lines)


def headings(text: str) -> list[str]:
    """The headings of a page, without those of its blocks of code.

    >>> headings("# A\\n```\\n# no\\n```\\n## B c\\n")
    ['A', 'B c']
    """
    found, code = [], False
    for line in text.splitlines():
        if _FENCE.match(line.lstrip()):
            code = not code
        elif not code and (match := _HEADING.match(line)):
            found.append(match[2])
    return found


def slug(heading: str) -> str:
    """Anchor of a heading, as the site and code hosts make it.

    >>> slug("In Python, with one call"), slug("`predict`: more")
    ('in-python-with-one-call', 'predict-more')
    """
    return re.sub(r"\s", "-", re.sub(r"[^\w\s-]", "", heading.lower()).strip())


def with_anchors(korean: str, english: str, name: str) -> str:
    """The Korean page with the anchors of the English one, so that a link leads to both.

    >>> with_anchors("# 가\\n## 나\\n", "# A\\n## B c\\n", "x.md")
    '# 가\\n## 나 {#b-c}\\n'
    """
    theirs = headings(english)
    if len(headings(korean)) != len(theirs):
        raise ValueError(f"docs/{name} has not the headings of its page in English: translate anew")
    anchors = iter([slug(heading) for heading in theirs])
    lines, code = [], False
    for line in korean.splitlines(keepends=True):
        if _FENCE.match(line.lstrip()):
            code = not code
        elif not code and (match := _HEADING.match(line)):
            anchor = next(anchors)
            if len(match[1]) > 1 and slug(match[2]) != anchor:
                line = f"{line.rstrip()} {{#{anchor}}}\n"
        lines.append(line)
    return "".join(lines)


def source_page(path: str) -> str:
    """Name of the page that shows a file or a folder of the repository."""
    return f"source/{path.rstrip('/').replace('.', '-')}.md"  # a suffix would be a language


def source_text(path: str) -> str:
    """The page of a file, as a block of code, or of a folder, as a list. Not searched."""
    file = ROOT / path
    head = f"---\nsearch:\n  exclude: true\n---\n\n# {path}\n\n"
    if file.is_dir():
        names = sorted(one.name for one in file.iterdir() if not one.name.startswith(("_", ".")))
        return head + "\n".join(f"- `{name}`" for name in names) + "\n"
    text = file.read_text(encoding="utf-8")
    fence = "````" if "```" in text else "```"
    return f"{head}{fence}{_LANGUAGES.get(file.suffix, 'text')}\n{text}{fence}\n"


def korean_names(page: str, text: str) -> str:
    """The Korean page of an English page of names: a link to each, as docstrings are English.

    >>> page = korean_names("reference/api/a.md", "# Cells\\n\\n::: carousel.RNN")
    >>> page.splitlines()[-1]
    '- <a id="carousel.RNN" href="../../../reference/api/a.html#carousel.RNN">carousel.RNN</a>'
    """
    title = KOREAN_TITLES[text.splitlines()[0].removeprefix("# ")]
    english = "../../../" + page.replace(".md", ".html")
    names = re.findall(r"^::: (\S+)$", text, re.M)
    lines = [f"# {title}", "", f'설명은 <a href="{english}">영어 문서</a>에 있습니다.', ""]
    links = [f'- <a id="{name}" href="{english}#{name}">{name}</a>' for name in names]
    return "\n".join([*lines, *links])


class Assembly:
    """Pages of the site, found by following links from those of docs/.

    pages: what each page says, by its path on the site.
    """

    def __init__(self) -> None:
        self.pages: dict[str, str] = {}
        self._sources: set[str] = set()
        for file in sorted(DOCS.rglob("*.md")):
            name = file.relative_to(ROOT).as_posix()
            self.pages[name.removeprefix("docs/")] = self._page(name, name.removeprefix("docs/"))
        for name, page in ROOT_PAGES.items():
            self.pages[page] = self._page(name, page)
        for page in tutorials.tutorials():
            language = "ko" if page.name.endswith(".ko.md") else "en"
            # The notebook of a translation has the page's own name in its language, as pages have.
            name = page.name.partition(".")[0] + ".ipynb"
            self.pages[f"learn/{page.name}"] += NOTEBOOK[language].format(name)
        for page, text in list(self.pages.items()):
            korean = page.replace(".md", ".ko.md")
            if page.startswith("reference/api/"):
                self.pages[korean] = korean_names(page, text)
            elif not page.endswith(".ko.md") and korean not in self.pages:
                title, _, rest = text.partition("\n")
                self.pages[korean] = f"{title}\n\n{ENGLISH_ONLY}\n{rest}"
        for path in sorted(self._sources):
            self.pages[source_page(path)] = source_text(path)

    def _page(self, name: str, page: str) -> str:
        """Text of a page: `name` is its file in the repository, `page` its place on the site."""
        korean = page.endswith(".ko.md")

        def replace(target: str, anchor: str) -> str:
            path = os.path.normpath(PurePosixPath(name).parent / target)
            to = self._place(path, f"{name}: {target}")
            if to.endswith(".ko.md") and not korean:
                raise ValueError(f"{name}: {target}: readers of the site choose their language")
            # The translation of a page has the page's own name in its language.
            to = re.sub(r"\.ko\.md$", ".md", to)
            anchor = "" if to == "index.md" else anchor
            return os.path.relpath(to, PurePosixPath(page).parent) + anchor

        text = (ROOT / name).read_text(encoding="utf-8")
        if korean:
            english = ROOT / name.replace(".ko.md", ".md")
            text = with_anchors(text, english.read_text(encoding="utf-8"), page)
        return with_links(text, replace)

    def _place(self, path: str, link: str) -> str:
        """Where a file of the repository stands on the site."""
        if path in ALIASES:
            return ALIASES[path]
        if path in ROOT_PAGES:
            return ROOT_PAGES[path]
        if not (ROOT / path).exists():
            raise FileNotFoundError(f"{link} leads nowhere: there is no {path}")
        if path.startswith("docs/") and (ROOT / path).is_file():
            return path.removeprefix("docs/")
        if path == "docs" or path.startswith("docs/"):
            return self._index(path, link)
        self._sources.add(path)
        return source_page(path)

    @staticmethod
    def _index(path: str, link: str) -> str:
        for name in ("README.md", "index.md"):
            if (ROOT / path / name).is_file():
                return f"{path}/{name}".removeprefix("docs/")
        raise FileNotFoundError(f"{link} leads to a folder without an index.md")

    def write(self, folder: Path) -> None:
        """Write the pages, and everything else of docs/, into `folder`, which is emptied first."""
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(DOCS, folder, ignore=shutil.ignore_patterns("*.md"))
        for page in tutorials.tutorials():
            tutorials.write(page, folder / "learn")
        for page, text in self.pages.items():
            (folder / page).parent.mkdir(parents=True, exist_ok=True)
            (folder / page).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    Assembly().write(Path(sys.argv[1]))
