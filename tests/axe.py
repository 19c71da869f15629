"""axe-core on a page of a browser: the rules of WCAG 2.2 A and AA, and good practice."""

import os
from pathlib import Path

import pytest

AXE = next(
    filter(
        Path.is_file,
        (
            Path(place) / "axe-core" / "axe.min.js"
            for place in (os.environ.get("CAROUSEL_AXE", "node_modules"), "build/node_modules")
        ),
    ),
    None,
)
needs_axe = pytest.mark.skipif(
    AXE is None, reason="axe-core is not installed: npm install --prefix build axe-core"
)
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
_ASK = """async rules => (await axe.run(document, {runOnly: rules})).violations.map(
  found => `${found.id}: ${found.nodes[0].html.slice(0, 200)}`)"""


def violations(page):
    """What axe-core finds wrong."""
    page.evaluate(AXE.read_text(encoding="utf-8"))
    return page.evaluate(_ASK, RULES)
