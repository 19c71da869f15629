"""What each recurrence is, in equations: the oracle of the tests, the fallback of fast paths."""

from carousel.cells.gru import gru_step
from carousel.cells.lstm import lstm_step
from carousel.cells.rnn import rnn_step
from carousel.cells.scan import scan

__all__ = ["gru_step", "lstm_step", "rnn_step", "scan"]
