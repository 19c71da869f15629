"""`carousel predict`."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from carousel.cli.answering import (
    STANDARD_INPUT,
    answer_into,
    picture_beside,
    standard_input,
    tell,
)
from carousel.cli.exits import Exit
from carousel.cli.loading import model_of
from carousel.cli.output import JsonOption, LangOption, RunArgument, print_out, show
from carousel.errors import ConfigError
from carousel.terminal import notice

if TYPE_CHECKING:
    from carousel.tasks.shared.task import TrainedModel


def predict(
    run: RunArgument,
    source: Annotated[
        Path | None,
        typer.Argument(
            metavar="[INPUT]",
            help="A file or folder; a sentence; - reads standard input.",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Write all answers here: .csv, .parquet, .ndjson, or a folder/."),
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="With a folder: processes that answer its files.")
    ] = None,
    dask: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help="With a folder: a Dask scheduler whose workers do."),
    ] = None,
    why: Annotated[
        bool | None,
        typer.Option(
            "--why/--no-why",
            help="Sentences: which words moved the class [default: shown, not with --out].",
        ),
    ] = None,
    rolling: Annotated[
        bool, typer.Option("--rolling", help="Series, with --out: forecasts from every row.")
    ] = False,
    every: Annotated[
        int | None, typer.Option(min=1, help="With --rolling: rows between forecasts [default: 1].")
    ] = None,
    plot: Annotated[
        bool, typer.Option("--plot", help="With --out: draw the answers, in a PNG beside them.")
    ] = False,
    input_format: Annotated[
        str | None,
        typer.Option("--format", help="Of standard input: csv, tsv, txt … [default: the task's]."),
    ] = None,
    invert: Annotated[
        bool, typer.Option("--invert", help="Images: the digits are dark on light, turn them.")
    ] = False,
    text: Annotated[
        str | None, typer.Option(help="Sentences: one, to classify, label or translate.")
    ] = None,
    prompt: Annotated[
        str | None, typer.Option(help="Text: write on from here; of names, the language.")
    ] = None,
    length: Annotated[
        int | None, typer.Option(min=1, help="Text: tokens to write at most [default: 200].")
    ] = None,
    samples: Annotated[
        int | None, typer.Option(min=1, help="Text: how many to write [default: 1].")
    ] = None,
    temperature: Annotated[
        float | None, typer.Option(help="Text: below 1 bolder, 0 the likeliest [default: 1].")
    ] = None,
    top_k: Annotated[
        int | None, typer.Option(help="Text: only the k likeliest tokens [default: 0, all].")
    ] = None,
    top_p: Annotated[
        float | None, typer.Option(help="Text: only the likeliest, up to p [default: 1].")
    ] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Text: of the draw [default: 0].")] = None,
    beam: Annotated[
        int | None, typer.Option(min=1, help="Translation: beginnings kept in the search.")
    ] = None,
    best: Annotated[
        int | None, typer.Option(min=1, help="Translation: how many to show [default: 1].")
    ] = None,
    attention: Annotated[
        Path | None, typer.Option(help="Translation: draw where it looked, as PNG.")
    ] = None,
    lang: LangOption = None,
    as_json: JsonOption = False,
) -> None:
    """Predict on new input: classes, labels, a translation, text after a prompt.

    Example: carousel predict runs/mnist-rows-20261124-090000 digit.png

    Example: carousel predict runs/sentiment-sst2-20261124-090000 reviews.csv --out answers.csv

    Example: carousel predict runs/sentiment-sst2-20261124-090000 "a joy from start to finish"

    Example: carousel predict runs/speech-digits-20261124-090000 'parts/*.parquet' --out answers/

    Example: carousel predict runs/ptb-small-20261124-090000 --prompt "the company said" --top-p 0.9

    Example: carousel predict runs/translate-multi30k-de-en-20261125-090000 "Ein Hund rennt."
    """
    from carousel.cli.audited import found_in, is_told, tell_audit
    from carousel.cli.given import Request
    from carousel.cli.parts import Hands, answer_parts, is_parted
    from carousel.cli.respond import respond
    from carousel.coach.words import language
    from carousel.data.remembered import remembering
    from carousel.tasks.shared.task import Notice

    options = {
        "invert": invert or None,
        "text": text,
        "prompt": prompt,
        "length": length,
        "samples": samples,
        "temperature": temperature,
        "top_k": top_k,
        "top_p": top_p,
        "seed": seed,
        "beam": beam,
        "best": best,
        "attention": attention,
    }
    given = {name: value for name, value in options.items() if value is not None}
    _check(source, out, rolling, every, input_format)
    if plot and out is None:
        raise ConfigError("--plot draws beside a file of answers: name it with --out")
    hands = Hands(workers, dask)
    if is_parted(source, out, hands):
        if plot or rolling or why:
            raise ConfigError("--plot, --rolling and --why are of one file of answers")
        assert out is not None
        try:
            code = answer_parts(run, source, out, given, hands, as_json)
        except KeyboardInterrupt:
            notice(f"interrupted: the same command goes on with the files not yet in {out}")
            raise typer.Exit(Exit.INTERRUPTED) from None
        if code:
            raise typer.Exit(code)
        return
    spoken = language(lang)
    model, _ = model_of(run)
    with _input(source, input_format, model) as found, remembering():
        audited = found_in(model, found)
        tell_audit(audited, spoken)
        request = Request(found, given, as_json, why)
        if out is None:
            for shown in respond(model, request):
                if not (isinstance(shown, Notice) and is_told(shown.text, audited)):
                    show(shown)
            return
        start = time.monotonic()
        try:
            outcome = answer_into(model, request, out, rolling=rolling, every=every or 1, plot=plot)
        except KeyboardInterrupt:
            notice(f"interrupted: {out} was not written")
            raise typer.Exit(Exit.INTERRUPTED) from None
        if plot and not as_json:
            print_out(f"picture: {picture_beside(out)}")
        if code := tell(outcome, time.monotonic() - start, as_json, audited, spoken):
            raise typer.Exit(code)


def _check(
    source: Path | None, out: Path | None, rolling: bool, every: int | None, kind: str | None
) -> None:
    if rolling and out is None:
        raise ConfigError("--rolling writes a file: name it with --out")
    if every is not None and not rolling:
        raise ConfigError("--every is of --rolling: give both")
    if kind is not None and source != STANDARD_INPUT:
        raise ConfigError("--format is of standard input, which - reads: files tell theirs by name")


def _input(
    source: Path | None, kind: str | None, model: TrainedModel
) -> AbstractContextManager[Path | None]:
    return standard_input(kind, model) if source == STANDARD_INPUT else nullcontext(source)
