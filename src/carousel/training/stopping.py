"""Early stopping on validation data: the best epoch, its weights, and in words why it ended."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn

from carousel import scores
from carousel.config import TrainingConfig
from carousel.data.counting import unit_of
from carousel.training.state import under

_KEPT = ("best_epoch", "best_value", "best_metrics", "last_metrics", "epochs_without")
_WEIGHTS = "best_weights/"


@dataclass
class EarlyStopping:
    """Watches one validation metric, `monitor`, once an epoch.

    An epoch is better when it improves the metric by more than `min_delta`; after `patience`
    epochs without a better one, training stops (patience 0: never).
    """

    config: TrainingConfig
    monitor: str
    best_epoch: int = 0
    best_value: float = 0.0
    best_metrics: dict[str, float] = field(default_factory=dict)
    best_weights: dict[str, Tensor] = field(default_factory=dict)
    last_metrics: dict[str, float] = field(default_factory=dict)
    epochs_without: int = 0

    def update(self, epoch: int, metrics: dict[str, float], model: nn.Module) -> bool:
        """Take in the metrics of an epoch (from 1). True if it is the best so far."""
        value = metrics[self.monitor]
        self.last_metrics = dict(metrics)
        if self.best_epoch and not self._better(value):
            self.epochs_without += 1
            return False
        self.best_epoch, self.best_value, self.best_metrics = epoch, value, dict(metrics)
        self.best_weights = {
            name: tensor.detach().cpu().clone() for name, tensor in model.state_dict().items()
        }
        self.epochs_without = 0
        return True

    @property
    def should_stop(self) -> bool:
        return 0 < self.config.patience <= self.epochs_without

    def kept_epoch(self, last: int) -> int:
        """The epoch whose weights the run ends with, if `last` was the last."""
        return self.best_epoch if self.config.restore_best else last

    @property
    def kept_metrics(self) -> dict[str, float]:
        """Validation metrics of the weights that the run ends with."""
        return self.best_metrics if self.config.restore_best else self.last_metrics

    def restore(self, model: nn.Module) -> None:
        """Give the model the weights of the best epoch."""
        model.load_state_dict(self.best_weights)

    def reason(self, epoch: int, steps: int, used: str = "") -> str:
        """Why training ended after `epoch` epochs and `steps` steps, in words. used: sentence on
        its length, where that was no number of epochs."""
        name = scores.title(self.monitor)
        value = scores.show(self.monitor, self.best_value)
        best = f"validation {name} {value} in epoch {self.best_epoch}"
        kept = "its weights are kept" if self.config.restore_best else "the last weights are kept"
        if self.should_stop and (used or epoch < self.config.epochs):
            without = f"{self.epochs_without} {unit_of(self.epochs_without, 'epochs')}"
            return (
                f"stopped early after epoch {epoch}: no better validation {name} "
                f"for {without}; best {best}, {kept}"
            )
        if used:
            return f"{used}; best {best}, {kept}"
        if 0 < self.config.max_steps <= steps:
            return f"ran the {steps} {unit_of(steps, 'steps')} asked for; best {best}, {kept}"
        whole = f"all {epoch} epochs" if epoch > 1 else "the 1 epoch asked for"
        return f"ran {whole}; best {best}, {kept}"

    def state_dict(self) -> dict[str, Any]:
        """Everything that the next epochs are compared with, the best weights included."""
        weights = {_WEIGHTS + name: tensor for name, tensor in self.best_weights.items()}
        return {name: getattr(self, name) for name in _KEPT} | weights

    def load_state_dict(self, state: dict[str, Any]) -> None:
        for name in _KEPT:
            setattr(self, name, state[name])
        self.best_weights = under(state, _WEIGHTS)

    def _better(self, value: float) -> bool:
        if scores.HIGHER_IS_BETTER[self.monitor]:
            return value > self.best_value + self.config.min_delta
        return value < self.best_value - self.config.min_delta
