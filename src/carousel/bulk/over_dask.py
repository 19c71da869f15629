"""Answers to files by the workers of a Dask cluster, which see the same folders."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import Any

from carousel.bulk.parts import Load, Part, PartOutcome, Work, answer_part
from carousel.errors import DataError, require_extra
from carousel.tasks.shared.task import TrainedModel
from carousel.terminal import notice

RETRIES = 2
_SECONDS = "30s"


def by_dask(parts: Sequence[Part], work: Work, address: str) -> Iterator[PartOutcome]:
    """Answers by a cluster whose scheduler has that address, as they come.

    Dask gives a file whose worker was lost to another one. Raises `ConfigError` without
    dask.distributed, and `DataError` where no scheduler answers.
    """
    require_extra("answering over a Dask cluster", "scale", "distributed")
    distributed: Any = import_module("distributed")
    try:
        client = distributed.Client(address, timeout=_SECONDS)
    except (OSError, ValueError, TimeoutError) as error:
        raise DataError(f"no Dask scheduler answers at {address}: {error}") from None
    with client:
        if not client.scheduler_info().get("workers"):
            notice(f"the Dask scheduler at {address} has no worker yet: waiting for the first")
        work = replace(work, run=work.run.absolute())
        futures = {
            client.submit(_answer, _seen(part), work, retries=RETRIES, pure=False): part
            for part in parts
        }
        for future in distributed.as_completed(futures):
            part = futures[future]
            problem = future.exception()
            if problem is None:
                yield future.result()
            else:
                what = f"{part.source}: {type(problem).__name__}: {problem}"
                yield PartOutcome(str(part.source), str(part.out), error=what)


def _seen(part: Part) -> Part:
    """Places that mean the same on every machine that sees the folders."""
    return Part(part.source.absolute(), part.out.absolute())


def _answer(part: Part, work: Work) -> PartOutcome:
    """Answer one file (on a worker), by a model that is read once."""
    import torch

    torch.set_num_threads(work.threads)
    return answer_part(_model(work.load, work.run, work.key), part, work)


@lru_cache(maxsize=2)
def _model(load: Load, run: Path, key: str) -> TrainedModel:
    return load(run)
