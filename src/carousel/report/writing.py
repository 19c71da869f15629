"""Writes the report and the card of a run into its folder."""

from __future__ import annotations

from pathlib import Path

from carousel.report.card import card
from carousel.report.facts import gather
from carousel.report.page import page
from carousel.run import layout
from carousel.run.durable import replace_durably


def write(run: str | Path, language: str = "en") -> list[Path]:
    """Write report.html and README.md of a run, finished or not; returns their paths.

    Older ones are replaced. Raises `RunError` if the folder is none of a run.

    >>> write("runs/mnist-rows-20261124-090000", "ko")  # doctest: +SKIP
    """
    run = Path(run)
    facts = gather(run, language)
    files = {
        run / layout.REPORT: page(facts, language),
        run / layout.CARD: card(facts if language == "en" else gather(run, "en")),
    }
    for path, content in files.items():
        replace_durably(path, content.encode("utf-8", "replace"))
    return [*files]
