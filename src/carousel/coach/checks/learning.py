"""Does the network begin as it should, and does it learn at all."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn

from carousel.coach.checks.setup import Found, NotApplicableError, Setup
from carousel.coach.subject import Batch
from carousel.coach.watch import watch
from carousel.config import OptimizerConfig, RegularizationConfig
from carousel.optim.step import OptimizerStep

_ROWS = 8
_RATE = 5e-3
_STEPS = 400
_BY_HEART = 0.1  # of the first loss
_BASELINE_STEPS = 60
_LONG = 200  # steps of a sequence
_NOTICEABLE = 0.003  # of a loss


@torch.no_grad()
def loss_at_start(setup: Setup) -> Found | None:
    """The first loss against ln C and the entropy of the class shares, or the best constant."""
    batch = setup.batches[0]
    loss = setup.mean_loss(setup.model, batch)
    allowed = setup.config.coach.thresholds.start_loss
    if setup.classes:
        expected = math.log(setup.classes)
        counts = torch.bincount(setup.subject.wanted(batch)).double()
        shares = counts[counts > 0] / counts.sum()
        prior = float(-(shares * shares.log()).sum())
        low = min(prior, expected)
        if not low * (1 - allowed) <= loss <= expected * (1 + allowed):
            return {"loss": loss, "expected": expected, "entropy": prior}
        return None
    expected = _constant_loss(setup)
    if expected > 0 and not loss <= 10 * expected:
        return {"loss": loss, "expected": expected}
    return None


def _last_linear(model: nn.Module) -> nn.Linear:
    found = [m for m in model.modules() if isinstance(m, nn.Linear) and m.bias is not None]
    if not found:
        raise NotApplicableError("no_head")
    return found[-1]


def _constant_loss(setup: Setup) -> float:
    """The loss of the best constant: the last linear layer with its bias alone, fitted."""
    model, batch = setup.copy(), setup.batches[0]
    head = _last_linear(model)
    for parameter in model.parameters():
        parameter.requires_grad_(parameter is head.bias)
    head.weight.zero_()
    optimizer = torch.optim.LBFGS([head.bias], max_iter=20, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimizer.zero_grad()
        with torch.enable_grad():
            objective = setup.task.loss(model, batch).objective
            objective.backward()  # type: ignore[no-untyped-call]
        return objective.detach()

    optimizer.step(closure)  # type: ignore[no-untyped-call]
    return setup.mean_loss(model, batch)


def overfit_one_batch(setup: Setup) -> Found | None:
    """Train a copy on a few rows, without dropout or penalties, until it overfits them.

    With a usual rate, and once more with a tenth of it where that was too much or not enough.
    """
    batch, best, first, steps = setup.few(_ROWS), math.inf, math.inf, 0
    floor = _floor(setup, batch)
    late = setup.time_is_up()
    for rate in (_RATE, _RATE / 10):
        losses = _train(setup, setup.copy(), lambda: batch, _STEPS, rate, late)
        first, steps = losses[0], steps + len(losses)
        best = min([best, *(loss for loss in losses if math.isfinite(loss))])
        if _learnt(setup, first, best, floor):
            return None
        if late():
            raise NotApplicableError("undecided", loss=best, first=first)
    found: Found = {"loss": best, "first": first, "steps": steps}
    return found | ({"severity": "warning"} if _steps(setup) > _LONG else {})


def _learnt(setup: Setup, first: float, best: float, floor: float) -> bool:
    if setup.classes:
        return best <= floor + max(_BY_HEART * (first - floor), 0.05)
    return best <= first - _BY_HEART * abs(first)  # a loss of numbers has a floor of its own


def _floor(setup: Setup, batch: Batch) -> float:
    """The least loss that there can be where each step is to be told from the steps up to it:
    rows that begin alike and go on differently cannot be memorised."""
    x, y = batch[0], batch[-1]
    if len(batch) < 2 or x.shape != y.shape or x.dim() != 2 or y.is_floating_point():
        return 0.0
    if setup.subject.batch_dim == 1:
        x, y = x.t(), y.t()
    after: dict[tuple[int, ...], Counter[int]] = defaultdict(Counter)
    for read, wanted in zip(x.tolist(), y.tolist(), strict=True):
        for t, target in enumerate(wanted):
            if target >= 0:
                after[tuple(read[: t + 1])][target] += 1
    total = sum(c.total() for c in after.values())
    bits = sum(-n * math.log(n / c.total()) for c in after.values() for n in c.values())
    return bits / max(total, 1)


def input_baseline(setup: Setup) -> Found | None:
    """Two copies, trained for a moment on real and on zeroed inputs, on data new to both."""
    batches = setup.batches
    if len(batches) < 4:
        raise NotApplicableError("few_batches", count=len(batches))
    held, used = batches[-len(batches) // 4 :], batches[: -len(batches) // 4]
    rate = min(max(setup.config.optimizer.learning_rate, 1e-3), 1e-2)
    losses = []
    for change in (lambda batch: batch, _zeroed):
        model, step = setup.copy(), [0]

        def next_batch(change: Callable[[Batch], Batch] = change, step: list[int] = step) -> Batch:
            step[0] += 1
            return change(used[(step[0] - 1) % len(used)])

        _train(setup, model, next_batch, _BASELINE_STEPS, rate, setup.time_is_up())
        with torch.no_grad():
            found = [setup.mean_loss(model, change(batch)) for batch in held]
        losses.append(sum(found) / len(found))
    real, zeroed = losses
    first = setup.mean_loss(setup.model, held[0])
    if setup.classes and min(losses) > 0.98 * first and _steps(setup) > _LONG:
        raise NotApplicableError("long_sequences", steps=_steps(setup))
    return {"loss": real, "zeroed": zeroed} if not real < zeroed * (1 - _NOTICEABLE) else None


def _steps(setup: Setup) -> int:
    """Length of the longest sequence that a recurrent layer reads in the first batch."""
    with torch.no_grad(), watch(setup.model) as calls:
        setup.task.loss(setup.model, setup.few(2))
    return max((call.steps for call in calls), default=0)


def _zeroed(batch: Batch) -> Batch:
    return (torch.zeros_like(batch[0]), *batch[1:])


def _train(
    setup: Setup,
    model: nn.Module,
    batch: Callable[[], Batch],
    steps: int,
    rate: float,
    late: Callable[[], bool],
) -> list[float]:
    """Adam steps on a network in evaluation mode, as long as there is time; the losses before
    each. Ends early once the loss is a hundredth of the first. Penalties are left out: the
    question is what the network can learn, not what it is allowed to."""
    update = OptimizerStep(
        OptimizerConfig(name="adam", learning_rate=rate, clip_norm=1.0),
        RegularizationConfig(),
        model,
    )
    losses: list[float] = []
    with torch.enable_grad():
        for _ in range(steps):
            taken = update.take(partial(setup.task.loss, model, batch()))
            losses.append(taken.loss)
            if taken.trouble or 0 <= taken.loss < 0.01 * losses[0] or late():
                break
    return losses
