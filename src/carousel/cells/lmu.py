"""The Legendre Memory Unit, one step: a linear memory of a window of time beside a vanilla RNN."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from carousel.cells.activations import ACTIVATIONS


def lmu_step(
    x: Tensor,
    state: tuple[Tensor, ...],
    weight_ih: Tensor,
    weight_hh: Tensor,
    weight_mh: Tensor,
    weight_iu: Tensor,
    weight_hu: Tensor,
    weight_mu: Tensor,
    memory_a: Tensor,
    memory_b: Tensor,
    bias_ih: Tensor | None = None,
    *,
    nonlinearity: str = "tanh",
    parts: dict[str, Tensor] | None = None,
) -> tuple[Tensor, ...]:
    """One step of the LMU.

    u  = e_x · x + e_h · h + e_m · m        what is written to the memory, a number
    m' = A m + B u                          memory: the window's coefficients
    h' = φ(W_x x + W_h h + W_m m' + b)      φ = tanh or relu

    A and B are fixed (`legendre`): m holds the coefficients of Legendre polynomials that follow u
    over the last θ steps.

    Shapes: x (B, I); state (h, m), h (B, H), m (B, d); weight_ih W_x (H, I); weight_hh W_h (H, H);
    weight_mh W_m (H, d); weight_iu e_x (I,); weight_hu e_h (H,); weight_mu e_m (d,);
    memory_a A (d, d); memory_b B (d,); bias_ih b (H,). Returns (h', m').
    parts: left as it is: there are no gates.
    Source: Voelker, Kajić and Eliasmith 2019, "Legendre Memory Units: Continuous-Time
    Representation in Recurrent Neural Networks" (NeurIPS), equations 4 to 8.

    >>> A, B = legendre(2, theta=4.0)
    >>> h, m = torch.zeros(1, 3), torch.zeros(1, 2)
    >>> ones = [torch.ones(*size) for size in ((3, 1), (3, 3), (3, 2), (1,), (3,), (2,))]
    >>> h, m = lmu_step(torch.ones(1, 1), (h, m), *ones, A, B)
    >>> h.shape, bool(torch.allclose(m[0], B))
    (torch.Size([1, 3]), True)
    """
    h, m = state
    u = x @ weight_iu + h @ weight_hu + m @ weight_mu
    m = F.linear(m, memory_a) + u[:, None] * memory_b
    a = F.linear(x, weight_ih, bias_ih) + F.linear(h, weight_hh) + F.linear(m, weight_mh)
    return ACTIVATIONS[nonlinearity](a), m


def joined(
    weight_ih: Tensor,
    weight_hh: Tensor,
    weight_mh: Tensor,
    weight_iu: Tensor,
    weight_hu: Tensor,
    weight_mu: Tensor,
    memory_a: Tensor,
    memory_b: Tensor,
    bias_ih: Tensor | None = None,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The weights of `joined_step` that make the same step of h and m side by side.

    With m' put into h', both are linear in x, h and m, but for φ:

    s = (h, m), L = (W_m; 1)
    W_ih = (W_x; 0) + L B e_x'
    W_hh = (W_h, 0; 0, 0) + L (B e_h', A + B e_m')

    Sums of products in float64, rounded once. Returns W_ih (H + d, I), W_hh (H + d, H + d), the
    bias (H + d,), and (H + d,) which is one where a unit is a coefficient of m, else zero.

    >>> A, B = legendre(2, theta=4.0)
    >>> sizes = ((3, 1), (3, 3), (3, 2), (1,), (3,), (2,))
    >>> w_ih, w_hh, bias, linear = joined(*[torch.ones(*size) for size in sizes], A, B)
    >>> w_hh.shape, linear.tolist()
    (torch.Size([5, 5]), [0.0, 0.0, 0.0, 1.0, 1.0])
    """
    H, d, kind = len(weight_hh), len(memory_b), weight_ih.dtype
    w_m, a, b = weight_mh.double(), memory_a.double(), memory_b.double()
    from_state = torch.cat([weight_hu, weight_mu]).double()
    written = torch.cat([w_m @ b, b])[:, None]  # L B
    w_ih = F.pad(weight_ih.double(), (0, 0, 0, d)) + written * weight_iu.double()
    w_hh = torch.cat([F.pad(weight_hh.double(), (0, 0, 0, d)), torch.cat([w_m @ a, a])], 1)
    w_hh = w_hh + written * from_state
    bias = weight_ih.new_zeros(H + d) if bias_ih is None else F.pad(bias_ih, (0, d))
    linear = F.pad(weight_ih.new_zeros(H), (0, d), value=1.0)
    return w_ih.to(kind), w_hh.to(kind), bias, linear


def joined_step(
    x: Tensor,
    state: tuple[Tensor, ...],
    weight_ih: Tensor,
    weight_hh: Tensor,
    bias_ih: Tensor,
    weight_c: Tensor,
    *,
    nonlinearity: str = "tanh",
    parts: dict[str, Tensor] | None = None,
) -> tuple[Tensor, ...]:
    """One step of a vanilla RNN of units with φ where `weight_c` is zero, linear ones elsewhere.

    Shapes: as `rnn_step`; weight_c (H,).

    >>> x, weights = torch.ones(1, 2), (torch.eye(2), torch.eye(2), torch.zeros(2))
    >>> h = joined_step(x, (x,), *weights, torch.tensor([0.0, 1.0]))
    >>> h[0][0, 1].item()
    2.0
    """
    a = F.linear(x, weight_ih, bias_ih) + F.linear(state[0], weight_hh)
    return (torch.where(weight_c > 0, a, ACTIVATIONS[nonlinearity](a)),)


def legendre(order: int, theta: float) -> tuple[Tensor, Tensor]:
    """A (d, d) and B (d,) of a memory of d coefficients for the last θ steps, d the order.

    θ dm/dt = A' m + B' u with A'_ij = (2i + 1) (-1 where i < j, (-1)^(i-j+1) elsewhere) and
    B'_i = (2i + 1) (-1)^i, its solution over one step in which u stands still (zero-order hold):
    A = exp(A' / θ), B = A'^-1 (A - 1) B'. Worked out in float64, returned in float32.

    >>> A, B = legendre(1, theta=2.0)  # m' = m e^(-1/2) + (1 - e^(-1/2)) u
    >>> A.item(), B.item()
    (0.6065306663513184, 0.39346933364868164)
    """
    i = torch.arange(order, dtype=torch.float64)
    rows, columns = i[:, None], i[None, :]
    sign = torch.where(rows < columns, -1.0, (-1.0) ** (rows - columns + 1))
    # One exponential of the matrix (A', B'; 0, 0) / θ gives both, without an inverse.
    joint = torch.zeros(order + 1, order + 1, dtype=torch.float64)
    joint[:order, :order] = (2 * rows + 1) * sign
    joint[:order, order] = (2 * i + 1) * (-1.0) ** i
    joint = torch.matrix_exp(joint / theta)
    return joint[:order, :order].float(), joint[:order, order].float()
