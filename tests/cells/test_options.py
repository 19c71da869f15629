"""The cells' options against sums worked by hand, and against torch's layers."""

import math

import pytest
import torch
from oracle import assert_close, assert_layers_agree, randn, random_state, randomise, weights_of
from torch import nn
from torch.autograd import gradcheck

import carousel
from carousel import kernels
from carousel.cells import gru_step, lstm_step, masks, rnn_step
from carousel.cells.activations import ACTIVATIONS, GATE_ACTIVATIONS
from carousel.cells.lstm import VARIANTS

T, B, INPUTS, H = 5, 3, 4, 6

BY_HAND = {
    "tanh": math.tanh,
    "softsign": lambda x: x / (1 + abs(x)),
    "relu": lambda x: max(x, 0.0),
    "hard_tanh": lambda x: min(max(x, -1.0), 1.0),
    "sigmoid": lambda x: 1 / (1 + math.exp(-x)),
    "hard_sigmoid": lambda x: 0.0 if x < -3 else 1.0 if x > 3 else x / 6 + 0.5,
}


@pytest.mark.parametrize("name", BY_HAND)
def test_activations_are_those_of_the_definition(name):
    x = torch.linspace(-4, 4, 81, dtype=torch.float64)
    function = (ACTIVATIONS | GATE_ACTIVATIONS)[name]
    expected = torch.tensor([BY_HAND[name](value) for value in x.tolist()], dtype=torch.float64)
    torch.testing.assert_close(function(x), expected, atol=1e-15, rtol=1e-15)


def problem(mode, gates, **more):
    """x, state and weights of one step. gates: how many blocks the weights have."""
    weights = weights_of("RNN", INPUTS, gates * H, **more)
    weights["weight_hh"] = randn(gates * H, H, seed=77).div(2).requires_grad_()
    state = tuple(randn(B, H, seed=7 + k) for k in range(2 if mode == "LSTM" else 1))
    return randn(B, INPUTS, seed=3), state, weights


def sums_of(x, h, weights):
    a = x @ weights["weight_ih"].T + weights["bias_ih"]
    return a, h @ weights["weight_hh"].T + weights["bias_hh"]


def lstm_by_hand(x, state, weights, gates, φ, σ, *, peepholes=None, coupled=False, variant=""):
    """One LSTM step, row by row and unit by unit, in Python's numbers."""
    h, c = state
    a = sum(sums_of(x, h, weights)).tolist()
    out_h, out_c = [], []
    for row in range(B):
        for u in range(H):
            old = c[row, u].item()

            def gate(name, cell, row=row, u=u):
                if name not in gates:
                    return 1.0
                value = a[row][gates.index(name) * H + u]
                if peepholes is not None:
                    value += peepholes[name][u].item() * cell
                return BY_HAND[σ](value)

            i = gate("i", old)
            f = 1 - i if coupled else gate("f", old)
            g = a[row][gates.index("g") * H + u]
            g = g if variant == "NIAF" else BY_HAND[φ](g)
            new = f * old + i * g
            out_c.append(new)
            out_h.append(gate("o", new) * (new if variant == "NOAF" else BY_HAND[φ](new)))
    return [torch.tensor(v, dtype=torch.float64).view(B, H) for v in (out_h, out_c)]


@pytest.mark.parametrize("φ", ACTIVATIONS)
@pytest.mark.parametrize("σ", GATE_ACTIVATIONS)
@pytest.mark.parametrize("peephole", [False, True])
@pytest.mark.parametrize(
    ("gates", "options"),
    [
        ("ifgo", {}),
        ("igo", {"coupled": True}),
        ("ig", {"coupled": True, "variant": "NOG"}),
        ("fgo", {"variant": "NIG"}),
        ("igo", {"variant": "NFG"}),
        ("ifg", {"variant": "NOG"}),
        ("ifgo", {"variant": "NIAF"}),
        ("ifgo", {"variant": "NOAF"}),
    ],
    ids=str,
)
def test_lstm_step_with_options_equals_sums_by_hand(gates, options, φ, σ, peephole):
    x, state, weights = problem("LSTM", len(gates))
    names = gates.replace("g", "")
    own = randn(len(names) * H, seed=21) if peephole else None
    peepholes = dict(zip(names, own.split(H), strict=True)) if peephole else None
    h, c = lstm_step(x, state, **weights, weight_c=own, activation=φ, gate_activation=σ, **options)
    expected = lstm_by_hand(x, state, weights, gates, φ, σ, peepholes=peepholes, **options)
    assert_close(h, expected[0], "forward")
    assert_close(c, expected[1], "forward")


