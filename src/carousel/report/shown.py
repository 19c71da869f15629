"""A run as a notebook shows it: without the styles of the page, which would reach other cells."""

from __future__ import annotations

from pathlib import Path

from carousel import scores
from carousel.coach.words import language
from carousel.html import Child, Html, table, tag
from carousel.report.facts import gather
from carousel.report.scoreboard import verdict
from carousel.report.verdicts import metric_of, timed
from carousel.report.words import Words
from carousel.run import layout


def html_of_run(run: str | Path) -> Html:
    """Score, verdict and leaderboard of a run, in the locale's language, and where its report is.
    Raises `RunError` if the folder is none of a run."""
    run = Path(run)
    words = Words(language())
    facts = gather(run, words.language)
    test, metric = facts.result.get("test", {}), metric_of(facts.result)
    rows = {words("this_network"): test}
    baselines = facts.result.get("baseline", {})
    rows |= {words.said(scores.baseline(name)): values for name, values in baselines.items()}
    metrics = [metric, *(n for n in test if n != metric and n in scores.HIGHER_IS_BETTER)]
    if timed(facts.result):
        rows[words("this_network")] = {**test, "seconds": facts.result.get("seconds", 0.0)}
        metrics.append("seconds")
    body: list[list[Child]] = [
        [name, *(scores.show(m, values[m]) if m in values else "–" for m in metrics)]
        for name, values in rows.items()
    ]
    board = table([words("model"), *map(words.metric, metrics)], body) if test else None
    return tag(
        "div",
        tag("b", facts.run.recipe or run.name),
        verdict(facts, words) if test else None,
        board,
        tag("p", tag("small", str(run / layout.REPORT))),
    )
