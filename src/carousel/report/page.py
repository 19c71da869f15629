"""A run as one page of HTML."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

from carousel.html import Html, join, tag
from carousel.report import details, scoreboard, sections
from carousel.report.facts import Facts
from carousel.report.words import Words

_STYLE = (Path(__file__).parent / "style.css").read_text(encoding="utf-8")
# Nothing is loaded from anywhere, and nothing runs, whatever stands in the data.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


def page(facts: Facts, language: str) -> str:
    """The whole page."""
    words, name = Words(language), facts.run.recipe or facts.path.name
    status = facts.run.status.value
    ended = bool(facts.result)  # whoever has just ended it may still hold it
    unfinished = words("unfinished", status=words.known(f"status_{status}", status))
    main = tag(
        "main",
        tag("h1", name),
        tag("p", str(facts.run.setting("recipe.summary", "")), class_="soft"),
        None if ended else tag("p", unfinished, class_="verdict no"),
        scoreboard.headline(facts, words),
        scoreboard.verdict(facts, words),
        _facts(facts, words),
        scoreboard.leaderboard(facts, words),
        sections.findings(facts, words),  # what matters first
        sections.curves(facts, words),
        sections.data(facts, words),
        sections.audit(facts, words),
        details.detail(facts, words),
        details.worst(facts, words) if facts.evaluation else None,
        sections.pictures(facts, words),
        sections.advice_next(facts, words),
        sections.commands(facts, words),
        sections.settings(facts, words),
    )
    made = tag("footer", words("made", version=version("carousel-rnn")))
    head = join(
        Html('<meta charset="utf-8">'),
        Html('<meta name="viewport" content="width=device-width, initial-scale=1">'),
        Html('<meta name="color-scheme" content="light dark">'),
        Html(f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'),
        tag("title", name),
        Html(f"<style>{_STYLE}</style>"),
    )
    whole = join(tag("head", head), tag("body", main, made))
    return f'<!doctype html>\n<html lang="{language}">{whole}</html>\n'


def _facts(facts: Facts, words: Words) -> Html:
    run, result = facts.run, facts.result
    layers = run.setting("model.num_layers", 1)
    direction = "Bi" if run.setting("model.bidirectional", False) else ""
    cell = str(run.setting("model.cell", "lstm")).upper()
    network = f"{direction}{cell}({run.setting('model.hidden_size', '?')})"
    epochs = result.get("epochs") or len(run.epochs)
    kept = result.get("kept_epoch") or (run.best[0] if run.best else "–")
    known = {
        "fact_network": f"{layers} × {network}" if layers != 1 else network,
        "fact_parameters": f"{result['parameters']:,}" if "parameters" in result else None,
        "fact_epochs": words("fact_epochs_value", epochs=epochs, kept=kept),
        "fact_seconds": _time(run.seconds),
        "fact_seed": run.setting("run.seed"),
        "fact_threads": run.setting("run.threads"),
        "fact_created": str(run.setting("run.created", ""))[:16].replace("T", " ") or None,
    }
    pairs = (
        tag("div", tag("dt", words(key)), tag("dd", str(value)))
        for key, value in known.items()
        if value is not None
    )
    return tag("dl", *pairs, class_="facts")


def _time(seconds: float | None) -> str | None:
    """A stretch of time in words.

    >>> _time(75.2), _time(3.21), _time(7300)
    ('1 min 15 s', '3.2 s', '2 h 1 min')
    """
    if seconds is None:
        return None
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
