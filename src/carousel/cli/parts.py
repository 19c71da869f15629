"""`carousel predict RUN 'parts/*.parquet' --out FOLDER/`: files in, files out."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from carousel.cli.bars import bar_of
from carousel.cli.exits import Exit
from carousel.cli.loading import model_of
from carousel.cli.output import print_json, print_out
from carousel.errors import ConfigError
from carousel.terminal import notice

if TYPE_CHECKING:
    from carousel.bulk.parts import Part, PartOutcome, Work
    from carousel.tasks.shared.task import TrainedModel

_NAMED = 10


@dataclass(frozen=True)
class Hands:
    """Hands that answer: so many workers, or those of a Dask cluster; None: this process."""

    workers: int | None = None
    dask: str | None = None


def is_parted(source: Path | None, out: Path | None, hands: Hands) -> bool:
    """True if files are answered each by itself: their pattern is given, or a folder for the
    answers. Raises `ConfigError` for workers without such a folder."""
    parted = out is not None and (out.is_dir() or not out.suffix)
    if (hands.workers or hands.dask) and not parted:
        raise ConfigError(
            "--workers and --dask answer files, each in a file of its own: give --out a folder, "
            "such as answers/"
        )
    if source is not None and not parted and not source.exists() and _is_pattern(source):
        raise ConfigError(f"{source} names several files: give --out a folder, such as answers/")
    return parted


def _is_pattern(source: Path) -> bool:
    return any(mark in str(source) for mark in "*?[")


def answer_parts(
    run: Path, source: Path | None, out: Path, options: dict[str, Any], hands: Hands, as_json: bool
) -> int:
    """Answer every file of a pattern or a folder, and say what became of them; the exit code."""
    if source is None:
        raise ConfigError("--out with a folder answers files: name them, such as 'parts/*.parquet'")
    from carousel.bulk.memory import keep_memory

    start = time.monotonic()
    keep_memory()
    with _begun(hands) as ready:
        from carousel.bulk.parts import parts_of, waiting  # torch, which workers import meanwhile

        parts = parts_of(source, out)
        model, _ = model_of(run)
        work = _work(model, run, options, hands)
        out.mkdir(parents=True, exist_ok=True)
        todo, found = waiting(parts, work.key)
        done = len(found)
        with bar_of("predict", "answers") as progress:
            for outcome in _answers(model, todo, work, hands, ready):
                found.append(outcome)
                progress(len(found) / len(parts), sum(one.answered for one in found))
    if done and not as_json:
        print_out(f"{done:,} of {len(parts):,} files were done before")
    return _tell(found, out, time.monotonic() - start, as_json)


def _begun(hands: Hands) -> AbstractContextManager[list[Any]]:
    """Processes of this machine that wait for work, where several are to do it."""
    if hands.dask or (hands.workers or 1) < 2:
        return nullcontext([])
    from carousel.bulk.workers import begun

    return begun(hands.workers or 1, _threads(hands))


def _threads(hands: Hands) -> int:
    """Threads of each worker: its share of the cores."""
    return max(1, (os.cpu_count() or 1) // (hands.workers or 1))


def _work(model: TrainedModel, run: Path, options: dict[str, Any], hands: Hands) -> Work:
    from carousel.bulk.parts import Work, key_of
    from carousel.cli.given import Request, keywords, refuse_others

    if model.config.task == "generate":
        raise ConfigError("--out means nothing to a model of the task 'generate'")
    understood = keywords(model.predict) - {"influences"}
    refuse_others(model, Request(None, options), understood)
    reading = {n: v for n, v in options.items() if n in keywords(model.read)}
    asked = {n: v for n, v in options.items() if n in understood}
    key = key_of(run, reading, asked)
    return Work(run, load, reading, asked, key, _threads(hands))


def load(run: Path) -> TrainedModel:
    """The model of a run, for a worker."""
    return model_of(run)[0]


def _answers(
    model: TrainedModel, todo: Sequence[Part], work: Work, hands: Hands, ready: list[Any]
) -> Iterator[PartOutcome]:
    if not todo:
        return iter(())
    if hands.dask:
        from carousel.bulk.over_dask import by_dask

        return by_dask(todo, work, hands.dask)
    if (hands.workers or 1) > 1:
        from carousel.bulk.workers import by_workers

        return by_workers(todo, work, hands.workers or 1, ready)
    from carousel.bulk.memory import tidied
    from carousel.bulk.parts import answer_part

    return (answer_part(model, part, work) for part in tidied(todo))


def _tell(found: Sequence[PartOutcome], out: Path, seconds: float, as_json: bool) -> int:
    answered, failed = (sum(getattr(one, n) for one in found) for n in ("answered", "failed"))
    rows, lost = sum(one.rows for one in found), [one for one in found if one.error]
    if as_json:
        print_json(
            {
                "out": str(out),
                "files": len(found),
                "done_before": sum(one.skipped for one in found),
                "files_without_answers": {one.source: one.error for one in lost},
                "answered": answered,
                "failed": failed,
                "rows": rows,
            }
        )
    else:
        without = f", {failed:,} without one" if failed else ""
        print_out(
            f"{out}: {len(found) - len(lost):,} files, {answered:,} answers{without}; {rows:,} "
            f"rows in {seconds:.1f} s"
        )
    notes = dict.fromkeys(note for one in found for note in one.notes)
    problems = [f"no answers: {one.error}" for one in lost]
    problems += [f"no answer in {one.source}: {p}" for one in found for p in one.problems]
    for lines in (list(notes), problems):
        for line in lines[:_NAMED]:
            notice(line)
        if len(lines) > _NAMED:
            notice(f"and {len(lines) - _NAMED:,} more such lines")
    return Exit.FOUND if failed or lost else Exit.DONE
