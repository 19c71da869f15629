"""`CellSpec`s of the cells without a recurrent product: see `carousel.cells.table`."""

from __future__ import annotations

from carousel.cells.spec import CellSpec, Mode, Part, Weight

INPUT = Weight("weight_ih", "gates", "inputs")
INPUT_BIAS = Weight("bias_ih", "gates", needs="bias")

MIN_GRU = CellSpec(
    name="mingru",
    layer="MinGRU",
    equations="min_gru.min_gru_step",
    parts=(
        Part("z", "update gate", "gate"),
        Part("n", "candidate", "candidate"),
        Part("h", "hidden state", "state", "h = (1 - z) ⊙ h + z ⊙ n"),
    ),
    states=("h",),
    weights=(INPUT, INPUT_BIAS),
    modes=(Mode("MINGRU", "g", native=4), Mode("MINGRU_LINEAR", "linear", native=5)),
    options=("nonlinearity",),
    settings=("nonlinearity",),
    keeps="1-z",
    admits="z",
    lasting={"z": -1},
    bounded=False,
)

MIN_LSTM = CellSpec(
    name="minlstm",
    layer="MinLSTM",
    equations="min_lstm.min_lstm_step",
    parts=(
        Part("f", "forget gate", "gate"),
        Part("i", "input gate", "gate"),
        Part("n", "candidate", "candidate"),
        Part("h", "hidden state", "state", "h = f ⊙ h + i ⊙ n"),
    ),
    states=("h",),
    weights=(INPUT, INPUT_BIAS),
    modes=(Mode("MINLSTM", "g", native=6), Mode("MINLSTM_LINEAR", "linear", native=7)),
    options=("nonlinearity", "forget_bias"),
    settings=("nonlinearity",),
    keeps="f",
    admits="i",
    lasting={"f": 1, "i": -1},
    bounded=False,
)

IND_RNN = CellSpec(
    name="indrnn",
    layer="IndRNN",
    equations="ind_rnn.ind_rnn_step",
    parts=(Part("h", "hidden state", "state"),),
    states=("h",),
    weights=(INPUT, Weight("weight_hh", "hidden"), INPUT_BIAS),
    modes=(Mode("INDRNN_RELU", "relu", native=9), Mode("INDRNN_TANH", "tanh", native=8)),
    options=("nonlinearity",),
    settings=("nonlinearity",),
    bounded=False,
)

_GATE_BIAS = Weight("bias_ih", "peepholes", needs="bias")  # candidates have none

SRU = CellSpec(
    name="sru",
    layer="SRU",
    equations="sru.sru_step",
    parts=(
        Part("f", "forget gate", "gate"),
        Part("r", "reset gate", "gate"),
        Part("n", "candidate", "candidate"),
        Part("s", "skipping input", "candidate"),
        Part("c", "cell state", "state", "c = f ⊙ c + (1 - f) ⊙ n"),
        Part("h", "hidden state", "state", "h = r ⊙ c + (1 - r) ⊙ s"),
    ),
    states=("h", "c"),
    weights=(INPUT, Weight("weight_c", "peepholes", native="w_hh"), _GATE_BIAS),
    modes=(Mode("SRU", native=12),),
    options=(),
    settings=(),
    skip="s",
    keeps="f",
    admits="1-f",
    lasting={"f": 1},
    bounded=False,
)

RG_LRU = CellSpec(
    name="rglru",
    layer="RGLRU",
    equations="rg_lru.rg_lru_step",
    parts=(
        Part("a", "decay", "gate"),
        Part("i", "input gate", "gate"),
        Part("n", "candidate", "candidate"),
        Part("h", "hidden state", "state", "h = a ⊙ h + √(1 - a²) ⊙ i ⊙ n"),
    ),
    states=("h",),
    weights=(INPUT, Weight("weight_lambda", "hidden", native="w_hh", own_start=True), _GATE_BIAS),
    modes=(Mode("RGLRU", native=13),),
    options=(),
    settings=(),
    skip="n",
    keeps="a",
    admits="i",
    lasting={"a": -1},
    bounded=False,
)

