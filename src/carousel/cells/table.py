"""Every cell's `CellSpec`: what there is to say of it besides its equations, in one place.

The equations are in the file that `equations` names. They need torch, and this table does not, so
that the configuration, which is read without torch, can refuse a setting that no cell would read.
"""

from __future__ import annotations

from collections.abc import Callable

from carousel.cells.parallel_table import (
    IND_RNN,
    INPUT,
    INPUT_BIAS,
    LRU,
    MIN_GRU,
    MIN_LSTM,
    QRNN,
    QRNN2,
    RG_LRU,
    S6,
    SRU,
)
from carousel.cells.spec import CellSpec, Mode, Part, Weight

_HIDDEN = Part("h", "hidden state", "state")
_PRODUCTS = (  # as torch has them
    INPUT,
    Weight("weight_hh", "gates", "outputs"),
    INPUT_BIAS,
    Weight("bias_hh", "gates", needs="bias"),
)
_GAINS = (
    Weight("weight_ln_ih", "gates", needs="layer_norm"),
    Weight("weight_ln_hh", "gates", needs="layer_norm"),
)
_RECURRENT = (  # options of every cell with a recurrent product
    "activation",
    "zoneout",
    "variational",
    "naive_recurrent_dropout",
    "weight_dropout",
    "layer_norm",
    "checkpoint_every",
    "precision",
)
_GATED = (*_RECURRENT, "gate_activation", "recurrent_dropout")

LSTM = CellSpec(
    name="lstm",
    layer="LSTM",
    equations="lstm.lstm_step",
    parts=(
        Part("i", "input gate", "gate"),
        Part("f", "forget gate", "gate"),
        Part("g", "candidate", "candidate"),
        Part("o", "output gate", "gate"),
        Part("c", "cell state", "state", "c = f ⊙ c + i ⊙ g"),
        Part("h", "hidden state", "state", "h = o ⊙ tanh(c)"),
    ),
    states=("h", "c"),
    weights=(
        *_PRODUCTS,
        Weight("weight_hr", "outputs", "hidden", needs="proj_size"),
        Weight("weight_c", "peepholes", needs="peephole"),
        *_GAINS,
        Weight("weight_ln_c", "hidden", needs="layer_norm"),
        Weight("bias_ln_c", "hidden", needs="layer_norm"),
    ),
    modes=(Mode("LSTM", native=0),),
    options=(*_GATED, "forget_bias", "peephole", "coupled", "variant"),
    settings=("activation", "gate_activation", "coupled", "variant"),
    absent=(
        ("variant", "NIG", "i"),
        ("variant", "NFG", "f"),
        ("variant", "NOG", "o"),
        ("coupled", True, "f"),
    ),
    keeps="f",
    admits="i",
    lasting={"f": 1, "i": -1},
    in_torch=True,
    onnx="iofg",
)

GRU = CellSpec(
    name="gru",
    layer="GRU",
    equations="gru.gru_step",
    parts=(
        Part("r", "reset gate", "gate"),
        Part("z", "update gate", "gate"),
        Part("n", "candidate", "candidate"),
        Part("h", "hidden state", "state", "h = (1 - z) ⊙ n + z ⊙ h"),
    ),
    states=("h",),
    weights=(*_PRODUCTS, *_GAINS),
    modes=(Mode("GRU", native=1),),
    options=(*_GATED, "reset_after"),
    settings=("activation", "gate_activation", "reset_after"),
    keeps="z",
    admits="1-z",
    lasting={"z": 1},
    in_torch=True,
    onnx="zrn",
)

RNN = CellSpec(
    name="rnn",
    layer="RNN",
    equations="rnn.rnn_step",
    parts=(_HIDDEN,),
    states=("h",),
    weights=(
        *_PRODUCTS,
        Weight("weight_ln", "gates", needs="layer_norm", native="w_ln_hh"),
    ),
    modes=(Mode("RNN_TANH", "tanh", native=2), Mode("RNN_RELU", "relu", native=3)),
    options=(*_RECURRENT, "nonlinearity"),
    settings=("nonlinearity",),
    in_torch=True,
    onnx="",
)

