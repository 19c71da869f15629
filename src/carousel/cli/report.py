"""`carousel report`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from carousel.cli.output import JsonOption, LangOption, print_json, print_out


def report(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder, finished or not.")],
    lang: LangOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write a run as one page for people (report.html), and a model card (README.md).

    Both are written after every training too; this writes them anew, as after `carousel evaluate`
    or in another language.

    Example: carousel report runs/mnist-rows-20261124-090000 --lang ko
    """
    from carousel.coach.words import language
    from carousel.report import write

    files = write(run, language(lang))
    if as_json:
        print_json({"files": [str(path) for path in files]})
        return
    print_out(f"in {run}: {', '.join(path.name for path in files)}")
