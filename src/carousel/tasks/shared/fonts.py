"""Fonts for the letters of any language in a picture."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

_BOX = "□"


@contextmanager
def lettering(texts: Iterable[str]) -> Iterator[str]:
    """Fonts that have the letters of `texts`, for what is drawn and saved inside.

    Yields the characters that no installed font has, each once: see `shown`.
    """
    from matplotlib import rc_context

    fonts, missing = fonts_for({letter for text in texts for letter in text})
    with rc_context({"font.family": fonts}):
        yield missing


def fonts_for(characters: Iterable[str]) -> tuple[list[str], str]:
    """Fonts that have these characters among them, and the characters that no font has, sorted."""
    from matplotlib.font_manager import FontProperties, findfont, fontManager
    from matplotlib.ft2font import FT2Font

    missing = {c for c in characters if not c.isspace()}
    fonts = ["DejaVu Sans"]  # it comes with Matplotlib
    missing -= set(map(chr, FT2Font(findfont(FontProperties(family=fonts))).get_charmap()))
    if missing:
        for entry in sorted(fontManager.ttflist, key=lambda entry: entry.name):
            found = missing & set(map(chr, FT2Font(entry.fname).get_charmap()))
            # "Last Resort" has a placeholder for every character there is.
            if found and "Last Resort" not in entry.name and entry.name not in fonts:
                fonts.append(entry.name)
                missing -= found
    return fonts, "".join(sorted(missing))


def shown(label: str, missing: str) -> str:
    """A label as Matplotlib draws it: boxes for missing letters, and no formulas.

    >>> shown("좋아요 $1", "좋")
    '□아요 \\\\$1'
    """
    text = "".join(_BOX if c in missing else c for c in label)
    return text.replace("$", r"\$")  # else Matplotlib reads mathematics
