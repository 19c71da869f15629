"""A whole sequence as one vector: last state, mean, maximum or attention over time."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from carousel.cells.states import states_of
from carousel.layers.attention import AttentionPooling, step_mask


class Pooling(nn.Module):
    """Summary (B, F) of what recurrent layers returned for rows of any length.

    how: "last": the state after each row's last real step, of both directions, each after its own
        last; "mean" or "max" over the real steps; "attention" (see `AttentionPooling`).
    features: F of the outputs.

    What stands in the padding never matters, and a row without steps gives zeros. Raises
    ValueError for another `how`.

    >>> pool = Pooling("mean", 3)
    >>> y = torch.tensor([[[1.0, 2.0, 3.0], [3.0, 4.0, 5.0], [9.0, 9.0, 9.0]]])
    >>> pool(y, None, torch.tensor([2])).tolist()
    [[2.0, 3.0, 4.0]]
    """

    def __init__(self, how: str, features: int) -> None:
        super().__init__()
        if how not in ("last", "mean", "max", "attention"):
            raise ValueError(f"pooling must be last, mean, max or attention, got '{how}'")
        self.how = how
        if how == "attention":
            self.attention = AttentionPooling(features)

    def forward(self, outputs: Tensor, state: Any, lengths: Tensor | None = None) -> Tensor:
        """outputs (B, T, F) and state: as a layer with batch_first returned them; lengths (B,)."""
        if self.how == "last":
            return _last(state, outputs.size(2))
        if self.how == "attention":
            pooled: Tensor = self.attention(outputs, lengths)[0]
            return pooled
        if lengths is None:
            return outputs.mean(1) if self.how == "mean" else outputs.amax(1)
        inside = step_mask(lengths, outputs.size(1)).unsqueeze(2)
        if self.how == "mean":
            total = outputs.masked_fill(~inside, 0.0).sum(1)
            return total / lengths.clamp(min=1).unsqueeze(1).to(total.dtype)
        highest = outputs.masked_fill(~inside, -torch.inf).amax(1)
        return highest.masked_fill((lengths == 0).unsqueeze(1), 0.0)


def _last(state: Any, features: int) -> Tensor:
    h = states_of(state)[0]
    return h[-1] if h.size(2) == features else torch.cat((h[-2], h[-1]), 1)
