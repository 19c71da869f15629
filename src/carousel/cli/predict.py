"""`carousel predict`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from carousel.cli.output import JsonOption, RunArgument, show


def predict(
    run: RunArgument,
    source: Annotated[
        Path | None,
        typer.Argument(
            metavar="[INPUT]", help="Images, a text to score, sentences (a file, or one)."
        ),
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
    as_json: JsonOption = False,
) -> None:
    """Predict on new input: classes, labels, a translation, text after a prompt.

    Example: carousel predict runs/mnist-rows-20261124-090000 digit.png

    Example: carousel predict runs/sentiment-sst2-20261124-090000 "a joy from start to finish"

    Example: carousel predict runs/ptb-small-20261124-090000 --prompt "the company said" --top-p 0.9

    Example: carousel predict runs/translate-multi30k-de-en-20261125-090000 "Ein Hund rennt."
    """
    from carousel.bundle import load
    from carousel.cli.given import Request
    from carousel.cli.respond import respond

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
    for shown in respond(load(run), Request(source, given, as_json)):
        show(shown)
