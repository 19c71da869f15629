"""Checks before training: is anything wrong with data, network or loss that can be seen at once.

Each trains, feeds and differentiates copies only: the network, its gradients and torch's random
state stay as they are, bit for bit.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from carousel.coach import facts
from carousel.coach.checks import data, gradient, independence, learning
from carousel.coach.checks.setup import Found, NotApplicableError, Setup
from carousel.coach.evidence import Evidence
from carousel.coach.finding import Finding
from carousel.coach.rules import RULES
from carousel.coach.subject import Trained
from carousel.coach.words import LANGUAGES, Said, sentence

if TYPE_CHECKING:
    from carousel.config import Config

Check = Callable[[Setup], Found | None]

#: Those that cost little, which every run begins with.
QUICK: dict[str, Check] = {
    "loss-at-start": learning.loss_at_start,
    "loss-output-mismatch": data.loss_output_mismatch,
    "causality": independence.causality,
    "padding-invariance": independence.padding_invariance,
    "unshuffled-classes": data.unshuffled_classes,
}
#: Those that compute in float64, train copies for seconds, or look at the test part.
SLOW: dict[str, Check] = {
    "gradient-check": gradient.gradient_check,
    "overfit-one-batch": learning.overfit_one_batch,
    "input-baseline": learning.input_baseline,
    "split-leak": data.split_leak,
    "target-leak": data.target_leak,
}


@dataclass(frozen=True)
class Outcome:
    """Outcome of one check.

    state: "clean", "found", "skipped" (it cannot apply) or "failed" (it raised). said: why it was
    skipped or failed, by language. numbers: what was found.
    """

    code: str
    state: str
    seconds: float
    numbers: Found = field(default_factory=dict)
    said: Said = field(default_factory=dict)

    def finding(self, language: str, config: Config, recipe: str = "") -> Finding:
        """Finding of this outcome; only where something was found."""
        return RULES[self.code].finding(self.numbers, language, config, recipe=recipe)


def check(
    task: Trained,
    model: nn.Module,
    *,
    quick: bool = False,
    seconds: float = 10.0,
    account: dict[str, Any] | None = None,
    only: Collection[str] = (),
) -> list[Outcome]:
    """All checks of a network on the training data of a task, in the order of their cost.

    quick: the cheap ones alone, begun within `seconds` in total, and no rules that read facts;
    otherwise each check that trains may take `seconds`. account: of the data (`Task.account`),
    which may have looked at the test part; without it no leak can be seen. only: the codes to run,
    all if empty. The network is read, never changed.
    """
    end = time.monotonic() + seconds if quick else float("inf")
    with torch.random.fork_rng(devices=()), torch.no_grad():
        torch.manual_seed(0)
        setup = Setup(task, model, seconds, account or {})
        outcomes = []
        for code, function in (QUICK if quick else QUICK | SLOW).items():
            if only and code not in only:
                continue
            if time.monotonic() > end:
                outcomes.append(Outcome(code, "skipped", 0.0, said=sentence("no_time")))
            else:
                outcomes.append(_run(code, function, setup))
        judged = [] if quick else _judge_facts(setup)
        return outcomes + [o for o in judged if not only or o.code in only or o.state == "failed"]


def _run(code: str, function: Check, setup: Setup) -> Outcome:
    started = time.monotonic()
    numbers: Found = {}
    why: Said = {}
    try:
        numbers = function(setup) or {}
        state = "found" if numbers else "clean"
    except NotApplicableError as reason:
        state, why = "skipped", reason.said
    except Exception as error:  # a check must not end the run that it looks at
        state, why = "failed", _told(error)
    return Outcome(code, state, time.monotonic() - started, numbers, why)


def _told(error: Exception) -> Said:
    """An exception in one line, which is the same in every language."""
    text = " ".join(f"{type(error).__name__}: {error}".split())[:300]
    return dict.fromkeys(LANGUAGES, text)


def _judge_facts(setup: Setup) -> list[Outcome]:
    """The rules that read facts and settings alone, but those that a check has looked at."""
    started = time.monotonic()
    config = setup.config
    try:
        known = facts.of_task(setup.task, setup.model)
    except Exception as error:
        return [Outcome("facts", "failed", time.monotonic() - started, said=_told(error))]
    evidence, outcomes = Evidence(facts=known, config=config), []
    for code, rule in RULES.items():
        if rule.when == "before" and rule.judge is not None and code not in QUICK | SLOW:
            found = rule.judge(evidence, config.coach.thresholds)
            seconds = time.monotonic() - started
            state = "found" if found else "clean"
            outcomes.append(Outcome(code, state, seconds, dict(found or {})))
            started = time.monotonic()
    return outcomes


def findings(
    outcomes: list[Outcome], language: str, config: Config, recipe: str = ""
) -> list[Finding]:
    """Findings of the checks, in words. recipe: what was checked, as a command names it."""
    found = (outcome for outcome in outcomes if outcome.state == "found")
    return [outcome.finding(language, config, recipe) for outcome in found]
