"""The drop-in layers."""

from carousel.layers.accelerate import accelerate, restore
from carousel.layers.acceleration import Acceleration, accelerated
from carousel.layers.explaining import explain
from carousel.layers.gru import GRU
from carousel.layers.lmu import LMU
from carousel.layers.lru import LRU
from carousel.layers.lstm import LSTM
from carousel.layers.parallel import IndRNN, MinGRU, MinLSTM
from carousel.layers.qrnn import QRNN
from carousel.layers.rnn import RNN
from carousel.layers.s6 import S6
from carousel.layers.skipping import RGLRU, SRU
from carousel.layers.slstm import SLSTM
from carousel.layers.stream import Stream

__all__ = [
    "GRU",
    "LMU",
    "LRU",
    "LSTM",
    "QRNN",
    "RGLRU",
    "RNN",
    "S6",
    "SLSTM",
    "SRU",
    "Acceleration",
    "IndRNN",
    "MinGRU",
    "MinLSTM",
    "Stream",
    "accelerate",
    "accelerated",
    "explain",
    "restore",
]
