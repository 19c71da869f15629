"""Averages of the weights over steps (torch.optim.swa_utils)."""

from __future__ import annotations

from typing import Any

from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn, get_swa_multi_avg_fn

from carousel.config import AveragingConfig


class Average:
    """A second set of weights that follows the trained ones, once it has started.

    "ema" follows from the first step on, "mean" from the epoch that `AveragingConfig` says.
    """

    def __init__(self, config: AveragingConfig, net: nn.Module) -> None:
        self._config, self._net = config, net
        self._average: AveragedModel | None = None
        if config.name != "none":
            ema = config.name == "ema"
            rule = get_ema_multi_avg_fn(config.decay) if ema else get_swa_multi_avg_fn()  # type: ignore[no-untyped-call]
            self._average = AveragedModel(net, multi_avg_fn=rule)
        self.started = config.name == "ema"
        self.end_epoch(0, 0)

    @property
    def model(self) -> nn.Module:
        """Model that is validated and kept: the average once there is one, else the trained one."""
        if self._average is None or int(self._average.n_averaged) == 0:
            return self._net
        return self._average.module

    def step(self) -> None:
        """Take in the weights after an optimiser step."""
        if self._average is not None and self.started:
            self._average.update_parameters(self._net)

    def end_epoch(self, epoch: int, without: int) -> None:
        """After `epoch` epochs, `without` of them in a row without improvement: start the mean?"""
        patience = self._config.patience
        due = epoch >= self._config.start or 0 < patience <= without
        self.started = self.started or (self._config.name == "mean" and due)

    def state_dict(self) -> dict[str, Any]:
        """State for a checkpoint: the average, and whether it has started."""
        average = {} if self._average is None else self._average.state_dict()
        return {"started": self.started, **average}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.started = state["started"]
        if self._average is not None:
            self._average.load_state_dict({k: v for k, v in state.items() if k != "started"})
