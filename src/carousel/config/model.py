"""Sections on the network: its layers, where its weights start, its loss."""

from __future__ import annotations

from dataclasses import dataclass

from carousel.config.keys import key


@dataclass(frozen=True)
class ModelConfig:
    """The recurrent network and how its outputs are read.

    embedding_size: of each token of a text (0: hidden_size).
    feature_size: of each feature of a word but the word itself (see `text.features`).
    tied: the embedding is the output layer's weight too (Press and Wolf 2017); it needs
        embedding_size = hidden_size.
    adaptive_softmax: how many of a language model's most frequent words are told apart in the first
        step of the softmax, the others in groups of rarer ones (Grave et al. 2017; 0: all in one).
    pooling: what the head sees: the "last" state, the "mean" or "max" over time, or a mean whose
        weights are learnt ("attention", see carousel.layers.attention).
    cell: "lstm", "gru", "rnn", or without a recurrent product "mingru", "minlstm", "indrnn".
    nonlinearity: of the vanilla RNN and IndRNN; the other cells ignore it.
    forget_bias: where the forget gate of LSTM and minLSTM starts (Jozefowicz et al. 2015).
    activation, gate_activation: in place of tanh and σ; empty for the cell's own.
    layer_norm: normalise inside the cell (Ba et al. 2016), of LSTM, GRU and vanilla RNN.
    peephole, coupled, variant: of the LSTM: gates that see the cell, f = 1 - i, and one part left
        out (Greff et al. 2015): see docs/options.md.
    """

    cell: str = key("lstm", choices=("lstm", "gru", "rnn", "mingru", "minlstm", "indrnn"))
    hidden_size: int = key(128, low=1)
    num_layers: int = key(1, low=1)
    embedding_size: int = key(0, low=0)
    feature_size: int = key(32, low=1)
    tied: bool = False
    adaptive_softmax: int = key(0, low=0)
    bidirectional: bool = False
    pooling: str = key("last", choices=("last", "mean", "max", "attention"))
    nonlinearity: str = key("tanh", choices=("tanh", "relu"))
    forget_bias: float = 1.0
    activation: str = key("", choices=("", "tanh", "softsign", "relu", "hard_tanh"))
    gate_activation: str = key("", choices=("", "sigmoid", "hard_sigmoid"))
    layer_norm: bool = False
    peephole: bool = False
    coupled: bool = False
    variant: str = key("", choices=("", "NIG", "NFG", "NOG", "NIAF", "NOAF"))


@dataclass(frozen=True)
class EncoderConfig:
    """The convolutions that read an image, or a frame of pixels, before the recurrent layers.

    width: channels of the first stage; each later one has twice as many.
    features: of the last stage, at each place of the map.
    stages: each is a convolution, a rectifier, and a maximum over 2 x 2 pixels.
    """

    width: int = key(16, low=1)
    features: int = key(64, low=1)
    stages: int = key(3, low=1, high=7)


@dataclass(frozen=True)
class InitializationConfig:
    """Where the weights start (see carousel.layers.initialization).

    name: "torch" (its defaults), "uniform" (every weight and bias from U(-range, range)),
        "orthogonal" (Keras's: Glorot inputs, orthogonal recurrence), "identity" (IRNN), "chrono".
    steps: the longest dependence that "chrono" expects.
    """

    name: str = key("torch", choices=("torch", "uniform", "orthogonal", "identity", "chrono"))
    range: float = key(0.1, above=0)
    steps: int = key(100, low=3)


@dataclass(frozen=True)
class LossConfig:
    """What is differentiated where classes are told apart; reported losses are never changed.

    label_smoothing: share of the target that is spread over all classes (Szegedy et al. 2016).
    class_weights: "balanced" counts an example of class c n / (C n_c) times, so that rare classes
        weigh as much as frequent ones.
    """

    label_smoothing: float = key(0.0, low=0, high=0.9)
    class_weights: str = key("none", choices=("none", "balanced"))
