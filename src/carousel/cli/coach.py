"""`carousel coach`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from carousel.cli.exits import Exit
from carousel.cli.output import JsonOption, LangOption, print_finding, print_json

if TYPE_CHECKING:
    from carousel.coach.finding import Finding


def coach(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder, finished or not.")],
    as_json: JsonOption = False,
    lang: LangOption = None,
) -> None:
    """Say what is wrong with a run, and what to try first.

    Ends with exit code 1 if a finding is severe, with 0 otherwise.

    Example: carousel coach runs/mnist-rows-20261124-090000
    """
    from carousel.coach.finding import by_severity
    from carousel.coach.monitor import diagnose
    from carousel.coach.record import read_run
    from carousel.coach.words import language

    speaks = language(lang)
    evidence, lacks = read_run(run, speaks)
    monitor = diagnose(evidence, language=speaks, finished=bool(evidence.result))
    findings = by_severity(list(monitor.standing.values()))
    gone = [finding for code, finding in monitor.raised.items() if code not in monitor.standing]
    share = evidence.last("coach/share")
    if as_json:
        content = {
            "run": str(run),
            "findings": [finding.to_dict() for finding in findings],
            "cleared": [finding.to_dict() for finding in gone],
            "lacks": lacks,
            "share_of_time": share,
        }
        print_json(content)
    else:
        _show(findings, gone, lacks, share, speaks)
    if any(finding.severity == "severe" for finding in findings):
        raise typer.Exit(Exit.FOUND)


def _show(
    findings: list[Finding],
    gone: list[Finding],
    lacks: list[str],
    share: float | None,
    language: str,
) -> None:
    from rich.console import Console
    from rich.text import Text

    from carousel.coach.rule import SOURCES
    from carousel.coach.words import texts

    words = texts(language)["finding"]

    console = Console(highlight=False, markup=False)
    for finding in findings:
        print_finding(finding, language)
    if not any(finding.severity != "info" for finding in findings):
        console.print(Text(words["none"]))
    for finding in gone:
        console.print(Text(f"{words['cleared']}: {finding.title} ({finding.code})", style="dim"))
    for lack in lacks:
        console.print(Text(words["lacks"] + lack))
    if findings:
        console.print(Text(f"{words['sources']}:", style="dim"))
    for key, title in SOURCES.items():
        if any(key in finding.source.split(", ") for finding in findings):
            console.print(Text(f"  {key}: {title}", style="dim"))
    if share is not None:
        console.print(Text(words["cost"].format(share=share), style="dim"))
