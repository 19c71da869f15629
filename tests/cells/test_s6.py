"""S6 against the paper's sums worked out number by number, and finite differences."""

import math

import pytest
import torch
from oracle import assert_close, randn, random_weight

from carousel.cells import s6_step, scan

T, B, H, N = 6, 3, 5, 3
INPUTS = [pytest.param(4, id="projected"), pytest.param(H, id="as it is")]


def weights_of(inputs, bias=True):
    shapes = {
        "weight_ih": (H if inputs == H else 2 * H, inputs),
        "weight_log_a": (H, N),
        "weight_bx": (N, inputs),
        "weight_cx": (N, inputs),
        "weight_skip": (H,),
        **({"bias_delta": (H,)} if bias else {}),
    }
    return {
        name: random_weight(shape, name, index).requires_grad_()
        for index, (name, shape) in enumerate(shapes.items())
    }


def number_by_number(x, memory, weights):
    """Algorithm 2 of Gu and Dao 2023 for one row, in Python's floats: memory[u][n]."""
    w = {name: weight.tolist() for name, weight in weights.items()}

    def product(matrix, step):
        return [sum(a * b for a, b in zip(row, step, strict=True)) for row in matrix]

    outputs = []
    for step in x.tolist():
        sums = product(w["weight_ih"], step)
        n = step if len(step) == H else sums[H:]
        written, read = product(w["weight_bx"], step), product(w["weight_cx"], step)
        told = []
        for u in range(H):
            a = sums[u] + (w["bias_delta"][u] if "bias_delta" in w else 0.0)
            delta = math.log1p(math.exp(a))
            for k in range(N):
                fades = math.exp(-delta * math.exp(w["weight_log_a"][u][k]))
                memory[u][k] = fades * memory[u][k] + delta * written[k] * n[u]
            told.append(sum(read[k] * memory[u][k] for k in range(N)) + w["weight_skip"][u] * n[u])
        outputs.append(told)
    return outputs, memory


@pytest.mark.parametrize("inputs", INPUTS)
@pytest.mark.parametrize("bias", [True, False], ids=["bias", "no-bias"])
def test_steps_equal_the_scan_worked_out_number_by_number(inputs, bias):
    weights, x = weights_of(inputs, bias), randn(T, B, inputs)
    c = randn(B, N * H, seed=8)
    start = (torch.full((B, H), torch.nan, dtype=x.dtype), c)
    y, (h, memory) = scan(lambda x, s: s6_step(x, s, **weights), x, start)
    for row in range(B):
        by_unit = c[row].view(N, H).t().tolist()
        expected, last = number_by_number(x[:, row], by_unit, weights)
        assert_close(y[:, row], torch.tensor(expected, dtype=x.dtype), "forward")
        wanted = torch.tensor(last, dtype=x.dtype).t().flatten()
        assert_close(memory[row], wanted, "forward")
    assert_close(h, y[-1], "forward")


@pytest.mark.parametrize("inputs", INPUTS)
@pytest.mark.parametrize("lengths", [None, [2, 0, 3]], ids=["full", "ragged"])
def test_gradients_equal_finite_differences(inputs, lengths):
    weights = weights_of(inputs)
    lengths = None if lengths is None else torch.tensor(lengths)

    def run(x, *values):
        named = dict(zip(weights, values[2:], strict=True))
        y, final = scan(lambda x, s: s6_step(x, s, **named), x, values[:2], lengths, reverse=True)
        return y, *final

    start = [randn(B, H, seed=8).requires_grad_(), randn(B, N * H, seed=9).requires_grad_()]
    x = randn(3, B, inputs).requires_grad_()
    assert torch.autograd.gradcheck(run, [x, *start, *weights.values()], fast_mode=True)


def test_a_small_step_keeps_the_memory_and_a_large_one_forgets_it():
    weights = {name: weight.detach() for name, weight in weights_of(4).items()}
    weights["weight_log_a"] = torch.zeros_like(weights["weight_log_a"])
    c, x = randn(B, N * H, seed=8), randn(B, 4)
    for bias, share in ((-60.0, 1.0), (60.0, 0.0)):
        weights["weight_ih"][:H] = 0.0
        weights["bias_delta"] = torch.full((H,), bias, dtype=c.dtype)
        parts = {}
        _, after = s6_step(x, (c, c), **weights, parts=parts)
        written = (parts["d"] * parts["n"])[:, None] * (x @ weights["weight_bx"].t())[:, :, None]
        assert_close(after - written.flatten(1), share * c, "forward")
