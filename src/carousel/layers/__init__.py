"""Drop-in recurrent layers."""

from carousel.layers.recurrent import GRU, LSTM, RNN, explain

__all__ = ["GRU", "LSTM", "RNN", "explain"]
