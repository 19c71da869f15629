"""Networks whose error says how unusual a step is: a forecaster and an autoencoder."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from carousel.config import Config
from carousel.tasks.shared.network import make_dropout, make_recurrent, start


class StepForecaster(nn.Module):
    """The next K steps after each step: (B, T, F) to (B, T, K, F).

    h_t = recurrent(x)_t;  out_tk = U_k h_t + b_k, and + x_t with `anomaly.relative`. It never reads
    ahead, so it can be asked step by step. Source: Malhotra et al. 2015 (ESANN), "Long Short Term
    Memory Networks for Anomaly Detection in Time Series".
    """

    def __init__(self, features: int, config: Config) -> None:
        """features: columns, each of which is read and forecast."""
        super().__init__()
        regularization, settings = config.regularization, config.anomaly
        self.horizon, self.relative = settings.horizon, settings.relative
        self.recurrent = make_recurrent(features, config.model, regularization, batch_first=True)
        self.input_dropout = make_dropout(regularization.input_dropout)
        self.dropout = make_dropout(regularization.dropout)
        self.head = nn.Linear(config.model.hidden_size, self.horizon * features)
        start(self, config)

    def forward(self, x: Tensor) -> Tensor:
        """x (B, T, F). Returns (B, T, K, F): what is to come 1, …, K steps after each."""
        h, _ = self.recurrent(self.input_dropout(x))
        out: Tensor = self.head(self.dropout(h)).view(*x.shape[:2], self.horizon, x.size(2))
        return out + x.unsqueeze(2) if self.relative else out


class Autoencoder(nn.Module):
    """A window from what is left of it in one state: (B, L, F) to (B, L, F).

    c = the last state of encoder(x);  z = decoder(c, …, c) from the window's end to its beginning;
    out_t = U z_t + b. Sources: Malhotra et al. 2016 (arXiv:1607.00148); the decoder that reads
    the state alone, Srivastava et al. 2015 (arXiv:1502.04681).
    """

    def __init__(self, features: int, config: Config) -> None:
        """features: columns, each of which is read and reconstructed."""
        super().__init__()
        model, regularization = config.model, config.regularization
        self.recurrent = make_recurrent(features, model, regularization, batch_first=True)
        self.decoder = make_recurrent(model.hidden_size, model, regularization, batch_first=True)
        self.input_dropout = make_dropout(regularization.input_dropout)
        self.dropout = make_dropout(regularization.dropout)
        self.head = nn.Linear(model.hidden_size, features)
        start(self, config)

    def forward(self, x: Tensor) -> Tensor:
        """x (B, L, F). Returns its reconstruction."""
        _, last = self.recurrent(self.input_dropout(x))
        state = (last[0] if isinstance(last, tuple) else last)[-1]
        code = self.dropout(state).unsqueeze(1).expand(-1, x.size(1), -1).contiguous()
        z, _ = self.decoder(code)
        out: Tensor = self.head(self.dropout(z))
        return torch.flip(out, (1,))  # the decoder begins at the end


def build(features: int, config: Config) -> StepForecaster | Autoencoder:
    """The network that `anomaly.error` asks for."""
    if config.anomaly.error == "forecast":
        return StepForecaster(features, config)
    return Autoencoder(features, config)
