"""A model card: README.md with front matter, as model hubs read it."""

from __future__ import annotations

import json
from typing import Any

from carousel import scores
from carousel.errors import command
from carousel.report.facts import Facts
from carousel.report.verdicts import interval_of, metric_of, timed, verdicts

# What hubs call the tasks.
_PIPELINES = {
    "classify": "image-classification",
    "classify_text": "text-classification",
    "label_words": "token-classification",
    "translate": "translation",
    "generate": "text-generation",
    "caption": "image-to-text",
    "forecast": "time-series-forecasting",
}
_USE = """## Use

```python
import carousel

model = carousel.load({name!r})
answers = model.predict(inputs)
```

```console
$ {command}
```"""
_END = """The licence is that of the data it was trained on: say it in the front matter before you
publish it. `report.html` beside this file has curves, worst examples and settings.
"""
_TAGS = ("carousel", "recurrent-neural-network", "cpu")


def card(facts: Facts) -> str:
    """The text of the card, in English, as hubs are."""
    return f"---\n{front_matter(facts)}---\n\n{_body(facts)}"


def front_matter(facts: Facts) -> str:
    """Keys and values in YAML. Strings stand in JSON, which is YAML too, whatever is in them."""
    cell, pipeline = str(facts.run.setting("model.cell", "")), _PIPELINES.get(facts.task)
    lines = ["license: other", "license_name: see-the-data", "library_name: carousel"]
    lines += [f"pipeline_tag: {pipeline}"] if pipeline else []
    lines += ["tags:", *(f"- {_quoted(tag)}" for tag in (*_TAGS, cell, facts.task) if tag)]
    test = facts.result.get("test", {})
    names = [name for name in test if name in scores.HIGHER_IS_BETTER]
    if names:
        lines += ["metrics:", *(f"- {_quoted(name)}" for name in names)]
        lines += [
            "model-index:",
            f"- name: {_quoted(facts.run.recipe or facts.path.name)}",
            "  results:",
            "  - task:",
            f"      type: {_quoted(pipeline or facts.task)}",
            "    dataset:",
            f"      name: {_quoted(str(facts.run.setting('data.name', '')))}",
            f"      type: {_quoted(str(facts.run.setting('data.name', '')))}",
            "      split: test",
            "    metrics:",
        ]
        for name in names:
            lines += [f"    - type: {_quoted(name)}", f"      value: {test[name]!r}"]
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _judged(result: dict[str, Any]) -> str:
    folds = result.get("judged_by")
    if not folds:
        return "On the test part, which nothing was chosen by:"
    return (
        f"Mean of {folds['mean_of_folds']} folds, each judged by what its network was not trained "
        f"on; this network was trained on all of them but a validation part:"
    )


def _body(facts: Facts) -> str:
    run, result, metric = facts.run, facts.result, metric_of(facts.result)
    name = _plain(run.recipe or facts.path.name)
    lines = [f"# {name}", "", _plain(str(run.setting("recipe.summary", "")))]
    cell, source = str(run.setting("model.cell", "")).upper(), str(run.setting("data.name", ""))
    lines += [
        "",
        f"A network ({cell}) for `{facts.task}`, trained with Carousel on {_plain(source)}.",
    ]
    if metric in result.get("test", {}):
        lines += ["", "## Evaluation", "", _judged(result), ""]
        ours = dict(result["test"])
        if timed(result):
            ours["seconds"] = result.get("seconds", 0.0)
        lines += ["| model | " + " | ".join(map(scores.title, ours)) + " |"]
        lines += ["|---" * (len(ours) + 1) + "|"]
        lines += [_row("**this network**", ours, ours)]
        for baseline, values in result.get("baseline", {}).items():
            lines.append(_row(f"{_name(baseline)} (baseline)", values, ours))
        for note in result.get("baseline_notes", ()):
            lines += ["", _plain(note)]
        if (ends := interval_of(facts.evaluation, metric)) is not None:
            low, high = (scores.show(metric, end) for end in ends)
            lines += ["", f"95 % interval of {scores.title(metric)}: {low} to {high}."]
        unsure = [v for v in verdicts(result, facts.evaluation) if v.sure is False]
        if unsure:
            named = ", ".join(_name(v.baseline) for v in unsure)
            lines += ["", f"That interval includes the score of {named}: no difference is shown."]
        beaten = [v for v in verdicts(result, facts.evaluation) if not v.better]
        if beaten:
            named = ", ".join(_name(v.baseline) for v in beaten)
            lines += ["", f"**The network does not beat {named}.**"]
    lines += _data(facts)
    use = command("predict", facts.path.name, "DATA", "--out", "answers.csv")
    lines += ["", _USE.format(name=str(facts.path.name), command=use)]
    severe = [f for f in facts.findings if f.severity != "info"]
    if severe:
        lines += ["", "## Limitations", ""]
        lines += [f"- {_plain(finding.title)}" for finding in severe]
    lines += ["", _END]
    return "\n".join(lines)


def _name(baseline: str) -> str:
    return _plain(scores.baseline(baseline))


def _data(facts: Facts) -> list[str]:
    if facts.record is None:
        return []
    lines = ["", "## Data", ""]
    for name, part in facts.record.parts.items():
        counts = ", ".join(f"{count:,} {_plain(what)}" for what, count in part.counts.items())
        lines.append(f"- {name}: {counts}")
    return lines


def _row(name: str, values: dict[str, Any], wanted: dict[str, Any]) -> str:
    cells = (scores.show(m, values[m]) if m in values else "–" for m in wanted)
    return f"| {name} | {' | '.join(cells)} |"


def _plain(text: str) -> str:
    """Text that is no markup in Markdown, in one line."""
    line = " ".join(text.split())
    return "".join(f"\\{c}" if c in "\\`*_[]<>|#!" else c for c in line)
