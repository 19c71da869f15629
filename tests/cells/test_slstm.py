"""The sLSTM's equations against the paper's, finite differences, and the authors' package."""

import math

import pytest
import torch
from oracle import assert_close, randn, random_weight
from own_layers import make, state_of

import carousel
from carousel import kernels
from carousel.cells import scan, slstm_step
from carousel.cells.slstm import by_heads

T, B, INPUTS, H = 6, 3, 4, 6
each_gate = pytest.mark.parametrize("gate", ["sigmoid", "exp"])
each_heads = pytest.mark.parametrize("heads", [1, 2, 3, 6])


def weights_of(heads=1, seed=0):
    shapes = {"weight_ih": (4 * H, INPUTS), "weight_hh": (4 * H, H // heads), "bias_ih": (4 * H,)}
    return {
        name: random_weight(shape, name, 100 * seed + index).requires_grad_()
        for index, (name, shape) in enumerate(shapes.items())
    }


def dense(weight_hh):
    """The recurrent matrix (4H, H) with a head's block at the columns of its units."""
    size = weight_hh.size(1)
    full = weight_hh.new_zeros(4 * H, H)
    for row in range(4 * H):
        head = row % H // size
        full[row, head * size : (head + 1) * size] = weight_hh[row].detach()
    return full


def by_the_paper(x, gate, weight_ih, weight_hh, bias_ih):
    """h, and c and n without a stabiliser, after each step: equations 8 to 14 as they stand."""
    R = dense(weight_hh)
    h = c = n = torch.zeros(x.size(1), H, dtype=x.dtype)
    found = []
    for x_t in x:
        a_i, a_f, a_z, a_o = (x_t @ weight_ih.T + h @ R.T + bias_ih).split(H, dim=1)
        i, z, o = a_i.exp(), a_z.tanh(), 1 / (1 + (-a_o).exp())
        f = a_f.exp() if gate == "exp" else 1 / (1 + (-a_f).exp())
        c, n = f * c + i * z, f * n + i
        h = o * (c / n)
        found.append((h, c, n))
    return [torch.stack(parts) for parts in zip(*found, strict=True)]


def zeros(rows=B):
    return (torch.zeros(rows, H, dtype=torch.float64),) * 4


@each_gate
@each_heads
def test_outputs_are_those_of_the_papers_equations_without_a_stabiliser(gate, heads):
    weights, x = weights_of(heads), randn(T, B, INPUTS)
    states = []

    def step(x, state):
        states.append(slstm_step(x, state, **weights, nonlinearity=gate))
        return states[-1]

    y, _ = scan(step, x, zeros())
    h, c, n = by_the_paper(x, gate, **weights)
    assert_close(y, h, "forward")
    scale = torch.stack([state[3] for state in states]).exp()
    assert_close(torch.stack([state[1] for state in states]) * scale, c, "forward")
    assert_close(torch.stack([state[2] for state in states]) * scale, n, "forward")


@pytest.mark.parametrize(("x", "m"), [(1.5, -0.4), (-1.5, 0.7), (0.2, 3.0)])
@each_gate
def test_step_by_hand(x, m, gate):
    w, r, b = [0.9, -0.4, 0.8, 0.3], [0.2, 0.5, -0.6, 0.7], [0.1, -0.9, 0.3, 0.4]
    h, c, n = -0.7, 0.6, 1.2
    a = [w[k] * x + r[k] * h + b[k] for k in range(4)]
    log_f = a[1] if gate == "exp" else math.log(1 / (1 + math.exp(-a[1])))
    after = max(log_f + m, a[0])
    i, f = math.exp(a[0] - after), math.exp(log_f + m - after)
    c_new, n_new = f * c + i * math.tanh(a[2]), f * n + i
    o = 1 / (1 + math.exp(-a[3]))

    def column(*values):
        return torch.tensor(values, dtype=torch.float64)[:, None]

    new = slstm_step(
        column(x),
        (column(h), column(c), column(n), column(m)),
        column(*w),
        column(*r),
        column(*b)[:, 0],
        nonlinearity=gate,
    )
    expected = (o * c_new / n_new, c_new, n_new, after)
    assert [part.item() for part in new] == pytest.approx(expected, rel=1e-13)


def test_product_of_heads_is_that_of_a_block_diagonal_matrix():
    weight, h = weights_of(3)["weight_hh"], randn(B, H)
    assert_close(by_heads(h, weight), h @ dense(weight).T, "forward")


@each_gate
def test_a_state_of_zeros_remembers_nothing_whatever_else_is_in_it(gate):
    weights, x = weights_of(2), randn(B, INPUTS)
    h, c, n, m = zeros()
    first = slstm_step(x, (h, c, n, m), **weights, nonlinearity=gate)
    other = slstm_step(x, (h, randn(B, H), n, randn(B, H, seed=3)), **weights, nonlinearity=gate)
    for one, two in zip(first, other, strict=True):
        assert torch.equal(one, two)
    assert torch.equal(first[2], torch.ones(B, H, dtype=torch.float64))


@each_gate
def test_m_alone_changes_no_output(gate):
    """Only c e^m and n e^m matter: another m with c and n to match is the same memory."""
    weights, x = weights_of(), randn(T, B, INPUTS)
    h, c, n, m = (part[0] for part in state_of(make("SLSTM", INPUTS, H, dtype=torch.float64), B))
    shift = randn(B, H, seed=4)

    def run(state):
        return scan(lambda x, s: slstm_step(x, s, **weights, nonlinearity=gate), x, state)[0]

    moved = run((h, c * shift.exp(), n * shift.exp(), m - shift))
    assert_close(moved, run((h, c, n, m)), "forward")


@each_gate
@pytest.mark.parametrize("scale", [1e2, 1e4])
def test_large_sums_overflow_nowhere(gate, scale):
    weights, x = weights_of(), scale * randn(T, B, INPUTS, seed=9)
    x.requires_grad_()
    y, state = scan(lambda x, s: slstm_step(x, s, **weights, nonlinearity=gate), x, zeros())
    assert all(part.isfinite().all() for part in (y, *state))
    assert y.abs().max() <= 1
    gradients = torch.autograd.grad(y.square().sum(), [x, *weights.values()])
    assert all(gradient.isfinite().all() for gradient in gradients)


@each_gate
@pytest.mark.parametrize("given", [False, True], ids=["zeros", "state"])
def test_gradients_are_those_of_finite_differences(gate, given):
    weights, x = weights_of(2), randn(T, B, INPUTS).requires_grad_()
    state = tuple(part[0] for part in state_of(make("SLSTM", 1, H, dtype=torch.float64), B))
    state = tuple(part.requires_grad_() for part in state) if given else zeros()

    def run(x, *others):
        kept = others[: len(state)] if given else state
        named = dict(zip(weights, others[-3:], strict=True))
        y, last = scan(lambda x, s: slstm_step(x, s, **named, nonlinearity=gate), x, kept)
        return (y, *last)

    inputs = (x, *(state if given else ()), *weights.values())
    assert torch.autograd.gradcheck(run, inputs)


def test_shares_of_the_memory_mix_it_and_sum_to_one():
    weights, x = weights_of(2), randn(B, INPUTS)
    h, c, n, m = (part[0] for part in state_of(make("SLSTM", 1, H, dtype=torch.float64), B))
    parts = {}
    _, c_new, n_new, _ = slstm_step(x, (h, c, n, m), **weights, parts=parts)
    assert_close(parts["i"] + parts["f"], torch.ones(B, H, dtype=torch.float64), "forward")
    mixed = parts["f"] * (c / n) + parts["i"] * parts["g"]
    assert_close(mixed, c_new / n_new, "forward")


@pytest.mark.parametrize("heads", [1, 2, 4])
def test_the_authors_package_gives_the_same_numbers(heads):
    """Their plain backend, float32; of its gradients nothing is asked: its minima tie at one."""
    theirs = pytest.importorskip("xlstm.blocks.slstm.cell", reason="no package xlstm (pip)")
    layer = carousel.SLSTM(5, 16, heads=heads)
    size = 16 // heads
    config = theirs.sLSTMCellConfig(hidden_size=16, num_heads=heads, backend="vanilla")
    cell = theirs.sLSTMCell(config)
    with torch.no_grad():
        blocks = layer.weight_hh_l0.view(4, heads, size, size).transpose(0, 1)
        cell._recurrent_kernel_.copy_(blocks.reshape(heads, 4 * size, size))
        cell._bias_.copy_(layer.bias_ih_l0)
        x = randn(7, 3, 5, dtype=torch.float32)
        expected, last = cell((x @ layer.weight_ih_l0.T).transpose(0, 1))
        expected = expected.permute(2, 0, 1, 3).reshape(7, 3, 16)
        for path in ("native", "cells"):
            with kernels.use(path):
                y, state = layer(x)
            assert_close(y, expected, "forward")
            for part, theirs_last in zip(state, last, strict=True):
                assert_close(part[0], theirs_last, "forward")
