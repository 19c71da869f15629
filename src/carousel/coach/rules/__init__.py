"""The rules of the coach. Each stands in one place: its condition, and its words in English and
Korean. Importing a module of this package puts its rules on the list.
"""

from carousel.coach.rule import RULES, SOURCES, WHEN, Rule, Text
from carousel.coach.rules import after, before, curves, gradients, states

__all__ = [
    "RULES",
    "SOURCES",
    "WHEN",
    "Rule",
    "Text",
    "after",
    "before",
    "curves",
    "gradients",
    "states",
]
