"""Settings against overfitting."""

from __future__ import annotations

from dataclasses import dataclass

from carousel.config import groups
from carousel.config.keys import key, section


@dataclass(frozen=True)
class Penalty:
    """Strength of a weight penalty per group of weights (0: none).

    input: of W_ih.
    recurrent: of W_hh.
    bias: of all biases.
    embedding: of the embedding.
    head: of the output layer.
    """

    input: float = key(0.0, low=0)
    recurrent: float = key(0.0, low=0)
    bias: float = key(0.0, low=0)
    embedding: float = key(0.0, low=0, tasks=groups.SENTENCES)
    head: float = key(0.0, low=0)


@dataclass(frozen=True)
class MaxNorm:
    """The longest that a row of each group's matrices may be (0: any).

    input: of W_ih.
    recurrent: of W_hh.
    head: of the output layer.
    """

    input: float = key(0.0, low=0)
    recurrent: float = key(0.0, low=0)
    head: float = key(0.0, low=0)


@dataclass(frozen=True)
class RegularizationConfig:
    """Dropout on vertical connections, penalties l1 * sum|w| + l2 / 2 * sum w^2, and limits.

    dropout: on the embedding where there is one, between layers and before the head; never on
        the recurrent path (Zaremba et al. 2014).
    input_dropout: on the input of the first layer; of a text, it drops whole words, each wherever
        it stands in a window (Gal and Ghahramani 2016).
    activation, temporal_activation: alpha and beta of Merity et al. 2017: alpha times the mean
        square of the outputs after dropout, beta times that of their change from step to step.
    max_norm: after each step, rows longer than this are shortened to it (Srebro et al. 2005).
    zoneout: probability of each unit to keep its old state at a step (Krueger et al. 2017), of h,
        and of the LSTM's cell.
    zoneout_cell: of the LSTM's cell, where it is another one (-1: the same).
    weight_dropout: share of W_hh that is zero, drawn for each batch (Merity et al. 2018).
    recurrent_dropout: of the LSTM's and the GRU's candidate (Semeniuta et al. 2016).
    variational: of each layer's input, of h before the recurrent product and of the top output,
        one mask for all steps of a window (Gal and Ghahramani 2016).
    naive_recurrent_dropout: of h before the product, a new mask at each step; for comparison.
    """

    dropout: float = key(0.0, low=0, high=0.95)
    input_dropout: float = key(0.0, low=0, high=0.95)
    activation: float = key(0.0, low=0, tasks=groups.PENALISED)
    temporal_activation: float = key(0.0, low=0, tasks=groups.PENALISED)
    zoneout: float = key(0.0, low=0, high=0.95, when=(groups.cells_with("zoneout"),))
    zoneout_cell: float = key(-1.0, low=-1, high=0.95, when=(groups.CELLED,))
    weight_dropout: float = key(0.0, low=0, high=0.95, when=(groups.cells_with("weight_dropout"),))
    recurrent_dropout: float = key(
        0.0, low=0, high=0.95, when=(groups.cells_with("recurrent_dropout"),)
    )
    variational: float = key(0.0, low=0, high=0.95, when=(groups.cells_with("variational"),))
    naive_recurrent_dropout: float = key(
        0.0, low=0, high=0.95, when=(groups.cells_with("naive_recurrent_dropout"),)
    )
    l1: Penalty = section(Penalty)
    l2: Penalty = section(Penalty)
    max_norm: MaxNorm = section(MaxNorm)
