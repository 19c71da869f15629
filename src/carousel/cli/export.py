"""`carousel export`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from carousel.cli.loading import model_of
from carousel.cli.output import JsonOption, RunArgument, print_json, print_out


def export(
    run: RunArgument,
    file: Annotated[
        Path,
        typer.Argument(metavar="FILE", help="To write; its suffix says what: .onnx, .c or .pt2."),
    ],
    stream: Annotated[
        bool, typer.Option("--stream", help="For one step at a time, states in and out.")
    ] = False,
    int8: Annotated[
        bool, typer.Option("--int8", help="Recurrent layers in eight bits; of .c alone.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Write over files that exist.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Write a model as a file that runs without Carousel.

    The file is loaded again and compared with the model, whole and step by step, and is kept only
    where it computes what the model does. FILE.json beside it says what goes in and comes out.

    Example: carousel export runs/mnist-rows-20261124-090000 digits.onnx

    Example: carousel export runs/shakespeare-gru-20261124-090000 writer.onnx --stream

    Example: carousel export runs/forecast-sunspots-20261124-090000 sunspots.c

    Example: carousel export runs/mnist-rows-20261124-090000 digits.c --int8
    """
    from carousel.export.exporting import export as write

    model, _ = model_of(run)
    done = write(model, file, stream=stream, int8=int8, force=force)
    if as_json:
        print_json(done.to_json())
        return
    if done.int8 is not None:
        from carousel.cli.output import show
        from carousel.tasks.shared.int8 import shown

        for one in shown({**done.int8["float32"], "int8": done.int8}):
            show(one)
    compared = done.comparison
    if compared.cases:
        print_out(
            f"the largest difference from the model is {compared.difference:.1e} in "
            f"{compared.cases} comparisons, at most {compared.tolerance:g} is kept"
        )
    if compared.note:
        print_out(compared.note)
    print_out(f"in {file.parent}: {', '.join(path.name for path in done.files)}")
