"""`carousel evaluate`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from carousel.cli.loading import model_of
from carousel.cli.output import JsonOption, LangOption, RunArgument, print_json, print_out, show
from carousel.errors import ConfigError, RunError, command

if TYPE_CHECKING:
    from carousel.bundle import Evaluation

_NAMED = 10


def evaluate(
    run: RunArgument,
    data: Annotated[
        Path | None,
        typer.Argument(metavar="[DATA]", help="Labelled data that it never saw [default: --part]."),
    ] = None,
    part: Annotated[
        str | None, typer.Option(help="Of its own data: test (default) or validation.")
    ] = None,
    int8: Annotated[
        bool, typer.Option("--int8", help="Also with recurrent layers in eight bits.")
    ] = False,
    lang: LangOption = None,
    as_json: JsonOption = False,
) -> None:
    """Judge a trained model on data it was not trained on, in detail.

    Writes evaluation.json and the task's pictures into the folder.

    Example: carousel evaluate runs/mnist-rows-20261124-090000

    Example: carousel evaluate runs/sentiment-sst2-20261124-090000 new-reviews.csv

    Example: carousel evaluate runs/mnist-rows-20261124-090000 --part validation --int8
    """
    from carousel.bundle import evaluate_new, evaluate_run
    from carousel.cli.audited import tell_audit
    from carousel.coach.words import language
    from carousel.data.audit import Finding

    if data is not None and part is not None:
        raise ConfigError("give new data, or a --part of the run's own, not both")
    spoken = language(lang)
    model, ended = model_of(run)
    if data is not None:
        judged = evaluate_new(run, data, model, int8=int8)
        tell_audit([Finding.from_dict(one) for one in judged.report.get("audit", ())], spoken)
        _tell(run, f"{data}:", judged, as_json)
        return
    part = part or ("test" if ended else "validation")
    if part == "test" and not ended:
        raise RunError(
            f"the test part is opened when the run has ended: {command('train', '--resume', run)}; "
            "until then, judge it with --part validation or on new data"
        )
    evaluation = evaluate_run(run, part, model, int8=int8)
    if evaluation.trained.record is None:
        _say_unverified(run)
    _tell(run, part, evaluation, as_json)


def _say_unverified(run: Path) -> None:
    from carousel.data.record import UNVERIFIED
    from carousel.tasks.shared.task import Notice

    show(Notice(UNVERIFIED.format(run=run)))


def _tell(run: Path, what: str, evaluation: Evaluation, as_json: bool) -> None:
    from carousel import scores
    from carousel.tasks.shared.task import Notice

    report = evaluation.report
    for line in _notes(report):
        show(Notice(line))
    if as_json:  # what is in evaluation.json
        print_json(report if "data" in report else {"part": what, **report})
        return
    for shown in evaluation.trained.present(report):
        show(shown)
    metrics = {name: value for name, value in report.items() if isinstance(value, float)}
    print_out(f"{what} {scores.sentence(metrics)}")
    if "int8" in report:
        from carousel.tasks.shared.int8 import shown as in_eight_bits

        for one in in_eight_bits(report):
            show(one)
    print_out(f"in {run}: {', '.join(path.name for path in evaluation.files)}")


def _notes(report: dict[str, Any]) -> list[str]:
    """Notes on data that are new."""
    from carousel.cli.audited import is_told
    from carousel.data.audit import Finding

    if "data" not in report:
        return []
    found = [Finding.from_dict(one) for one in report.get("audit", ())]
    lines = [note for note in report.get("notes", ()) if not is_told(note, found)]
    if unknown := report.get("unknown_classes"):
        named = ", ".join(f"{name} ({n:,})" for name, n in [*unknown.items()][:_NAMED])
        more = ", …" if len(unknown) > _NAMED else ""
        lines.append(
            f"{sum(unknown.values()):,} of classes that the model does not know are in no metric: "
            f"{named}{more}"
        )
    if filled := report.get("missing_values_filled"):
        from carousel.data.regular import filled_in_words

        lines.append(filled_in_words(filled))
    return lines
