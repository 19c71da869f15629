"""Choice of the columns of a file of labelled words, and of its lines that are comments."""

from __future__ import annotations

import re
from collections.abc import Sequence

from carousel.config.keys import closest
from carousel.data.counting import unit_of
from carousel.errors import ConfigError

CONLLU = ("ID", "FORM", "LEMMA", "UPOS", "XPOS", "FEATS", "HEAD", "DEPREL", "DEPS", "MISC")
_GLOBAL = re.compile(r"#\s*global\.columns\s*=\s*(.+)")


def place_of(asked: str, width: int, names: Sequence[str], usual: int) -> int:
    """Place, from 0, of the column that is asked for by name or by number from 1; `usual` if none
    is. Raises `ConfigError` for one that is not there.

    >>> place_of("UPOS", 10, CONLLU, 0), place_of("2", 3, (), 0), place_of("", 3, (), 2)
    (3, 1, 2)
    """
    asked = asked.strip()
    if not asked:
        return usual
    if asked.isdecimal() and 1 <= int(asked) <= width:
        return int(asked) - 1
    folded = [name.casefold() for name in names]
    if asked.casefold() in folded:
        return folded.index(asked.casefold())
    known = f", or {', '.join(names)}" if names else ""
    raise ConfigError(
        f"text.word, text.label and text.tag name a column by its number, 1 to {width}{known}; got "
        f"'{asked}'.{closest(asked, names)}"
    )


def split_comments(
    lines: Sequence[tuple[int, str]],
) -> tuple[list[tuple[int, str]], list[str]]:
    """Numbered lines without comments, and the comments: lines that begin with #, stand before the
    first word of a sentence, and have not as many columns as words have.

    >>> split_comments([(1, "# a text"), (2, "# O"), (3, "go O")])
    ([(2, '# O'), (3, 'go O')], ['# a text'])
    """
    full = next((line for _, line in lines if line.strip() and line[0] != "#"), "")
    width = len(re.split(r"\t" if "\t" in full else r"\s+", full.strip()))
    kept, comments, starts = [], [], True
    for number, line in lines:
        if starts and line.startswith("#") and _width(line, full) != width:
            comments.append(line)
            continue
        starts = not line.strip()
        kept.append((number, line))
    return kept, comments


def _width(line: str, like: str) -> int:
    return len(re.split(r"\t" if "\t" in like else r"\s+", line.strip()))


def global_names(comments: Sequence[str]) -> tuple[str, ...]:
    """Names of columns that a comment has (CoNLL-U Plus).

    >>> global_names(["# global.columns = FORM NER"])
    ('FORM', 'NER')
    """
    found = (match for comment in comments if (match := _GLOBAL.match(comment)))
    return next((tuple(match[1].split()) for match in found), ())


def comments_in_words(comments: Sequence[str]) -> str:
    """Count of comments, "" if there are none."""
    count = len(comments)
    return f"{count:,} {unit_of(count, 'comments')} passed over" if count else ""
