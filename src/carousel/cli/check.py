"""`carousel check`."""

from __future__ import annotations

import shlex
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from carousel.cli.completion import recipe_names, settings
from carousel.cli.exits import Exit
from carousel.cli.init import show_audit
from carousel.cli.output import (
    JsonOption,
    LangOption,
    print_finding,
    print_json,
    print_out,
    table_of,
)
from carousel.config.own import TABLE
from carousel.errors import ConfigError
from carousel.terminal import notice

if TYPE_CHECKING:
    from carousel.coach.checks import Outcome
    from carousel.coach.finding import Finding


def check(
    recipe: Annotated[
        str,
        typer.Argument(
            metavar="RECIPE|FILE",
            help="A recipe's name or a .toml file.",
            autocompletion=recipe_names,
        ),
    ],
    assignments: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="SECTION.KEY=VALUE",
            help="Change a setting; repeatable.",
            autocompletion=settings,
        ),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(min=0, help="Seed of weights and order [default: 0].")
    ] = None,
    threads: Annotated[
        int | None, typer.Option(min=1, help="CPU threads [default: as many as torch would use].")
    ] = None,
    seconds: Annotated[
        float, typer.Option(help="Time for each check that trains a copy of the network.")
    ] = 15.0,
    lang: LangOption = None,
    as_json: JsonOption = False,
) -> None:
    """Look for mistakes before training: in the data, the network and the loss.

    Exit code 1 if anything severe was found.

    Example: carousel check mnist-rows
    """
    from carousel.coach import checks
    from carousel.coach.finding import by_severity
    from carousel.coach.words import language
    from carousel.data.audit import audit_of
    from carousel.training.preparation import Preparation, using_threads

    spoken = language(lang)
    if not 0 < seconds < 3600:
        raise ConfigError(f"--seconds must lie between 0 and 3600, got {seconds:g}")
    ready = Preparation.of(recipe, assignments or (), seed)
    config, started = ready.config, time.monotonic()
    with using_threads(threads):
        task = ready.task()
        account, model = task.account(), ready.model(task)
        audited = audit_of(config)
        read = time.monotonic() - started
        outcomes = checks.check(task, model, seconds=seconds, account=account)
    if changed := ready.changes(task):
        notice(changed)
    named = shlex.join([recipe, *(word for one in assignments or () for word in ("--set", one))])
    found = by_severity(checks.findings(outcomes, spoken, config, named))
    if as_json:
        print_json(
            {
                "findings": [finding.to_dict() for finding in found],
                "audit": [finding.to_dict(spoken) for finding in audited],
                "checks": [asdict(outcome) for outcome in outcomes],
                "seconds": {"data": read, "checks": sum(o.seconds for o in outcomes)},
            }
        )
    else:
        for line in config.notices():
            print_out(line)
        if config.data.name == TABLE:
            show_audit(audited, spoken)
        _show(outcomes, found, spoken, Path(recipe).name, read)
    if "severe" in {*(one.severity for one in audited), *(one.severity for one in found)}:
        raise typer.Exit(Exit.FOUND)


def _show(outcomes: list[Outcome], found: list[Finding], lang: str, name: str, read: float) -> None:
    from carousel.coach.words import word

    heads = ("check", "", "seconds", "why")
    table = table_of(*(word("outcomes", head, lang) if head else "" for head in heads))
    for outcome in outcomes:
        state = word("outcomes", outcome.state, lang)
        why = outcome.said.get(lang, "")
        table.add_row(outcome.code, state, f"{outcome.seconds:.1f}", why)
    print_out(table)
    for finding in found:
        print_finding(finding, lang)
    severe = sum(finding.severity == "severe" for finding in found)
    took = sum(outcome.seconds for outcome in outcomes)
    counts = {"checks": len(outcomes), "found": len(found), "severe": severe}
    print_out(word("outcomes", "total", lang, name=name, **counts))
    print_out(word("outcomes", "times", lang, data=read, checks=took))