_QRNN_PARTS = (
    Part("g", "candidate", "candidate"),
    Part("f", "forget gate", "gate"),
    Part("o", "output gate", "gate"),
    Part("c", "cell state", "state", "c = f ⊙ c + (1 - f) ⊙ g"),
    Part("h", "hidden state", "state", "h = o ⊙ c"),
)

QRNN = CellSpec(
    name="qrnn",
    layer="QRNN",
    equations="qrnn.qrnn_step",
    parts=_QRNN_PARTS,
    states=("h", "c"),
    weights=(INPUT, INPUT_BIAS),
    modes=(Mode("QRNN", native=16),),
    options=(),
    settings=(),
    keeps="f",
    admits="1-f",
    lasting={"f": 1},
    arguments={"window": 1},
)

QRNN2 = CellSpec(
    name="qrnn2",
    layer="QRNN",
    equations="qrnn.qrnn2_step",
    parts=(
        *_QRNN_PARTS[:3],
        Part("n", "what the input before adds", "state", "n = W x", axis="gates", start=0.0),
        *_QRNN_PARTS[3:],
    ),
    states=("h", "c", "n"),
    weights=(INPUT, Weight("weight_ph", "gates", "inputs", native="w_hh"), INPUT_BIAS),
    modes=(Mode("QRNN2", native=17),),
    options=(),
    settings=(),
    keeps="f",
    admits="1-f",
    lasting={"f": 1},
    bounded=False,
    arguments={"window": 2},
)

LRU = CellSpec(
    name="lru",
    layer="LRU",
    equations="lru.lru_step",
    parts=(
        Part("g", "what passes the memory by", "candidate"),
        Part("p", "what is let in, real part", "candidate"),
        Part("q", "what is let in, imaginary part", "candidate"),
        Part("n", "memory, imaginary part", "state", "s = λ ⊙ s + exp(γ) ⊙ (p + i q)"),
        Part("c", "memory, real part", "state", "s = λ ⊙ s + exp(γ) ⊙ (p + i q)"),
        Part("h", "output", "state", "h = Re(C s) + g"),
    ),
    states=("h", "c", "n"),
    weights=(
        INPUT,
        Weight("weight_sh", "outputs", "pairs", native="w_hr"),
        Weight("weight_nu", "hidden", native="w_hh", own_start=True),
        Weight("weight_theta", "hidden", native="w_c", own_start=True),
        Weight("weight_gamma", "hidden", native="w_ln_hh", own_start=True),
        Weight("bias_ih", "hidden", needs="bias"),
    ),
    modes=(Mode("LRU", native=18),),
    options=("r_min", "r_max", "max_phase"),
    settings=(),
    bounded=False,
)

S6 = CellSpec(
    name="s6",
    layer="S6",
    equations="s6.s6_step",
    parts=(
        Part("d", "step size", "candidate"),
        Part("n", "candidate", "candidate"),
        Part("c", "memory", "state", "c = exp(d A) ⊙ c + (d ⊙ n) B", axis="coefficients"),
        Part("h", "output", "state", "h = C c + D ⊙ n"),
    ),
    states=("h", "c"),
    weights=(
        INPUT,
        Weight("weight_log_a", "hidden", "memory", native="w_hh", own_start=True),
        Weight("weight_bx", "memory", "inputs", native="w_ln_ih"),
        Weight("weight_cx", "memory", "inputs", native="w_ln_hh"),
        Weight("weight_skip", "hidden", native="w_c", own_start=True),
        Weight("bias_delta", "hidden", needs="bias", native="b_ih", own_start=True),
    ),
    modes=(Mode("S6", native=19),),
    options=("order",),
    settings=(),
    skip="n",
    bounded=False,
    memory=16,
)
