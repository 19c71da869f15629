"""Markup that escapes whatever is put into it, unless that is markup already."""

from __future__ import annotations

from html import escape


class Html(str):
    """A piece of markup. Everything else that is put into markup is text."""

    __slots__ = ()


Child = Html | str | int | float | None


def text(value: object) -> Html:
    """Text as markup; control characters that no page may have are shown as such.

    >>> text("<b> & co")
    '&lt;b&gt; &amp; co'
    """
    plain = "".join(c if c in "\n\t" or ord(c) >= 32 else "\ufffd" for c in str(value))
    # A surrogate alone, as names of files may have, cannot be written in UTF-8.
    return Html(escape(plain.encode("utf-8", "replace").decode("utf-8")))


def join(*children: Child) -> Html:
    """Children one after the other; None is nothing."""
    return Html("".join(c if isinstance(c, Html) else text(c) for c in children if c is not None))


def tag(name: str, *children: Child, **attributes: object) -> Html:
    """An element. attributes: `class_` is class, `data_x` is data-x; those that are None are left
    out.

    >>> tag("p", "1 < 2", class_="a")
    '<p class="a">1 &lt; 2</p>'
    """
    found = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{text(value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    return Html(f"<{name}{found}>{join(*children)}</{name}>")


def void(name: str, **attributes: object) -> Html:
    """An element without content, such as img."""
    return Html(tag(name, **attributes).removesuffix(f"</{name}>"))


def table(columns: list[str], rows: list[list[Child]], numbers: int = 1) -> Html:
    """A table; from column `numbers` on cells stand at the right."""

    def cells(kind: str, row: list[Child] | list[str]) -> Html:
        found = (
            tag(kind, cell, class_="n" if place >= numbers else None)
            for place, cell in enumerate(row)
        )
        return tag("tr", *found)

    head = tag("thead", cells("th", columns))
    return tag(
        "div",
        tag("table", head, tag("tbody", *(cells("td", r) for r in rows))),
        class_="wide",
        tabindex="0",
    )
