"""Checks a built site: `python tools/site/check.py build/site`.

Every link and picture leads to a file that is there, every #anchor to an element of its page, and
nothing that a browser would fetch by itself (script, style, font, picture) is on another host.
"""

from __future__ import annotations

import re
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

_FETCHED = {"script": "src", "img": "src", "link": "href", "iframe": "src", "source": "src"}
# Tells a search engine where a page is and loads nothing.
_NOT_FETCHED = {"canonical", "alternate", "next", "prev"}
_IN_STYLE = re.compile(r"url\(\s*['\"]?([^'\")]+)|@import\s+['\"]([^'\"]+)")


class Page(HTMLParser):
    """Links, fetched files and anchors of one page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: set[str] = set()
        self.fetched: set[str] = set()
        self.anchors: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        self.anchors |= {values[name] for name in ("id", "name") if name in values}
        if tag == "a" and "href" in values:
            self.links.add(values["href"])
        if tag in _FETCHED and _FETCHED[tag] in values:
            fetched = not _NOT_FETCHED & set(values.get("rel", "").split())
            (self.fetched if fetched else self.links).add(values[_FETCHED[tag]])


def problems(site: Path) -> list[str]:
    """What is wrong with the site, a line each, sorted."""
    pages = {file: Page(file.read_text(encoding="utf-8")) for file in sorted(site.rglob("*.html"))}
    found = []
    for file, page in pages.items():
        name = file.relative_to(site)
        found += [f"{name}: {one}" for one in _broken(site, file, pages)]
        found += [f"{name} loads {one}" for one in page.fetched if urlsplit(one).netloc]
    for style in sorted(site.rglob("*.css")):
        text = style.read_text(encoding="utf-8")
        for match in _IN_STYLE.finditer(text):
            target = match[1] or match[2]
            if urlsplit(target).netloc:
                found.append(f"{style.relative_to(site)} loads {target}")
    return sorted(found)


def _broken(site: Path, file: Path, pages: dict[Path, Page]) -> list[str]:
    found = []
    for link in pages[file].links | pages[file].fetched:
        parts = urlsplit(link)
        if parts.scheme or parts.netloc:
            continue
        path = unquote(parts.path)
        start = site if path.startswith("/") else file.parent  # 404.html stands in any folder
        target = (start / path.lstrip("/")).resolve() if path else file
        if target.is_dir():
            target /= "index.html"
        anchor = unquote(parts.fragment)
        if not target.exists():
            found.append(f"no file for {link}")
        elif anchor and target in pages and anchor not in pages[target].anchors:
            found.append(f"no element for {link}")
    return found


if __name__ == "__main__":
    wrong = problems(Path(sys.argv[1]).resolve())
    print("\n".join(wrong) or "every link leads somewhere, and nothing is fetched from elsewhere")
    sys.exit(1 if wrong else 0)
