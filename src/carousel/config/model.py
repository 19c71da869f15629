"""Sections on the network: its layers, where its weights start, its loss."""

from __future__ import annotations

from dataclasses import dataclass

from carousel.cells import table
from carousel.config import groups
from carousel.config.keys import key


@dataclass(frozen=True)
class ModelConfig:
    """The recurrent network and how its outputs are read.

    hidden_size: units of each layer and direction.
    num_layers: recurrent layers, each reading the outputs of the one below.
    dilations: a layer for each of these numbers, with commas between, such as "1, 2, 4, 8": it goes
        on from its state so many steps before, and layers behind the first are added to what they
        read (dilated recurrent networks, Chang et al. 2017). Empty: plain layers.
    embedding_size: of each token of a text (0: hidden_size).
    feature_size: of each feature of a word but the word itself (see `text.features`).
    tag_size: of the tag beside each word (see `text.tag`).
    character_encoder: what makes a vector of the letters of a word (see `text.characters`): a
        "convolution" over three letters with its maximum, or a "recurrent" network from both ends.
    character_size: embedding of a letter.
    character_features: numbers that are made of the letters of a word.
    tied: the embedding is the output layer's weight too (Press and Wolf 2017); it needs
        embedding_size = hidden_size.
    adaptive_softmax: how many of a language model's most frequent words are told apart in the first
        step of the softmax, the others in groups of rarer ones (Grave et al. 2017; 0: all in one).
    bidirectional: a second set of weights reads each sequence from its end.
    pooling: what the head sees: the "last" state, the "mean" or "max" over time, or a mean whose
        weights are learnt ("attention", see carousel.layers.attention).
    cell: the recurrence (see carousel.cells.table); mingru, minlstm, indrnn, sru, rglru, qrnn,
        qrnn2 (a QRNN whose window is two inputs), lru and s6 (Mamba's scan) have no recurrent
        product.
    nonlinearity: of the vanilla RNN, IndRNN and LMU.
    forget_bias: where the forget gate of LSTM, minLSTM and sLSTM starts (Jozefowicz et al. 2015).
    order, theta: coefficients of the LMU's memory, or of each unit of the S6 (the paper has 16);
        and the steps that those of the LMU are to span.
    r_min, r_max, max_phase: of the LRU: where the sizes and angles of its λ start.
    heads: of the sLSTM: groups of units that see each other's past within their group alone;
        hidden_size must be a multiple.
    activation, gate_activation: in place of tanh and σ; empty for the cell's own.
    layer_norm: normalise inside the cell (Ba et al. 2016), of LSTM, GRU and vanilla RNN.
    reset_after: of the GRU: false for its reset gate before the product, as in Cho et al. 2014.
    peephole, coupled, variant: of the LSTM: gates that see the cell, f = 1 - i, and one part left
        out (Greff et al. 2015): see docs/options.md.
    precision: of what the products of LSTM, GRU and vanilla RNN multiply: "bf16" rounds it, where
        that is faster on the machine (see docs/precision.md).
    """

    cell: str = key("lstm", choices=table.names())
    hidden_size: int = key(128, low=1)
    num_layers: int = key(1, low=1, when=("model.dilations=",))
    dilations: str = key("", tasks=("forecast_many",))
    embedding_size: int = key(0, low=0, tasks=groups.SENTENCES)
    feature_size: int = key(32, low=1, tasks=("label_words",), when=("text.features!=word",))
    tag_size: int = key(32, low=1, when=("text.tag!=",))
    character_encoder: str = key(
        "convolution", choices=("convolution", "recurrent"), when=("text.characters!=none",)
    )
    character_size: int = key(32, low=1, when=("text.characters!=none",))
    character_features: int = key(64, low=2, when=("text.characters!=none",))
    tied: bool = key(False, tasks=groups.TIED)
    adaptive_softmax: int = key(0, low=0, tasks=("generate",))
    bidirectional: bool = key(False, tasks=groups.WHOLE)
    pooling: str = key("last", choices=("last", "mean", "max", "attention"), tasks=groups.POOLED)
    nonlinearity: str = key("tanh", choices=("tanh", "relu"), when=(groups.RECTIFIED,))
    forget_bias: float = key(1.0, when=(groups.cells_with("forget_bias"),))
    order: int = key(32, low=1, when=(groups.cells_with("order"),))
    theta: float = key(100.0, above=0, when=(groups.cells_with("theta"),))
    r_min: float = key(0.0, low=0, high=1, when=(groups.cells_with("r_min"),))
    r_max: float = key(1.0, above=0, high=1, when=(groups.cells_with("r_max"),))
    max_phase: float = key(6.283, above=0, high=6.283, when=(groups.cells_with("max_phase"),))
    heads: int = key(1, low=1, when=(groups.cells_with("heads"),))
    activation: str = key(
        "",
        choices=("", "tanh", "softsign", "relu", "hard_tanh"),
        when=(groups.cells_with("activation"),),
    )
    gate_activation: str = key(
        "", choices=("", "sigmoid", "hard_sigmoid"), when=(groups.cells_with("gate_activation"),)
    )
    layer_norm: bool = key(False, when=(groups.cells_with("layer_norm"),))
    reset_after: bool = key(True, when=(groups.cells_with("reset_after"),))
    peephole: bool = key(False, when=(groups.cells_with("peephole"),))
    coupled: bool = key(False, when=(groups.cells_with("coupled"),))
    variant: str = key(
        "",
        choices=("", "NIG", "NFG", "NOG", "NIAF", "NOAF"),
        when=(groups.cells_with("variant"),),
    )
    precision: str = key(
        "float32", choices=("float32", "bf16"), when=(groups.cells_with("precision"),)
    )


@dataclass(frozen=True)
class EncoderConfig:
    """The convolutions that read an image, or a frame of pixels, before the recurrent layers.

    width: channels of the first stage; each later one has twice as many.
    features: of the last stage, at each place of the map.
    stages: each is a convolution, a rectifier, and a maximum over 2 x 2 pixels.
    """

    width: int = key(16, low=1, when=("pictures.features=",))
    features: int = key(64, low=1)
    stages: int = key(3, low=1, high=7, when=("pictures.features=",))


@dataclass(frozen=True)
class InitializationConfig:
    """Initial weights (see carousel.layers.initialization).

    name: "torch" (its defaults), "uniform" (every weight and bias from U(-range, range)),
        "orthogonal" (Keras's: Glorot inputs, orthogonal recurrence), "identity" (IRNN), "chrono".
    range: of "uniform".
    steps: the longest dependence that "chrono" expects.
    """

    name: str = key(
        "torch",
        choices=("torch", "uniform", "orthogonal", "identity", "chrono"),
        only={"identity": groups.STATEFUL, "chrono": groups.TIMED},
    )
    range: float = key(0.1, above=0, when=("initialization.name=uniform",))
    steps: int = key(100, low=3, when=("initialization.name=chrono",))


@dataclass(frozen=True)
class LossConfig:
    """Objective where classes are told apart; reported losses are never changed.

    label_smoothing: share of the target that is spread over all classes (Szegedy et al. 2016).
    class_weights: "balanced" counts an example of class c n / (C n_c) times, so that rare classes
        weigh as much as frequent ones.
    """

    label_smoothing: float = key(0.0, low=0, high=0.9, tasks=groups.SMOOTHED)
    class_weights: str = key("none", choices=("none", "balanced"), tasks=groups.WEIGHTED)
