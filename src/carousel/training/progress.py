"""Place of a training in its epochs and steps, and its network in words."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from torch import nn

from carousel.tasks.shared.losses import StepLoss


@dataclass
class Progress:
    """Place of the training. epoch and batch: those completed; sums: over the current epoch."""

    epoch: int = 0
    batch: int = 0
    step: int = 0
    seconds: float = 0.0
    finished: bool = False
    sums: dict[str, float] = field(default_factory=dict)
    count: int = 0

    def add(self, result: StepLoss) -> None:
        """Take in a step that has been done."""
        self.step += 1
        self.batch += 1
        self.count += result.count
        for name, total in result.sums.items():
            self.sums[name] = self.sums.get(name, 0.0) + total.item()

    def means(self) -> dict[str, float]:
        return {name: total / self.count for name, total in self.sums.items()}

    def start_next_epoch(self) -> None:
        self.epoch += 1
        self.batch = 0
        self.sums, self.count = {}, 0

    def state_dict(self) -> dict[str, Any]:
        return asdict(self)

    def load_state_dict(self, state: dict[str, Any]) -> None:
        vars(self).update(state)


def modules_of(net: nn.Module) -> list[dict[str, Any]]:
    """The modules of a network in order: name, class, what they say of themselves, parameters."""
    return [
        {
            "name": name,
            "kind": type(module).__name__,
            "about": module.extra_repr(),
            "parameters": sum(p.numel() for p in module.parameters(recurse=False)),
        }
        for name, module in net.named_modules()
    ]
