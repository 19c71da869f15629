"""A trained model as a notebook shows it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from carousel.html import Child, Html, tag

if TYPE_CHECKING:
    from carousel.tasks.shared.task import TrainedModel

_NAMED = 12


def html_of(trained: TrainedModel) -> Html:
    """Task, network, data and columns of a model in a table, and what `carousel.fit` said of it."""
    rows = [tag("tr", tag("th", name), tag("td", value)) for name, value in _facts(trained)]
    parts: list[Child] = [tag("table", *rows)]
    if trained.notices:
        lines = [tag("li", line) for line in trained.notices]
        head = tag("summary", "what was guessed and found in the data")
        parts.append(tag("details", head, tag("ul", *lines)))
    return tag("div", *parts)


def text_of(trained: TrainedModel) -> str:
    """A model in a line: kind, task, network and parameters."""
    facts = dict(_facts(trained))
    network = f"{facts['network']}, {facts['parameters']} parameters"
    return f"<{type(trained).__name__}: {facts['task']}, {network}, data {facts['data']}>"


def _facts(trained: TrainedModel) -> list[tuple[str, str]]:
    config, model = trained.config, trained.config.model
    direction = "bidirectional " if model.bidirectional else ""
    layers = f"{model.num_layers} x " if model.num_layers > 1 else ""
    count = sum(p.numel() for p in trained.model.parameters())
    facts = [
        ("task", config.task),
        ("network", f"{layers}{direction}{model.cell.upper()}({model.hidden_size})"),
        ("parameters", f"{count:,}"),
        ("data", config.data.path or config.data.name),
    ]
    for title, name in (("classes", "classes"), ("columns", "columns"), ("targets", "targets")):
        if names := tuple(getattr(trained, name, ())):
            facts.append((title, f"{_named(names)} ({len(names):,})"))
    if trained.record is not None:
        for name, part in trained.record.parts.items():
            counts = ", ".join(f"{count:,} {what}" for what, count in part.counts.items())
            facts.append((f"{name} part", counts))
    return facts


def _named(names: tuple[str, ...]) -> str:
    more = " …" if len(names) > _NAMED else ""
    return ", ".join(map(str, names[:_NAMED])) + more
