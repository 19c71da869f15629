"""`carousel predict RUN DATA --out FILE`: answers to everything in DATA, in a file."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from carousel.cli.bars import bar_of
from carousel.cli.exits import Exit
from carousel.cli.output import as_called, calling, print_json, print_out
from carousel.errors import ConfigError
from carousel.terminal import notice

if TYPE_CHECKING:
    from carousel.bulk import Outcome
    from carousel.cli.given import Request
    from carousel.data.audit import Finding
    from carousel.tasks.shared.task import TrainedModel

STANDARD_INPUT = Path("-")


def answer_into(
    model: TrainedModel,
    request: Request,
    out: Path,
    *,
    rolling: bool = False,
    every: int = 1,
    plot: bool = False,
) -> Outcome:
    """Write answers to the input that was named to `out`, with a bar on standard error; plot: draw
    them beside it."""
    from carousel.bulk import Picture, answer_file
    from carousel.bulk.pictures import DRAWN
    from carousel.bulk.rolling import Rolls, roll_file
    from carousel.cli.given import keywords, refuse_others

    if model.config.task == "generate":
        raise ConfigError(
            "--out means nothing to a model of the task 'generate', which writes text to standard "
            "output: > FILE keeps it"
        )
    if request.input is None:
        raise ConfigError(f"--out answers what is in a file or folder: {model.wants}")
    understood = keywords(model.predict) - {"influences"}
    refuse_others(model, request, understood)
    reading = {n: v for n, v in request.options.items() if n in keywords(model.read)}
    options = {n: v for n, v in request.options.items() if n in understood}
    if not request.input.exists():
        raise ConfigError(
            f"there is no file or folder {request.input}: --out answers what is in one"
        )
    if request.why and "influences" in keywords(model.predict):
        options["influences"] = True
    if plot and model.config.task not in DRAWN:
        raise ConfigError(f"--plot means nothing to a model of the task '{model.config.task}'")
    if plot and request.input.resolve() == picture_beside(out).resolve():
        raise ConfigError(
            f"--plot would draw over the input, {request.input}: give --out another name"
        )
    picture = Picture() if plot else None
    with bar_of("predict", "answers") as progress:
        if not rolling:
            outcome = answer_file(
                model, request.input, out, reading=reading, progress=progress, picture=picture,
                **options,
            )  # fmt: skip
        elif isinstance(model, Rolls):
            outcome = roll_file(
                model, request.input, out, every=every, progress=progress, picture=picture
            )
        else:
            raise ConfigError(
                f"--rolling means nothing to a model of the task '{model.config.task}'"
            )
    if picture is not None:
        picture.draw(picture_beside(out))
    return outcome


def picture_beside(out: Path) -> Path:
    """The picture of answers: with their name, a PNG."""
    return out.with_suffix(".png")


def tell(
    outcome: Outcome,
    seconds: float,
    as_json: bool,
    audited: Sequence[Finding] = (),
    language: str = "en",
) -> int:
    """Say what became of the inputs; returns the exit code. audited: what has been said of them
    beside the table of training, for JSON."""
    from carousel.cli.audited import is_told
    from carousel.data.counting import unit_of

    account = outcome.account
    if as_json:
        found = {"audit": [one.to_dict(language) for one in audited]} if audited else {}
        print_json({**outcome.to_json(), **found})
    else:
        failed = f", {outcome.failed:,} without one" if outcome.failed else ""
        print_out(
            f"{outcome.path}: {outcome.answered:,} {unit_of(outcome.answered, 'answers')}{failed}; "
            f"{outcome.rows:,} {unit_of(outcome.rows, 'rows')} in {seconds:.1f} s"
        )
    notes = {note: n for note, n in account.notes.items() if not is_told(note, audited)}
    lines = [note if n == 1 else f"{note} ({n:,} times)" for note, n in notes.items()]
    if len(lines) > 10:
        lines = [*lines[:10], f"and {len(lines) - 10:,} more such notes"]
    if account.blank:
        what = unit_of(account.blank, "blank sentences")
        lines.append(f"{account.blank:,} {what} passed over: without a row in the answers")
    if account.filled:
        from carousel.data.regular import filled_in_words

        lines.append(filled_in_words(account.filled))
    if account.others:
        lines.append(f"{account.others:,} files of other kinds are not read")
    if account.unknown:
        named = [*account.named]
        shown = " ".join(named[:10]) + (" …" if len(named) > 10 else "")
        lines.append(
            f"{account.unknown:,} sentences have what is not in the model's vocabulary, read as "
            f"<unk>: {shown}"
        )
    lines += [f"no answer: {problem}" for problem in outcome.problems]
    if outcome.failed > len(outcome.problems):
        lines.append(f"and {outcome.failed - len(outcome.problems):,} more without an answer")
    for line in lines:
        notice(as_called(line))
    return Exit.FOUND if outcome.failed else Exit.DONE


@contextmanager
def standard_input(kind: str | None, model: TrainedModel) -> Iterator[Path]:
    """A file with everything that comes in on standard input, for as long as the block lasts.

    kind: what it would be called, such as csv; that of the model's own files if None.
    """
    from carousel.tasks.shared.given import SentenceModel

    lines = isinstance(model, SentenceModel) and not model.config.columns.text
    usual = ".txt" if lines else (*model.kinds, ".csv")[0]
    suffix = f".{kind.removeprefix('.')}" if kind else usual
    with tempfile.TemporaryDirectory(prefix="carousel-") as folder:
        path = Path(folder) / f"standard-input{suffix}"
        with path.open("wb") as file:
            shutil.copyfileobj(sys.stdin.buffer, file)
        with calling(str(path), "standard input"):
            yield path
