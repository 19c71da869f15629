"""`Coach`: the coach in a custom training loop, or in Lightning's."""

from __future__ import annotations

import math
from typing import Any

from torch import Tensor, nn

from carousel.coach import facts
from carousel.coach.evidence import Evidence
from carousel.coach.finding import Finding, by_severity
from carousel.coach.observer import Observer
from carousel.coach.words import language, word
from carousel.config import CoachConfig
from carousel.errors import ConfigError
from carousel.run.events import Event
from carousel.terminal import logger


class Coach:
    """Watches the training of a PyTorch model and says what is wrong and what to try.

    It reads weights, gradients and what passes through the recurrent layers, `torch.nn`'s or
    Carousel's, in a share of the steps that costs at most `budget` of the time; it changes
    nothing. Call it around each step, and at the end of each epoch:

        coach = carousel.Coach(model)
        for epoch in range(epochs):
            for x, y in loader:
                coach.before_step()
                optimizer.zero_grad()
                loss = criterion(model(x), y)
                loss.backward()
                optimizer.step()
                coach.after_step(loss, learning_rate=optimizer.param_groups[0]["lr"])
            coach.end_epoch(train={"loss": …}, validation={"loss": …})
        print(coach.report())

    or hand it to Lightning: `Trainer(callbacks=[carousel.Coach(model)])`. What needs no more than
    steps (rates, gradients, gates, states, lags) speaks without `end_epoch`; what is about
    overfitting needs it.

    Args:
        model: the network, with any number of recurrent layers in it.
        budget: share of the training time that measuring may take.
        total_steps: of the whole training, if known: some rules wait for a part of it.
        monitor: the validation metric that counts; higher_is_better: its direction.
        settings: thresholds and patience (`carousel.config.CoachConfig`) in place of the defaults.
        lang: "en" or "ko"; the locale's if None.
        quiet: do not log findings as they come (logger `carousel`, level WARNING).

    Attributes: evidence, with every number that was measured (`evidence.values(name)`).

    Raises `ConfigError` for a budget or a language that cannot be.

    >>> import torch
    >>> model = torch.nn.LSTM(3, 4)
    >>> coach = Coach(model, budget=10.0, quiet=True)
    >>> optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
    >>> for _ in range(30):
    ...     coach.before_step()
    ...     optimizer.zero_grad()
    ...     loss = model(torch.randn(7, 2, 3))[0].square().mean()
    ...     loss.backward()
    ...     optimizer.step()
    ...     coach.after_step(loss)
    >>> "update_ratio/weight_hh_l0/f" in coach.evidence.series
    True
    """

    def __init__(
        self,
        model: nn.Module,
        *,
        budget: float = 0.03,
        total_steps: int = 0,
        monitor: str = "loss",
        higher_is_better: bool = False,
        settings: CoachConfig | None = None,
        lang: str | None = None,
        quiet: bool = False,
    ) -> None:
        if not budget > 0:
            raise ConfigError(f"budget must be above 0, got {budget}: 0.03 allows 3 % of the time")
        self.evidence = Evidence(monitor=monitor, higher_is_better=higher_is_better)
        self.evidence.facts = facts.facts_of_network(model) | {"total_steps": total_steps}
        self._language, self._quiet, self.step = language(lang), quiet, 0
        settings = settings or CoachConfig(budget=budget)
        self._observer = Observer(
            model,
            settings,
            self.evidence,
            lambda step, values: None,
            self._note,
            total_steps=total_steps,
            language=self._language,
        )
        self._norm: float | None = None  # of the last gradient, and its rate, from Lightning
        self._rate: float | None = None

    def before_step(self) -> None:
        """Before the forward pass of a step."""
        self._observer.before_step(self.step + 1)

    def after_step(
        self,
        loss: Tensor | float,
        *,
        gradient_norm: Tensor | float | None = None,
        learning_rate: float | None = None,
    ) -> None:
        """After the optimiser's step, before gradients are set to zero again.

        gradient_norm: before clipping, what `clip_grad_norm_` returns; without it, the norm of the
        gradients as they are now.
        """
        self.step += 1
        grads = [p.grad for p in self._observer.model.parameters() if p.grad is not None]
        now = float(nn.utils.get_total_norm(grads)) if grads else 0.0
        number = float(loss.detach()) if isinstance(loss, Tensor) else float(loss)
        values = {"train/loss": number, "gradient_norm": now}
        if gradient_norm is not None:
            values["gradient_norm"] = float(gradient_norm)
            values["gradient_norm_after"] = now
        if learning_rate is not None:
            values["learning_rate"] = learning_rate
        norm = values["gradient_norm"]
        self._observer.after_step(self.step, values, now / norm if norm else 1.0)
        due = self._observer.is_due(self.step) or self.step % 100 == 0
        if due or not math.isfinite(number):
            self._say(self._observer.judge(self.step))

    def end_epoch(
        self,
        train: dict[str, float] | None = None,
        validation: dict[str, float] | None = None,
    ) -> None:
        """After an epoch was evaluated; metrics by name, such as "loss" and "accuracy"."""
        self.evidence.take(
            {
                "kind": "epoch",
                "epoch": len(self.evidence.epochs) + 1,
                "step": self.step,
                "train": dict(train or {}),
                "validation": dict(validation or {}),
            }
        )
        self._say(self._observer.judge(self.step))

    @property
    def findings(self) -> list[Finding]:
        """Findings that stand now, severe ones first."""
        return by_severity(list(self._observer.monitor.standing.values()))

    @property
    def share_of_time(self) -> float:
        """The share of the time that measuring has taken."""
        return self._observer.budget.taken

    def report(self) -> str:
        """The findings in words, with what to try."""
        told = "\n\n".join(finding.text(self._language) for finding in self.findings)
        return told or word("finding", "nothing", self._language)

    def _note(self, step: int, event: Event) -> None:
        self.evidence.take({"kind": event.kind, "step": step, **event.body()})

    def _say(self, findings: list[Finding]) -> None:
        for finding in findings:
            if not self._quiet and finding.severity != "info":
                logger.warning("coach: %s", finding.line(self._language))

    # ---- Lightning's callback protocol, by name: it is neither imported nor needed

    @property
    def state_key(self) -> str:
        return "carousel.Coach"

    def on_train_batch_start(self, trainer: Any, module: Any, batch: Any, index: int) -> None:
        self.before_step()

    def on_after_backward(self, trainer: Any, module: Any) -> None:
        grads = [p.grad for p in self._observer.model.parameters() if p.grad is not None]
        self._norm = float(nn.utils.get_total_norm(grads)) if grads else None

    def on_before_optimizer_step(self, trainer: Any, module: Any, optimizer: Any) -> None:
        self._rate = float(optimizer.param_groups[0]["lr"])

    def on_train_batch_end(
        self, trainer: Any, module: Any, outputs: Any, batch: Any, index: int
    ) -> None:
        loss = outputs["loss"] if isinstance(outputs, dict) else outputs
        if loss is not None:
            self.after_step(loss, gradient_norm=self._norm, learning_rate=self._rate)

    def on_train_epoch_end(self, trainer: Any, module: Any) -> None:
        found = {name: float(value) for name, value in trainer.callback_metrics.items()}
        parts: dict[str, dict[str, float]] = {"train": {}, "val": {}}
        for name, value in found.items():
            part, _, metric = name.replace("/", "_").partition("_")
            if part in parts and metric:
                parts[part][metric.removesuffix("_epoch")] = value
        self.end_epoch(parts["train"], parts["val"])

    def __getattr__(self, name: str) -> Any:
        # Lightning calls every hook of a callback; those that are not above do nothing.
        if name.startswith(("on_", "setup", "teardown", "state_dict", "load_state_dict")):
            return lambda *args, **kwargs: {}
        raise AttributeError(f"'Coach' has no attribute '{name}'")
