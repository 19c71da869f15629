"""The rules of the coach. Each is one function here and one table of words in every file of
`coach/texts`. Importing a module of this package puts its rules on the list.
"""

from carousel.coach.rule import RULES, SOURCES, WHEN, Rule
from carousel.coach.rules import after, before, curves, gradients, states

__all__ = [
    "RULES",
    "SOURCES",
    "WHEN",
    "Rule",
    "after",
    "before",
    "curves",
    "gradients",
    "states",
]
