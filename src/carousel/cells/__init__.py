"""What each recurrence is, in equations: the oracle of the tests, the fallback of fast paths."""

from carousel.cells.gru import gru_step
from carousel.cells.ind_rnn import ind_rnn_step
from carousel.cells.lstm import lstm_step
from carousel.cells.min_gru import min_gru_step
from carousel.cells.min_lstm import min_lstm_step
from carousel.cells.rnn import rnn_step
from carousel.cells.scan import scan

__all__ = [
    "gru_step",
    "ind_rnn_step",
    "lstm_step",
    "min_gru_step",
    "min_lstm_step",
    "rnn_step",
    "scan",
]
