"""Reports of a run for people: one page in a file of its own, and a model card.

The page (report.html) needs no network and no script: styles, curves (SVG) and pictures are in it.
Everything that comes from data is escaped.
"""

from carousel.report.shown import html_of_run
from carousel.report.writing import write

__all__ = ["html_of_run", "write"]
