"""Data, curves, pictures, findings, and what to do next, as sections of the page."""

from __future__ import annotations

import base64
from typing import Any

import tomli_w

from carousel.config import Config
from carousel.data.audit.finding import Finding, texts
from carousel.errors import CarouselError, command
from carousel.html import Child, Html, table, tag, void
from carousel.report.charts import curves as drawn
from carousel.report.facts import Facts
from carousel.report.words import Words
from carousel.run import layout

_LARGEST = 3_000_000  # bytes of a picture that is put in
_NEXT = 5
_SPLIT = ("data", "split", "columns", "text", "frames", "forecast", "translate", "anomaly")
_CURVES = {"train": "training", "validation": "validation"}
_COUNTED = ("also_in_training", "unlabelled", "labels_not_in_training", "empty")


def curves(facts: Facts, words: Words) -> Html | None:
    """Loss, the metric that chooses the epoch, and the learning rate, by epoch."""
    epochs, monitor = facts.run.epochs, facts.run.monitor

    def of(part: str, name: str) -> list[tuple[float, float]]:
        return [(e["epoch"], e[part][name]) for e in epochs if _number(e.get(part, {}).get(name))]

    loss = {words(long): of(part, "loss") for part, long in _CURVES.items()}
    best = facts.run.best
    figures = [
        drawn(
            words("loss"), words("epoch"), loss, best if monitor == "loss" else None
        ),
        drawn(
            words.metric(monitor),
            words("epoch"),
            {words(long): of(part, monitor) for part, long in _CURVES.items()},
            best,
        )
        if monitor and monitor != "loss"
        else None,
        drawn(
            words("learning_rate"),
            words("epoch"),
            {words("learning_rate"): [(e["epoch"], e["learning_rate"]) for e in epochs
                                      if _number(e.get("learning_rate"))]},
        ),
    ]  # fmt: skip
    if not any(figures):
        return None
    said = best and words("best_epoch", epoch=best[0], metric=words.metric(monitor))
    return tag(
        "section",
        tag("h2", words("curves")),
        tag("p", said, class_="soft") if said else None,
        tag("div", *figures, class_="figures"),
    )


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def data(facts: Facts, words: Words) -> Html:
    """The parts and their sizes, what was done to the data, and the settings of the split."""
    parts = {name: part.counts for name, part in facts.record.parts.items()} if facts.record else {}
    counted = list(dict.fromkeys(name for counts in parts.values() for name in counts))
    rows: list[list[Child]] = [
        [words.known(f"{name}_part", name), *(f"{counts.get(c, 0):,}" for c in counted)]
        for name, counts in parts.items()
    ]
    account = facts.result.get("data", {})
    names = account.get("columns") or []
    shown = ", ".join(map(str, names[:40])) + (" …" if len(names) > 40 else "")
    return tag(
        "section",
        tag("h2", words("data")),
        tag("p", _source(facts)),
        table([words("part"), *map(words.said, counted)], rows) if rows else None,
        tag("p", f"{words('columns')} ({len(names)}): {shown}") if names else None,
        _notes(account, words),
        tag(
            "details", tag("summary", words("split_settings")), tag("pre", _changed(facts, _SPLIT))
        ),
    )


def audit(facts: Facts, words: Words) -> Html | None:
    """Everything that the audit of the table found, severe or not."""
    found = facts.result.get("audit") or []
    if not found:
        return None
    blocks = [_audited(Finding.from_dict(one), words.language) for one in found]
    return tag("section", tag("h2", words("audit")), *blocks)


def _audited(found: Finding, language: str) -> Html:
    said = texts(language)["words"]
    head = f"{said[found.severity]} {found.code}"
    return tag(
        "div",
        tag("p", tag("b", head, class_="mark"), tag("b", found.text("title", language))),
        tag("p", f"{said['done']}: {found.text('done', language)}"),
        tag("p", tag("small", f"{said['change']}: {found.text('change', language)}")),
        class_=f"finding {found.severity}",
    )


def _source(facts: Facts) -> str:
    name, path = facts.run.setting("data.name", ""), facts.run.setting("data.path", "")
    summary = facts.run.setting("recipe.summary", "")
    return " · ".join(str(one) for one in (facts.task, name, path, summary) if one)


