"""The drop-in layers."""

from carousel.layers.recurrent import GRU, LSTM, RNN, explain
from carousel.layers.stream import Stream

__all__ = ["GRU", "LSTM", "RNN", "Stream", "explain"]
