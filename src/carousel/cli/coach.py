"""`carousel coach`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from carousel.cli.output import JsonOption, print_json

if TYPE_CHECKING:
    from carousel.coach.finding import Finding

LangOption = Annotated[
    str | None, typer.Option(help="en or ko [default: the locale's language].", metavar="LANG")
]
_COLOURS = {"severe": "bold red", "warning": "yellow", "info": "cyan"}


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
    from carousel.coach.words import language, texts

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
        _show(findings, gone, lacks, share, texts(speaks)["finding"])
    if any(finding.severity == "severe" for finding in findings):
        raise typer.Exit(1)


def _show(
    findings: list[Finding],
    gone: list[Finding],
    lacks: list[str],
    share: float | None,
    words: dict[str, str],
) -> None:
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False, markup=False)
    for finding in findings:
        _show_one(console, finding, words)
    if not any(finding.severity != "info" for finding in findings):
        console.print(Text(words["none"]))
    for finding in gone:
        console.print(Text(f"{words['cleared']}: {finding.title} ({finding.code})", style="dim"))
    for lack in lacks:
        console.print(Text(words["lacks"] + lack))
    if share is not None:
        console.print(Text(words["cost"].format(share=share), style="dim"))


def _show_one(console: Any, finding: Finding, words: dict[str, str]) -> None:
    from rich.padding import Padding
    from rich.text import Text

    head = Text()
    head.append(words[finding.severity], style=_COLOURS[finding.severity])
    head.append(f"  {finding.title}", style="bold")
    console.print(head)
    lines = [Text(finding.meaning)]
    for number, advice in enumerate(finding.advice, 1):
        line = Text(f"{words['try']} {number}: {advice.text}")
        if advice.do:
            line.append(f"\n  {advice.do}", style="green")
        lines.append(line)
    lines.append(Text(f"{words['false']} {finding.false_alarm}", style="dim"))
    shown = ", ".join(f"{name} {_number(value)}" for name, value in finding.numbers.items())
    where = f", step {finding.step}" if finding.step else ""
    lines.append(Text(f"{words['numbers']}: {shown or '-'}{where}", style="dim"))
    lines.append(Text(f"{finding.code}; {words['source']}: {finding.source}", style="dim"))
    for one in lines:
        console.print(Padding(one, (0, 0, 0, 2)))
    console.print()


def _number(value: float | int | str) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
