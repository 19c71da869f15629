"""The former home of the layers: whole layers that were pickled then name their classes here."""

from carousel.layers.gru import GRU
from carousel.layers.lstm import LSTM
from carousel.layers.rnn import RNN

__all__ = ["GRU", "LSTM", "RNN"]