def _notes(account: dict[str, Any], words: Words) -> Html:
    lines: list[str] = []
    for key in _COUNTED:
        counts = account.get(key, {})
        for part, count in counts.items() if isinstance(counts, dict) else ():
            if count:
                where = words.known(part, part)
                lines.append(words(f"note_{key}", count=f"{count:,}", part=where))
    if filled := account.get("missing_values_filled"):
        lines.append(words("note_missing_values_filled", count=f"{filled:,}"))
    recognised = account.get("recognised") or ()
    lines += [str(note) for note in recognised]
    return tag("ul", *(tag("li", line) for line in lines or [words("no_notes")]))


def pictures(facts: Facts, words: Words) -> Html | None:
    """The task's pictures, put into the page."""
    figures = []
    for file in facts.pictures:
        content = file.read_bytes()
        if len(content) <= _LARGEST:
            source = f"data:image/png;base64,{base64.b64encode(content).decode()}"
            figures.append(
                tag("figure", tag("figcaption", file.stem), void("img", src=source, alt=file.stem))
            )
    return tag("section", tag("h2", words("pictures")), *figures) if figures else None


def findings(facts: Facts, words: Words) -> Html:
    """Findings of the coach, with their advice."""
    found: list[Child] = []
    for one in facts.findings:
        advice = [
            tag("li", a.text, tag("div", tag("code", a.do)) if a.do else None) for a in one.advice
        ]
        said = dict(one.lines(words.language))
        mark = word_of(one.severity, words.language)
        found.append(
            tag(
                "div",
                tag("p", tag("b", mark, class_="mark"), tag("b", one.title)),
                tag("p", one.meaning),
                tag("ol", *advice) if advice else None,
                tag("p", tag("small", said.get("aside", ""))),
                class_=f"finding {one.severity}",
            )
        )
    return tag(
        "section", tag("h2", words("findings")), *(found or [tag("p", words("no_findings"))])
    )


def word_of(severity: str, language: str) -> str:
    """A severity in words."""
    from carousel.coach.words import word

    return word("finding", severity, language)


def advice_next(facts: Facts, words: Words) -> Html:
    """The first advice of the findings as commands, and another seed."""
    config = facts.path / layout.CONFIG
    lines: list[str] = []
    for one in facts.findings:
        done = next((advice.do for advice in one.advice if advice.do), "")
        if done.startswith("--set"):
            lines.append(f"{command('train', config)} {done}")
        elif done and one.severity != "info":
            lines.append(done)
    lines = list(dict.fromkeys(lines))[:_NEXT]
    seed = int(facts.run.setting("run.seed", 0)) + 1
    another = command("train", config, "--seed", str(seed))
    steps: list[Child] = [tag("p", words("next_findings"))] if lines else []
    steps += [tag("ol", *(tag("li", tag("code", line)) for line in lines))] if lines else []
    steps += [
        tag("p", words("next_seeds" if lines else "next_none")),
        tag("p", tag("code", another)),
    ]
    return tag("section", tag("h2", words("next")), *steps)


def commands(facts: Facts, words: Words) -> Html:
    """Commands that train it again, and that use it."""
    path = facts.path
    lines = [
        (command("train", path / layout.CONFIG), "command_repeat"),
        (command("predict", path, "DATA", "--out", "answers.csv"), "command_predict"),
        (command("evaluate", path, "DATA"), "command_evaluate"),
        (command("coach", path), "command_coach"),
        (command("board", path.parent), "command_board"),
    ]
    if not facts.result:
        lines.insert(0, (command("train", "--resume", path), "command_resume"))
    text = "\n".join(f"{line}    # {words(key)}" for line, key in lines)
    return tag("section", tag("h2", words("commands")), tag("pre", text))


def settings(facts: Facts, words: Words) -> Html:
    """Every setting that is not the default, and the versions of what trained it."""
    versions = facts.run.setting("run.versions", {})
    told = ", ".join(f"{name} {value}" for name, value in versions.items())
    return tag(
        "section",
        tag("details", tag("summary", words("settings")), tag("pre", _changed(facts))),
        tag("p", tag("small", f"{words('versions')}: {told}")) if told else None,
    )


def _changed(facts: Facts, sections: tuple[str, ...] = ()) -> str:
    """The settings that are not the default, in TOML."""
    values = {n: v for n, v in facts.run.config.items() if n != "run"}
    try:
        plain = Config().to_dict()
    except CarouselError:
        plain = {}
    kept: dict[str, Any] = {}
    for name, value in values.items():
        if sections and name not in sections:
            continue
        if isinstance(value, dict):
            usual = plain.get(name, {})
            changed = {k: v for k, v in value.items() if usual.get(k) != v}
            if changed:
                kept[name] = changed
        else:
            kept[name] = value
    return tomli_w.dumps(kept) or "–"