@pytest.mark.parametrize("φ", ACTIVATIONS)
@pytest.mark.parametrize("σ", GATE_ACTIVATIONS)
def test_gru_step_with_options_equals_sums_by_hand(φ, σ):
    x, (h,), weights = problem("GRU", 3)
    a, b = (part.tolist() for part in sums_of(x, h, weights))
    expected = torch.empty(B, H, dtype=torch.float64)
    for row in range(B):
        for u in range(H):
            r = BY_HAND[σ](a[row][u] + b[row][u])
            z = BY_HAND[σ](a[row][H + u] + b[row][H + u])
            n = BY_HAND[φ](a[row][2 * H + u] + r * b[row][2 * H + u])
            expected[row, u] = (1 - z) * n + z * h[row, u].item()
    (actual,) = gru_step(x, (h,), **weights, activation=φ, gate_activation=σ)
    assert_close(actual, expected, "forward")


@pytest.mark.parametrize("φ", ACTIVATIONS)
@pytest.mark.parametrize("σ", GATE_ACTIVATIONS)
@pytest.mark.parametrize("bias", [True, False], ids=["bias", "no-bias"])
def test_gru_step_with_reset_before_the_product_equals_sums_by_hand(φ, σ, bias):
    x, (h,), weights = problem("GRU", 3)
    if not bias:
        weights |= dict.fromkeys(("bias_ih", "bias_hh"))
    product, candidate = randn(B, H, seed=31), randn(B, H, seed=32)
    W, R = weights["weight_ih"].tolist(), weights["weight_hh"].tolist()
    both = [[weights[name].tolist() for name in ("bias_ih", "bias_hh")]] if bias else []

    def total(k, row, read):
        """Row k of W x + b_ih + R read + b_hh."""
        terms = [w * v for w, v in zip(W[k], x[row].tolist(), strict=True)]
        terms += [w * v for w, v in zip(R[k], read, strict=True)]
        return sum(terms) + sum(b_ih[k] + b_hh[k] for b_ih, b_hh in both)

    expected = torch.empty(B, H, dtype=torch.float64)
    for row in range(B):
        old = h[row].tolist()
        read = [v * m for v, m in zip(old, product[row].tolist(), strict=True)]
        r = [BY_HAND[σ](total(u, row, read)) for u in range(H)]
        kept = [gate * v for gate, v in zip(r, read, strict=True)]
        for u in range(H):
            z = BY_HAND[σ](total(H + u, row, read))
            n = BY_HAND[φ](total(2 * H + u, row, kept)) * candidate[row, u].item()
            expected[row, u] = (1 - z) * n + z * old[u]
    (actual,) = gru_step(
        x,
        (h,),
        **weights,
        activation=φ,
        gate_activation=σ,
        reset_after=False,
        product_mask=product,
        candidate_mask=candidate,
    )
    assert_close(actual, expected, "forward")


def test_gradients_with_reset_before_the_product_equal_differences():
    x, (h,), weights = problem("GRU", 3)
    names, values = zip(*weights.items(), strict=True)

    def step(x, h, *values):
        return gru_step(x, (h,), **dict(zip(names, values, strict=True)), reset_after=False)

    assert gradcheck(step, [t.detach().requires_grad_() for t in (x, h, *values)])


def test_reset_before_the_product_refuses_gains():
    x, state, weights = problem("GRU", 3)
    gains = dict.fromkeys(("weight_ln_ih", "weight_ln_hh"), torch.ones(3 * H).double())
    with pytest.raises(ValueError, match="layer_norm is of the GRU whose reset gate acts after"):
        gru_step(x, state, **weights, **gains, reset_after=False)


@pytest.mark.parametrize("φ", ACTIVATIONS)
def test_rnn_step_with_any_activation_equals_sums_by_hand(φ):
    x, (h,), weights = problem("RNN", 1)
    sums = sum(sums_of(x, h, weights)).tolist()
    expected = torch.tensor([[BY_HAND[φ](v) for v in row] for row in sums], dtype=torch.float64)
    assert_close(rnn_step(x, (h,), **weights, nonlinearity=φ)[0], expected, "forward")


def test_masks_of_a_step_act_where_they_are_said_to():
    x, state, weights = problem("LSTM", 4)
    product, candidate = randn(B, H, seed=31), randn(B, H, seed=32)
    plain = lstm_step(x, (state[0] * product, state[1]), **weights)
    masked = lstm_step(x, state, **weights, product_mask=product)
    assert_close(masked[0], plain[0], "forward")
    a = sum(sums_of(x, state[0], weights)).chunk(4, dim=1)
    c = a[1].sigmoid() * state[1] + a[0].sigmoid() * a[2].tanh() * candidate
    assert_close(lstm_step(x, state, **weights, candidate_mask=candidate)[1], c, "forward")

    x, (h,), weights = problem("GRU", 3)
    (a_r, a_z, a_n), (b_r, b_z, b_n) = (
        part.chunk(3, dim=1) for part in sums_of(x, h * product, weights)
    )
    n = (a_n + (a_r + b_r).sigmoid() * b_n).tanh() * candidate
    z = (a_z + b_z).sigmoid()
    (actual,) = gru_step(x, (h,), **weights, product_mask=product, candidate_mask=candidate)
    assert_close(actual, n + z * (h - n), "forward")

    x, (h,), weights = problem("RNN", 1)
    expected = sum(sums_of(x, h * product, weights)).tanh()
    assert_close(rnn_step(x, (h,), **weights, product_mask=product)[0], expected, "forward")


