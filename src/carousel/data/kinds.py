"""Cells of a column and what they are: numbers, yes and no, times or text, found over all rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from carousel.data.stamps import UNSURE, Stamps, is_stamp, read_stamps
from carousel.data.stamps import Read as StampsRead
from carousel.errors import DataError

if TYPE_CHECKING:
    import polars as pl

#: Cells that stand for a missing value where the other cells are numbers, times, or yes and no.
MISSING = (
    *("", "na", "n/a", "nan", "null", "none", "nil", "-", "--", "?", ".", "#n/a", "#na", "nat"),
    "missing",
)
_BOOLEANS = (
    *(("true", "false"), ("yes", "no"), ("y", "n"), ("t", "f"), ("on", "off"), ("ja", "nein")),
    *(("oui", "non"), ("예", "아니오"), ("예", "아니요"), ("참", "거짓")),
)
_GERMAN = r"^[+-]?(?:\d{1,3}(?:\.\d{3})+|\d+)(?:,\d+)?$"
_ENGLISH = r"^[+-]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?$"
_SPACED = r"^[+-]?\d{1,3}(?:[ \x{a0}\x{202f}'’]\d{3})*(?:[.,]\d+)?$"
_CODE = r"^0\d+$"
_GROUPED = r"^[+-]?\d{1,3}[.,]\d{3}$"
_FORMS = {10: "%Y-%m-%d", 16: "%Y-%m-%dT%H:%M", 19: "%Y-%m-%dT%H:%M:%S"}
_LOOKED_AT = 100
_FEW_WORDS = 10_000
_FITS, _FITS_BUT, _ODD_WORDS = 0.98, 0.9, 3
_LARGEST = 1e100


class Read(NamedTuple):
    """A column as it was read. kind: "whole", "number", "boolean", "time", "text" or "empty".

    values: cells of that kind, null where there is none. missing: cells that are empty or say so.
    odd: cells that do not fit, which count as missing; example: one of them. style: "german" where
    a comma is the decimal sign; of dates such as 03/04/2024 what they begin with, "day" or "month",
    and "unsure" of texts that are such dates. note: how the cells were read, in words. stamps (N,):
    of a time, NaT where there is none.
    """

    kind: str
    values: pl.Series
    missing: int = 0
    odd: int = 0
    example: str = ""
    style: str = ""
    note: str = ""
    stamps: Stamps | None = None


def kind_of(cells: pl.Series, commas: bool = False, order: str = "") -> Read:
    """Type of a column by its cells (texts). commas: other columns have decimal commas. order:
    "day" or "month", which dates such as 03/04/2024 begin with where other cells told it."""
    import polars as pl

    if not commas and (quick := _plain_numbers(cells)) is not None:
        return quick
    if (quick := _plain_words(cells)) is not None:
        return quick
    cells = cells.str.strip_chars()
    if not cells.head(_LOOKED_AT).cast(pl.Float64, strict=False).is_not_null().any():
        quick = _iso_times(cells)
        if quick is not None:
            return quick
    absent = cells.is_null() | cells.str.to_lowercase().is_in(list(MISSING))
    known = cells.filter(~absent)
    if not len(known):
        return Read("empty", cells.set(absent, None), int(absent.sum()))
    for read in (_as_boolean, _as_number):
        if (found := read(cells, absent, known, commas)) is not None:
            return found
    if (found := _as_time(cells, absent, known, order)) is not None:
        return found
    blank = cells.is_null() | (cells == "")
    style, note = _unsure(known)
    return Read("text", cells.set(blank, None), int(blank.sum()), style=style, note=note)


def _unsure(known: pl.Series) -> tuple[str, str]:
    """ "unsure" of cells that are dates, of which nobody can tell the order, and what to say."""
    dates = known.str.contains(UNSURE)
    if int(dates.sum()) < _FITS * len(known):
        return "", ""
    example = known.filter(dates)[0]
    return "unsure", (
        f"cells like {example} are read as words: whether they begin with the day or the month "
        "cannot be told (write the dates as 2024-01-31)"
    )


def _plain_numbers(cells: pl.Series) -> Read | None:
    """The column if every cell is a plain number: most are, and there may be millions."""
    import polars as pl

    if cells.head(_LOOKED_AT).cast(pl.Float64, strict=False).null_count():
        return None
    values = cells.cast(pl.Float64, strict=False)
    if values.null_count() or not values.is_finite().all() or cells.str.contains(_CODE).any():
        return None
    if (values.abs() > _LARGEST).any():
        return None  # which is told below
    nothing = pl.Series(cells.name, [False])
    return number(values, nothing, nothing, cells)


def _plain_words(cells: pl.Series) -> Read | None:
    """The column if its cells are a few words that neither are numbers nor could be: those are
    looked at once each, as there may be millions of them."""
    import polars as pl

    if cells.head(_LOOKED_AT).cast(pl.Float64, strict=False).null_count() < _LOOKED_AT:
        return None
    words = cells.unique().drop_nulls()
    if len(words) > _FEW_WORDS:
        return None
    plain = words.str.strip_chars()
    if (plain != words).any() or plain.str.contains(r"\d").any():
        return None
    known = plain.filter(~plain.str.to_lowercase().is_in(list(MISSING)))
    if not len(known) or known.cast(pl.Float64, strict=False).is_not_null().any():
        return None  # "inf" is a number
    if _as_boolean(known, known.is_null(), known, False) is not None:
        return None
    blank = cells.is_null() | (cells == "")
    return Read("text", cells.set(blank, None), int(blank.sum()))


def _iso_times(cells: pl.Series) -> Read | None:
    """The column if every cell is a date and time of one length without an offset."""

    first = str(cells[0]) if len(cells) and cells[0] else ""
    form = _FORMS.get(len(first))
    if form is None or (cells.str.len_bytes() != len(first)).any():
        return None
    pattern = form.replace("T", first[10]) if len(first) > 10 and first[10] in " T" else form
    found = cells.str.to_datetime(pattern, strict=False, time_unit="us", exact=True)
    if found.null_count():
        return None
    unit = "D" if len(first) == 10 else "m" if len(first) == 16 else "s"
    stamps = found.to_numpy().astype(f"datetime64[{unit}]")
    return Read("time", cells, stamps=stamps)


def _as_boolean(cells: pl.Series, absent: pl.Series, known: pl.Series, _: bool) -> Read | None:
    import polars as pl

    words = set(known.str.to_lowercase().head(1000))
    if len(words) > 2 or not any(words <= set(pair) for pair in _BOOLEANS):
        return None
    words = set(known.str.to_lowercase().unique())
    pair = next((pair for pair in _BOOLEANS if words <= set(pair)), None)
    if pair is None or (len(words) < 2 and pair[0] != "true"):
        return None
    values = (cells.str.to_lowercase() == pair[0]).set(absent, None).cast(pl.Boolean)
    return Read("boolean", values, int(absent.sum()))


def boolean_of(cells: pl.Series, words: set[str]) -> Read | None:
    """A column of yes and no that may hold only one of them, by the words that another holds; None
    if it holds others."""
    pair = next((pair for pair in _BOOLEANS if words - {*MISSING} <= set(pair)), None)
    if pair is None:
        return None
    plain = cells.str.strip_chars().str.to_lowercase()
    absent = plain.is_null() | plain.is_in(list(MISSING))
    if not plain.filter(~absent).is_in(list(pair)).all():
        return None
    values = (plain == pair[0]).set(absent, None)
    return Read("boolean", values, int(absent.sum()))


def _as_number(cells: pl.Series, absent: pl.Series, known: pl.Series, commas: bool) -> Read | None:
    import polars as pl

    if known.str.contains(_CODE).any():  # 00123 is a name, and 123 another
        return None
    plain = known.cast(pl.Float64, strict=False)
    fits = {"plain": int(plain.is_not_null().sum())}
    if fits["plain"] < len(known) or commas:
        patterns = {"german": _GERMAN, "english": _ENGLISH, "spaced": _SPACED}
        fits |= {name: int(known.str.contains(p).sum()) for name, p in patterns.items()}
    style, note = _style(known, fits, commas)
    if fits[style] < _FITS_BUT * len(known):
        return None
    values = _numbers(cells, style).set(absent, None)
    values = values.set(~values.is_finite().fill_null(True), None)
    odd = values.is_null() & ~absent
    if int(odd.sum()) > (1 - _FITS) * len(known) and cells.filter(odd).n_unique() > _ODD_WORDS:
        return None
    largest = values.abs().max()
    if isinstance(largest, float) and largest > _LARGEST:
        raise DataError(
            f"the column '{cells.name}' has a number beyond {_LARGEST:g} ({largest:g}), too large "
            f"to compute with"
        )
    return number(values, absent, odd, cells, style, note)


def number(
    values: pl.Series,
    absent: pl.Series,
    odd: pl.Series,
    cells: pl.Series,
    style: str = "",
    note: str = "",
) -> Read:
    """Numbers (float64) as whole ones where all of them are."""
    import polars as pl

    whole = bool((values == values.round()).all()) and bool((values.abs() < 2**53).all())
    example = str(cells.filter(odd)[0]) if odd.any() else ""
    kept = values.cast(pl.Int64) if whole else values
    kind = "whole" if whole else "number"
    return Read(kind, kept, int(absent.sum()), int(odd.sum()), example, style, note)


def _style(known: pl.Series, fits: dict[str, int], commas: bool) -> tuple[str, str]:
    """Style in which most of the cells write numbers, and what is to be said of it."""
    best = max(fits.values())
    style = next(
        name for name in ("plain", "german", "english", "spaced") if fits.get(name) == best
    )
    if style == "plain" and commas and fits["german"] == best:
        dotted = known.filter(known.str.contains(".", literal=True))
        if len(dotted) and bool(dotted.str.contains(_GROUPED).all()):
            return "german", f"points are read as thousands separators ({dotted[0]})"
        return style, ""
    if style == "german":
        with_comma = known.filter(known.str.contains(",", literal=True))
        example = with_comma[0] if len(with_comma) else known[0]
        unsure = fits["english"] == best and bool(with_comma.str.contains(_GROUPED).all())
        if unsure and not commas:
            return "english", (
                f"commas are read as thousands separators ({example}); they could be decimal commas"
            )
        return style, f"commas are read as decimal points ({example})"
    if style == "english":
        example = known.filter(known.str.contains(",", literal=True))[0]
        return style, f"commas are read as thousands separators ({example})"
    if style == "spaced":
        example = known.filter(known.cast(float, strict=False).is_null())[0]
        return style, f"blanks are read as thousands separators ({example})"
    return style, ""


def _numbers(cells: pl.Series, style: str) -> pl.Series:
    import polars as pl

    if style == "german":
        fitting = cells.set(~cells.str.contains(_GERMAN).fill_null(False), None)
        cells = fitting.str.replace_all(".", "", literal=True).str.replace(",", ".", literal=True)
    elif style == "english":
        fitting = cells.set(~cells.str.contains(_ENGLISH).fill_null(False), None)
        cells = fitting.str.replace_all(",", "", literal=True)
    elif style == "spaced":
        cells = cells.str.replace_all(r"[ \x{a0}\x{202f}'’]", "").str.replace(
            ",", ".", literal=True
        )
    return cells.cast(pl.Float64, strict=False)


def _as_time(cells: pl.Series, absent: pl.Series, known: pl.Series, order: str) -> Read | None:
    if not is_stamp(str(known[0])) and not is_stamp(str(known[len(known) // 2])):
        return None
    places = np.flatnonzero((~absent).to_numpy())
    texts, fitting = known.to_list(), np.ones(len(known), bool)
    found = _stamps(texts, cells.name, order)
    if found is None:  # perhaps for a few cells: to look at each takes long
        fitting = np.fromiter(map(is_stamp, texts), bool, len(texts))
        if fitting.mean() < _FITS or fitting.all():
            return None
        places = places[fitting]
        fit = [text for text, fits in zip(texts, fitting, strict=True) if fits]
        found = _stamps(fit, "", order)
        if found is None:
            return None
    wrong = int((~fitting).sum())
    stamps = np.full(len(cells), np.datetime64("NaT"), found.stamps.dtype)
    stamps[places] = found.stamps
    example = str(known.filter(~fitting)[0]) if wrong else ""
    note = "; ".join(found.notes)
    return Read("time", cells, int(absent.sum()), wrong, example, found.order, note, stamps)


def _stamps(texts: list[str], name: str, order: str) -> StampsRead | None:
    try:
        return read_stamps(texts, range(2, len(texts) + 2), f"'{name}'", order)
    except DataError:
        return None
