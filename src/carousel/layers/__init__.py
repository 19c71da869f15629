"""The drop-in layers."""

from carousel.layers.accelerate import accelerate, restore
from carousel.layers.acceleration import Acceleration, accelerated
from carousel.layers.recurrent import GRU, LSTM, RNN, explain
from carousel.layers.stream import Stream

__all__ = [
    "GRU",
    "LSTM",
    "RNN",
    "Acceleration",
    "Stream",
    "accelerate",
    "accelerated",
    "explain",
    "restore",
]