def test_zoneout_keeps_or_interpolates():
    before, after = randn(2, 3, seed=1), randn(2, 3, seed=2)
    keep = torch.tensor([[True, False, True], [False, False, True]])
    kept = masks.zoneout(before, after, 0.3, keep)
    assert torch.equal(kept[keep], before[keep])
    assert torch.equal(kept[~keep], after[~keep])
    assert_close(masks.zoneout(before, after, 0.3, None), 0.3 * before + 0.7 * after, "forward")


# ---- what torch's LSTM can be made to compute


def lstm_and_twin(seed=0, **options):
    ours = randomise(carousel.LSTM(INPUTS, H, **options).double(), seed)
    return ours, nn.LSTM(INPUTS, H).double()


@pytest.mark.parametrize(("variant", "absent"), [("NIG", 0), ("NFG", 1), ("NOG", 2)])
def test_absent_gate_is_torchs_gate_held_open(variant, absent):
    """A bias so large that the sigmoid is exactly 1."""
    ours, theirs = lstm_and_twin(variant=variant)
    block = [0, 1, 3][absent]
    with torch.no_grad():
        for name, weight in theirs.named_parameters():
            blocks = list(getattr(ours, name).chunk(3))
            open_gate = torch.zeros_like(blocks[0])
            if name == "bias_ih_l0":
                open_gate += 1e3
            weight.copy_(torch.cat([*blocks[:block], open_gate, *blocks[block:]]))
    x, hx = randn(T, B, INPUTS, seed=3), random_state(ours, B)
    with kernels.use("cells"):
        assert_close(ours(x, hx)[0], theirs(x, hx)[0], "forward")


def test_coupled_gates_are_torchs_with_opposite_weights():
    ours, theirs = lstm_and_twin(coupled=True)
    with torch.no_grad():
        for name, weight in theirs.named_parameters():
            i, g, o = getattr(ours, name).chunk(3)
            weight.copy_(torch.cat([i, -i, g, o]))
    x, hx = randn(T, B, INPUTS, seed=3), random_state(ours, B)
    with kernels.use("cells"):
        assert_close(ours(x, hx)[0], theirs(x, hx)[0], "forward")


def test_peepholes_of_zero_are_torchs_lstm():
    ours, theirs = lstm_and_twin(peephole=True)
    torch.nn.init.zeros_(ours.weight_c_l0)
    theirs.load_state_dict({k: v for k, v in ours.state_dict().items() if k != "weight_c_l0"})
    x, hx = randn(T, B, INPUTS, seed=3), random_state(ours, B)
    with kernels.use("cells"):
        assert_close(ours(x, hx)[0], theirs(x, hx)[0], "forward")


def test_options_at_their_defaults_change_nothing():
    ours, theirs = lstm_and_twin(
        activation="tanh",
        gate_activation="sigmoid",
        peephole=False,
        coupled=False,
        variant="",
        zoneout=0.0,
        recurrent_dropout=0.0,
        variational=0.0,
        naive_recurrent_dropout=0.0,
        weight_dropout=0.0,
    )
    theirs.load_state_dict(ours.state_dict())
    assert_layers_agree(ours, theirs, randn(T, B, INPUTS, seed=3), random_state(ours, B))


# ---- gradients


@pytest.mark.parametrize("variant", ["", *VARIANTS])
@pytest.mark.parametrize("σ", GATE_ACTIVATIONS)
def test_gradients_of_lstm_options_equal_differences(variant, σ):
    gates = {"NIG": 3, "NFG": 3, "NOG": 3}.get(variant, 4)
    x, state, weights = problem("LSTM", gates)
    names, tensors = zip(*weights.items(), strict=True)
    own = randn((gates - 1) * H, seed=21).requires_grad_()

    def step(x, h, c, own, *tensors):
        return lstm_step(
            x,
            (h, c),
            **dict(zip(names, tensors, strict=True)),
            weight_c=own,
            activation="softsign",
            gate_activation=σ,
            variant=variant,
        )

    inputs = (x, *state, own, *tensors)
    assert gradcheck(step, tuple(tensor.detach().requires_grad_() for tensor in inputs))
