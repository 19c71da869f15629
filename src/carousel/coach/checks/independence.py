"""Does an output depend on what it must not see: the future, other rows, or padding."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from carousel.coach.checks.setup import (
    Entry,
    Found,
    NotApplicableError,
    Setup,
    entries_of,
    outputs_of,
)
from carousel.coach.subject import Batch
from carousel.coach.words import sentence
from carousel.optim.step import Loss

_TOLERANCE = 1e-4  # of a loss, float32
_NOTHING = 1e-6  # of the largest gradient


@torch.enable_grad()
def causality(setup: Setup) -> Found | None:
    """Gradients of the outputs of one row, and of one step, by all rows and steps."""
    if found := _copies_target(setup):
        return found
    batch, looked = setup.few(3), False
    with _reading(setup, batch) as (read, entries):
        said = setup.subject.step_outputs(setup.model, read)
    if said is not None:
        looked = True
        if not setup.config.model.bidirectional and (late := _future(said, entries)):
            step, later = late
            return {"what": sentence("future", step=step, later=later)}
    else:
        with _reading(setup, batch) as (read, entries), outputs_of(setup.model) as spoken:
            setup.task.loss(setup.model, read)
        rows = setup.subject.rows(batch)
        said = next((s for s in spoken if s.dim() > 1 and len(s) == rows), None)
    if said is not None and said.requires_grad and entries:
        looked = True
        if (other := _other_row(said, entries)) is not None:
            return {"what": sentence("other_row", row=other)}
    if not looked:
        raise NotApplicableError("not_told_apart")
    return None


def _copies_target(setup: Setup) -> Found | None:
    """Check if the target class of a step equals the model's input at that step."""
    batch = setup.batches[0]
    x, y = batch[0], batch[-1]
    alike = x.shape == y.shape and not x.is_floating_point() and not y.is_floating_point()
    if len(batch) < 2 or not alike or x.dim() < 2:
        return None
    share = float((x == y)[y >= 0].float().mean())
    if share < 0.95:
        return None
    return {"what": sentence("copies_target", share=share)}


@contextmanager
def _reading(setup: Setup, batch: Batch) -> Iterator[tuple[Batch, list[Entry]]]:
    """A batch whose numbers have gradients, and everything that the model reads of it."""
    rows = setup.subject.batch_dim
    with entries_of(setup) as entries:
        first = batch[0]
        if first.is_floating_point():
            first = first.clone().requires_grad_()
            entries.append(Entry(first, rows, 1 - rows if first.dim() > 2 else None))
            batch = (first, *batch[1:])
        yield batch, entries


def _projected(said: Tensor) -> Tensor:
    """A sum with weights of its own for each output: that of a softmax would be constant."""
    return (said * torch.linspace(0.5, 1.5, said.numel()).view_as(said)).sum()


def _gradients(of: Tensor, entries: list[Entry]) -> list[Tensor]:
    return list(
        torch.autograd.grad(
            of, [e.values for e in entries], retain_graph=True, materialize_grads=True
        )
    )


def _future(said: Tensor, entries: list[Entry]) -> tuple[int, int] | None:
    """(a step, a later one that its output depends on), or None. said (rows, T, ·)."""
    stepwise = [e for e in entries if e.step_dim is not None]
    T = said.size(1)
    for step in sorted({0, T // 4, T // 2}):
        for entry, g in zip(stepwise, _gradients(_projected(said[:, step]), stepwise), strict=True):
            assert entry.step_dim is not None
            if g.size(entry.step_dim) != T:
                continue
            other = [d for d in range(g.dim()) if d != entry.step_dim]
            size = g.abs().amax(other)
            late = (size[step + 1 :] > _NOTHING * size.max()).nonzero()
            if len(late):
                return step, step + 1 + int(late[0])
    return None


def _other_row(said: Tensor, entries: list[Entry]) -> int | None:
    """A row other than the first that the first one's output depends on."""
    rows = len(said)
    for entry, g in zip(entries, _gradients(_projected(said[0]), entries), strict=True):
        if g.size(entry.row_dim) != rows:
            continue
        other = [d for d in range(g.dim()) if d != entry.row_dim]
        size = g.abs().amax(other)
        touched = (size[1:] > _NOTHING * size.max()).nonzero()
        if len(touched):
            return 1 + int(touched[0])
    return None


@torch.no_grad()
def padding_invariance(setup: Setup) -> Found | None:
    """The loss of a few rows together, one by one, and with more padding."""
    task, subject, model = setup.task, setup.subject, setup.model
    batch = setup.few(5)
    total, count = _total([task.loss(model, batch)])
    each = [torch.tensor([i]) for i in range(subject.rows(batch))]
    tests = {"alone": _total([task.loss(model, subject.pick(batch, row)) for row in each])}
    if (wider := subject.padded(batch, 3)) is not None:
        tests["padded"] = _total([task.loss(model, wider)])
    for how, (loss, some) in tests.items():
        difference = abs(loss - total) / max(abs(total), 1e-6)
        if difference > _TOLERANCE or some != count:
            return {"difference": difference, "how": how}
    return None


def _total(steps: list[Loss]) -> tuple[float, float]:
    """The loss of all that steps are a mean over, and how much that is; steps of nothing are
    none."""
    loss = count = 0.0
    for step in steps:
        weight = getattr(step, "weight", None)
        weight = step.count if weight is None else weight
        if weight:
            loss += float(step.sums["loss"].double()) / step.count * weight
        count += weight
    return loss, count
