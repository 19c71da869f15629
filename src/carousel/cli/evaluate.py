"""`carousel evaluate`."""

from __future__ import annotations

from typing import Annotated

import typer

from carousel.cli.output import JsonOption, RunArgument, print_json, print_out, show


def evaluate(
    run: RunArgument,
    part: Annotated[str, typer.Option(help="test or validation.")] = "test",
    as_json: JsonOption = False,
) -> None:
    """Judge a trained model on data it was not trained on, in detail.

    Writes evaluation.json and the task's pictures into the folder.

    Example: carousel evaluate runs/mnist-rows-20261124-090000
    """
    from carousel import scores
    from carousel.bundle import evaluate_run
    from carousel.data.record import UNVERIFIED
    from carousel.tasks.shared.task import Notice

    evaluation = evaluate_run(run, part)
    report = evaluation.report
    if evaluation.trained.record is None:
        show(Notice(UNVERIFIED.format(run=run)))
    if as_json:
        print_json(report)
        return
    for shown in evaluation.trained.present(report):
        show(shown)
    metrics = {name: value for name, value in report.items() if isinstance(value, float)}
    print_out(f"{part} {scores.sentence(metrics)}")
    print_out(f"in {run}: {', '.join(path.name for path in evaluation.files)}")
