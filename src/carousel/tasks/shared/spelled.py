"""Words as vectors that are made of their letters."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from carousel import layers
from carousel.config import ModelConfig

_WINDOW = 3


class SpelledWords(nn.Module):
    """Vectors (N, C) of words from the numbers (N, L) of their letters, 0 behind the end.

    "convolution": c_j = max over t of (W [E[l_(t-1)], E[l_t], E[l_(t+1)]] + b)_j
    "recurrent": the last states of an LSTM that reads E[l_1], …, and of one from the end, side by
    side.

    Of each word that several rows have, the vector is computed once. What has no letter, as in the
    padding, is 0. Sources: Ma and Hovy 2016 (arXiv:1603.01354), Kim et al. 2016
    (arXiv:1508.06615); Lample et al. 2016 (arXiv:1603.01360).

    >>> network = SpelledWords(30, ModelConfig(character_features=6))
    >>> network(torch.tensor([[5, 2, 0, 0], [0, 0, 0, 0]])).shape
    torch.Size([2, 6])
    """

    def __init__(self, letters: int, model: ModelConfig) -> None:
        super().__init__()
        self.width = model.character_features
        self.embedding = nn.Embedding(letters, model.character_size)
        nn.init.uniform_(self.embedding.weight, -0.1, 0.1)
        self.reader: nn.Module
        if model.character_encoder == "recurrent":
            self.reader = layers.LSTM(
                model.character_size, self.width // 2, batch_first=True, bidirectional=True
            )
        else:
            self.reader = nn.Conv1d(model.character_size, self.width, _WINDOW, padding=1)

    def forward(self, letters: Tensor) -> Tensor:
        """letters (…, L). Returns vectors (…, C)."""
        rows = letters.reshape(-1, letters.size(-1))
        words, places = torch.unique(rows, dim=0, return_inverse=True)
        lengths = (words > 0).sum(1)
        real = lengths > 0
        found = self.embedding.weight.new_zeros(len(words), self.width)
        if real.any():
            longest = int(lengths.max())
            read = self._read(words[real, :longest], lengths[real])
            found = found.index_put((real.nonzero().squeeze(1),), read)
        return found[places].view(*letters.shape[:-1], self.width)

    def _read(self, letters: Tensor, lengths: Tensor) -> Tensor:
        behind = letters == 0
        x = self.embedding(letters).masked_fill(behind.unsqueeze(2), 0.0)
        if isinstance(self.reader, nn.Conv1d):
            found = self.reader(x.transpose(1, 2))
            best: Tensor = found.masked_fill(behind.unsqueeze(1), -torch.inf).amax(2)
            return best
        _, (state, _) = self.reader(x, lengths=lengths)
        return torch.cat((state[0], state[1]), 1)
