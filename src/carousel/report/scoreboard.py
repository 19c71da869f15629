"""Score, verdict and leaderboard: what a reader wants first."""

from __future__ import annotations

from typing import Any

from carousel import scores
from carousel.html import Child, Html, table, tag, void
from carousel.report.charts import bar
from carousel.report.facts import Facts
from carousel.report.verdicts import interval_of, metric_of, timed, verdicts
from carousel.report.words import Words
from carousel.scores import HIGHER_IS_BETTER

_LEFT_OUT = ("unknown",)
_MOST_METRICS = 6


def headline(facts: Facts, words: Words) -> Html:
    """The score in large figures, with its interval."""
    result, metric = facts.result, metric_of(facts.result)
    value, title = result.get("test", {}).get(metric), "test_score"
    ends = interval_of(facts.evaluation, metric) if value is not None else None
    if value is None:
        best, metric, title = facts.run.best, facts.run.monitor, "validation_score"
        value = best[1] if best else None
    if value is None:
        return Html("")
    said = words(title, metric=words.metric(metric))
    if title == "test_score" and (folds := result.get("judged_by")):
        spread = scores.show(metric, folds["spread"][metric])
        count = folds["mean_of_folds"]
        said = words("folds_score", metric=words.metric(metric), count=count, spread=spread)
    under: list[Child] = [said]
    if ends is not None:
        low, high = (scores.show(metric, end) for end in ends)
        under += [void("br"), words("interval", low=low, high=high)]
    return tag(
        "div",
        tag("div", scores.show(metric, value), class_="big"),
        tag("div", *under, class_="soft"),
        class_="head",
    )


def verdict(facts: Facts, words: Words) -> Html | None:
    """Verdict on the strongest baseline: beaten or not, and whether that can be told."""
    found, metric = verdicts(facts.result, facts.evaluation), metric_of(facts.result)
    if not found:
        return None
    first, ours = found[0], facts.result["test"][metric]
    key = "loses" if not first.better else "beats"
    if first.sure is False:
        key = "beats_unsure"
    said = words(
        key,
        baseline=words.said(scores.baseline(first.baseline)),
        ours=scores.show(metric, ours),
        theirs=scores.show(metric, first.theirs),
    )
    more = f" {words('no_interval')}" if first.sure is None else ""
    return tag("p", said + more, class_="verdict" if key == "beats" else "verdict no")


def leaderboard(facts: Facts, words: Words) -> Html | None:
    """The network among its baselines, the best first."""
    result, metric = facts.result, metric_of(facts.result)
    test = result.get("test", {})
    if metric not in test:
        return None
    rows = {words("this_network"): test}
    baselines = result.get("baseline", {})
    rows |= {words.said(scores.baseline(name)): values for name, values in baselines.items()}
    metrics = [metric, *(n for n in test if n not in (metric, *_LEFT_OUT))][:_MOST_METRICS]
    if timed(result):
        rows[words("this_network")] = {**test, "seconds": result.get("seconds", 0.0)}
        metrics.append("seconds")
    higher = HIGHER_IS_BETTER.get(metric, True)
    worst = float("-inf") if higher else float("inf")
    order = sorted(rows, key=lambda n: rows[n].get(metric, worst), reverse=higher)
    known = [rows[name][metric] for name in order if metric in rows[name]]
    largest = max(map(abs, known)) or 1.0
    body = []
    for name in order:
        cells: list[Child] = [name, "" if name == words("this_network") else words("baseline")]
        value = rows[name].get(metric)
        cells.append("" if value is None else bar(abs(value) / largest))
        cells += [scores.show(m, rows[name][m]) if m in rows[name] else "–" for m in metrics]
        body.append((name == words("this_network"), cells))
    about = "leaderboard_about" if higher else "leaderboard_about_lower"
    return tag(
        "section",
        tag("h2", words("leaderboard")),
        tag("p", words(about, metric=words.metric(metric)), class_="soft"),
        _board([words("model"), "", "", *map(words.metric, metrics)], body),
        *(tag("p", tag("small", words.said(note))) for note in result.get("baseline_notes", ())),
        tag("p", tag("small", words("how_interval"))) if facts.evaluation.get("interval") else None,
        _on_new(facts, words),
    )


def _board(columns: list[str], body: list[tuple[bool, list[Child]]]) -> Html:
    head = tag(
        "tr",
        *(
            tag("th" if c else "td", c, class_="n" if i > 2 else None)
            for i, c in enumerate(columns)
        ),
    )
    rows = (
        tag(
            "tr",
            *(tag("td", c, class_="n" if i > 2 else None) for i, c in enumerate(cells)),
            class_="ours" if ours else None,
        )
        for ours, cells in body
    )
    return tag(
        "div",
        tag("table", tag("thead", head), tag("tbody", *rows)),
        class_="wide board",
        tabindex="0",
    )


def _on_new(facts: Facts, words: Words) -> Html | None:
    if not facts.on_new:
        return None
    metrics = list(dict.fromkeys(n for found in facts.on_new.values() for n in _floats(found)))
    metrics = metrics[:_MOST_METRICS]
    rows: list[list[Child]] = [
        [where, *(scores.show(m, found[m]) if m in found else "–" for m in metrics)]
        for where, found in facts.on_new.items()
    ]
    columns = [words("data"), *map(words.metric, metrics)]
    return tag("div", tag("h3", words("on_new")), table(columns, rows))


def _floats(found: dict[str, Any]) -> list[str]:
    return [n for n, v in found.items() if isinstance(v, float) and n not in _LEFT_OUT]
