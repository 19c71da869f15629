"""Particles of Korean sentences, chosen by the sound before them.

Texts write both forms, as in "{name}이(가)", where what stands in the braces decides between them.
"""

from __future__ import annotations

import re

_FORMS = {  # after a consonant, after a vowel
    "이(가)": ("이", "가"),
    "을(를)": ("을", "를"),
    "은(는)": ("은", "는"),
    "과(와)": ("과", "와"),
    "(으)로": ("으로", "로"),
    "(이)라": ("이라", "라"),
    "(이)었": ("이었", "였"),
}
_BOTH = re.compile("([가-힣0-9%])(['\"’”]?)(" + "|".join(re.escape(both) for both in _FORMS) + ")")
_FIRST, _LAST, _FINALS, _RIEUL = ord("가"), ord("힣"), 28, 8
_DIGITS = "영일이삼사오육칠팔구"


def with_particles(text: str) -> str:
    """The text with one form of each particle that follows Korean, a number or a per cent sign.

    After anything else, such as a word in English, both forms stay: how it is said is not known.

    >>> with_particles("학습률 0.003이(가), 0.002이(가), 57%이(가)")
    '학습률 0.003이, 0.002가, 57%가'
    >>> with_particles("'유량'을(를) 'flow'을(를) 7(으)로")
    "'유량'을 'flow'을(를) 7로"
    """
    return _BOTH.sub(_chosen, text)


def _chosen(found: re.Match[str]) -> str:
    before, mark, both = found.groups()
    closed, opened = _FORMS[both]
    final = _final(before)
    vowel = final == 0 or (both == "(으)로" and final == _RIEUL)
    return f"{before}{mark}{opened if vowel else closed}"


def _final(character: str) -> int:
    """Number of the consonant that a character's sound ends with, 0 for none."""
    said = _DIGITS[int(character)] if character.isdigit() else character
    return (ord(said) - _FIRST) % _FINALS if _FIRST <= ord(said) <= _LAST else 0  # % is said 퍼센트