S_LSTM = CellSpec(
    name="slstm",
    layer="SLSTM",
    equations="slstm.slstm_step",
    parts=(
        Part("i", "input gate", "gate"),
        Part("f", "forget gate", "gate"),
        Part("g", "candidate", "candidate"),
        Part("o", "output gate", "gate"),
        Part("m", "stabiliser", "state", start=0.0),
        Part("n", "normaliser", "state", "n = f ⊙ n + i", start=1.0),
        Part("c", "cell state", "state", "c = f ⊙ c + i ⊙ g"),
        Part("h", "hidden state", "state", "h = o ⊙ c / n"),
    ),
    states=("h", "c", "n", "m"),
    weights=(INPUT, Weight("weight_hh", "gates", "head"), INPUT_BIAS),
    modes=(Mode("SLSTM", "sigmoid", native=10), Mode("SLSTM_EXP", "exp", native=11)),
    options=("nonlinearity", "forget_bias", "heads"),
    settings=("nonlinearity",),
    keeps="f",
    admits="i",
    lasting={"f": 1, "i": -1},
)

LMU = CellSpec(
    name="lmu",
    layer="LMU",
    equations="lmu.lmu_step",
    parts=(
        Part("m", "memory", "state", "m = A m + B u", axis="memory"),
        _HIDDEN,
    ),
    states=("h", "m"),
    weights=(
        INPUT,
        Weight("weight_hh", "gates", "outputs"),
        Weight("weight_mh", "gates", "memory"),
        Weight("weight_iu", "inputs", own_start=True),
        Weight("weight_hu", "hidden", own_start=True),
        Weight("weight_mu", "memory", own_start=True),
        Weight("memory_a", "memory", "memory", fixed=True),
        Weight("memory_b", "memory", fixed=True),
        INPUT_BIAS,
    ),
    modes=(Mode("LMU", "tanh", native=14), Mode("LMU_RELU", "relu", native=15)),
    options=("nonlinearity", "order", "theta"),
    settings=("nonlinearity",),
    bounded=False,
    memory=32,
    joined="joined",
)

# As the kernels have it: units of h and coefficients of m together, each of its kind.
_LMU_JOINED = CellSpec(
    name="lmu-joined",
    layer="LMU",
    equations="lmu.joined_step",
    parts=(_HIDDEN,),
    states=("h",),
    weights=(
        INPUT,
        Weight("weight_hh", "gates", "outputs"),
        Weight("bias_ih", "gates"),
        Weight("weight_c", "hidden", fixed=True),
    ),
    modes=(Mode("LMU_JOINED", "tanh", native=14), Mode("LMU_RELU_JOINED", "relu", native=15)),
    options=("nonlinearity",),
    settings=("nonlinearity",),
)

SPECS = (LSTM, GRU, RNN, MIN_GRU, MIN_LSTM, IND_RNN, S_LSTM, SRU, RG_LRU, QRNN, QRNN2, LRU, LMU, S6)
# Cells that the kernels have in the place of those that are `joined`: no layer's own.
JOINED = (_LMU_JOINED,)

_BY_NAME = {spec.name: spec for spec in SPECS}
_BY_MODE = {mode.name: (spec, mode) for spec in (*SPECS, *JOINED) for mode in spec.modes}


def names() -> tuple[str, ...]:
    """Every cell, as a configuration names it.

    >>> names()[:4], names()[-3:]
    (('lstm', 'gru', 'rnn', 'mingru'), ('lru', 'lmu', 's6'))
    """
    return tuple(_BY_NAME)


def named(name: str) -> CellSpec:
    """The cell that a configuration names. Raises KeyError for a name that is not there."""
    return _BY_NAME[name]


def spec_of(mode: str) -> CellSpec:
    """The cell of a layer's `mode`, torch's layers included; KeyError for an unknown one.

    >>> spec_of("RNN_RELU").layer
    'RNN'
    """
    return _BY_MODE[mode][0]


def mode_of(mode: str) -> Mode:
    """Mode that a layer's `mode` stands for.

    >>> mode_of("RNN_RELU").nonlinearity
    'relu'
    """
    return _BY_MODE[mode][1]


def names_where(holds: Callable[[CellSpec], object]) -> tuple[str, ...]:
    """The cells of which something holds, as a configuration names them.

    >>> names_where(lambda spec: "forget_bias" in spec.options)
    ('lstm', 'minlstm', 'slstm')
    """
    return tuple(spec.name for spec in SPECS if holds(spec))


def gate_words() -> dict[str, str]:
    """Every gate's letter in words, of all cells: a letter names the same gate wherever it stands.

    >>> gate_words()["f"]
    'forget gate'
    """
    return {p.name: p.words for spec in SPECS for p in spec.parts if p.kind == "gate"}
